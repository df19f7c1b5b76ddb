//! Bucket policies: what is more particular about them than about other policies, and S3's words for what is wrong.

use moho_terms::BucketName;

use super::grammar::{Object, OneOrMany, RawDocument, RawStatement};
use super::{PolicyDocument, PolicyError, PolicyKind};
use crate::action;

/// Why text is no policy of a bucket: `MalformedPolicy`, in S3's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BucketPolicyError(String);

/// S3's words for what the grammar says.
const WORDS: &[(&str, &str)] = &[
    ("the Version is", "The policy must contain a valid version string"),
    (
        "a policy needs a statement",
        "Could not parse the policy: Statement is empty!",
    ),
    (
        "a statement needs Action or NotAction",
        "Missing required field Action",
    ),
    ("a statement needs Resource", "Missing required field Resource"),
    (
        "a policy of this kind needs a Principal",
        "Missing required field Principal",
    ),
    ("a principal is", "Invalid principal in policy"),
    ("a service or provider", "Invalid principal in policy"),
    ("unknown kind of principal", "Invalid principal in policy"),
    ("there are no canonical users", "Invalid principal in policy"),
    (
        "NotPrincipal goes with Deny only",
        "Allow with NotPrincipal is not allowed.",
    ),
    ("an action is", "Policy has invalid action"),
    ("a resource is", "Policy has invalid resource"),
    ("unknown condition operator", "Invalid Condition type"),
    (
        "a condition",
        "Conditions do not apply to combination of actions and resources in statement",
    ),
];

/// What is done to buckets, not to objects in them, though it is called after objects.
const OF_BUCKETS: [&str; 2] = [
    "s3:GetBucketObjectLockConfiguration",
    "s3:PutBucketObjectLockConfiguration",
];

/// What is done to objects, though it is not called after them.
const OF_OBJECTS: [&str; 3] = [
    "s3:AbortMultipartUpload",
    "s3:BypassGovernanceRetention",
    "s3:ListMultipartUploadParts",
];

impl PolicyDocument {
    /// Parses the policy of a bucket: every statement speaks of S3's actions, on this bucket and what is in it.
    ///
    /// # Errors
    /// [`BucketPolicyError`]: `MalformedPolicy`.
    pub fn parse_of_bucket(bucket: &BucketName, text: &str) -> Result<Self, BucketPolicyError> {
        let document = Self::parse(PolicyKind::Resource, text).map_err(|error| worded(text, &error))?;
        let raw = serde_json::from_str::<Object<RawDocument>>(text);
        let Object(raw) = raw.map_err(|_parsed_before| said("This policy contains invalid Json"))?;
        for Object(statement) in &raw.statement.0 {
            check(bucket, statement)?;
        }
        Ok(document)
    }
}

fn said(words: &str) -> BucketPolicyError {
    BucketPolicyError(words.to_owned())
}

fn worded(text: &str, error: &PolicyError) -> BucketPolicyError {
    match error {
        PolicyError::TooLong { limit } => BucketPolicyError(format!(
            "Normalized policy document exceeds the maximum allowed size of {limit} bytes."
        )),
        PolicyError::Syntax { .. } if !text.starts_with('{') => {
            said("Policies must be valid JSON and the first byte must be '{'")
        }
        PolicyError::Syntax { message, .. } => BucketPolicyError(of_syntax(message)),
        PolicyError::Grammar(message) => {
            let words = WORDS.iter().find(|(start, _)| message.starts_with(start));
            BucketPolicyError(words.map_or_else(|| (*message).to_owned(), |(_, words)| (*words).to_owned()))
        }
    }
}

fn of_syntax(message: &str) -> String {
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("unknown field") {
        format!("Unknown field {}", quoted())
    } else if message.starts_with("missing field") {
        format!("Missing required field {}", quoted())
    } else if message.contains("Effect") {
        "Invalid effect".to_owned()
    } else if message.contains("principal") {
        "Invalid principal in policy".to_owned()
    } else {
        "This policy contains invalid Json".to_owned()
    }
}

fn check(bucket: &BucketName, statement: &RawStatement) -> Result<(), BucketPolicyError> {
    let resources = listed(statement.resource.as_ref(), statement.not_resource.as_ref());
    let whole = format!("arn:aws:s3:::{bucket}");
    let is_object = |resource: &str| {
        let key = resource
            .strip_prefix(&whole)
            .and_then(|rest| rest.strip_prefix('/'));
        key.is_some()
    };
    if !resources
        .iter()
        .all(|resource| *resource == whole || is_object(resource))
    {
        return Err(said("Policy has invalid resource"));
    }
    let actions = listed(statement.action.as_ref(), statement.not_action.as_ref());
    let of_s3 = |action: &str| {
        let service = action.split_once(':').map(|(service, _)| service);
        action == "*" || service.is_some_and(|service| service.eq_ignore_ascii_case("s3"))
    };
    if !actions.iter().all(|action| of_s3(action)) {
        return Err(said("Policy has invalid action"));
    }
    if statement.action.is_none() || statement.resource.is_none() {
        return Ok(());
    }
    let (buckets, objects) = (
        resources.contains(&whole.as_str()),
        resources.iter().any(|resource| is_object(resource)),
    );
    let applies = |action: &&str| match is_done_to_objects(action) {
        Some(true) => objects,
        Some(false) => buckets,
        None => true,
    };
    if actions.iter().all(applies) {
        Ok(())
    } else {
        Err(said("Action does not apply to any resource(s) in statement"))
    }
}

fn listed<'a>(these: Option<&'a OneOrMany<String>>, all_but: Option<&'a OneOrMany<String>>) -> Vec<&'a str> {
    let lists = these.into_iter().chain(all_but);
    lists.flat_map(|list| &list.0).map(String::as_str).collect()
}

/// Whether an action is done to objects, or else to buckets; `None` of one that is not known by name.
fn is_done_to_objects(action: &str) -> Option<bool> {
    let known = action::ALL
        .iter()
        .find(|known| known.eq_ignore_ascii_case(action));
    let named = known.filter(|known| known.starts_with("s3:"))?;
    Some(OF_OBJECTS.contains(named) || (named.contains("Object") && !OF_BUCKETS.contains(named)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<PolicyDocument, BucketPolicyError> {
        PolicyDocument::parse_of_bucket(&"my-bucket".parse().unwrap(), text)
    }

    fn of_statement(statement: &str) -> Result<PolicyDocument, BucketPolicyError> {
        parsed(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#
        ))
    }

    #[test]
    fn a_policy_of_the_bucket_is_taken() {
        for statement in [
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::my-bucket/*"}"#,
            r#"{"Effect":"Deny","Principal":{"AWS":"123456789012"},"NotAction":"s3:List*","NotResource":"arn:aws:s3:::my-bucket/a/${aws:userid}/*"}"#,
            r#"{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":["S3:PutObject","s3:ListBucket"],"Resource":["arn:aws:s3:::my-bucket","arn:aws:s3:::my-bucket/logs/*"]}"#,
            r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:s3:::my-bucket"}"#,
            r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetBucketWebsite","Resource":"arn:aws:s3:::my-bucket"}"#,
        ] {
            assert!(of_statement(statement).is_ok(), "{statement}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_as_s3_says_it() {
        let with = |rest: &str| format!(r#"{{"Effect":"Allow",{rest}}}"#);
        let object = r#""Resource":"arn:aws:s3:::my-bucket/*""#;
        for (rest, words) in [
            (
                format!(r#""Action":"s3:GetObject",{object}"#),
                "Missing required field Principal",
            ),
            (
                format!(r#""Principal":"*",{object}"#),
                "Missing required field Action",
            ),
            (
                r#""Principal":"*","Action":"s3:GetObject""#.to_owned(),
                "Missing required field Resource",
            ),
            (
                format!(r#""Principal":{{"AWS":"ann"}},"Action":"s3:GetObject",{object}"#),
                "Invalid principal in policy",
            ),
            (
                format!(r#""Principal":"ann","Action":"s3:GetObject",{object}"#),
                "Invalid principal in policy",
            ),
            (
                format!(r#""Principal":"*","Action":"kms:Decrypt",{object}"#),
                "Policy has invalid action",
            ),
            (
                format!(r#""Principal":"*","Action":"GetObject",{object}"#),
                "Policy has invalid action",
            ),
            (
                format!(r#""Principal":"*","Action":"s3:ListBucket",{object}"#),
                "Action does not apply to any resource(s) in statement",
            ),
            (
                format!(
                    r#""Principal":"*","Action":["s3:GetObject","s3:PutBucketObjectLockConfiguration"],{object}"#
                ),
                "Action does not apply to any resource(s) in statement",
            ),
            (
                r#""Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::my-bucket""#.to_owned(),
                "Action does not apply to any resource(s) in statement",
            ),
            (
                r#""Principal":"*","Action":"s3:*","Resource":"*""#.to_owned(),
                "Policy has invalid resource",
            ),
            (
                r#""Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::my-bucket*""#.to_owned(),
                "Policy has invalid resource",
            ),
            (
                r#""Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::my-bucket-2/*""#.to_owned(),
                "Policy has invalid resource",
            ),
            (
                r#""Principal":"*","Action":"s3:*","NotResource":"arn:aws:s3:::other/*""#.to_owned(),
                "Policy has invalid resource",
            ),
            (
                format!(r#""NotPrincipal":{{"AWS":"123456789012"}},"Action":"s3:*",{object}"#),
                "Allow with NotPrincipal is not allowed.",
            ),
            (
                format!(r#""Principal":"*","Action":"s3:GetObject",{object},"Colour":"red""#),
                "Unknown field Colour",
            ),
            (
                format!(
                    r#""Principal":"*","Action":"s3:GetObject",{object},"Condition":{{"Resembles":{{"s3:prefix":"a"}}}}"#
                ),
                "Invalid Condition type",
            ),
        ] {
            let error = of_statement(&with(&rest)).unwrap_err();
            assert_eq!(error.to_string(), words, "{rest}");
        }
        let text = "[]";
        let not_json = "Policies must be valid JSON and the first byte must be '{'";
        assert_eq!(parsed(text).unwrap_err().to_string(), not_json);
        assert_eq!(
            parsed("{").unwrap_err().to_string(),
            "This policy contains invalid Json"
        );
        assert_eq!(
            parsed(r#"{"Version":"2020-01-01","Statement":[]}"#)
                .unwrap_err()
                .to_string(),
            "The policy must contain a valid version string"
        );
        let long = format!(
            r#"{{"Version":"2012-10-17","Id":"{}","Statement":[]}}"#,
            "x".repeat(20_480)
        );
        assert_eq!(
            parsed(&long).unwrap_err().to_string(),
            "Normalized policy document exceeds the maximum allowed size of 20480 bytes."
        );
    }

    #[test]
    fn what_an_action_is_done_to_follows_from_its_name() {
        let told = |text: &str| is_done_to_objects(text);
        assert_eq!(told("s3:getobject"), Some(true));
        assert_eq!(told("s3:AbortMultipartUpload"), Some(true));
        assert_eq!(told("s3:ListBucketMultipartUploads"), Some(false));
        assert_eq!(told("s3:GetBucketObjectLockConfiguration"), Some(false));
        assert_eq!(told("s3:Get*"), None);
        assert_eq!(told("kms:Decrypt"), None);
    }
}
