//! Under which key an object is sealed: what the request says, else what the bucket is set to, else the key of the bucket's
//! account. There is no object that is not.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use moho_iam::action::kms;
use moho_iam::authz::{Context, Permit};
use moho_store::objects::{Bucket, ObjectEncryption, SealingAlgorithm};
use moho_terms::{AccountId, Arn, KeyId};
use s3s::S3Error;
use s3s::dto::ServerSideEncryption;

use crate::asking::{Asking, NamedObject};
use crate::{failure, refusal};

const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
/// What all headers begin with that bring a customer's key, its algorithm or its digest.
const OF_CUSTOMERS: &str = "x-amz-server-side-encryption-customer-";
const CUSTOMER: [&str; 2] = [
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
];

/// What a request says of sealing.
pub(crate) struct AskedSealing {
    algorithm: Option<SealingAlgorithm>,
    key: Option<NamedKey>,
    bucket_key: Option<bool>,
    pairs: BTreeMap<String, String>,
}

/// A key as a request names it, and which that is, if it is one. What is wrong with it is only for whoever may do what is
/// asked for.
struct NamedKey {
    name: String,
    found: Result<Arn, S3Error>,
}

impl NamedKey {
    fn of(asking: &Asking, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            found: Self::found(asking, name),
        }
    }

    fn found(asking: &Asking, name: &str) -> Result<Arn, S3Error> {
        let key = key_named(asking, asking.account(), name)?;
        // Which key is behind another account's alias is told by policies, too, such as those of one's own bucket.
        if key.account() != asking.account().as_str() && name != key.as_str() {
            asking.check_sealing_under(&key)?;
        }
        Ok(key)
    }
}

/// Refuses keys that customers bring.
pub(crate) fn check_customer_keys(asking: &Asking) -> Result<(), S3Error> {
    if CUSTOMER
        .iter()
        .any(|header| asking.headers().contains_key(*header))
    {
        return Err(failure::error(
            "AccessDenied",
            StatusCode::FORBIDDEN,
            "Access Denied: server-side encryption with customer-provided keys (SSE-C) is blocked. Name a KMS key instead.",
        ));
    }
    Ok(())
}

/// Refuses a key that a customer brings to read what is sealed under none of theirs, as everything here is.
pub(crate) fn check_not_customers(asking: &Asking) -> Result<(), S3Error> {
    if asking
        .headers()
        .keys()
        .any(|name| name.as_str().starts_with(OF_CUSTOMERS))
    {
        return Err(failure::invalid_request(
            "The encryption parameters are not applicable to this object.",
        ));
    }
    Ok(())
}

impl AskedSealing {
    /// What the headers say.
    pub(crate) fn of(asking: &Asking) -> Result<Self, S3Error> {
        check_customer_keys(asking)?;
        let algorithm = asking.header(ALGORITHM).map(algorithm).transpose()?;
        let key = asking.header(KEY);
        if key.is_some() && algorithm != Some(SealingAlgorithm::AwsKms) {
            return Err(failure::invalid_argument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
            ));
        }
        Ok(Self {
            algorithm,
            key: key.map(|key| NamedKey::of(asking, key)),
            bucket_key: asking
                .header(BUCKET_KEY)
                .map(|text| text.eq_ignore_ascii_case("true")),
            pairs: asking.header(CONTEXT).map_or(Ok(BTreeMap::new()), pairs)?,
        })
    }

    /// What policies can ask about it: the key, by its ARN, whatever it was named by, or else by that.
    pub(crate) fn told(&self, context: Context) -> Context {
        let Some(key) = &self.key else { return context };
        let told = key.found.as_ref().map_or(key.name.as_str(), Arn::as_str);
        context.with("s3:x-amz-server-side-encryption-aws-kms-key-id", told)
    }

    /// Under what an object of this bucket is sealed.
    pub(crate) fn resolved(
        self,
        asking: &Asking,
        bucket: &Bucket,
        object: &NamedObject,
    ) -> Result<ObjectEncryption, S3Error> {
        let set = &bucket.settings.encryption;
        let algorithm = self.algorithm.unwrap_or(set.algorithm);
        // Who says how, and under no key, wants none that the bucket is set to.
        let by_default = self.algorithm.is_none_or(|asked| asked == set.algorithm);
        let of_bucket = set
            .key
            .as_deref()
            .filter(|_| by_default && algorithm == SealingAlgorithm::AwsKms);
        let key = match (self.key, of_bucket) {
            (Some(key), _) => key.found?,
            (None, Some(key)) => key_named(asking, bucket.owner, key)?,
            (None, None) => account_key(asking, bucket.owner)?,
        };
        let bucket_key = algorithm == SealingAlgorithm::AwsKms && self.bucket_key.unwrap_or(set.bucket_key);
        ObjectEncryption::new(
            (algorithm, bucket_key),
            key,
            (&object.bucket, &object.key),
            self.pairs,
        )
        .map_err(|error| refusal::from_object(&error))
    }
}

/// Leave to seal under it.
pub(crate) fn to_seal(
    asking: &Asking,
    encryption: &ObjectEncryption,
) -> Result<Permit<kms::GenerateDataKey>, S3Error> {
    asking.on_key(encryption.key(), encryption.context())
}

/// Leave to open what is sealed under it.
pub(crate) fn to_open(
    asking: &Asking,
    encryption: &ObjectEncryption,
) -> Result<Permit<kms::Decrypt>, S3Error> {
    asking.on_key(encryption.key(), encryption.context())
}

/// How replies tell of it: the algorithm, the key, and whether it is a bucket key.
pub(crate) fn shown(encryption: &ObjectEncryption) -> (ServerSideEncryption, Option<String>, Option<bool>) {
    let by_kms = encryption.algorithm() == SealingAlgorithm::AwsKms;
    (
        ServerSideEncryption::from_static(encryption.algorithm().as_str()),
        by_kms.then(|| encryption.key().to_string()),
        (by_kms && encryption.bucket_key()).then_some(true),
    )
}

/// An algorithm by S3's name.
pub(crate) fn algorithm(text: &str) -> Result<SealingAlgorithm, S3Error> {
    match text {
        "AES256" => Ok(SealingAlgorithm::Aes256),
        "aws:kms" => Ok(SealingAlgorithm::AwsKms),
        "aws:kms:dsse" => Err(failure::not_implemented(
            "Dual-layer server-side encryption (aws:kms:dsse) is not implemented. Use aws:kms.",
        )),
        _ => Err(failure::invalid_argument(
            "The encryption method specified is not supported",
        )),
    }
}

/// The key that an account's objects are sealed under if nothing else is said.
fn account_key(asking: &Asking, account: AccountId) -> Result<Arn, S3Error> {
    let key = asking.store().account_key(account);
    let key = key.map_err(|error| refusal::from_store(&error))?;
    key.ok_or_else(failure::internal_error)
}

/// The key that a name leads to: its id or alias, of an account, or the ARN of one of these.
pub(crate) fn key_named(asking: &Asking, account: AccountId, name: &str) -> Result<Arn, S3Error> {
    let region = asking.backing().region.as_str();
    if !name.starts_with("arn:") {
        return if name.starts_with("alias/") {
            behind_alias(asking, account, name)
        } else {
            key_arn(region, account, name)
                .ok_or_else(|| not_found(&format!("Invalid keyId {}", quoted(name))))
        };
    }
    let invalid = || not_found(&format!("Invalid arn {}", quoted(name)));
    let arn: Arn = name.parse().map_err(|_not_one| invalid())?;
    let owner: AccountId = arn.account().parse().map_err(|_no_account| invalid())?;
    if arn.service() != "kms" || arn.region() != region {
        return Err(invalid());
    }
    match arn.resource().split_once('/') {
        Some(("key", id)) => key_arn(region, owner, id).ok_or_else(invalid),
        Some(("alias", _)) => behind_alias(asking, owner, arn.resource()),
        _ => Err(invalid()),
    }
}

fn key_arn(region: &str, account: AccountId, id: &str) -> Option<Arn> {
    let id: KeyId = id.parse().ok()?;
    Arn::of("kms", region, account.as_str(), &format!("key/{id}")).ok()
}

fn behind_alias(asking: &Asking, account: AccountId, alias: &str) -> Result<Arn, S3Error> {
    let found = asking.store().find_alias(account, alias);
    let found = found.map_err(|error| refusal::from_store(&error))?;
    let region = asking.backing().region.as_str();
    // Which aliases another account has is nobody's to learn.
    let key = found.and_then(|id| key_arn(region, account, &id.to_string()));
    match key {
        Some(key) => Ok(key),
        None if account == asking.account() => Err(not_found(&format!(
            "Alias arn:aws:kms:{region}:{account}:{} is not found.",
            shortened(alias)
        ))),
        None => Err(failure::access_denied()),
    }
}

fn not_found(message: &str) -> S3Error {
    failure::error("KMS.NotFoundException", StatusCode::BAD_REQUEST, message)
}

fn quoted(name: &str) -> String {
    format!("'{}'", shortened(name))
}

/// A name to be repeated in an error: no more of it than a name has.
fn shortened(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(256).collect()
}

/// The pairs of an encryption context: JSON in base 64.
pub(crate) fn pairs(text: &str) -> Result<BTreeMap<String, String>, S3Error> {
    let json = BASE64_STANDARD.decode(text).ok();
    let read = json.and_then(|json| serde_json::from_slice(&json).ok());
    read.ok_or_else(|| {
        failure::invalid_argument("The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_known_by_their_names() {
        assert!(matches!(algorithm("AES256"), Ok(SealingAlgorithm::Aes256)));
        assert!(matches!(algorithm("aws:kms"), Ok(SealingAlgorithm::AwsKms)));
        let code = |text: &str| algorithm(text).err().unwrap().code().as_str().to_owned();
        assert_eq!(code("aws:kms:dsse"), "NotImplemented");
        assert_eq!(code("aes256"), "InvalidArgument");
    }

    #[test]
    fn an_encryption_context_is_a_map_of_texts() {
        let of = |json: &str| pairs(&BASE64_STANDARD.encode(json));
        assert_eq!(
            of(r#"{"a":"b"}"#).unwrap(),
            [("a".to_owned(), "b".to_owned())].into()
        );
        for json in ["", "[]", r#"{"a":1}"#, r#"{"a":{}}"#, "\u{0}"] {
            assert!(of(json).is_err(), "{json}");
        }
        assert!(pairs("not base 64").is_err());
    }
}
