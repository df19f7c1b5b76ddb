//! Tags of objects and buckets, by S3's rules.

use std::collections::BTreeSet;

use moho_iam::action::s3;
use moho_iam::authz::Permit;
use moho_terms::VersionId;

use super::deciding::Decided;
use super::within::{Within, incomplete};
use super::{DocumentKind, Names, ObjectError, Objects, WritesTags, bucket_of, existing, object_of};

/// Most tags of an object, and of a bucket.
const OF_OBJECT: usize = 10;
const OF_BUCKET: usize = 50;

type Tags = Vec<(String, String)>;

/// Tags as a row keeps them; `None` of none.
pub(super) fn write_object(tags: &[(String, String)]) -> Result<Option<String>, ObjectError> {
    if tags.len() > OF_OBJECT {
        return Err(ObjectError::BadRequest("Object tags cannot be greater than 10"));
    }
    check(tags)?;
    write(tags)
}

/// The same of a bucket.
pub(super) fn write_bucket(tags: &[(String, String)]) -> Result<Option<String>, ObjectError> {
    if tags.len() > OF_BUCKET {
        return Err(ObjectError::BadRequest(
            "Bucket tag count cannot be greater than 50",
        ));
    }
    check(tags)?;
    write(tags)
}

fn write(tags: &[(String, String)]) -> Result<Option<String>, ObjectError> {
    if tags.is_empty() {
        return Ok(None);
    }
    let written = serde_json::to_string(tags);
    written
        .map(Some)
        .map_err(|_unwritable| incomplete("tags cannot be written"))
}

pub(super) fn read(tags: Option<&str>) -> Result<Tags, ObjectError> {
    let Some(tags) = tags else { return Ok(Tags::new()) };
    serde_json::from_str(tags).map_err(|_unreadable| incomplete("tags are unreadable"))
}

fn check(tags: &[(String, String)]) -> Result<(), ObjectError> {
    let fits = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    let mut seen = BTreeSet::new();
    for (key, value) in tags {
        let reserved = key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(fits) {
            return Err(ObjectError::InvalidTag("The TagKey you have provided is invalid"));
        }
        if reserved {
            return Err(ObjectError::InvalidTag(
                "System tags cannot be added/updated by requester",
            ));
        }
        if value.chars().count() > 256 || !value.chars().all(fits) {
            return Err(ObjectError::InvalidTag(
                "The TagValue you have provided is invalid",
            ));
        }
        if !seen.insert(key) {
            return Err(ObjectError::InvalidTag(
                "Cannot provide multiple Tags with the same key",
            ));
        }
    }
    Ok(())
}

impl Objects<'_> {
    /// Gives a version these tags in place of its others; deleting them is giving it none. Returns which version that is, if
    /// replies tell it.
    ///
    /// # Errors
    /// [`ObjectError::InvalidTag`], or it is not there.
    pub fn set_tags<A: WritesTags>(
        &self,
        permit: &Permit<A>,
        version: Option<&VersionId>,
        tags: &[(String, String)],
    ) -> Result<Option<VersionId>, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        check_names(A::NAMES, version)?;
        let tags = write_object(tags)?;
        self.change(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let (head, mut row) = within.meant(version)?;
            Decided::by(permit).check(Some(&row))?;
            if let Some(content) = &mut row.content {
                content.sealed.tags = tags;
            }
            rows.replace_version(within.at(), &row)?;
            Ok(within.told(&head, row)?.told_version().cloned())
        })
    }

    /// The tags of a bucket.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchDocument`] if it has none.
    pub fn bucket_tags(&self, permit: &Permit<s3::GetBucketTagging>) -> Result<Tags, ObjectError> {
        let name = bucket_of(permit)?;
        self.look(|rows| {
            let bucket = existing(rows, &name)?;
            let kept = rows.document(bucket.id, DocumentKind::Tags)?;
            let kept = kept.ok_or(ObjectError::NoSuchDocument(DocumentKind::Tags))?;
            Ok(read(Some(&kept))?)
        })
    }

    /// Gives a bucket these tags in place of its others; deleting them is giving it none.
    ///
    /// # Errors
    /// [`ObjectError::InvalidTag`], or it is not there.
    pub fn set_bucket_tags(
        &self,
        permit: &Permit<s3::PutBucketTagging>,
        tags: &[(String, String)],
    ) -> Result<(), ObjectError> {
        let name = bucket_of(permit)?;
        let tags = write_bucket(tags)?;
        self.set(&name, DocumentKind::Tags, tags.as_deref())
    }
}

/// A permit for what a request does not name is none for what it names, and the other way round.
pub(super) fn check_names(names: Names, version: Option<&VersionId>) -> Result<(), ObjectError> {
    let fits = match names {
        Names::Current => version.is_none(),
        Names::Version => version.is_some(),
        Names::Either => true,
    };
    if fits {
        Ok(())
    } else {
        Err(ObjectError::OtherPermit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn tags_are_what_s3_lets_them_be() {
        let good = [tag("a", ""), tag("A b_.:/=+-@9", "v"), tag("\u{e9}", "\u{4e2d}")];
        let kept = write_object(&good).unwrap();
        assert_eq!(read(kept.as_deref()).unwrap(), good);
        assert_eq!(write_object(&[]).unwrap(), None);
        assert!(write_object(&[tag(&"k".repeat(128), &"v".repeat(256))]).is_ok());
        for bad in [
            tag("", "v"),
            tag(&"k".repeat(129), "v"),
            tag("k", &"v".repeat(257)),
            tag("aws:k", "v"),
            tag("AWS:k", "v"),
            tag("k\0", "v"),
            tag("k", "<v>"),
            tag("k", "\u{202e}"),
        ] {
            assert!(
                matches!(
                    write_object(std::slice::from_ref(&bad)),
                    Err(ObjectError::InvalidTag(_))
                ),
                "{bad:?}"
            );
        }
        assert!(write_object(&[tag("a", "1"), tag("a", "2")]).is_err());
        let many: Vec<_> = (0..11).map(|n| tag(&format!("k{n}"), "")).collect();
        assert!(matches!(write_object(&many), Err(ObjectError::BadRequest(_))));
        assert!(write_bucket(&many).is_ok());
    }
}
