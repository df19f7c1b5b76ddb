//! What groups and streams are called in ARNs.
//!
//! As at AWS, an action on a group is decided on `log-group:NAME:log-stream:`, one on a stream with its name behind that, and one
//! on tags on `log-group:NAME`.

use moho_kms::EncryptionContext;
use moho_terms::{AccountId, Arn, ArnError};

use crate::error::StoreError;

/// Bytes of the longest name of a group.
const LONGEST: usize = 512;

/// A group, and a stream of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogName {
    /// The group's name.
    pub group: String,
    /// The stream's, if one is named.
    pub stream: Option<String>,
}

/// What an ARN of `logs` names; `None` if that is no group.
#[must_use]
pub fn log_name(arn: &Arn) -> Option<LogName> {
    let rest = arn.resource().strip_prefix("log-group:")?;
    let (group, stream) = match rest.split_once(':') {
        None => (rest, None),
        Some((group, "*")) => (group, None),
        Some((group, rest)) => {
            let stream = rest.strip_prefix("log-stream:")?;
            (group, (!stream.is_empty()).then(|| stream.to_owned()))
        }
    };
    let fits = (1..=LONGEST).contains(&group.len()) && !group.contains('*');
    (arn.service() == "logs" && fits).then(|| LogName {
        group: group.to_owned(),
        stream,
    })
}

/// The ARN of a group, as encryption contexts, tags and `logGroupArn` have it.
///
/// # Errors
/// [`ArnError`] if a group cannot be called so.
pub fn group_arn(region: &str, account: &str, group: &str) -> Result<Arn, ArnError> {
    Arn::of("logs", region, account, &format!("log-group:{group}"))
}

/// The ARN of a stream; of no stream in particular if its name is empty.
///
/// # Errors
/// [`ArnError`] if they cannot be called so.
pub fn stream_arn(region: &str, account: &str, (group, stream): (&str, &str)) -> Result<Arn, ArnError> {
    let resource = format!("log-group:{group}:log-stream:{stream}");
    Arn::of("logs", region, account, &resource)
}

/// What the events of a group are sealed under: the group, as AWS's own context names it, whose it is, and the version of this
/// context. Permits for the key have to be asked for with its [`condition_keys`](EncryptionContext::condition_keys).
///
/// # Errors
/// [`StoreError::Context`] and [`StoreError::Name`], which the terms' bounds rule out.
pub fn log_context(region: &str, account: AccountId, group: &str) -> Result<EncryptionContext, StoreError> {
    let arn = group_arn(region, account.as_str(), group)?;
    let pairs = [
        ("aws:logs:arn", arn.as_str()),
        ("moho:account", account.as_str()),
        ("moho:resource", arn.resource()),
        ("moho:version", "1"),
    ];
    Ok(EncryptionContext::from_pairs(pairs)?)
}

/// The context of the group that an ARN names, whatever else of it that does.
pub(super) fn context_of(
    arn: &Arn,
    account: AccountId,
    group: &str,
) -> Result<EncryptionContext, StoreError> {
    log_context(arn.region(), account, group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_groups_and_streams() {
        let of = |resource: &str| {
            let arn = Arn::of("logs", "r", "123456789012", resource).unwrap();
            log_name(&arn).map(|name| (name.group, name.stream))
        };
        let group = |stream: Option<&str>| Some(("/a/b".to_owned(), stream.map(str::to_owned)));
        assert_eq!(of("log-group:/a/b"), group(None));
        assert_eq!(of("log-group:/a/b:*"), group(None));
        assert_eq!(of("log-group:/a/b:log-stream:"), group(None));
        assert_eq!(of("log-group:/a/b:log-stream:c/[$d] e"), group(Some("c/[$d] e")));
        for other in [
            "log-group::log-stream:",
            "log-group:a:b",
            "destination:a",
            "log-group:*",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(of(&format!("log-group:{long}")), None);
    }
}
