//! Keys seen as a whole: what is sealed under each, and who can use one and why, so that it is known before a key is disabled
//! or deleted. The evaluator that decides is the one that is asked; nothing here decides by itself.

use std::sync::Arc;

use moho_iam::action::{iam, kms as action};
use moho_iam::authz::{
    AccessibleKey, Accessing, Attached, KeyAccess, Permit, Policies, Statement, key_access, named_on_key,
};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_kms::spec::KeyUsage;
use moho_kms::{KeyRecord, KeyState};
use moho_store::keys::{AccountPrincipal, KeyUses};
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::openai::keys::{
    Decided, Deciding, KeyEntry, KeyOverview, KeyPage, ListKeys, PrincipalAccess, Sealed,
};

use super::shown::SYMMETRIC;
use super::{Asked, act};
use crate::net::Outbound;
use crate::road::{content, from_key_store, from_kms, from_store};
use crate::startup::Platform;

/// Roles and users that are told of one key.
const MOST_PRINCIPALS: usize = 1000;

/// What changes a key, or who may use it.
const MANAGING: &[&str] = &[
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
    "kms:RevokeGrant",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "kms:DeleteImportedKeyMaterial",
];

/// What is done with a key.
fn using(record: &KeyRecord) -> &'static [&'static str] {
    match record.usage {
        KeyUsage::EncryptDecrypt if record.spec.as_str() == SYMMETRIC => &[
            "kms:Decrypt",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ],
        KeyUsage::EncryptDecrypt => &[
            "kms:Decrypt",
            "kms:Encrypt",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ],
        KeyUsage::SignVerify => &["kms:Sign", "kms:Verify"],
        KeyUsage::GenerateVerifyMac => &["kms:GenerateMac", "kms:VerifyMac"],
        KeyUsage::KeyAgreement => &["kms:DeriveSharedSecret"],
        KeyUsage::EncapsulateDecapsulate => &["kms:Decapsulate", "kms:Encapsulate"],
    }
}

/// What the overview of one key takes.
pub(crate) struct OverviewPermits {
    /// To see what it is, and what is sealed under it.
    pub(crate) describe: Permit<action::DescribeKey>,
    /// To see whom its policy names.
    pub(crate) policy: Permit<action::GetKeyPolicy>,
    /// To see to whom there are grants.
    pub(crate) grants: Permit<action::ListGrants>,
    /// To see the roles and users of the account, and what their policies say.
    pub(crate) principals: Permit<iam::GetAccountAuthorizationDetails>,
}

/// `GET /keys`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListKeys>,
    wanted: ListKeys,
) -> Result<Outbound, Failure> {
    let uses = act(asked, move |platform| {
        let uses = platform.store.key_uses(permit.session().account());
        uses.map_err(|error| from_store(&error))
    })
    .await?;
    Ok(content(page(uses, &wanted).reply()))
}

fn page(mut uses: Vec<KeyUses>, wanted: &ListKeys) -> KeyPage {
    if let Some(after) = &wanted.after {
        uses.retain(|key| key.key_id.as_str() > after.as_str());
    }
    let more = uses.len() > wanted.limit;
    uses.truncate(wanted.limit);
    KeyPage {
        keys: uses.into_iter().map(entry).collect(),
        more,
    }
}

fn entry(uses: KeyUses) -> KeyEntry {
    let sealed = uses.uses.into_iter().map(|sealed| Sealed {
        what: sealed.what,
        count: sealed.count,
        bytes: sealed.bytes,
    });
    KeyEntry {
        id: uses.key_id.to_string(),
        exists: uses.exists,
        accounts_own: uses.is_accounts_own,
        sealed: sealed.collect(),
    }
}

/// `GET /keys/{key}`
pub(crate) async fn get(asked: &Asked, permits: OverviewPermits) -> Result<Outbound, Failure> {
    let told = act(asked, move |platform| {
        let record = platform.kms.describe(&permits.describe);
        let record = record.map_err(|error| from_kms(&error))?;
        let arn = permits.policy.resource();
        let policies = platform.store.bearing_on_key(&permits.policy, &permits.grants);
        let policies = policies.map_err(|error| from_key_store(&error))?;
        let written = as_written(platform, &permits.policy, &record, &policies)?;
        let found = platform
            .store
            .account_principals(&permits.principals, MOST_PRINCIPALS);
        let (principals, more_principals) = found.map_err(|error| from_store(&error))?;
        let uses = platform.store.key_uses(record.account);
        let uses = uses.map_err(|error| from_store(&error))?;
        // Whoever just deleted the key has left nothing to be told.
        let uses = uses.into_iter().find(|uses| uses.key_id == record.key_id);
        let uses = uses.ok_or_else(|| super::shown::no_such_key(arn))?;
        let who = told(&record, (arn, &policies), &principals);
        let state = record.state_at(platform.clock.now());
        Ok(KeyOverview {
            entry: entry(uses),
            arn: arn.to_string(),
            aliases: aliases(&policies),
            deleted_at: match state {
                KeyState::PendingDeletion { at } => Some(at.unix_seconds()),
                KeyState::Enabled | KeyState::Disabled | KeyState::PendingImport => None,
            },
            state: state.to_string(),
            spec: record.spec.to_string(),
            usage: record.usage.to_string(),
            named: named((arn, &written), &principals),
            principals: who,
            more_principals,
        })
    })
    .await?;
    Ok(content(told.reply()))
}

/// What bears on the key, with its policy as its author sees it: decisions know principals by ids, which tell people nothing.
fn as_written(
    platform: &Platform,
    permit: &Permit<action::GetKeyPolicy>,
    record: &KeyRecord,
    policies: &Policies,
) -> Result<Policies, Failure> {
    let text = platform.store.shown_key_policy(permit, record);
    let text = text.map_err(|error| from_key_store(&error))?;
    let document = PolicyDocument::parse_exchanged(PolicyKind::Key, &text);
    let document = document.map_err(|_was_parsed_before| Failure::Internal)?;
    Ok(Policies {
        resource: Some(Attached::new(permit.resource().as_str(), Arc::new(document))),
        ..policies.clone()
    })
}

fn aliases(policies: &Policies) -> Vec<String> {
    let conditions = policies.resource_conditions.as_deref();
    let aliases = conditions.and_then(|conditions| conditions.get("kms:ResourceAliases"));
    aliases.map(<[String]>::to_vec).unwrap_or_default()
}

fn told(
    record: &KeyRecord,
    (arn, policies): (&Arn, &Policies),
    principals: &[AccountPrincipal],
) -> Vec<PrincipalAccess> {
    let key = AccessibleKey { arn, policies };
    let of = |principal: &AccountPrincipal| {
        let who = Accessing {
            arn: &principal.arn,
            unique_id: &principal.id,
            policies: &principal.policies,
        };
        PrincipalAccess {
            principal: principal.arn.to_string(),
            uses: decided(key_access(key, who, using(record))),
            manages: decided(key_access(key, who, MANAGING)),
        }
    };
    principals.iter().map(of).collect()
}

/// Whom the key names besides: an id of somebody who is told already is not told again.
fn named((arn, policies): (&Arn, &Policies), principals: &[AccountPrincipal]) -> Vec<(String, Deciding)> {
    let known = |name: &str| principals.iter().any(|principal| principal.id == name);
    let named = named_on_key(AccessibleKey { arn, policies }).into_iter();
    let others = named.filter(|named| !known(&named.principal));
    others
        .map(|named| (named.principal, deciding(&named.by)))
        .collect()
}

fn decided(access: Vec<KeyAccess>) -> Vec<Decided> {
    let decided = access.into_iter().map(|access| Decided {
        actions: access.actions,
        decision: access.accessed.decision.as_str(),
        reason: access.accessed.reason,
        by: access.accessed.statements.iter().map(deciding).collect(),
        conditions: access.accessed.conditions,
    });
    decided.collect()
}

fn deciding(statement: &Statement) -> Deciding {
    Deciding {
        policy: statement.source.to_string(),
        statement: statement.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moho_iam::action::ALL;
    use moho_iam::authz::GrantOperation;

    #[test]
    fn what_is_asked_about_are_actions() {
        for name in MANAGING {
            assert!(ALL.contains(name), "{name}");
        }
        assert_eq!(
            GrantOperation::of_action("kms:CreateGrant"),
            Some(GrantOperation::CreateGrant)
        );
    }

    #[test]
    fn pages_follow_each_other() {
        let key = |number: u32| KeyUses {
            key_id: format!("{number:08}-2222-4333-8444-555555555555")
                .parse()
                .unwrap(),
            exists: true,
            is_accounts_own: number == 1,
            uses: Vec::new(),
        };
        let asked = |limit, after: Option<String>| {
            let told = page((1..=5).map(key).collect(), &ListKeys { limit, after });
            (
                told.keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>(),
                told.more,
            )
        };
        let (first, more) = asked(3, None);
        assert!(first.len() == 3 && more);
        let (second, more) = asked(3, first.last().cloned());
        assert!(second.len() == 2 && !more && second[0] > first[2]);
        assert_eq!(asked(3, second.last().cloned()), (vec![], false));
        assert!(!asked(5, None).1);
    }
}
