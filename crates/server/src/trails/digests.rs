//! Digests: made when they are due, written down with their signature, and put where they belong.

use std::sync::PoisonError;

use bytes::Bytes;
use moho_audit::cloudtrail::digest::{
    Digest, DigestSigner as _, DigestedLog, LocalDigestKey, PreviousDigest, SIGNATURE_ALGORITHM,
    SignedDigest, fingerprint,
};
use moho_audit::cloudtrail::{DigestKey, LogFileKey, Place, Sha256};
use moho_store::trails::{
    self as kept, Chain, DigestToDeliver, MOST_IN_DIGEST, NewDigest, NewDigestKey, PreviousOfChain, Trail,
};
use moho_terms::{AccountId, Timestamp};

use super::{Delivered, Parcel, TrailDelivery, Unreadable};

/// How long a key signs: 30 days.
const KEY_SECONDS: u64 = 30 * 24 * 3600;

/// The key that signs now.
pub(crate) struct Signing {
    key: LocalDigestKey,
    from: Timestamp,
    until: Timestamp,
}

impl TrailDelivery {
    /// Makes the digests of a trail that are due, and puts all that are written down.
    pub(super) fn deliver_digests(&self, trail: &Trail, all: &mut Delivered) -> Result<(), Unreadable> {
        if !self.put_digests(trail, all)? {
            return Ok(());
        }
        let accounts = self.store.accounts_of_trail(trail)?;
        let now = self.clock.now();
        let chains = self.chains(trail, &accounts, all)?;
        for chain in chains.iter().filter(|chain| self.is_due(chain, now)) {
            self.make_digest(trail, chain, now)?;
        }
        self.put_digests(trail, all)?;
        Ok(())
    }

    fn is_due(&self, chain: &Chain, now: Timestamp) -> bool {
        let age = now.unix_seconds().saturating_sub(chain.begins_at.unix_seconds());
        let due = age >= self.config.digests || chain.is_drained;
        due && age > 0 && !chain.waits && !chain.is_done
    }

    fn make_digest(&self, trail: &Trail, chain: &Chain, now: Timestamp) -> Result<(), Unreadable> {
        let mut logs = self.store.logs_of_digest(&trail.id, chain)?;
        let next = logs.get(MOST_IN_DIGEST).map(|log| LogFileKey::time_of(&log.key));
        logs.truncate(MOST_IN_DIGEST);
        let end = Timestamp::from_unix_seconds(now.unix_seconds());
        // It ends before the minute of what it does not name is over, if it can.
        let before = next.flatten().filter(|minute| *minute > chain.begins_at);
        let end = before.map_or(end, |minute| minute.min(end));
        let key = self.digest_key((trail, chain.account), end)?;
        let named = logs.iter().map(|log| {
            let place = Place::new(log.bucket.as_str(), &log.key);
            DigestedLog::known(place, Sha256::from(log.hash), (log.oldest, log.newest))
        });
        let bucket = &trail.settings.bucket;
        let previous = match &chain.previous {
            Some(before) if self.is_there(&before.bucket)? => Some(previous(before)),
            _ => None,
        };
        let digest = Digest::of(
            &key,
            bucket.name.as_str(),
            chain.begins_at,
            named.collect(),
            previous,
        );
        let signed = self.signed(digest, now)?;
        let SignedDigest { body, as_previous } = signed;
        let new = NewDigest {
            ends_at: end,
            place: PreviousOfChain {
                bucket: bucket.clone(),
                key: as_previous.place.key,
                hash: *as_previous.hash.as_bytes(),
                signature: as_previous.signature,
            },
            kms_key: trail.settings.kms_key.clone(),
            body,
            is_last: chain.is_drained && next.is_none(),
        };
        // If something came between, the next look makes another one.
        self.store.plan_digest((&trail.id, chain), &logs, &new)?;
        Ok(())
    }

    /// Puts the digests that are written down. `false` if one could not be put.
    fn put_digests(&self, trail: &Trail, all: &mut Delivered) -> Result<bool, Unreadable> {
        for sent in self.store.undelivered_digests(&trail.id)? {
            if !sent.unsure {
                self.store.digest_is_unsure(&trail.id, &sent, true)?;
            }
            if let Err(undone) = self.put(trail, parcel(&sent)) {
                if undone.refused && !sent.unsure {
                    self.store.digest_is_unsure(&trail.id, &sent, false)?;
                }
                if undone.refused && self.digest_redirected(trail, &sent)? {
                    all.more = true;
                    return Ok(false);
                }
                self.note(trail, (&undone, true), all)?;
                return Ok(false);
            }
            self.store.digest_delivered(&trail.id, &sent, self.clock.now())?;
            all.done = all.done.saturating_add(1);
        }
        Ok(true)
    }

    /// A digest is refused where it was to go: if the trail is set to something else by now, it goes there, signed as of there. If
    /// the bucket of the one before it is gone, nobody could follow it, and the chain begins anew.
    fn digest_redirected(&self, trail: &Trail, sent: &DigestToDeliver) -> Result<bool, Unreadable> {
        let (settings, digest) = (&trail.settings, &sent.digest);
        let (bucket, kms_key) = (&settings.bucket, settings.kms_key.as_ref());
        let key = self
            .digest_key((trail, sent.account), digest.ends_at)?
            .to_string();
        let there = digest.place.bucket == *bucket && digest.place.key == key;
        if there && digest.kms_key.as_ref() == kms_key {
            return Ok(false);
        }
        if there {
            let same = (&digest.place, kms_key, digest.body.as_slice());
            self.store.redirect_digest(&trail.id, sent, same)?;
            return Ok(true);
        }
        if sent.unsure && self.stands(&digest.place.bucket, &digest.place.key)? {
            return Ok(false);
        }
        let moved = Digest::unpack(&digest.body)?.moved(Place::new(bucket.name.as_str(), &key));
        let moved = match &sent.previous {
            Some(before) if self.is_there(before)? => moved,
            _ => moved.without_previous(),
        };
        let SignedDigest { body, as_previous } = self.signed(moved, self.clock.now())?;
        let place = PreviousOfChain {
            bucket: bucket.clone(),
            key,
            hash: *as_previous.hash.as_bytes(),
            signature: as_previous.signature,
        };
        self.store
            .redirect_digest(&trail.id, sent, (&place, kms_key, &body))?;
        Ok(true)
    }

    fn digest_key(
        &self,
        (trail, account): (&Trail, AccountId),
        end: Timestamp,
    ) -> Result<DigestKey, Unreadable> {
        Ok(DigestKey {
            scope: self.scope(trail, account),
            trail: trail.name.parse()?,
            home_region: trail.home_region.clone(),
            end,
            backfill: false,
        })
    }

    /// Signs with the key of the time, which is made if there is none.
    fn signed(&self, digest: Digest, now: Timestamp) -> Result<SignedDigest, Unreadable> {
        let mut signing = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match signing.take() {
            Some(current) if current.from <= now && current.until > now => current,
            _ => self.key_of(now)?,
        };
        let signed = digest.sign(&current.key);
        *signing = Some(current);
        Ok(signed?)
    }

    fn key_of(&self, now: Timestamp) -> Result<Signing, Unreadable> {
        if self.store.digest_key(&self.region, now)?.is_none() {
            let private = LocalDigestKey::generate()?;
            let public_key = LocalDigestKey::from_pkcs8(&private)?.public_key().to_vec();
            let public = kept::DigestKey {
                fingerprint: fingerprint(&public_key),
                public_key,
                valid_from: Timestamp::from_unix_seconds(now.unix_seconds()),
                valid_to: now.plus_seconds(KEY_SECONDS),
            };
            let new = NewDigestKey { public, private };
            self.store.keep_digest_key(&self.region, &new, &*self.entropy)?;
        }
        // Another process may have been faster.
        let (public, private) = self
            .store
            .digest_key(&self.region, now)?
            .ok_or("there is no key to sign digests with")?;
        Ok(Signing {
            key: LocalDigestKey::from_pkcs8(&private)?,
            from: public.valid_from,
            until: public.valid_to,
        })
    }
}

fn previous(previous: &PreviousOfChain) -> PreviousDigest {
    PreviousDigest {
        place: Place::new(previous.bucket.name.as_str(), &previous.key),
        hash: Sha256::from(previous.hash),
        signature: previous.signature.clone(),
    }
}

fn parcel(sent: &DigestToDeliver) -> Parcel {
    let digest = &sent.digest;
    Parcel {
        bucket: digest.place.bucket.clone(),
        key: digest.place.key.clone(),
        kms_key: digest.kms_key.clone(),
        body: Bytes::copy_from_slice(&digest.body),
        metadata: vec![
            ("signature", digest.place.signature.clone()),
            ("signature-algorithm", SIGNATURE_ALGORITHM.to_owned()),
        ],
        gzip: true,
    }
}
