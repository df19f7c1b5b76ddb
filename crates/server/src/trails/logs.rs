//! Log files: gathered from the journal, written down, and put where they belong.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use moho_audit::cloudtrail::log_file::LogFile;
use moho_audit::cloudtrail::record::{Record, RecordText};
use moho_audit::cloudtrail::selectors::Selectors;
use moho_audit::cloudtrail::{LogFileKey, UniquePart};
use moho_store::trails::{Chain, LogToDeliver, PlannedLog, Reading, Trail};
use moho_terms::{AccountId, Timestamp};

use super::pages::OpenedPage;
use super::{Delivered, Parcel, TrailDelivery, Unreadable, not_before};

/// Bytes of records, after which the next log file begins.
const FULL: usize = 4 << 20;
/// Pages of the journal that are read in one look.
const PAGES: u32 = 32;
/// Log files that are put in one look.
const MOST: u32 = 64;

/// Log files whose bytes are known, by their keys.
pub(super) type Ready = HashMap<String, LogFile>;

/// What a trail chooses.
struct Choice {
    selectors: Selectors,
    global_services: bool,
}

impl Choice {
    fn of(selectors: Option<&str>, global_services: bool) -> Result<Self, Unreadable> {
        Ok(Self {
            selectors: match selectors {
                Some(json) => Selectors::parse(json.as_bytes())?,
                None => Selectors::default(),
            },
            global_services,
        })
    }

    fn takes(&self, record: &Record) -> bool {
        // The services that belong to no region.
        let global = matches!(
            record.event_source.as_str(),
            "iam.amazonaws.com" | "organizations.amazonaws.com"
        );
        (self.global_services || !global) && self.selectors.matches(record)
    }
}

/// Records of a stretch of the journal, by whom they are told to.
struct Gathered {
    texts: BTreeMap<AccountId, Vec<RecordText>>,
    /// Their bytes.
    size: usize,
    /// The last position of the stretch.
    position: u64,
}

impl Gathered {
    /// What a trail chooses of the next page, up to `until`, or until there is enough for a log file.
    fn take(&mut self, choice: &Choice, accounts: &[AccountId], (page, until): (&OpenedPage, u64)) {
        let mut last = self.position;
        for event in page.behind(last) {
            if event.position > until {
                break;
            }
            // All of a position or none.
            if self.size >= FULL && event.position != last {
                self.position = last;
                return;
            }
            last = event.position;
            if !accounts.contains(&event.account) || !choice.takes(&event.record) {
                continue;
            }
            self.size = self.size.saturating_add(event.text.as_str().len());
            let texts = self.texts.entry(event.account).or_default();
            texts.push(event.text.clone());
        }
        self.position = page.end.min(until);
    }
}

impl TrailDelivery {
    /// Reads some more of the journal for a trail if that is due, and writes down what is to be delivered of it.
    pub(super) fn gather(
        &self,
        trail: &Trail,
        (accounts, chains): (&[AccountId], &[Chain]),
        all: &mut Delivered,
    ) -> Result<Ready, Unreadable> {
        let end = self.events.durable_end();
        let Some(reading) = self.store.reading(&trail.id)? else {
            return Ok(Ready::new());
        };
        let until = reading.until.map_or(end, |until| until.min(end));
        let now = self.clock.now();
        if until <= reading.position {
            return Ok(Ready::new());
        }
        if now < reading.next_at {
            if reading.next_at <= now.plus_seconds(self.config.delivery) {
                return Ok(Ready::new());
            }
            self.clock_was_ahead(trail, all);
        }
        let gathered = self.gathered(trail, accounts, (reading.position, until))?;
        let goes_on = gathered.position < until;
        all.more |= goes_on;
        let next_at = if goes_on { now } else { self.next_look(now) };
        let mut ready = Ready::new();
        let mut planned = Vec::new();
        for (account, texts) in &gathered.texts {
            let file = LogFile::of(texts)?;
            let time = not_before(chains, *account, now);
            let log = self.planned((trail, *account), (&reading, gathered.position), (&file, time));
            ready.insert(log.key.clone(), file);
            planned.push((log, time));
        }
        let read = (gathered.position, next_at);
        if !self.store.plan_logs((&trail.id, &reading), &planned, read)? {
            ready.clear();
        }
        Ok(ready)
    }

    /// When a trail is looked at next that has read all there is: all of them at the same times, so that they read the same pages.
    fn next_look(&self, now: Timestamp) -> Timestamp {
        let since = now.unix_seconds().checked_rem(self.config.delivery);
        let rest = self.config.delivery.saturating_sub(since.unwrap_or(0));
        Timestamp::from_unix_seconds(now.unix_seconds().saturating_add(rest))
    }

    /// What there is behind a position, page by page, until there is enough for a log file, or it was enough to look at.
    fn gathered(
        &self,
        trail: &Trail,
        accounts: &[AccountId],
        (position, until): (u64, u64),
    ) -> Result<Gathered, Unreadable> {
        let choice = Choice::of(trail.selectors.as_deref(), trail.settings.global_services)?;
        let mut gathered = Gathered {
            texts: BTreeMap::new(),
            size: 0,
            position,
        };
        for _page in 0..PAGES {
            if gathered.size >= FULL || gathered.position >= until {
                break;
            }
            let page = self.pages.after(&*self.events, gathered.position)?;
            if page.end <= gathered.position {
                break;
            }
            gathered.take(&choice, accounts, (&page, until));
        }
        Ok(gathered)
    }

    fn planned(
        &self,
        (trail, account): (&Trail, AccountId),
        (reading, last): (&Reading, u64),
        (file, time): (&LogFile, Timestamp),
    ) -> PlannedLog {
        let first = reading.position;
        let seed = format!(
            "{}/{}/{}/{account}/{first}-{last}",
            trail.id,
            reading.span,
            self.store.node()
        );
        PlannedLog {
            account,
            first_position: first,
            last_position: last,
            selectors: trail.selectors.clone(),
            global_services: trail.settings.global_services,
            bucket: trail.settings.bucket.clone(),
            key: self.log_key((trail, account), time, UniquePart::of(seed.as_bytes())),
            kms_key: trail.settings.kms_key.clone(),
            hash: *file.hash().as_bytes(),
            oldest: file.oldest(),
            newest: file.newest(),
        }
    }

    fn log_key(&self, (trail, account): (&Trail, AccountId), time: Timestamp, unique: UniquePart) -> String {
        LogFileKey {
            scope: self.scope(trail, account),
            time,
            unique,
            backfill: false,
        }
        .to_string()
    }

    /// Puts the log files that are written down. `false` if one could not be put.
    pub(super) fn deliver_logs(
        &self,
        trail: &Trail,
        mut ready: Ready,
        all: &mut Delivered,
    ) -> Result<bool, Unreadable> {
        let logs = self.store.undelivered_logs(&trail.id, MOST)?;
        all.more |= logs.len() as u64 >= u64::from(MOST);
        for mut log in logs {
            let file = match ready.remove(&log.planned.key) {
                Some(file) => Some(file),
                None => self.made_again(&log)?,
            };
            let Some(file) = file else {
                self.give_up(trail, &log, all)?;
                continue;
            };
            self.keep_hash(trail, (&mut log, &file))?;
            if !log.unsure {
                self.store.log_is_unsure(&trail.id, &log, true)?;
            }
            if let Err(undone) = self.put(trail, parcel(&log, &file)) {
                if undone.refused && !log.unsure {
                    self.store.log_is_unsure(&trail.id, &log, false)?;
                }
                if undone.refused && self.redirected(trail, &log)? {
                    all.more = true;
                    return Ok(false);
                }
                self.note(trail, (&undone, false), all)?;
                return Ok(false);
            }
            self.store.log_delivered(trail, &log, self.clock.now())?;
            all.done = all.done.saturating_add(1);
        }
        Ok(true)
    }

    /// A log file is refused where it was to go: if the trail is set to something else by now, it goes there. If an earlier put may
    /// have been done, though, it is there as long as anything is, and waits until it is let in or that is gone: no record stands
    /// in two files.
    fn redirected(&self, trail: &Trail, log: &LogToDeliver) -> Result<bool, Unreadable> {
        let (settings, planned) = (&trail.settings, &log.planned);
        let old = (planned.key.as_str(), LogFileKey::time_of(&planned.key));
        let (key, Some(time)) = old else { return Ok(false) };
        let unique = UniquePart::of(key.as_bytes());
        let begins = self.scope(trail, planned.account).log_files();
        let there = planned.bucket == settings.bucket && key.starts_with(&begins);
        if there && planned.kms_key == settings.kms_key {
            return Ok(false);
        }
        if !there && log.unsure && self.stands(&planned.bucket, key)? {
            return Ok(false);
        }
        let key = if there {
            planned.key.clone()
        } else {
            self.log_key((trail, planned.account), time.max(self.clock.now()), unique)
        };
        self.store.redirect_log(
            &trail.id,
            log,
            (&settings.bucket, &key, settings.kms_key.as_ref()),
        )?;
        Ok(true)
    }

    /// Digests name what is put: another moho than made the file may write the same records in another way.
    fn keep_hash(&self, trail: &Trail, (log, file): (&mut LogToDeliver, &LogFile)) -> Result<(), Unreadable> {
        if file.hash().as_bytes() != &log.planned.hash {
            tracing::warn!(
                key = log.planned.key,
                "a log file's records are written in another way by now"
            );
            log.planned.hash = *file.hash().as_bytes();
            (log.planned.oldest, log.planned.newest) = (file.oldest(), file.newest());
            self.store.log_changed(&trail.id, log)?;
        }
        Ok(())
    }

    /// A log file as it was when it was written down; `None` if the journal has no more what it was made of.
    fn made_again(&self, log: &LogToDeliver) -> Result<Option<LogFile>, Unreadable> {
        let planned = &log.planned;
        let choice = Choice::of(planned.selectors.as_deref(), planned.global_services)?;
        let (mut texts, mut position) = (Vec::new(), planned.first_position);
        while position < planned.last_position {
            let page = self.pages.after(&*self.events, position)?;
            if page.end <= position {
                return Ok(None);
            }
            for event in page.behind(position) {
                let inside = event.position <= planned.last_position && event.account == planned.account;
                if inside && choice.takes(&event.record) {
                    texts.push(event.text.clone());
                }
            }
            position = page.end;
        }
        Ok(LogFile::of(&texts).ok())
    }
}

fn parcel(log: &LogToDeliver, file: &LogFile) -> Parcel {
    Parcel {
        bucket: log.planned.bucket.clone(),
        key: log.planned.key.clone(),
        kms_key: log.planned.kms_key.clone(),
        body: Bytes::copy_from_slice(file.body()),
        metadata: Vec::new(),
        gzip: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trails::CallPage;
    use crate::trails::tests::{OTHER, OWN, event, trail};

    fn gathered(trail: &Trail, accounts: &[&str], page: CallPage, until: u64) -> (Vec<(String, usize)>, u64) {
        let accounts: Vec<AccountId> = accounts.iter().map(|account| account.parse().unwrap()).collect();
        let choice = Choice::of(trail.selectors.as_deref(), trail.settings.global_services).unwrap();
        let mut found = Gathered {
            texts: BTreeMap::new(),
            size: 0,
            position: 0,
        };
        found.take(&choice, &accounts, (&OpenedPage::of(0, page), until));
        let texts = found.texts.iter();
        let counted = texts.map(|(account, texts)| (account.to_string(), texts.len()));
        (counted.collect(), found.position)
    }

    #[test]
    fn each_account_has_what_is_told_to_it_and_chosen_up_to_the_end() {
        let page = || CallPage {
            events: vec![
                event(3, OWN, "kms.amazonaws.com"),
                event(3, OTHER, "kms.amazonaws.com"),
                event(5, OWN, "iam.amazonaws.com"),
                event(8, OWN, "kms.amazonaws.com"),
            ],
            end: 10,
        };
        let mut trail = trail();
        let own = |count| vec![(OWN.to_owned(), count)];
        assert_eq!(gathered(&trail, &[OWN], page(), 20), (own(3), 10));
        assert_eq!(gathered(&trail, &[OWN], page(), 7), (own(2), 7));
        let both = vec![(OWN.to_owned(), 3), (OTHER.to_owned(), 1)];
        assert_eq!(gathered(&trail, &[OWN, OTHER], page(), 20), (both, 10));
        trail.settings.global_services = false;
        assert_eq!(gathered(&trail, &[OWN], page(), 20), (own(2), 10));
        trail.selectors = Some(
            r#"{"EventSelectors":[{"ExcludeManagementEventSources":["kms.amazonaws.com"]}]}"#.to_owned(),
        );
        assert_eq!(gathered(&trail, &[OWN], page(), 20), (vec![], 10));
        trail.selectors = Some("{}".to_owned());
        assert!(
            Choice::of(trail.selectors.as_deref(), true).is_err(),
            "none are all, but wrong ones are none"
        );
    }

    #[test]
    fn a_log_file_ends_between_two_positions() {
        let long = || {
            let mut event = event(1, OWN, "kms.amazonaws.com");
            event.record.event_name = "x".repeat(200 * 1024);
            event
        };
        let mut events: Vec<_> = (1..=60)
            .map(|position| {
                let mut event = long();
                event.position = 1 + position / 2;
                event
            })
            .collect();
        events.sort_by_key(|event| event.position);
        let (found, position) = gathered(&trail(), &[OWN], CallPage { events, end: 40 }, 40);
        assert!(position < 30);
        // One at 1, and two at each position up to the last.
        assert_eq!(
            found,
            [(OWN.to_owned(), 2 * usize::try_from(position).unwrap() - 1)]
        );
        assert!(found[0].1 * 200 * 1024 >= FULL);
    }
}
