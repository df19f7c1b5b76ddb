//! Whether a policy lets anybody in at all: what Block Public Access asks.

use super::PolicyDocument;

/// Conditions about these, when they name fixed values, say who comes, or where from: a statement that has one is not for
/// everybody. The list is AWS's, with what of its later keys means the same.
pub(super) const FIXING: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

impl PolicyDocument {
    /// Whether a statement allows something to everybody: to `*`, and under no condition that names fixed accounts,
    /// organisations, endpoints, sources or narrow ranges of addresses.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let mut numbers = 0..self.statement_count();
        numbers.any(|number| self.statement(number).is_some_and(super::Statement::is_public))
    }
}

#[cfg(test)]
mod tests {
    use super::super::PolicyKind;
    use super::*;

    fn is_public(statement: &str) -> bool {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        PolicyDocument::parse(PolicyKind::Resource, &text)
            .unwrap()
            .is_public()
    }

    fn under(condition: &str) -> bool {
        is_public(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"*"}},"Action":"s3:GetObject","Resource":"*","Condition":{condition}}}"#
        ))
    }

    #[test]
    fn what_names_somebody_is_not_public() {
        let to = |effect: &str, principal: &str| {
            is_public(&format!(
                r#"{{"Effect":"{effect}","Principal":{principal},"Action":"s3:GetObject","Resource":"*"}}"#
            ))
        };
        assert!(to("Allow", r#""*""#));
        assert!(to("Allow", r#"{"AWS":["123456789012","*"]}"#));
        assert!(!to("Deny", r#""*""#));
        assert!(!to("Allow", r#"{"AWS":"123456789012"}"#));
        assert!(!to("Allow", r#"{"Service":"logging.s3.amazonaws.com"}"#));
    }

    #[test]
    fn one_public_statement_makes_a_policy_public() {
        let private =
            r#"{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:*","Resource":"*"}"#;
        let public = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}"#;
        assert!(is_public(&format!("{private},{public}")));
    }

    #[test]
    fn fixed_values_say_who_comes() {
        for condition in [
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-example1234"}}"#,
            r#"{"StringLike":{"aws:SourceVpce":"vpce-1"}}"#,
            r#"{"StringEqualsIgnoreCase":{"AWS:principalaccount":["123456789012"]}}"#,
            r#"{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::other"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32","10.0.0.0/8"]}}"#,
            r#"{"StringEquals":{"s3:prefix":"a","aws:userid":"AROAEXAMPLE:me"}}"#,
            r#"{"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"o-a/r-ab12/"}}"#,
        ] {
            assert!(!under(condition), "{condition}");
        }
    }

    #[test]
    fn what_fixes_nobody_leaves_it_public() {
        for condition in [
            r#"{"StringEquals":{"s3:prefix":"a"}}"#,
            r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            r#"{"StringLike":{"aws:PrincipalOrgID":"*"}}"#,
            r#"{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}"#,
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}}"#,
            r#"{"StringNotEquals":{"aws:PrincipalAccount":"123456789012"}}"#,
            r#"{"StringEqualsIfExists":{"aws:SourceVpce":"vpce-1"}}"#,
            r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgPaths":"o-a/r-ab12/"}}"#,
            r#"{"Null":{"aws:PrincipalAccount":"false"}}"#,
            r#"{"StringEquals":{"aws:PrincipalAccount":["123456789012","${aws:PrincipalAccount}"]}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::/0"]}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"8.0.0.0/7"}}"#,
            r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
        ] {
            assert!(under(condition), "{condition}");
        }
    }
}
