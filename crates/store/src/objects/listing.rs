//! Lists: of objects, versions and uploads, by prefix and delimiter.
//!
//! All three walk in the order of keys, a batch at a time. What a common prefix stands for is not walked through: the next
//! seek is to the first key that cannot have it.

use moho_iam::action::s3;
use moho_iam::authz::Permit;

use super::error::Found;
use super::rows::{From, ListedRow, ObjectRows, UploadRow};
use super::within::Within;
use super::{
    Bucket, ListRequest, ListedVersion, Listing, ObjectError, Objects, Upload, UploadListing, UploadsRequest,
    VersionListing, VersionsRequest, bucket_of, existing,
};

/// Rows that are read at once.
const BATCH: usize = 256;
/// The same where common prefixes are.
const FEW: usize = 4;

/// The least text that is greater than all that begin with `prefix`; `None` if there is none.
pub(super) fn beyond(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Characters are ordered as their bytes in UTF-8 are; there are none between U+D7FF and U+E000.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => u32::from(other).checked_add(1).and_then(char::from_u32),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// Something with a key, in a list.
trait Keyed {
    fn key(&self) -> &str;
    /// Where the list goes on after it.
    fn after(&self) -> From;
}

impl Keyed for ListedVersion {
    fn key(&self) -> &str {
        self.key.as_str()
    }

    fn after(&self) -> From {
        From::AfterKey(self.key.as_str().to_owned())
    }
}

impl Keyed for ListedRow {
    fn key(&self) -> &str {
        self.listed.key.as_str()
    }

    fn after(&self) -> From {
        From::Within(
            self.listed.key.as_str().to_owned(),
            self.place.as_str().to_owned(),
        )
    }
}

impl Keyed for UploadRow {
    fn key(&self) -> &str {
        self.key.as_str()
    }

    fn after(&self) -> From {
        From::Within(self.key.as_str().to_owned(), self.upload_id.as_str().to_owned())
    }
}

/// A page of whatever is listed.
struct Page<T> {
    items: Vec<T>,
    common_prefixes: Vec<String>,
    /// Whether there is more, and what came last: an item, or a common prefix.
    more: bool,
    last_was_prefix: bool,
}

/// What is walked along: prefix, delimiter, and at most how many of both.
struct Walk<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    limit: usize,
}

impl<'a> Walk<'a> {
    fn of(prefix: &'a str, delimiter: &'a str, limit: usize) -> Self {
        Self {
            prefix,
            delimiter,
            limit,
        }
    }

    /// The common prefix that stands for a key, if one does.
    fn common<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.get(self.prefix.len()..)?;
        let end = self
            .prefix
            .len()
            .checked_add(rest.find(self.delimiter)?)?
            .checked_add(self.delimiter.len())?;
        key.get(..end)
    }

    /// Where a list begins that comes after a key, or after something of that key. `None` if nothing does.
    fn start(&self, marker: &str, within: Option<String>) -> Option<From> {
        if marker < self.prefix {
            return Some(From::Key(self.prefix.to_owned()));
        }
        // A marker that is itself a common prefix stands for all that it stood for.
        if within.is_none() && self.common(marker).is_some_and(|common| common == marker) {
            return beyond(marker).map(From::Key);
        }
        Some(match within {
            Some(within) => From::Within(marker.to_owned(), within),
            None if marker.is_empty() => From::Key(String::new()),
            None => From::AfterKey(marker.to_owned()),
        })
    }

    fn page<T: Keyed>(
        &self,
        start: Option<From>,
        fetch: impl Fn(&From, usize) -> Found<Vec<T>>,
    ) -> Found<Page<T>> {
        let mut page = Page {
            items: Vec::new(),
            common_prefixes: Vec::new(),
            more: false,
            last_was_prefix: false,
        };
        let mut from = start.filter(|_| self.limit > 0);
        // Where one common prefix follows another, all but one row of each would be read in vain.
        let mut most = if self.delimiter.is_empty() { BATCH } else { FEW };
        while let Some(begin) = from.take() {
            let room = self.limit.saturating_sub(page.items.len());
            let wanted = room.saturating_add(1).clamp(2, most);
            let batch = fetch(&begin, wanted)?;
            let ends_in_common = batch.last().is_some_and(|last| self.common(last.key()).is_some());
            most = if ends_in_common {
                FEW
            } else {
                most.saturating_mul(2).min(BATCH)
            };
            let whole = batch.len() == wanted;
            for item in batch {
                if !item.key().starts_with(self.prefix) {
                    return Ok(page);
                }
                let common = self.common(item.key());
                let again = common.is_some() && page.common_prefixes.last().map(String::as_str) == common;
                if !again && page.items.len().saturating_add(page.common_prefixes.len()) >= self.limit {
                    page.more = true;
                    return Ok(page);
                }
                match common {
                    Some(common) => {
                        from = beyond(common).map(From::Key);
                        if !again {
                            page.common_prefixes.push(common.to_owned());
                            page.last_was_prefix = true;
                        }
                    }
                    None => {
                        from = Some(item.after());
                        page.items.push(item);
                        page.last_was_prefix = false;
                    }
                }
            }
            if !whole {
                return Ok(page);
            }
        }
        Ok(page)
    }
}

impl<T: Keyed> Page<T> {
    /// What the next page comes after: a key, and the item if it was one.
    fn next(&self) -> Option<(String, Option<&T>)> {
        if !self.more {
            return None;
        }
        if self.last_was_prefix {
            return self.common_prefixes.last().map(|last| (last.clone(), None));
        }
        self.items.last().map(|last| (last.key().to_owned(), Some(last)))
    }
}

impl Objects<'_> {
    /// Lists current versions.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn list(
        &self,
        permit: &Permit<s3::ListBucket>,
        asked: ListRequest<'_>,
    ) -> Result<Listing, ObjectError> {
        let name = bucket_of(permit)?;
        self.look(|rows| {
            let bucket = existing(rows, &name)?;
            let walk = Walk::of(asked.prefix, asked.delimiter, asked.limit);
            let start = walk.start(asked.after, None);
            let page = walk.page(start, |from, limit| rows.listed(bucket.id, from, limit))?;
            let next = page.next().map(|(key, _)| key);
            Ok(Listing {
                objects: page.items,
                common_prefixes: page.common_prefixes,
                next,
            })
        })
    }

    /// Lists versions and delete markers.
    ///
    /// # Errors
    /// [`ObjectError::InvalidArgument`] for a version without its key.
    pub fn list_versions(
        &self,
        permit: &Permit<s3::ListBucketVersions>,
        asked: VersionsRequest<'_>,
    ) -> Result<VersionListing, ObjectError> {
        let name = bucket_of(permit)?;
        if asked.version_marker.is_some() && asked.key_marker.is_empty() {
            return Err(ObjectError::InvalidArgument(
                "A version-id marker cannot be specified without a key marker.",
            ));
        }
        self.look(|rows| {
            let bucket = existing(rows, &name)?;
            let walk = Walk::of(asked.prefix, asked.delimiter, asked.limit);
            let within = place_of_marker(rows, &bucket, &asked)?;
            let start = walk.start(asked.key_marker, within);
            let page = walk.page(start, |from, limit| rows.listed_versions(bucket.id, from, limit))?;
            let next = page
                .next()
                .map(|(key, item)| (key, item.map(|item| item.listed.version_id.clone())));
            Ok(VersionListing {
                versions: page.items.into_iter().map(|item| item.listed).collect(),
                common_prefixes: page.common_prefixes,
                next,
            })
        })
    }

    /// Lists uploads that were begun.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn list_uploads(
        &self,
        permit: &Permit<s3::ListBucketMultipartUploads>,
        asked: UploadsRequest<'_>,
    ) -> Result<UploadListing, ObjectError> {
        let name = bucket_of(permit)?;
        self.look(|rows| {
            let bucket = existing(rows, &name)?;
            let walk = Walk::of(asked.prefix, asked.delimiter, asked.limit);
            // Without its key, an upload marker means nothing.
            let within = asked.upload_marker.filter(|_| !asked.key_marker.is_empty());
            let start = walk.start(asked.key_marker, within.map(|id| id.as_str().to_owned()));
            let page = walk.page(start, |from, limit| rows.uploads(bucket.id, from, limit))?;
            let next = page
                .next()
                .map(|(key, item)| (key, item.map(|item| item.upload_id.clone())));
            let told = |row: UploadRow| -> Result<Upload, ObjectError> {
                let key = row.key.clone();
                let within = Within::of(rows, &bucket, &key);
                within.told_upload(row)
            };
            let uploads: Result<Vec<Upload>, ObjectError> = page.items.into_iter().map(told).collect();
            Ok(UploadListing {
                uploads: uploads?,
                common_prefixes: page.common_prefixes,
                next,
            })
        })
    }
}

/// The place, among the versions of its key, of the version that a list comes after. What is not there any more leaves the
/// rest of its key where the id is in the order; of a `null` that is gone, all of the key counts as told.
fn place_of_marker(
    rows: &dyn ObjectRows,
    bucket: &Bucket,
    asked: &VersionsRequest<'_>,
) -> Found<Option<String>> {
    let Some(id) = asked.version_marker else {
        return Ok(None);
    };
    if !id.is_null() {
        return Ok(Some(id.as_str().to_owned()));
    }
    let Ok(key) = asked.key_marker.parse() else {
        return Ok(None);
    };
    let within = Within::of(rows, bucket, &key);
    let null = within.head()?.and_then(|head| head.null);
    Ok(null.map(|place| place.as_str().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;
    use std::ops::Bound;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn beyond_the_last_characters_there_is_something_or_nothing() {
        assert_eq!(beyond("a/").as_deref(), Some("a0"));
        assert_eq!(beyond("a\u{7f}").as_deref(), Some("a\u{80}"));
        assert_eq!(beyond("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(beyond("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(beyond("\u{10ffff}\u{10ffff}"), None);
        assert_eq!(beyond(""), None);
    }

    impl Keyed for String {
        fn key(&self) -> &str {
            self
        }

        fn after(&self) -> From {
            From::AfterKey(self.clone())
        }
    }

    #[test]
    fn what_a_prefix_stands_for_is_skipped_however_much_it_is() {
        let keys: BTreeSet<String> = (0..20_000)
            .map(|number| format!("{:02}/{number}", number / 1000))
            .collect();
        let read = Cell::new(0);
        let fetch = |from: &From, limit: usize| {
            let start = match from {
                From::Key(key) => Bound::Included(key),
                From::AfterKey(key) | From::Within(key, _) => Bound::Excluded(key),
            };
            let found = keys
                .range::<String, _>((start, Bound::Unbounded))
                .take(limit)
                .cloned();
            let found: Vec<String> = found.collect();
            read.set(read.get() + found.len());
            Ok(found)
        };
        let walk = Walk::of("", "/", 1000);
        let Ok(page) = walk.page(walk.start("", None), fetch) else {
            panic!("nothing here fails");
        };
        assert_eq!(
            (page.items.len(), page.common_prefixes.len(), page.more),
            (0, 20, false)
        );
        assert!(read.get() <= 20 * FEW, "{} rows were read", read.get());
    }

    proptest! {
        #[test]
        fn beyond_is_greater_than_all_with_the_prefix_and_nothing_is_between(
            prefix in "(?s).{1,4}", rest in "(?s).{0,4}", other in "(?s).{0,6}",
        ) {
            if let Some(beyond) = beyond(&prefix) {
                let longer = format!("{prefix}{rest}");
                prop_assert!(longer < beyond);
                prop_assert!(other < beyond || !other.starts_with(&prefix));
                prop_assert!(other >= beyond || other < prefix || other.starts_with(&prefix));
            }
        }
    }
}
