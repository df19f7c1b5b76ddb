//! What of an object is sealed beside its bytes, and under what: headers, user metadata and checksums are one document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms};
use moho_terms::{Arn, BucketName, ContentBytes, ObjectKey};
use serde::{Deserialize, Serialize};

use super::{ObjectError, PartLayout, SealingAlgorithm};
use crate::StoreError;

/// The pair of every object's encryption context that says what it is.
const CONTEXT_KEY: &str = "aws:s3:arn";

/// Under what an object is sealed: its bytes, in however many segments, and its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEncryption {
    algorithm: SealingAlgorithm,
    key: Arn,
    bucket_key: bool,
    pairs: BTreeMap<String, String>,
    /// The bucket's or the object's ARN.
    of: Arn,
    context: EncryptionContext,
}

/// As it is kept with a version: the context's own pair follows from where it is.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptEncryption<'a> {
    algorithm: SealingAlgorithm,
    bucket_key: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    context: Cow<'a, BTreeMap<String, String>>,
}

impl ObjectEncryption {
    /// Under `key` for an object, with the pairs that its request names; with a bucket key, the context names the bucket.
    ///
    /// # Errors
    /// [`ObjectError::InvalidArgument`] if the pairs are none for a context.
    pub fn new(
        (algorithm, bucket_key): (SealingAlgorithm, bool),
        key: Arn,
        (bucket, object): (&BucketName, &ObjectKey),
        pairs: BTreeMap<String, String>,
    ) -> Result<Self, ObjectError> {
        let arn = if bucket_key {
            Arn::of_bucket(bucket)?
        } else {
            Arn::of_object(bucket, object)?
        };
        // Who names that pair may only say what it says anyway.
        let named = pairs.get(CONTEXT_KEY).is_none_or(|named| named == arn.as_str());
        let others = pairs.iter().filter(|(key, _)| *key != CONTEXT_KEY);
        let all = others
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .chain([(CONTEXT_KEY, arn.as_str())]);
        let context = EncryptionContext::from_pairs(all).ok().filter(|_| named);
        let context = context.ok_or(ObjectError::InvalidArgument(
            "The encryption context specified is not valid.",
        ))?;
        Ok(Self {
            algorithm,
            key,
            bucket_key,
            pairs,
            of: arn,
            context,
        })
    }

    /// Whether it is for that object.
    pub(super) fn is_for(&self, (bucket, object): (&BucketName, &ObjectKey)) -> bool {
        let of = if self.bucket_key {
            Arn::of_bucket(bucket)
        } else {
            Arn::of_object(bucket, object)
        };
        of.is_ok_and(|of| of == self.of)
    }

    /// How it was asked for.
    #[must_use]
    pub fn algorithm(&self) -> SealingAlgorithm {
        self.algorithm
    }

    /// The KmsKey.
    #[must_use]
    pub fn key(&self) -> &Arn {
        &self.key
    }

    /// Whether the context names the bucket, so that objects share data keys.
    #[must_use]
    pub fn bucket_key(&self) -> bool {
        self.bucket_key
    }

    /// The pairs that the request named.
    #[must_use]
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.pairs
    }

    /// What permits for the key have to be asked for with, and everything is sealed under.
    #[must_use]
    pub fn context(&self) -> &EncryptionContext {
        &self.context
    }

    pub(super) fn kept(&self) -> KeptEncryption<'_> {
        KeptEncryption {
            algorithm: self.algorithm,
            bucket_key: self.bucket_key,
            context: Cow::Borrowed(&self.pairs),
        }
    }

    pub(super) fn again(
        kept: KeptEncryption<'_>,
        key: Arn,
        object: (&BucketName, &ObjectKey),
    ) -> Result<Self, ObjectError> {
        let asked = (kept.algorithm, kept.bucket_key);
        Self::new(asked, key, object, kept.context.into_owned())
    }
}

/// A checksum that a request came with, verified.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Such as `CRC32`.
    pub algorithm: String,
    /// In base 64, as S3 writes it.
    pub value: String,
    /// Whether it is of the parts' checksums (`COMPOSITE`), or else of all bytes (`FULL_OBJECT`).
    pub composite: bool,
}

/// What is sealed of an object beside its bytes. A tenant's words: never shown, logged or compared with anything.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ObjectMetadata {
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Content-Encoding`
    pub content_encoding: Option<String>,
    /// `Content-Language`
    pub content_language: Option<String>,
    /// `Content-Disposition`
    pub content_disposition: Option<String>,
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// `Expires`, as it came.
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`
    pub website_redirect: Option<String>,
    /// `x-amz-meta-…`, by what follows that.
    pub user: BTreeMap<String, String>,
    /// What it was checked by.
    pub checksums: Vec<Checksum>,
    /// The checksum algorithm and type that an upload in parts was begun with.
    pub upload_checksum: Option<(String, bool)>,
    /// Where its parts are, if it was put in parts.
    pub layout: Option<PartLayout>,
}

/// [`ObjectMetadata`] as it is written down, only to be sealed.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_language: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_disposition: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    website_redirect: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    user: Cow<'a, BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "<[Checksum]>::is_empty")]
    checksums: Cow<'a, [Checksum]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_checksum: Option<(Cow<'a, str>, bool)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<Cow<'a, PartLayout>>,
}

impl ObjectMetadata {
    fn written(&self) -> Written<'_> {
        fn text(text: Option<&String>) -> Option<Cow<'_, str>> {
            text.map(|text| Cow::Borrowed(text.as_str()))
        }
        Written {
            content_type: text(self.content_type.as_ref()),
            content_encoding: text(self.content_encoding.as_ref()),
            content_language: text(self.content_language.as_ref()),
            content_disposition: text(self.content_disposition.as_ref()),
            cache_control: text(self.cache_control.as_ref()),
            expires: text(self.expires.as_ref()),
            website_redirect: text(self.website_redirect.as_ref()),
            user: Cow::Borrowed(&self.user),
            checksums: Cow::Borrowed(&self.checksums),
            upload_checksum: self
                .upload_checksum
                .as_ref()
                .map(|(algorithm, composite)| (Cow::Borrowed(algorithm.as_str()), *composite)),
            layout: self.layout.as_ref().map(Cow::Borrowed),
        }
    }

    fn read(written: Written<'_>) -> Self {
        let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        Self {
            content_type: text(written.content_type),
            content_encoding: text(written.content_encoding),
            content_language: text(written.content_language),
            content_disposition: text(written.content_disposition),
            cache_control: text(written.cache_control),
            expires: text(written.expires),
            website_redirect: text(written.website_redirect),
            user: written.user.into_owned(),
            checksums: written.checksums.into_owned(),
            upload_checksum: written
                .upload_checksum
                .map(|(algorithm, composite)| (algorithm.into_owned(), composite)),
            layout: written.layout.map(Cow::into_owned),
        }
    }
}

/// [`ObjectMetadata`], sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedMetadata(pub(super) Vec<u8>);

impl SealedMetadata {
    /// Seals metadata under the key that the permit is for.
    ///
    /// # Errors
    /// [`ObjectError::Kms`]; [`ObjectError::OtherPermit`] if the permit is for another key than `encryption` names.
    pub fn seal(
        metadata: &ObjectMetadata,
        encryption: &ObjectEncryption,
        (kms, permit): (&Kms, &Permit<kms::GenerateDataKey>),
    ) -> Result<Self, ObjectError> {
        if permit.resource() != encryption.key() {
            return Err(ObjectError::OtherPermit);
        }
        let written = serde_json::to_vec(&metadata.written()).map_err(unreadable)?;
        let sealed = kms.seal(permit, encryption.context(), &ContentBytes::new(written))?;
        Ok(Self(sealed.into_bytes()))
    }

    /// Opens it again.
    ///
    /// # Errors
    /// [`ObjectError::Kms`] if it does not open.
    pub fn open(
        &self,
        encryption: &ObjectEncryption,
        (kms, permit): (&Kms, &Permit<kms::Decrypt>),
    ) -> Result<ObjectMetadata, ObjectError> {
        let opened = kms.open(permit, encryption.context(), &self.0)?;
        let written = serde_json::from_slice(opened.expose()).map_err(unreadable)?;
        Ok(ObjectMetadata::read(written))
    }
}

/// Without what serde says, which may quote a tenant's words.
fn unreadable(_: serde_json::Error) -> ObjectError {
    ObjectError::Store(StoreError::UnreadableMetadata)
}
