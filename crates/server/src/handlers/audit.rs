//! Records of the journal, once they may be read.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_audit::{AuditError, FileJournal, PastCall, Search, ShownRecord, TransparencyLog};
use moho_iam::action::moho;
use moho_iam::authz::{Permit, Position};
use moho_terms::{AccountId, ContentBytes};
use moho_wire::Failure;
use moho_wire::openai::audit::{ListRecords, RecordItem, RecordPage, RecordProof};

use crate::net::Outbound;
use crate::road::{chain, content};
use crate::startup::Platform;

/// How long it is waited until all that was done before is published: with witnesses that takes ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Records that are read at once.
const AT_ONCE: u64 = 1024;
/// Records that are looked through for one answer: then it says where to go on.
const LOOKED_THROUGH: u64 = 64 * 1024;
/// The most bytes of the records of an answer.
const LONGEST: usize = 4 << 20;

/// A page of records, after all that was done before it was asked for.
pub(crate) async fn list(
    platform: &Arc<Platform>,
    permit: Permit<moho::ReadJournal>,
    list: ListRecords,
) -> Result<Outbound, Failure> {
    let account = permit.session().account();
    let all = account == platform.account;
    let search = Search {
        account: (!all).then_some(account),
        principal: list.principal.clone(),
        resource: list.resource.clone(),
        action: list.action.clone(),
        outcome: list.outcome.clone(),
        request: list.request.clone(),
        from: list.from,
        to: list.to,
    };
    let journal = Arc::clone(&platform.journal_file);
    let published = journal.log().published(journal.last());
    let published = tokio::time::timeout(PATIENCE, published).await;
    let published = published.map_err(|_late| late(&journal))?;
    published.map_err(|error| unreadable(&error))?;
    let turn = platform.journal_searches.wait(account).await?;
    let platform = Arc::clone(platform);
    let found = tokio::task::spawn_blocking(move || {
        // Until all is read, also for whoever does not wait for it.
        let _turn = turn;
        let looking = Looking {
            platform: &platform,
            log: journal.log(),
            search: &search,
            list: &list,
            reader: (!all).then_some(account),
        };
        looking.page()
    });
    let page = found.await.map_err(|_ended| Failure::Unavailable)?;
    let reply: ContentBytes = page.map_err(|error| unreadable(&error))?.reply();
    Ok(content(reply))
}

fn unreadable(error: &AuditError) -> Failure {
    tracing::error!(error = %chain(error), "the journal cannot be read");
    Failure::Unavailable
}

struct Looking<'a> {
    platform: &'a Platform,
    log: &'a TransparencyLog,
    search: &'a Search,
    list: &'a ListRecords,
    /// Whose records are opened; `None` if all are.
    reader: Option<AccountId>,
}

impl Looking<'_> {
    fn page(&self) -> Result<RecordPage, AuditError> {
        let size = self.log.checkpoint().checkpoint.size;
        let mut low = self.list.after.unwrap_or(0);
        if let Some(from) = self.list.from {
            low = low.max(self.log.before(from)?.0);
        }
        let high = self
            .list
            .before
            .map_or(size, |before| before.saturating_sub(1).min(size));
        let (found, next) = if self.list.newest_first {
            self.backward(low, high)?
        } else {
            self.forward(low, high)?
        };
        let (mut records, mut bytes, mut next) = (Vec::new(), 0_usize, next);
        let all = found.len();
        for (place, (at, shown)) in found.into_iter().enumerate() {
            let item = self.item(at, shown)?;
            let opened = item.cloudtrail.as_ref().map_or(0, String::len);
            bytes = bytes.saturating_add(item.line.len()).saturating_add(opened);
            records.push(item);
            // What is opened may be much more than what was found.
            if bytes >= LONGEST && place.saturating_add(1) < all {
                next = Some(at);
                break;
            }
        }
        Ok(RecordPage { records, next, size })
    }

    /// What is found behind record `at`, up to `end`, and behind which record to go on.
    fn forward(&self, mut at: u64, end: u64) -> Result<(Found, Option<u64>), AuditError> {
        let (mut found, mut bytes) = (Found::new(), 0_usize);
        let stop = at.saturating_add(LOOKED_THROUGH).min(end);
        while at < stop {
            let lines = self
                .log
                .records(Position(at), AT_ONCE.min(stop.saturating_sub(at)))?;
            for line in lines {
                at = at.saturating_add(1);
                if let Some(shown) = self.search.find(line) {
                    bytes = bytes.saturating_add(shown.record.len());
                    found.push((at, shown));
                }
                if found.len() >= self.list.limit || bytes >= LONGEST {
                    return Ok((found, (at < end).then_some(at)));
                }
            }
        }
        Ok((found, (at < end).then_some(at)))
    }

    /// What is found up to record `end` and behind `low`, the newest first, and before which record to go on.
    fn backward(&self, low: u64, end: u64) -> Result<(Found, Option<u64>), AuditError> {
        let (mut found, mut bytes) = (Found::new(), 0_usize);
        let mut at = end;
        let stop = end.saturating_sub(LOOKED_THROUGH).max(low);
        while at > stop {
            let first = at.saturating_sub(AT_ONCE).max(stop);
            let lines = self.log.records(Position(first), at.saturating_sub(first))?;
            for line in lines.into_iter().rev() {
                if let Some(shown) = self.search.find(line) {
                    bytes = bytes.saturating_add(shown.record.len());
                    found.push((at, shown));
                }
                at = at.saturating_sub(1);
                if found.len() >= self.list.limit || bytes >= LONGEST {
                    break;
                }
            }
            if found.len() >= self.list.limit || bytes >= LONGEST {
                break;
            }
        }
        Ok((found, (at > low).then(|| at.saturating_add(1))))
    }

    fn item(&self, at: u64, shown: ShownRecord) -> Result<RecordItem, AuditError> {
        let ShownRecord { record, part } = shown;
        let proof = if self.list.proof {
            self.log.proven(Position(at))?.map(|proven| RecordProof {
                index: proven.proof.index,
                hashes: proven
                    .proof
                    .path
                    .iter()
                    .map(|hash| STANDARD.encode(hash.as_bytes()))
                    .collect(),
                checkpoint: proven.checkpoint.note.clone(),
            })
        } else {
            None
        };
        let cloudtrail = self.list.details.then(|| self.cloudtrail(&record)).flatten();
        let mut line = part.unwrap_or(record);
        if line.ends_with(b"\n") {
            line.pop();
        }
        Ok(RecordItem {
            line,
            cloudtrail,
            proof,
        })
    }

    /// CloudTrail's record of a call, opened, as the reader is told of it.
    fn cloudtrail(&self, line: &[u8]) -> Option<String> {
        let (call, seal) = (PastCall::read(line)?, &self.platform.recording.seal);
        let text = match self.reader {
            None => call.open(seal)?,
            Some(reader) => {
                let mut records = call.records(seal)?.into_iter();
                let (_, record) = records.find(|(told, _)| *told == reader)?;
                record.into_text().ok()?
            }
        };
        Some(text.as_str().to_owned())
    }
}

/// The journal does not publish what it has.
fn late(journal: &FileJournal) -> Failure {
    let fault = journal.log().fault().unwrap_or_default();
    tracing::error!(fault, "the journal is not published in time");
    Failure::Unavailable
}

/// Records by their numbers.
type Found = Vec<(u64, ShownRecord)>;
