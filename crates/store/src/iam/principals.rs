//! Roles and users as those who act: every policy that binds them, found by their unique ids.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use moho_iam::action::{Action, iam};
use moho_iam::authz::{Attached, Permit, PrincipalFacts, PrincipalPolicies};
use moho_iam::policy::{PolicyDocument, PolicyError, PolicyKind};
use moho_iam::{PolicyRef, Principal, Session, UserRef};
use moho_terms::{AccountId, Arn, RoleName};
use rusqlite::Connection;

use super::narrowing::session_document;
use super::roles::TaggedRole;
use super::{IamCode, IamError, attached, bound, managed, roles, tags, users};
use crate::Store;
use crate::error::StoreError;
use crate::identities;
use crate::policies::TrustedRole;

/// What stands where a boundary is missing: it allows nothing.
static NOTHING: LazyLock<Result<Arc<PolicyDocument>, PolicyError>> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":"*","Resource":"*"}]}"#;
    PolicyDocument::parse(PolicyKind::Boundary, text).map(Arc::new)
});

/// What stands where a policy that a session was narrowed by is missing: it denies all, as nobody knows what that one denied.
static NOTHING_AT_ALL: LazyLock<Result<Arc<PolicyDocument>, PolicyError>> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    PolicyDocument::parse(PolicyKind::Identity, text).map(Arc::new)
});

/// A principal by its unique id.
type Identified = (String, Arc<PrincipalPolicies>);

/// Actions that look into the policies of one principal.
pub trait Examines: Action {}
impl Examines for iam::SimulatePrincipalPolicy {}
impl Examines for iam::GetContextKeysForPrincipalPolicy {}

/// A principal's policies as they are kept: where each is from, and what it says.
#[derive(Default)]
pub(crate) struct Kept {
    identity: Vec<(String, String)>,
    boundary: Option<(String, Option<String>)>,
    tags: BTreeMap<String, String>,
    service_linked: bool,
}

impl Store {
    /// All policies of whoever a session is of. A role or user that was deleted, even if it was made again since, has none.
    pub(crate) fn principal(&self, session: &Session) -> Result<Arc<PrincipalPolicies>, StoreError> {
        let account = session.account();
        let id = match session.principal() {
            Principal::AssumedRole { role, .. } => &role.id,
            // Users are nobody where the organisation does not let long-lived credentials in, whatever they made of theirs.
            // After a rename the old name may be another user's: who still goes by it is neither.
            Principal::User(user) | Principal::FederatedUser { user, .. } => {
                if !self.long_lived_credentials_allowed(account)? || !self.goes_by(account, user)? {
                    return Ok(Arc::default());
                }
                &user.id
            }
            Principal::WebIdentity(_) | Principal::Bootstrap | Principal::Service(_) => {
                let mut guarded = PrincipalPolicies::default();
                self.guard_principal(&mut guarded, account)?;
                return Ok(Arc::new(guarded));
            }
        };
        let whole = || self.principal_of(account, id);
        if session.session_policies().is_empty() {
            return Ok(whole()?.map(|(_, found)| found).unwrap_or_default());
        }
        self.narrowed(account, (id, session.session_policies()), whole)
    }

    /// Whether a user still has the path and name that its session says.
    fn goes_by(&self, account: AccountId, user: &UserRef) -> Result<bool, StoreError> {
        let named = format!("arn:aws:iam::{account}:user{}{}", user.path, user.name);
        let now = self
            .database
            .read(|connection| users::arn_of(connection, &user.id))?;
        Ok(now.is_some_and(|now| now == named))
    }

    /// A principal with the managed policies that narrow a session of its; it is remembered unless one of them is missing.
    pub(crate) fn narrowed(
        &self,
        account: AccountId,
        (id, managed): (&str, &[PolicyRef]),
        whole: impl FnOnce() -> Result<Option<Identified>, StoreError>,
    ) -> Result<Arc<PrincipalPolicies>, StoreError> {
        let mut incomplete = None;
        let remembered = self.remembered(
            (id.to_owned(), managed.to_vec()),
            |cached| &mut cached.narrowed,
            |cached| &cached.narrowed,
            |(_, managed)| {
                let Some((_, principal)) = whole()? else {
                    return Ok(None);
                };
                let (narrowed, complete) = self.narrow(account, &principal, managed)?;
                if complete {
                    return Ok(Some(narrowed));
                }
                incomplete = Some(narrowed);
                Ok(None)
            },
        )?;
        Ok(remembered.or(incomplete).unwrap_or_default())
    }

    /// The policies of the role or user of a unique id, with that id.
    pub(crate) fn principal_of(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Option<Identified>, StoreError> {
        let found = self.remembered(
            id.to_owned(),
            |cached| &mut cached.principals,
            |cached| &cached.principals,
            |id| self.load_principal(account, id),
        )?;
        Ok(found.map(|found| (id.to_owned(), found)))
    }

    fn load_principal(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Option<Arc<PrincipalPolicies>>, StoreError> {
        let is_role = id.starts_with("AROA");
        let kept = self.database.read(|connection| {
            if is_role {
                of_role(connection, account, id)
            } else {
                of_user(connection, account, id)
            }
        })?;
        let Some(kept) = kept else { return Ok(None) };
        let exists = is_role || self.long_lived_credentials_allowed(account)?;
        let mut principal = PrincipalPolicies {
            identity: self.attached(kept.identity)?,
            boundary: kept
                .boundary
                .map(|(arn, text)| self.bound(arn, text.as_deref()))
                .transpose()?,
            facts: PrincipalFacts {
                exists,
                tags: kept.tags,
                service_linked: kept.service_linked,
                ..PrincipalFacts::default()
            },
            ..PrincipalPolicies::default()
        };
        self.guard_principal(&mut principal, account)?;
        Ok(Some(Arc::new(principal)))
    }

    fn attached(&self, kept: Vec<(String, String)>) -> Result<Vec<Attached>, StoreError> {
        let documents = kept.into_iter().map(|(source, text)| {
            let document = self.parse(PolicyKind::Inline, &text)?;
            Ok(Attached::new(source, document))
        });
        documents.collect()
    }

    fn bound(&self, arn: String, text: Option<&str>) -> Result<Attached, StoreError> {
        Ok(Attached::new(
            arn,
            self.parse_or(PolicyKind::Boundary, text, &NOTHING)?,
        ))
    }

    fn parse_or(
        &self,
        kind: PolicyKind,
        text: Option<&str>,
        missing: &Result<Arc<PolicyDocument>, PolicyError>,
    ) -> Result<Arc<PolicyDocument>, StoreError> {
        match (text, missing) {
            (Some(text), _) => self.parse(kind, text),
            (None, Ok(missing)) => Ok(Arc::clone(missing)),
            (None, Err(error)) => Err(self.database.damaged(error.clone())),
        }
    }

    /// A managed policy that was deleted, and perhaps made again under its name, narrows a session to nothing. Says, too,
    /// whether all of them are there.
    fn narrow(
        &self,
        account: AccountId,
        principal: &PrincipalPolicies,
        managed: &[PolicyRef],
    ) -> Result<(Arc<PrincipalPolicies>, bool), StoreError> {
        let mut narrowed = principal.clone();
        let mut complete = true;
        for policy in managed {
            let text = self
                .database
                .read(|connection| session_document(connection, account, policy))?;
            complete &= text.is_some();
            let document = self.parse_or(PolicyKind::Identity, text.as_deref(), &NOTHING_AT_ALL)?;
            narrowed
                .session_managed
                .push(Attached::new(policy.arn.as_str(), document));
        }
        Ok((Arc::new(narrowed), complete))
    }

    /// The policies of the role, user or group that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn policies_of<A: Examines>(&self, permit: &Permit<A>) -> Result<Arc<PrincipalPolicies>, IamError> {
        let (account, arn) = (permit.session().account(), permit.resource());
        let kind = arn.resource().split('/').next().unwrap_or("");
        let (_path, name) = bound::path_and_name(arn, kind);
        let absent =
            || IamCode::NoSuchEntity.because(format!("The {kind} with name {name} cannot be found."));
        if arn.service() != "iam" || arn.account() != account.as_str() {
            return Err(absent());
        }
        self.principal_at(account, arn)?.ok_or_else(absent)
    }

    /// The policies of the role, user or group of this very ARN.
    pub(crate) fn principal_at(
        &self,
        account: AccountId,
        arn: &Arn,
    ) -> Result<Option<Arc<PrincipalPolicies>>, StoreError> {
        let id = match arn.resource().split('/').next() {
            Some("role") => self.role_facts(arn)?.map(|role| role.id),
            Some("user") => self
                .database
                .read(|connection| users::with_arn(connection, account, arn))?,
            Some("group") => return self.policies_of_group(account, arn),
            _ => None,
        };
        let Some(id) = id else { return Ok(None) };
        Ok(self.principal_of(account, &id)?.map(|(_, policies)| policies))
    }

    fn policies_of_group(
        &self,
        account: AccountId,
        arn: &Arn,
    ) -> Result<Option<Arc<PrincipalPolicies>>, StoreError> {
        let kept = self
            .database
            .read(|connection| users::policies_of_group(connection, account, arn))?;
        let Some(identity) = kept else { return Ok(None) };
        Ok(Some(Arc::new(PrincipalPolicies {
            identity: self.attached(identity)?,
            ..PrincipalPolicies::default()
        })))
    }

    /// The role of this very ARN, as something that can be assumed.
    pub(crate) fn trusted_role(&self, arn: &Arn) -> Result<Option<Arc<TrustedRole>>, StoreError> {
        let (_path, name) = bound::path_and_name(arn, "role");
        let (Ok(account), Ok(name)) = (arn.account().parse::<AccountId>(), name.parse()) else {
            return Ok(None);
        };
        let found = self.remembered(
            (account, name),
            |cached| &mut cached.roles,
            |cached| &cached.roles,
            |(account, name)| {
                let Some(found) = self.role_unless_absent(*account, name)? else {
                    return Ok(None);
                };
                let trusted = TrustedRole {
                    trust: self.parse_trust(&found.role.trust_policy)?,
                    arn: found.role.arn()?,
                    tags: found.tags.into_iter().collect(),
                };
                Ok(Some(Arc::new(trusted)))
            },
        )?;
        Ok(found.filter(|role| role.arn == *arn))
    }

    /// The role of this name, with the trust policy as decisions read it; that there is none is remembered.
    fn role_unless_absent(
        &self,
        account: AccountId,
        name: &RoleName,
    ) -> Result<Option<TaggedRole>, StoreError> {
        let mut found = None;
        self.remembered(
            (account, name.clone()),
            |cached| &mut cached.absent_roles,
            |cached| &cached.absent_roles,
            |(account, name)| {
                found = self.trusting_role(*account, name.as_str())?;
                Ok(found.is_none().then_some(()))
            },
        )?;
        Ok(found)
    }

    /// The tags of something else of IAM's.
    pub(crate) fn iam_tags(&self, kind: &str, arn: &Arn) -> Result<BTreeMap<String, String>, StoreError> {
        let Ok(account) = arn.account().parse::<AccountId>() else {
            return Ok(BTreeMap::new());
        };
        let (_path, name) = bound::path_and_name(arn, kind);
        let tags = match kind {
            "policy" => self.policy_tags(account, arn)?,
            "instance-profile" => {
                let found = self.instance_profile_place(account, name)?;
                found.map(|(_, _, tags)| tags).unwrap_or_default()
            }
            "user" => self.database.read(|connection| {
                let id = users::with_arn(connection, account, arn)?;
                id.map_or(Ok(Vec::new()), |id| tags::of(connection, &id))
            })?,
            "oidc-provider" | "saml-provider" => self
                .database
                .read(|connection| tags::of(connection, arn.as_str()))?,
            _ => Vec::new(),
        };
        Ok(tags.into_iter().collect())
    }
}

fn of_role(connection: &Connection, account: AccountId, id: &str) -> rusqlite::Result<Option<Kept>> {
    let Some(role) = roles::find_id(connection, account, id)? else {
        return Ok(None);
    };
    let inline = attached::inline(connection, &role.id)?.into_iter();
    let named = inline.map(|(name, document)| (format!("role/{}/inline:{name}", role.name), document));
    let mut kept = Kept {
        identity: named.collect(),
        tags: tags::of(connection, &role.id)?.into_iter().collect(),
        service_linked: role.service.is_some(),
        boundary: None,
    };
    for arn in attached::attachments(connection, &role.id)? {
        let document = managed::document(connection, account, &arn)?;
        kept.identity.extend(document.map(|document| (arn, document)));
    }
    if let Some(arn) = role.boundary {
        let document = managed::document(connection, account, &arn)?;
        kept.boundary = Some((arn, document));
    }
    Ok(Some(kept))
}

fn of_user(connection: &Connection, account: AccountId, id: &str) -> rusqlite::Result<Option<Kept>> {
    let Some(name) = users::name_of(connection, account, id)? else {
        return Ok(None);
    };
    let Some(user) = identities::user_policies(connection, account, &name)? else {
        return Ok(None);
    };
    let mut kept = Kept {
        identity: user.inline,
        tags: user.tags,
        ..Kept::default()
    };
    for arn in user.managed {
        let document = managed::document(connection, account, &arn)?;
        kept.identity.extend(document.map(|document| (arn, document)));
    }
    if let Some(arn) = user.boundary {
        let arn = arn.as_str().to_owned();
        let document = managed::document(connection, account, &arn)?;
        kept.boundary = Some((arn, document));
    }
    Ok(Some(kept))
}
