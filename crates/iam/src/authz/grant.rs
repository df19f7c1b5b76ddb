//! Grants: leave to use one KmsKey that hangs on the key beside its policy, for one principal and some operations.
//!
//! A grant only ever allows. It is looked at last, when the policies alone do not allow a request, so that it costs nothing
//! where there is none and a permit can say that it rests on one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use moho_terms::{AccountId, Arn, Timestamp};

use super::question::{Caller, CallerKind, Question};
use crate::Session;
use crate::policy::{Effect, Named};

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What a grant can allow.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum GrantOperation {
            $($(#[$doc])* $name),+
        }

        impl GrantOperation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As AWS KMS writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }
        }
    };
}

operations! {
    /// `kms:Decrypt`.
    Decrypt,
    /// `kms:Encrypt`.
    Encrypt,
    /// `kms:GenerateDataKey`.
    GenerateDataKey,
    /// `kms:GenerateDataKeyWithoutPlaintext`.
    GenerateDataKeyWithoutPlaintext,
    /// `kms:ReEncryptFrom`.
    ReEncryptFrom,
    /// `kms:ReEncryptTo`.
    ReEncryptTo,
    /// `kms:Sign`.
    Sign,
    /// `kms:Verify`.
    Verify,
    /// `kms:GetPublicKey`.
    GetPublicKey,
    /// `kms:CreateGrant`, of no more than the grant itself gives.
    CreateGrant,
    /// `kms:RetireGrant`, of this very grant.
    RetireGrant,
    /// `kms:DescribeKey`.
    DescribeKey,
    /// `kms:GenerateDataKeyPair`.
    GenerateDataKeyPair,
    /// `kms:GenerateDataKeyPairWithoutPlaintext`.
    GenerateDataKeyPairWithoutPlaintext,
    /// `kms:GenerateMac`.
    GenerateMac,
    /// `kms:VerifyMac`.
    VerifyMac,
    /// `kms:DeriveSharedSecret`.
    DeriveSharedSecret,
    /// `kms:Encapsulate`.
    Encapsulate,
    /// `kms:Decapsulate`.
    Decapsulate,
}

impl GrantOperation {
    /// The operation that an action such as `kms:Decrypt` is; `None` if no grant can allow it.
    #[must_use]
    pub fn of_action(action: &str) -> Option<Self> {
        action.strip_prefix("kms:")?.parse().ok()
    }

    /// Whether it takes an encryption context, so that a grant's constraint bears on it.
    #[must_use]
    pub fn takes_context(self) -> bool {
        match self {
            Self::Decrypt
            | Self::Encrypt
            | Self::GenerateDataKey
            | Self::GenerateDataKeyWithoutPlaintext
            | Self::ReEncryptFrom
            | Self::ReEncryptTo
            | Self::GenerateDataKeyPair
            | Self::GenerateDataKeyPairWithoutPlaintext => true,
            Self::Sign
            | Self::Verify
            | Self::GetPublicKey
            | Self::CreateGrant
            | Self::RetireGrant
            | Self::DescribeKey
            | Self::GenerateMac
            | Self::VerifyMac
            | Self::DeriveSharedSecret
            | Self::Encapsulate
            | Self::Decapsulate => false,
        }
    }
}

impl fmt::Display for GrantOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no [`GrantOperation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an operation of grants")]
pub struct GrantOperationError;

impl FromStr for GrantOperation {
    type Err = GrantOperationError;

    fn from_str(text: &str) -> Result<Self, GrantOperationError> {
        let found = Self::ALL.iter().find(|operation| operation.as_str() == text);
        found.copied().ok_or(GrantOperationError)
    }
}

/// Which encryption contexts a grant is for. Keys and values are compared with regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantConstraint {
    /// These pairs and no others.
    Equals(BTreeMap<String, String>),
    /// These pairs, and whatever others.
    Subset(BTreeMap<String, String>),
}

impl GrantConstraint {
    /// Whether it lets an encryption context pass.
    #[must_use]
    pub fn allows(&self, context: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Equals(pairs) => pairs == context,
            Self::Subset(pairs) => contains(context, pairs),
        }
    }

    /// Whether every encryption context that passes `self` passes `other`, too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Equals(pairs), other) => other.allows(pairs),
            (Self::Subset(pairs), Self::Subset(wider)) => contains(pairs, wider),
            (Self::Subset(_), Self::Equals(_)) => false,
        }
    }
}

fn contains(all: &BTreeMap<String, String>, some: &BTreeMap<String, String>) -> bool {
    some.iter().all(|(key, value)| all.get(key) == Some(value))
}

/// A grant on one KmsKey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// 64 hexadecimal digits.
    pub id: String,
    /// On which key.
    pub key: Arn,
    /// To whom: a role, a session, a user, a federated user, or an account by its `root`.
    pub grantee: Arn,
    /// The unique id of that role or user, so that it is not another's who gets the name later. The store fills it in;
    /// `None` if it is nobody's whom the store knows.
    pub grantee_id: Option<String>,
    /// Who may end it, besides whom policies let.
    pub retiring: Option<Arn>,
    /// The unique id of that one, likewise.
    pub retiring_id: Option<String>,
    /// For what.
    pub operations: BTreeSet<GrantOperation>,
    /// Under which encryption contexts, of operations that have one.
    pub constraint: Option<GrantConstraint>,
    /// What its maker calls it.
    pub name: Option<String>,
    /// In which account it was made.
    pub issuing_account: AccountId,
    /// When.
    pub created_at: Timestamp,
}

impl Grant {
    /// Whether a new grant with these operations and this constraint gives nothing that this one does not: who may make
    /// grants by this one may make no others.
    #[must_use]
    pub fn covers(
        &self,
        operations: &BTreeSet<GrantOperation>,
        constraint: Option<&GrantConstraint>,
    ) -> bool {
        let narrower = match (&self.constraint, constraint) {
            (None, _) => true,
            (Some(own), Some(new)) => new.is_within(own),
            (Some(_), None) => false,
        };
        narrower && operations.is_subset(&self.operations)
    }

    /// How it names who asks, if it allows what is asked.
    fn allows(&self, operation: GrantOperation, question: &Question<'_>, caller: &Caller<'_>) -> Named {
        if self.key.as_str() != question.resource {
            return Named::Not;
        }
        if operation == GrantOperation::RetireGrant {
            return self.may_be_retired_by(question, caller);
        }
        let constrained = self.constraint.as_ref().filter(|_| operation.takes_context());
        let none = BTreeMap::new();
        let context = question.context.encryption_context().unwrap_or(&none);
        let unknown = question.unknown.assumes(Effect::Allow);
        let fits = |only: &GrantConstraint| unknown.unwrap_or_else(|| only.allows(context));
        if self.operations.contains(&operation) && constrained.is_none_or(fits) {
            named(&self.grantee, self.grantee_id.as_deref(), caller)
        } else {
            Named::Not
        }
    }

    /// Ending a grant is allowed by that grant alone.
    fn may_be_retired_by(&self, question: &Question<'_>, caller: &Caller<'_>) -> Named {
        if question.context.grant() != Some(self.id.as_str()) {
            return Named::Not;
        }
        let by_grantee = if self.operations.contains(&GrantOperation::RetireGrant) {
            named(&self.grantee, self.grantee_id.as_deref(), caller)
        } else {
            Named::Not
        };
        let by_retiring = self.retiring.as_ref().map_or(Named::Not, |retiring| {
            named(retiring, self.retiring_id.as_deref(), caller)
        });
        by_grantee.max(by_retiring)
    }
}

/// How an ARN in a grant names a caller: as it would in a resource's policy.
fn named(principal: &Arn, unique_id: Option<&str>, caller: &Caller<'_>) -> Named {
    if caller.kind == CallerKind::WebIdentity {
        return Named::Not;
    }
    let is_root = principal.service() == "iam" && principal.resource() == "root";
    if is_root {
        return if principal.account() == caller.account.as_str() {
            Named::ByAccount
        } else {
            Named::Not
        };
    }
    // A session that a simulation imagines has no unique id.
    let another = |id: &str| !caller.unique_id.is_empty() && id != caller.unique_id;
    if unique_id.is_some_and(another) {
        Named::Not
    } else if principal.as_str() == caller.arn {
        Named::Directly
    } else if principal.as_str() == &*caller.of_arn {
        Named::AsRole
    } else {
        Named::Not
    }
}

/// The ARNs by which a grant can name a caller, the closest first.
fn names(caller: &Caller<'_>) -> Vec<String> {
    let mut names = vec![caller.arn.to_owned()];
    if *caller.of_arn != *caller.arn {
        names.push(caller.of_arn.to_string());
    }
    names.push(format!("arn:aws:iam::{}:root", caller.account));
    names
}

/// The grants of one key, found by their ids and by whom they are to. Make it once per key, and share it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    by_id: BTreeMap<String, Arc<Grant>>,
    by_grantee: HashMap<String, Vec<Arc<Grant>>>,
}

impl Grants {
    /// These grants.
    #[must_use]
    pub fn new(grants: impl IntoIterator<Item = Arc<Grant>>) -> Self {
        let mut own = Self::default();
        for grant in grants {
            let of_grantee = own.by_grantee.entry(grant.grantee.to_string()).or_default();
            of_grantee.push(Arc::clone(&grant));
            own.by_id.insert(grant.id.clone(), grant);
        }
        own
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The one with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Grant>> {
        self.by_id.get(id)
    }

    /// All of them, by their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.by_id.values()
    }

    /// Those to whoever has this ARN, to the letter.
    pub fn to<'a>(&'a self, grantee: &str) -> impl Iterator<Item = &'a Arc<Grant>> + use<'a> {
        self.by_grantee.get(grantee).into_iter().flatten()
    }

    /// Whether one of them gives the caller something, under whatever conditions.
    pub(super) fn give_something_to(&self, caller: &Caller<'_>) -> bool {
        self.about(caller)
            .any(|grant| named(&grant.grantee, grant.grantee_id.as_deref(), caller) != Named::Not)
    }

    /// The ARNs by which grants can name a session, each once: its own, its role's or user's, and its account's `root`.
    /// What names none of them bears on nothing that the session asks for.
    #[must_use]
    pub fn names_of(session: &Session) -> Vec<String> {
        names(&Caller::of(session))
    }

    /// Those that may name the caller as the one they are to.
    fn about<'a>(&'a self, caller: &Caller<'_>) -> impl Iterator<Item = &'a Arc<Grant>> + use<'a> {
        names(caller).into_iter().flat_map(|name| self.to(&name))
    }

    /// Those that allow what is asked, and how: all of them if what is asked for is to make a grant, as that has to stay
    /// within one of them; else the one that says most.
    pub(super) fn allow(&self, question: &Question<'_>) -> Vec<(Named, Arc<Grant>)> {
        let mut allowing: Vec<(Named, Arc<Grant>)> = Vec::new();
        let operation = GrantOperation::of_action(question.action.as_written());
        let (Some(operation), Some(caller)) = (operation, &question.caller) else {
            return allowing;
        };
        let every = operation == GrantOperation::CreateGrant;
        let (one, others) = if operation == GrantOperation::RetireGrant {
            (question.context.grant().and_then(|id| self.get(id)), None)
        } else {
            (None, Some(self.about(caller)))
        };
        for grant in one.into_iter().chain(others.into_iter().flatten()) {
            let named = grant.allows(operation, question, caller);
            let strongest = allowing.last().map_or(Named::Not, |(strongest, _)| *strongest);
            if named > strongest && !every {
                allowing.clear();
            }
            if named > strongest || (every && named != Named::Not) {
                allowing.push((named, Arc::clone(grant)));
            }
            if named == Named::Directly && !every {
                break;
            }
        }
        allowing
    }
}
