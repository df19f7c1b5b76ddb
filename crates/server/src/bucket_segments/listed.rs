//! Every segment in a bucket's folder, a page at a time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use moho_store::StoreError;
use moho_store::objects::PresentSegment;
use moho_terms::Timestamp;
use object_store::{ObjectMeta, ObjectStore};

use super::Bucket;

/// Objects that are asked for at once: a page of a list.
const TOGETHER: usize = 1000;

type Pages = Pin<Box<dyn Stream<Item = object_store::Result<ObjectMeta>> + Send>>;

/// A list that is being read. It ends with its first error.
pub(super) struct Listed {
    bucket: Arc<Bucket>,
    /// `None` once all of it was read.
    pages: Option<Pages>,
    page: VecDeque<PresentSegment>,
}

impl Listed {
    pub(super) fn of(bucket: Arc<Bucket>) -> Self {
        Self {
            pages: Some(bucket.s3.list(Some(&bucket.folder))),
            bucket,
            page: VecDeque::new(),
        }
    }

    fn turn(&mut self, mut pages: Pages) -> Result<(), StoreError> {
        let (page, pages) = self.bucket.ask(async move {
            let mut page = Vec::new();
            while page.len() < TOGETHER {
                let next = std::future::poll_fn(|context| pages.as_mut().poll_next(context));
                match next.await {
                    Some(object) => page.push(object?),
                    None => return Ok((page, None)),
                }
            }
            Ok((page, Some(pages)))
        })?;
        let folder = &self.bucket.folder;
        let known = page.iter().filter_map(|object| segment(folder, object));
        self.page.extend(known);
        self.pages = pages;
        Ok(())
    }
}

impl Iterator for Listed {
    type Item = Result<PresentSegment, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(segment) = self.page.pop_front() {
                return Some(Ok(segment));
            }
            let pages = self.pages.take()?;
            if let Err(error) = self.turn(pages) {
                return Some(Err(error));
            }
        }
    }
}

/// The segment that an object is, if it is one.
fn segment(folder: &object_store::path::Path, object: &ObjectMeta) -> Option<PresentSegment> {
    let name = object.location.as_ref().strip_prefix(folder.as_ref())?;
    // When nobody can say when, nobody takes it for forgotten.
    let micros = u64::try_from(object.last_modified.timestamp_micros()).unwrap_or(u64::MAX);
    Some(PresentSegment {
        id: name.strip_prefix('/')?.parse().ok()?,
        sealed_length: object.size,
        kept_at: Timestamp::from_unix_micros(micros),
    })
}
