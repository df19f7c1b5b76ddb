//! What a lifecycle says, and which versions and uploads its rules are about.

use std::collections::BTreeSet;

use moho_terms::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::ObjectError;

/// Most rules of a bucket.
const MOST: usize = 1000;
const DAY: u64 = 86_400;

/// The rules of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Each for itself.
    pub rules: Vec<LifecycleRule>,
}

/// Whether a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleStatus {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
}

/// What is to go, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// What it is called, if anything.
    pub id: Option<String>,
    /// Whether it counts.
    pub status: RuleStatus,
    /// What it is about.
    pub filter: LifecycleFilter,
    /// Whether its filter came as the `Prefix` of before there were filters.
    pub plain_prefix: bool,
    /// When current versions expire.
    pub expiration: Option<Expiration>,
    /// When those go that are current no more.
    pub noncurrent: Option<NoncurrentExpiration>,
    /// After how many days an upload is aborted.
    pub abort_uploads_after: Option<u32>,
}

/// What a rule is about: what all of this holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleFilter {
    /// What keys begin with.
    pub prefix: Option<String>,
    /// Tags that an object has, among others.
    pub tags: Vec<(String, String)>,
    /// It is larger than this.
    pub larger_than: Option<u64>,
    /// It is smaller than this.
    pub smaller_than: Option<u64>,
    /// Whether these came as one `And`.
    pub and: bool,
}

/// When current versions expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// So many days after they were put.
    Days(u32),
    /// All of them from a day on, in seconds since 1970.
    Date(u64),
    /// Delete markers with nothing left under them.
    DeleteMarkers,
}

/// When those go that are current no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentExpiration {
    /// So many days after they ceased to be.
    pub days: u32,
    /// But for so many newer ones.
    pub keep_newer: Option<u32>,
}

/// What expiring means: a rule's id, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhenExpired {
    /// Of the rule.
    pub rule: Option<String>,
    /// Midnight, as in S3.
    pub at: Timestamp,
}

/// Days after a moment, at the midnight that follows, as in S3.
fn midnight_after(moment: Timestamp, days: u32) -> Timestamp {
    let due = moment
        .unix_seconds()
        .saturating_add(u64::from(days).saturating_mul(DAY));
    Timestamp::from_unix_seconds(due.div_ceil(DAY).saturating_mul(DAY))
}

/// What filters ask about an object.
pub(super) struct About<'a> {
    pub(super) key: &'a str,
    pub(super) size: u64,
    pub(super) tags: &'a [(String, String)],
}

impl LifecycleFilter {
    pub(super) fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or("")
    }

    fn fits(&self, object: &About<'_>) -> bool {
        object.key.starts_with(self.prefix())
            && self.tags.iter().all(|tag| object.tags.contains(tag))
            && self.larger_than.is_none_or(|size| object.size > size)
            && self.smaller_than.is_none_or(|size| object.size < size)
    }

    /// Whether it asks about more than keys: delete markers and uploads have nothing else.
    fn asks_more(&self) -> bool {
        !self.tags.is_empty() || self.larger_than.is_some() || self.smaller_than.is_some()
    }
}

impl LifecycleRule {
    fn counts(&self) -> bool {
        self.status == RuleStatus::Enabled
    }
}

impl Lifecycle {
    /// When a current version expires, by the rule that is first to say so.
    #[must_use]
    pub fn expires(
        &self,
        key: &str,
        (size, tags): (u64, &[(String, String)]),
        modified_at: Timestamp,
    ) -> Option<WhenExpired> {
        let about = About { key, size, tags };
        let rules = self
            .rules
            .iter()
            .filter(|rule| rule.counts() && rule.filter.fits(&about));
        let ends = rules.filter_map(|rule| {
            let at = match rule.expiration? {
                Expiration::Days(days) => midnight_after(modified_at, days),
                Expiration::Date(seconds) => Timestamp::from_unix_seconds(seconds),
                Expiration::DeleteMarkers => return None,
            };
            let rule = rule.id.clone();
            Some(WhenExpired { rule, at })
        });
        ends.min_by_key(|end| end.at)
    }

    /// Whether a version goes that ceased to be current at `since`, with so many noncurrent ones that are newer.
    pub(super) fn drops(&self, about: &About<'_>, (since, newer): (Timestamp, u32), now: Timestamp) -> bool {
        let rules = self
            .rules
            .iter()
            .filter(|rule| rule.counts() && rule.filter.fits(about));
        let mut ends = rules.filter_map(|rule| rule.noncurrent);
        ends.any(|end| newer >= end.keep_newer.unwrap_or(0) && midnight_after(since, end.days) <= now)
    }

    /// Whether a delete marker goes that nothing is left under.
    pub(super) fn drops_marker(&self, key: &str, modified_at: Timestamp, now: Timestamp) -> bool {
        let rules = self.rules.iter().filter(|rule| {
            rule.counts() && key.starts_with(rule.filter.prefix()) && !rule.filter.asks_more()
        });
        let mut ends = rules.filter_map(|rule| rule.expiration);
        ends.any(|end| match end {
            Expiration::DeleteMarkers => true,
            Expiration::Days(days) => midnight_after(modified_at, days) <= now,
            Expiration::Date(_) => false,
        })
    }

    /// Whether an upload is aborted that was begun then.
    pub(super) fn aborts(&self, key: &str, initiated_at: Timestamp, now: Timestamp) -> bool {
        let rules = self.rules.iter().filter(|rule| {
            rule.counts() && key.starts_with(rule.filter.prefix()) && !rule.filter.asks_more()
        });
        let mut ends = rules.filter_map(|rule| rule.abort_uploads_after);
        ends.any(|days| midnight_after(initiated_at, days) <= now)
    }

    /// Checks what S3 checks.
    pub(super) fn check(&self) -> Result<(), ObjectError> {
        if self.rules.is_empty() || self.rules.len() > MOST {
            return Err(ObjectError::MalformedDocument(
                "The XML you provided was not well-formed or did not validate against our published schema",
            ));
        }
        let mut ids = BTreeSet::new();
        self.rules.iter().try_for_each(|rule| {
            if let Some(id) = &rule.id
                && !ids.insert(id)
            {
                return Err(ObjectError::InvalidArgument("Rule ID must be unique."));
            }
            rule.check()
        })
    }
}

impl LifecycleRule {
    fn check(&self) -> Result<(), ObjectError> {
        let wrong = |text| Err(ObjectError::InvalidArgument(text));
        if self.id.as_ref().is_some_and(|id| id.chars().count() > 255) {
            return wrong("ID length should not exceed allowed limit of 255");
        }
        if self.expiration.is_none() && self.noncurrent.is_none() && self.abort_uploads_after.is_none() {
            return Err(ObjectError::InvalidRequest(
                "At least one action needs to be specified in a rule.",
            ));
        }
        match self.expiration {
            Some(Expiration::Days(0)) => {
                return wrong("'Days' for Expiration action must be a positive integer");
            }
            Some(Expiration::Date(seconds)) if !seconds.is_multiple_of(DAY) => {
                return wrong("'Date' must be at midnight GMT");
            }
            Some(Expiration::DeleteMarkers) if self.filter.asks_more() => {
                return Err(ObjectError::InvalidRequest(
                    "ExpiredObjectDeleteMarker cannot be specified with Tags.",
                ));
            }
            Some(Expiration::Days(_) | Expiration::Date(_) | Expiration::DeleteMarkers) | None => {}
        }
        if self.noncurrent.is_some_and(|noncurrent| noncurrent.days == 0) {
            return wrong(
                "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
            );
        }
        match self.abort_uploads_after {
            Some(0) => {
                return wrong(
                    "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
                );
            }
            Some(_) if self.filter.asks_more() => {
                return Err(ObjectError::InvalidRequest(
                    "AbortIncompleteMultipartUpload cannot be specified with Tags.",
                ));
            }
            Some(_) | None => {}
        }
        let sizes = (self.filter.larger_than, self.filter.smaller_than);
        if matches!(sizes, (Some(larger), Some(smaller)) if larger >= smaller) {
            return Err(ObjectError::InvalidRequest(
                "ObjectSizeGreaterThan should be less than ObjectSizeLessThan",
            ));
        }
        Ok(())
    }
}
