//! Where records go, and the key of that.

use moho_store::invocations::{InvocationDestination, LogBucket};
use moho_store::objects::SealingAlgorithm;
use moho_terms::{AccountId, Arn, BucketName, KeyId, Region, RequestId, Timestamp};

use super::sink::LogSinkError;
use super::{InvocationLog, LogError};

/// What keys of Bedrock's objects go on with behind prefix and account.
const FOLDER: &str = "BedrockModelInvocationLogs";
/// The object that tells whether the service may put any.
const PERMISSION_CHECK: &str = "amazon-bedrock-logs-permission-check";

/// A place that records cannot go to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDestination {
    #[error("there is no bucket `{0}` in the account and region")]
    Bucket(BucketName),
    #[error("the key that the bucket `{0}` names is none")]
    Key(BucketName),
    #[error("there is no such log group")]
    Group,
    #[error("log groups cannot be asked")]
    Groups(#[source] LogSinkError),
}

impl InvocationLog {
    /// The key under which records rest that go there.
    pub(super) fn key_of(
        &self,
        account: AccountId,
        destination: &InvocationDestination,
    ) -> Result<Arn, LogError> {
        match destination {
            InvocationDestination::Bucket(to) => self.key_of_bucket(account, &to.bucket),
            InvocationDestination::Group(to) => {
                let key = self.groups.key(account, to).map_err(NoDestination::Groups)?;
                Ok(key.ok_or(NoDestination::Group)?)
            }
        }
    }

    /// The key that a new object of the bucket is sealed under unless its request says otherwise.
    fn key_of_bucket(&self, account: AccountId, name: &BucketName) -> Result<Arn, LogError> {
        let (store, region) = (&self.backing.store, &self.backing.region);
        let none = || LogError::from(NoDestination::Bucket(name.clone()));
        let facts = store.bucket_facts(name)?;
        let own = facts.filter(|facts| facts.owner == account && facts.region == *region);
        let set = &own.ok_or_else(none)?.encryption;
        let named = set
            .key
            .as_deref()
            .filter(|_| set.algorithm == SealingAlgorithm::AwsKms);
        let key = match named {
            Some(named) => self.key_named(account, named)?,
            None => store.account_key(account)?,
        };
        Ok(key.ok_or_else(|| NoDestination::Key(name.clone()))?)
    }

    /// The key that a bucket of the account names by its id, an alias, or the ARN of one of these.
    fn key_named(&self, account: AccountId, name: &str) -> Result<Option<Arn>, LogError> {
        let region = self.backing.region.as_str();
        let (account, name) = match name.parse::<Arn>() {
            Ok(arn) if arn.service() == "kms" && arn.region() == region => {
                let Ok(owner) = arn.account().parse() else {
                    return Ok(None);
                };
                (owner, arn.resource().trim_start_matches("key/").to_owned())
            }
            Ok(_elsewhere) => return Ok(None),
            Err(_no_arn) => (account, name.to_owned()),
        };
        let id: Option<KeyId> = if name.starts_with("alias/") {
            self.backing.store.find_alias(account, &name)?
        } else {
            name.parse().ok()
        };
        let arn = |id: KeyId| Arn::of("kms", region, account.as_str(), &format!("key/{id}"));
        Ok(id.map(arn).transpose()?)
    }
}

/// What the keys of an account's objects begin with there: `PREFIX/AWSLogs/ACCOUNT/BedrockModelInvocationLogs/`.
pub(crate) fn folder(to: &LogBucket, account: AccountId) -> String {
    let prefix = to.prefix.as_deref().unwrap_or_default();
    let between = if prefix.is_empty() || prefix.ends_with('/') {
        ""
    } else {
        "/"
    };
    format!("{prefix}{between}AWSLogs/{account}/{FOLDER}/")
}

/// Keys of what is delivered together, by when that was decided.
pub(super) struct Keys {
    folder: String,
}

impl Keys {
    pub(super) fn of(to: &LogBucket, (account, region): (AccountId, &Region), at: Timestamp) -> Self {
        let basic = at.iso8601_basic();
        let part = |from: usize, to: usize| basic.get(from..to).unwrap_or_default();
        let (year, month, day, hour) = (part(0, 4), part(4, 6), part(6, 8), part(9, 11));
        let folder = folder(to, account);
        Self {
            folder: format!("{folder}{region}/{year}/{month}/{day}/{hour}/"),
        }
    }

    /// Of the records: `YYYYMMDDTHHMMSSZ_NAME.json.gz`
    pub(super) fn records(&self, at: Timestamp, name: &str) -> String {
        format!("{}{}_{name}.json.gz", self.folder, at.iso8601_basic())
    }

    /// Of a body that is too large for its record.
    pub(super) fn body(&self, request: &str, which: &str) -> String {
        format!("{}data/{request}_{which}.json.gz", self.folder)
    }
}

impl InvocationLog {
    /// The key of the object by which it is tried whether the service may put any.
    pub(crate) fn permission_check(to: &LogBucket, account: AccountId) -> String {
        format!("{}{PERMISSION_CHECK}", folder(to, account))
    }

    /// An id for what no request asks for.
    pub(super) fn request_id(&self) -> Option<RequestId> {
        RequestId::random(&*self.backing.entropy).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_where_bedrock_puts_them() {
        let to = |prefix: Option<&str>| LogBucket {
            bucket: "logs".parse().unwrap(),
            prefix: prefix.map(str::to_owned),
        };
        let account: AccountId = "123456789012".parse().unwrap();
        let at = Timestamp::from_unix_seconds(1_700_000_000);
        for (prefix, begins) in [
            (None, ""),
            (Some(""), ""),
            (Some("a/b"), "a/b/"),
            (Some("a/"), "a/"),
        ] {
            let begins = format!("{begins}AWSLogs/123456789012/BedrockModelInvocationLogs/");
            let region = "moho-local-1".parse().unwrap();
            let keys = Keys::of(&to(prefix), (account, &region), at);
            assert_eq!(
                keys.records(at, "0A"),
                format!("{begins}moho-local-1/2023/11/14/22/20231114T221320Z_0A.json.gz")
            );
            assert_eq!(
                keys.body("id", "input"),
                format!("{begins}moho-local-1/2023/11/14/22/data/id_input.json.gz")
            );
            assert_eq!(
                InvocationLog::permission_check(&to(prefix), account),
                format!("{begins}amazon-bedrock-logs-permission-check")
            );
        }
    }
}
