//! What CloudTrail does to buckets: as itself, by leave of their policies only.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use moho_iam::OwnService;
use moho_iam::action::kms::GenerateDataKey;
use moho_iam::authz::{ActingFor, Authorizer, Permit, Refusal};
use moho_kms::EncryptionContext;
use moho_store::Store;
use moho_store::trails::TrailBucket;
use moho_terms::{AccountId, Arn, Region, RequestId};

use crate::own_puts::{OwnBucket, OwnObject, OwnPuts, PutAnswer};

/// What the bucket's owner gets, as bucket policies for CloudTrail ask for it.
const ACL: &str = "bucket-owner-full-control";

/// Acts as CloudTrail.
pub(crate) struct Courier {
    pub(crate) puts: OwnPuts,
    pub(crate) store: Arc<Store>,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) region: Region,
}

/// For which trail it acts.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    /// The trail.
    pub(crate) trail: Arn,
    /// Its account.
    pub(crate) account: AccountId,
}

/// An object to be put.
pub(crate) struct Parcel {
    pub(crate) bucket: TrailBucket,
    pub(crate) key: String,
    pub(crate) kms_key: Option<Arn>,
    pub(crate) body: Bytes,
    /// Without `x-amz-meta-`.
    pub(crate) metadata: Vec<(&'static str, String)>,
    /// Whether it is packed.
    pub(crate) gzip: bool,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undone {
    /// S3's code, or the status if it says none.
    pub(crate) code: String,
    /// Whether S3 refused it: it is not there, and will not be if it is asked for again in the same way.
    pub(crate) refused: bool,
}

impl Undone {
    /// Moho itself could not ask.
    pub(super) fn ours() -> Self {
        Self {
            code: "InternalError".to_owned(),
            refused: false,
        }
    }
}

impl Courier {
    /// Puts an object.
    pub(crate) async fn put(&self, whose: &Whose, parcel: Parcel) -> Result<(), Undone> {
        let on = self.on(whose, &parcel.bucket)?;
        let mut headers = vec![("x-amz-acl".to_owned(), ACL.to_owned())];
        if parcel.gzip {
            headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        }
        if let Some(key) = &parcel.kms_key {
            let context = format!("{{\"{CONTEXT}\":\"{}\"}}", whose.trail);
            let context = BASE64_STANDARD.encode(context);
            headers.extend([
                (SEALING.to_owned(), "aws:kms".to_owned()),
                (format!("{SEALING}-aws-kms-key-id"), key.to_string()),
                (format!("{SEALING}-context"), context),
            ]);
        }
        let named = |(name, value)| (format!("x-amz-meta-{name}"), value);
        headers.extend(parcel.metadata.into_iter().map(named));
        let put = self.puts.put(OwnObject {
            on,
            key: parcel.key,
            content_type: "application/json",
            headers,
            bytes: parcel.body,
        });
        came(put.ok_or_else(Undone::ours)?.await)
    }

    /// Asks for a bucket's list of who may do what, as CloudTrail does to learn whether it may.
    pub(crate) async fn get_bucket_acl(&self, whose: &Whose, bucket: &TrailBucket) -> Result<(), Undone> {
        let asked = self.puts.get_bucket_acl(self.on(whose, bucket)?);
        came(asked.ok_or_else(Undone::ours)?.await)
    }

    /// Leave to seal something of a trail's in a bucket under a KmsKey, for a request that asks whether there is.
    pub(crate) fn may_seal(
        &self,
        whose: &Whose,
        (bucket, key): (&TrailBucket, &str),
        (kms_key, request): (&Arn, &RequestId),
    ) -> Result<Permit<GenerateDataKey>, Option<Refusal>> {
        let on = self.on(whose, bucket).map_err(|_undone| None)?;
        let caller = self.puts.caller(on.service, on.owner).ok_or(None)?;
        let facts = OwnPuts::facts(on.acting_for, request.clone());
        let object = format!("arn:aws:s3:::{}/{key}", bucket.name);
        let pairs = [(CONTEXT, whose.trail.as_str()), ("aws:s3:arn", object.as_str())];
        let context = EncryptionContext::from_pairs(pairs).map_err(|_never| None)?;
        let via = format!("s3.{}.amazonaws.com", self.region);
        let context = context.condition_keys().with("kms:ViaService", via);
        self.authorizer
            .authorize(&caller, &facts, kms_key, &context)
            .map_err(Some)
    }

    /// The bucket, for CloudTrail to act on. One that somebody else has made of its name since is another bucket.
    fn on(&self, whose: &Whose, bucket: &TrailBucket) -> Result<OwnBucket, Undone> {
        let facts = self
            .store
            .bucket_facts(&bucket.name)
            .map_err(|_away| Undone::ours())?;
        if facts.is_none_or(|facts| facts.owner != bucket.owner) {
            return Err(Undone {
                code: "NoSuchBucket".to_owned(),
                refused: true,
            });
        }
        Ok(OwnBucket {
            service: OwnService::CloudTrail,
            acting_for: ActingFor {
                resource: whose.trail.clone(),
                account: whose.account,
            },
            name: bucket.name.clone(),
            owner: bucket.owner,
        })
    }
}

/// What is in the encryption context of all that a trail's key seals, as at AWS.
const CONTEXT: &str = "aws:cloudtrail:arn";
/// What headers about sealing begin with.
const SEALING: &str = "x-amz-server-side-encryption";

fn came(answer: PutAnswer) -> Result<(), Undone> {
    if answer.status == 200 {
        return Ok(());
    }
    Err(Undone {
        code: answer.code.unwrap_or_else(|| answer.status.to_string()),
        refused: (400..500).contains(&answer.status),
    })
}
