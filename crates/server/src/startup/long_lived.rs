//! That there may be credentials that do not end is said loudly.

use moho_store::identities::LongLivedCredentials;

/// What the start-up lines say; `None` if there are none and may be none.
pub(crate) fn posture(found: &LongLivedCredentials) -> Option<String> {
    if found.are_none() {
        return None;
    }
    let kept = format!(
        "{} users, {} access keys and {} service-specific credentials are kept",
        found.users, found.access_keys, found.service_credentials
    );
    if found.allowed_in.is_empty() {
        return Some(format!(
            "{kept}, which do not work: no service control policy names iam:CreateAccessKey"
        ));
    }
    let accounts: Vec<&str> = found
        .allowed_in
        .iter()
        .map(moho_terms::AccountId::as_str)
        .collect();
    Some(format!(
        "LONG-LIVED CREDENTIALS work in {}, as a service control policy names iam:CreateAccessKey; {kept}",
        accounts.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_and_what_does_not_is_told_apart() {
        let none = LongLivedCredentials::default();
        assert_eq!(posture(&none), None);
        let kept = LongLivedCredentials {
            users: 1,
            access_keys: 2,
            ..none
        };
        assert!(posture(&kept).unwrap().contains("1 users, 2 access keys and 0"));
        assert!(posture(&kept).unwrap().contains("do not work"));
        let allowed = LongLivedCredentials {
            allowed_in: vec!["123456789012".parse().unwrap(), "210987654321".parse().unwrap()],
            ..LongLivedCredentials::default()
        };
        let said = posture(&allowed).unwrap();
        assert!(
            said.starts_with("LONG-LIVED CREDENTIALS work in 123456789012, 210987654321"),
            "{said}"
        );
    }
}
