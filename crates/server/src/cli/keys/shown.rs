//! Keys for people: who, what, by what; and what it would do to disable or delete one.

use moho_terms::Timestamp;

use super::told::{Decided, Deciding, Key, Principal, Sealed};

/// All keys of an account.
pub(super) fn keys(keys: &[Key]) -> String {
    if keys.is_empty() {
        return "There are no keys.".to_owned();
    }
    let shown: Vec<String> = keys.iter().map(|one| key(one, false)).collect();
    format!(
        "{}\n\n`moho keys KEY` says more of one, and what disabling or deleting it would do.",
        shown.join("\n\n")
    )
}

/// One key; with `denied`, also who may not use it.
pub(super) fn key(key: &Key, denied: bool) -> String {
    let mut lines = vec![format!("{}  {}", key.id, about(key))];
    lines.push(format!("  sealed under it   {}", sealed(&key.sealed)));
    if let Some(why) = &key.not_shown {
        lines.push(format!("  who can use it    not shown: {}", clean(why)));
        return lines.join("\n");
    }
    lines.extend(table(key, denied));
    for named in &key.named {
        let (principal, by) = (clean(&named.principal), statement(key, &named.by));
        lines.push(format!(
            "  named, too        {principal}, by {by}; policies of its own account decide, too"
        ));
    }
    if key.has_more_principals {
        lines.push(format!(
            "  only the first {} roles and users are shown",
            grouped(key.principals.len() as u64)
        ));
    }
    lines.join("\n")
}

fn about(key: &Key) -> String {
    let mut parts = Vec::new();
    if !key.exists {
        parts.push("deleted".to_owned());
    }
    parts.extend(key.aliases.iter().map(|alias| clean(alias)));
    parts.extend(key.state.iter().map(|state| clean(state)));
    if let Some(at) = key.deleted_at {
        parts.push(format!("to be deleted at {}", Timestamp::from_unix_seconds(at)));
    }
    parts.extend(key.spec.iter().map(|spec| clean(spec)));
    if key.accounts_own {
        parts.push("the account's own key".to_owned());
    }
    parts.join(", ")
}

/// One line for each thing that is decided alike, its columns one below another.
fn table(key: &Key, denied: bool) -> Vec<String> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    let mut without = 0_u64;
    for principal in &key.principals {
        let before = rows.len();
        for (group, decided) in [("use", &principal.uses), ("manage", &principal.manages)] {
            for decided in decided
                .iter()
                .filter(|decided| denied || decided.decision != "denied")
            {
                rows.push(row(key, principal, group, decided));
            }
        }
        without = without.saturating_add(u64::from(rows.len() == before));
    }
    let width = |column: usize| {
        let lengths = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        lengths.max().unwrap_or(0)
    };
    let (first, second, third) = (width(0), width(1), width(2));
    let mut lines: Vec<String> = rows
        .iter()
        .map(|[who, may, what, by]| format!("  {may:<second$}  {who:<first$}  {what:<third$}  {by}"))
        .collect();
    if without > 0 {
        lines.push(format!(
            "  {} other roles and users may not use it",
            grouped(without)
        ));
    }
    lines
}

fn row(key: &Key, principal: &Principal, group: &str, decided: &Decided) -> [String; 4] {
    let may = match decided.decision.as_str() {
        "allowed" => format!("may {group}"),
        "conditional" => format!("may {group}, if"),
        _ => format!("may not {group}"),
    };
    let names = decided
        .actions
        .iter()
        .map(|name| clean(name.strip_prefix("kms:").unwrap_or(name)));
    let by: Vec<String> = decided.by.iter().map(|by| statement(key, by)).collect();
    let mut why = by.join(" and ");
    if decided.decision == "denied" {
        let reason = clean(&decided.reason);
        why = if why.is_empty() {
            reason
        } else {
            format!("{reason}: {why}")
        };
    } else if !decided.conditions.is_empty() {
        let conditions: Vec<String> = decided.conditions.iter().map(|name| clean(name)).collect();
        why.push_str(&format!(", depending on {}", conditions.join(", ")));
    }
    [
        short(&principal.principal),
        may,
        names.collect::<Vec<_>>().join(" "),
        why,
    ]
}

/// `role/team/Name` of an ARN.
fn short(arn: &str) -> String {
    clean(arn.splitn(6, ':').nth(5).unwrap_or(arn))
}

fn statement(key: &Key, by: &Deciding) -> String {
    let name = clean(&by.statement);
    if Some(&by.policy) == key.arn.as_ref() {
        return format!("key policy {name}");
    }
    match by.policy.strip_prefix("grant/") {
        Some(id) => {
            let id: String = id.chars().take(8).collect();
            let name = if name.starts_with('#') {
                String::new()
            } else {
                format!(" {name}")
            };
            format!("grant{name} ({}…)", clean(&id))
        }
        None => format!("{} {name}", clean(&by.policy)),
    }
}

/// What it would do to disable the key, and to delete it.
pub(super) fn consequences(key: &Key) -> String {
    let things = sealed(&key.sealed);
    let something = !key.sealed.is_empty();
    let mut disabled = vec!["nobody could use it until it is enabled again".to_owned()];
    let mut deleted = Vec::new();
    if something {
        disabled.push(format!("{things} could not be opened until then"));
        deleted.push(format!("{things} could not be opened by anybody, for good"));
    }
    if key.accounts_own {
        disabled.push("nothing new could be stored in the account".to_owned());
        deleted.push("nothing new could be stored in the account ever again".to_owned());
    }
    if !something {
        deleted.push("moho keeps nothing that is sealed under it".to_owned());
    }
    deleted.push(
        "what was encrypted under it and is kept elsewhere, which moho does not know of, could not be opened either".to_owned(),
    );
    format!(
        "If it is disabled: {}.\nIf it is deleted (7 to 30 days after that is asked for, and until then it can be cancelled): {}.",
        disabled.join("; "),
        deleted.join("; ")
    )
}

fn sealed(all: &[Sealed]) -> String {
    if all.is_empty() {
        return "nothing of moho's".to_owned();
    }
    let told: Vec<String> = all
        .iter()
        .map(|sealed| {
            format!(
                "{} {} ({})",
                grouped(sealed.count),
                clean(&sealed.what),
                size(sealed.bytes)
            )
        })
        .collect();
    told.join(", ")
}

/// `1,204`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `3.1 MB`
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1000, "kB"),
    ];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    match unit {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", grouped(tenths / 10), tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// Text from elsewhere, for a terminal.
fn clean(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(policy: &str, statement: &str) -> Deciding {
        Deciding {
            policy: policy.to_owned(),
            statement: statement.to_owned(),
        }
    }

    fn decided(decision: &str, reason: &str, by: Vec<Deciding>, conditions: &[&str]) -> Decided {
        Decided {
            actions: vec!["kms:Decrypt".to_owned(), "kms:Encrypt".to_owned()],
            decision: decision.to_owned(),
            reason: reason.to_owned(),
            by,
            conditions: conditions.iter().map(ToString::to_string).collect(),
        }
    }

    fn example() -> Key {
        let arn = "arn:aws:kms:r:123456789012:key/k";
        let principal = |name: &str, uses| Principal {
            principal: format!("arn:aws:iam::123456789012:role/{name}"),
            uses: vec![uses],
            manages: vec![],
        };
        let both = vec![by(arn, "Own"), by("role/Admin/inline:all", "#1")];
        let grant = vec![by(&format!("grant/{}", "ab".repeat(32)), "backup")];
        Key {
            id: "k".to_owned(),
            exists: true,
            arn: Some(arn.to_owned()),
            aliases: vec!["alias/x".to_owned()],
            state: Some("Enabled".to_owned()),
            spec: Some("SYMMETRIC_DEFAULT".to_owned()),
            sealed: vec![Sealed {
                what: "stored responses".to_owned(),
                count: 1204,
                bytes: 3_149_000,
            }],
            principals: vec![
                principal("Admin", decided("allowed", "allowed", both, &[])),
                principal(
                    "B",
                    decided("conditional", "allowed", grant, &["kms:EncryptionContext"]),
                ),
                principal("C", decided("denied", "not-allowed/identity", vec![], &[])),
            ],
            named: vec![super::super::told::Named {
                principal: "arn:aws:iam::210987654321:root".to_owned(),
                by: by(arn, "Other"),
            }],
            ..Key::default()
        }
    }

    #[test]
    fn a_key_is_told_with_who_may_and_by_what() {
        assert_eq!(
            key(&example(), true),
            "k  alias/x, Enabled, SYMMETRIC_DEFAULT\n  \
             sealed under it   1,204 stored responses (3.1 MB)\n  \
             may use      role/Admin  Decrypt Encrypt  key policy Own and role/Admin/inline:all #1\n  \
             may use, if  role/B      Decrypt Encrypt  grant backup (abababab…), depending on kms:EncryptionContext\n  \
             may not use  role/C      Decrypt Encrypt  not-allowed/identity\n  \
             named, too        arn:aws:iam::210987654321:root, by key policy Other; policies of its own account decide, too"
        );
        let listed = keys(&[example()]);
        assert!(listed.contains("1 other roles and users may not use it") && !listed.contains("role/C"));
        assert_eq!(keys(&[]), "There are no keys.");
    }

    #[test]
    fn what_is_lost_is_said_before() {
        let told = consequences(&example());
        assert!(
            told.contains("1,204 stored responses (3.1 MB) could not be opened until then"),
            "{told}"
        );
        assert!(told.contains("1,204 stored responses (3.1 MB) could not be opened by anybody, for good"));
        assert!(!told.contains("nothing new could be stored"));
        let own = Key {
            accounts_own: true,
            ..example()
        };
        assert!(consequences(&own).contains("nothing new could be stored in the account ever again"));
        let empty = Key {
            sealed: vec![],
            ..example()
        };
        assert!(consequences(&empty).contains("moho keeps nothing that is sealed under it"));
    }

    #[test]
    fn what_is_not_shown_says_why_and_cannot_move_the_cursor() {
        let hidden = Key {
            not_shown: Some("no\u{1b}[2J leave".to_owned()),
            ..example()
        };
        assert!(key(&hidden, true).ends_with("not shown: no?[2J leave"));
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0, 999, 1000, 3_149_000, 2_000_000_000].map(size),
            ["0 bytes", "999 bytes", "1.0 kB", "3.1 MB", "2.0 GB"]
        );
    }
}
