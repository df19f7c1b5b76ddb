//! A call as the line of an access log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Version;
use http::header::{HOST, REFERER, USER_AGENT};
use moho_terms::{AccountId, BucketName};

use super::names::of_source;
use super::replied::{Replied, named_version};
use super::{Observed, locked, text};
use crate::access_logs::{Asked, Line};

impl Observed {
    /// Hands over its line, if its bucket wants one and there was a reply, one for each key of a batch of deletions, and that of
    /// the bucket which it copies from.
    pub(super) fn log(&self) {
        if self.logging.is_none() && self.source.is_none() {
            return;
        }
        let Some(replied) = locked(&self.replied).take() else {
            return;
        };
        if let (Some(bucket), Some(owner), Some(logging)) = (&self.bucket, self.owner, &self.logging) {
            let line = self.line(owner, bucket, &replied);
            let take = |line: &Line| {
                let source = (bucket.clone(), owner);
                self.logs.take(source, Arc::clone(logging), line);
            };
            take(&line);
            let noted = self.notes.so_far();
            noted.deleted.iter().for_each(|note| take(&line.of_batch(note)));
        }
        if let Some(source) = &self.source {
            let line = Line {
                operation: of_source(&self.head.raw_query).to_owned(),
                raw_key: source.raw_key.clone(),
                version_id: source.version.clone(),
                sent: None,
                object_size: None,
                ..self.line(source.owner, &source.bucket, &replied)
            };
            let whose = (source.bucket.clone(), source.owner);
            self.logs.take(whose, Arc::clone(&source.logging), &line);
        }
    }

    fn line(&self, owner: AccountId, bucket: &BucketName, replied: &Replied) -> Line {
        let head = &self.head;
        let now = self.clock.now().unix_micros();
        let named = || named_version(&head.raw_query).map(str::to_owned);
        let version_id = replied.version_id.as_ref().map(ToString::to_string);
        Line {
            owner,
            bucket: bucket.to_string(),
            time: head.received,
            remote: self.origin.source_ip,
            auth_type: self.origin.authentication,
            requester: self.identity.principal.as_ref().map(ToString::to_string),
            request_id: head.request_id.to_string(),
            operation: self.names.logged.clone(),
            raw_key: self.raw_key.clone(),
            asked: Some(Asked {
                method: head.method.to_string(),
                raw_path: head.raw_path.clone(),
                raw_query: head.raw_query.clone(),
                version: match head.version {
                    Version::HTTP_2 => "HTTP/2.0",
                    Version::HTTP_10 => "HTTP/1.0",
                    _ => "HTTP/1.1",
                },
            }),
            status: replied.status,
            error: replied.error.clone(),
            sent: Some(self.sent.load(Ordering::Relaxed)),
            object_size: replied.object_size,
            total_micros: Some(now.saturating_sub(head.received.unix_micros())),
            turn_around_micros: Some(replied.turn_around_micros),
            referrer: text(&head.headers, REFERER.as_str()),
            user_agent: text(&head.headers, USER_AGENT.as_str()),
            version_id: version_id.or_else(named),
            host: text(&head.headers, HOST.as_str()),
            tls: head.tls,
            cipher_suite: head.cipher_suite,
        }
    }
}
