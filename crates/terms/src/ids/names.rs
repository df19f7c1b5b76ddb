//! Names that people give, within their accounts.

/// IAM's name characters: letters, digits and `_+=,.@-`.
fn is_name(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

id!(/// A role's name within its account.
    RoleName, "a role name has 1 to 64 letters, digits and _+=,.@-", |t| is_name(t, 1..=64));
id!(/// An IAM user's name within its account.
    UserName, "a user name has 1 to 64 letters, digits and _+=,.@-", |t| is_name(t, 1..=64));
id!(/// The name a caller gives its session of a role.
    SessionName, "a session name has 2 to 64 letters, digits and _+=,.@-", |t| is_name(t, 2..=64));
id!(/// Who stands behind a session, kept through every role that is taken on from it.
    SourceIdentity, "a source identity has 2 to 64 letters, digits and _+=,.@-", |t| is_name(t, 2..=64));
