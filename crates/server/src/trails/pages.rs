//! Pages of the journal, opened once for all trails that read them in one look: unsealing a record costs more than choosing it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moho_audit::cloudtrail::record::{Record, RecordText};
use moho_terms::AccountId;

use super::{CallEvents, CallPage, Unreadable};

/// Bytes of the records of all pages that are kept; one page is kept whatever it has.
const MOST_BYTES: usize = 16 << 20;
/// Pages that are kept, whatever they have.
const MOST: usize = 128;

/// An event, ready to be put into log files.
pub(super) struct OpenedEvent {
    pub(super) position: u64,
    /// Whom it is told to.
    pub(super) account: AccountId,
    pub(super) record: Record,
    pub(super) text: RecordText,
}

/// Some events, in the order of the journal.
pub(super) struct OpenedPage {
    /// All events behind this position are in it,
    after: u64,
    /// up to this one.
    pub(super) end: u64,
    events: Vec<OpenedEvent>,
    size: usize,
}

impl OpenedPage {
    pub(super) fn of(after: u64, page: CallPage) -> Self {
        let mut events = Vec::with_capacity(page.events.len());
        for event in page.events {
            match event.record.clone().into_text() {
                Ok(text) => events.push(OpenedEvent {
                    position: event.position,
                    account: event.account,
                    record: event.record,
                    text,
                }),
                // No event is as long, whatever is cut off; were there one, all others would wait for it.
                Err(error) => tracing::error!(
                    position = event.position,
                    %error,
                    "an event is no record of a trail's"
                ),
            }
        }
        let length = |event: &OpenedEvent| event.text.as_str().len();
        Self {
            after,
            end: page.end,
            size: events.iter().map(length).fold(0, usize::saturating_add),
            events,
        }
    }

    /// Its events behind a position.
    pub(super) fn behind(&self, position: u64) -> impl Iterator<Item = &OpenedEvent> {
        self.events.iter().filter(move |event| event.position > position)
    }
}

/// The pages that were read last.
#[derive(Default)]
pub(crate) struct OpenedPages(Mutex<VecDeque<Arc<OpenedPage>>>);

impl OpenedPages {
    /// A page that has what is behind a position, opened if it is not kept. Its end is behind the position unless there is nothing more
    /// on the disk.
    pub(super) fn after(
        &self,
        events: &dyn CallEvents,
        position: u64,
    ) -> Result<Arc<OpenedPage>, Unreadable> {
        let has = |page: &Arc<OpenedPage>| page.after <= position && position < page.end;
        if let Some(page) = self.kept().iter().find(|page| has(page)) {
            return Ok(Arc::clone(page));
        }
        let page = Arc::new(OpenedPage::of(position, events.after(position)?));
        if page.end > position {
            self.keep(Arc::clone(&page));
        }
        Ok(page)
    }

    fn keep(&self, page: Arc<OpenedPage>) {
        let mut kept = self.kept();
        let mut size = kept
            .iter()
            .map(|page| page.size)
            .fold(page.size, usize::saturating_add);
        while size > MOST_BYTES || kept.len() >= MOST {
            let Some(oldest) = kept.pop_front() else { break };
            size = size.saturating_sub(oldest.size);
        }
        kept.push_back(page);
    }

    /// Keeps none any more.
    pub(super) fn close(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<OpenedPage>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use moho_terms::Timestamp;

    use super::*;
    use crate::trails::tests::{OWN, event};

    /// A journal of large events, ten a page, that counts its pages.
    #[derive(Default)]
    struct Large(AtomicU64);

    impl CallEvents for Large {
        fn after(&self, position: u64) -> Result<CallPage, Unreadable> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let end = position.saturating_add(10);
            let large = |position| {
                let mut event = event(position, OWN, "kms.amazonaws.com");
                event.record.event_name = "x".repeat(200 << 10);
                event
            };
            Ok(CallPage {
                events: (position + 1..=end).map(large).collect(),
                end,
            })
        }

        fn journal(&self) -> String {
            String::new()
        }

        fn since(&self, _time: Timestamp) -> Result<u64, Unreadable> {
            Ok(0)
        }

        fn durable_end(&self) -> u64 {
            u64::MAX
        }

        fn written_after(&self, _position: u64) -> Result<Option<Timestamp>, Unreadable> {
            Ok(None)
        }
    }

    #[test]
    fn a_page_is_opened_once_as_long_as_there_is_room_for_it() {
        let (pages, journal) = (OpenedPages::default(), Large::default());
        let read = |position: u64| {
            let page = pages.after(&journal, position).unwrap();
            let first = page.behind(position).next().unwrap().position;
            assert_eq!((first, page.end > position), (position + 1, true));
            journal.0.load(Ordering::Relaxed)
        };
        assert_eq!([0, 3, 9].map(read), [1, 1, 1]);
        assert_eq!([10, 20, 10, 0].map(read), [2, 3, 3, 3]);
        // Each has 2 MB: the first ones make room.
        assert_eq!((3..20).map(|page| read(page * 10)).max(), Some(20));
        assert_eq!(pages.kept().iter().map(|page| page.end).min(), Some(130));
        assert_eq!([195, 5].map(read), [20, 21]);
        pages.close();
        assert_eq!(read(195), 22);
    }
}
