//! The organisation as one value: who is where, and which policies are attached to what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use moho_iam::authz::{Attached, OrganisationFacts};
use moho_iam::organisation::{effective, lets_in_long_lived_credentials};
use moho_iam::policy::PolicyDocument;
use moho_terms::{AccountId, Arn, ArnError, Timestamp};

use super::{NodeId, OrganisationNames, PolicyId, PolicyType};

/// Tags, by their keys.
pub type Tags = BTreeMap<String, String>;

/// An organisational unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What it is called; unique among the units of its parent.
    pub name: String,
    /// The root or the unit it is in.
    pub parent: NodeId,
}

/// How an account came to be in the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinedMethod {
    /// It was created in it.
    Created,
    /// It founded it.
    Invited,
}

impl JoinedMethod {
    /// As AWS Organizations writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Invited => "INVITED",
        }
    }
}

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// It can.
    Active,
    /// It was closed.
    Suspended,
}

impl AccountState {
    /// As AWS Organizations writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAccount {
    /// Which.
    pub id: AccountId,
    /// What it is called.
    pub name: String,
    /// Whom it belongs to.
    pub email: String,
    /// How it came to be here.
    pub joined_method: JoinedMethod,
    /// Since when.
    pub joined_at: Timestamp,
    /// Whether it can be used.
    pub state: AccountState,
    /// The root or the unit it is in.
    pub parent: NodeId,
    /// The key that seals what it stores.
    pub(super) key: Arn,
}

/// A policy.
#[derive(Debug, Clone)]
pub struct OrganisationPolicy {
    /// Which.
    pub id: PolicyId,
    /// What it is called; unique among those of its type.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it says, as it was written.
    pub content: String,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// What it says, if decisions are made with it.
    pub(super) document: Option<Arc<PolicyDocument>>,
    pub(super) arn: Arn,
}

/// All of it.
pub struct Organisation {
    pub(super) names: OrganisationNames,
    pub(super) units: BTreeMap<NodeId, Unit>,
    pub(super) accounts: BTreeMap<AccountId, MemberAccount>,
    pub(super) policies: BTreeMap<PolicyId, OrganisationPolicy>,
    /// In the order they were attached.
    pub(super) attached: HashMap<NodeId, Vec<(PolicyId, Timestamp)>>,
    pub(super) enabled: BTreeSet<PolicyType>,
    pub(super) tags: HashMap<String, Tags>,
}

impl Organisation {
    /// Its own names.
    #[must_use]
    pub fn names(&self) -> &OrganisationNames {
        &self.names
    }

    /// The types of policies that are in use.
    pub fn enabled(&self) -> impl Iterator<Item = PolicyType> + '_ {
        self.enabled.iter().copied()
    }

    /// An organisational unit.
    #[must_use]
    pub fn unit(&self, id: &NodeId) -> Option<&Unit> {
        self.units.get(id)
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&MemberAccount> {
        self.accounts.get(&id)
    }

    /// All accounts, by their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &MemberAccount> {
        self.accounts.values()
    }

    /// The units right below a node, by their ids.
    pub fn units_of<'a>(&'a self, parent: &'a NodeId) -> impl Iterator<Item = (&'a NodeId, &'a Unit)> {
        self.units.iter().filter(move |(_, unit)| unit.parent == *parent)
    }

    /// The accounts right below a node, by their ids.
    pub fn accounts_of<'a>(&'a self, parent: &'a NodeId) -> impl Iterator<Item = &'a MemberAccount> {
        self.accounts
            .values()
            .filter(move |account| account.parent == *parent)
    }

    /// Whether there is such a node.
    #[must_use]
    pub fn has(&self, node: &NodeId) -> bool {
        *node == self.names.root || self.parent(node).is_some()
    }

    /// Whether there is such a root or unit, in which something can be.
    #[must_use]
    pub fn can_hold(&self, node: &NodeId) -> bool {
        *node == self.names.root || self.units.contains_key(node)
    }

    /// What a unit or an account is in.
    #[must_use]
    pub fn parent(&self, node: &NodeId) -> Option<&NodeId> {
        match node.account() {
            Some(account) => self.accounts.get(&account).map(|account| &account.parent),
            None => self.units.get(node).map(|unit| &unit.parent),
        }
    }

    /// A node and what it is in, from the root down; empty if there is no such node.
    #[must_use]
    pub fn lineage<'a>(&'a self, node: &'a NodeId) -> Vec<&'a NodeId> {
        let mut upwards = Vec::new();
        if self.has(node) {
            let mut here = Some(node);
            while let Some(node) = here {
                upwards.push(node);
                here = self.parent(node);
            }
            upwards.reverse();
        }
        upwards
    }

    /// `o-…/r-…/ou-…/`, as `aws:PrincipalOrgPaths` and replies have it: where a unit or an account is, itself included if
    /// it is a unit.
    #[must_use]
    pub fn path(&self, node: &NodeId) -> String {
        let mut path = format!("{}/", self.names.id);
        for node in self.lineage(node) {
            if node.account().is_none() {
                path.push_str(node.as_str());
                path.push('/');
            }
        }
        path
    }

    /// A policy.
    #[must_use]
    pub fn policy(&self, id: &PolicyId) -> Option<&OrganisationPolicy> {
        self.policies.get(id)
    }

    /// The policies of a type, by their ids.
    pub fn policies(&self, kind: PolicyType) -> impl Iterator<Item = &OrganisationPolicy> {
        self.policies
            .values()
            .filter(move |policy| policy.id.policy_type() == kind)
    }

    /// The policies of a type that are attached to a node, in the order they were.
    pub fn attached<'a>(
        &'a self,
        node: &NodeId,
        kind: PolicyType,
    ) -> impl Iterator<Item = &'a OrganisationPolicy> {
        let attached = self.attached.get(node).map_or(&[][..], Vec::as_slice);
        attached
            .iter()
            .filter_map(|(id, _)| self.policies.get(id))
            .filter(move |policy| policy.id.policy_type() == kind)
    }

    /// What a policy is attached to: nodes and their names, by their ids.
    pub fn targets(&self, policy: &PolicyId) -> BTreeMap<&NodeId, &str> {
        let attached = self
            .attached
            .iter()
            .filter(|(_, policies)| policies.iter().any(|(id, _)| id == policy));
        attached.map(|(node, _)| (node, self.name(node))).collect()
    }

    fn name(&self, node: &NodeId) -> &str {
        match node.account() {
            Some(account) => self
                .accounts
                .get(&account)
                .map_or("", |account| account.name.as_str()),
            None => self.units.get(node).map_or("Root", |unit| unit.name.as_str()),
        }
    }

    /// The tags of a node or a policy.
    pub fn tags(&self, resource: &str) -> Option<&Tags> {
        self.tags.get(resource)
    }

    /// The ARN of a node.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn arn(&self, node: &NodeId) -> Result<Arn, ArnError> {
        self.names.node_arn(node)
    }

    /// What the management policies of a type come to for a node, and when the last of them was written or attached.
    #[must_use]
    pub fn effective(&self, node: &NodeId, kind: PolicyType) -> Option<(String, Timestamp)> {
        let lineage = self.lineage(node);
        let levels: Vec<Vec<&str>> = lineage
            .iter()
            .map(|node| {
                self.attached(node, kind)
                    .map(|policy| policy.content.as_str())
                    .collect()
            })
            .collect();
        let content = effective(&levels)?;
        let attached = lineage
            .iter()
            .filter_map(|node| self.attached.get(*node))
            .flatten();
        let times = attached.filter_map(|(id, at)| {
            let policy = self.policies.get(id).filter(|_| id.policy_type() == kind)?;
            Some(policy.updated_at.max(*at))
        });
        Some((content, times.max()?))
    }

    pub(super) fn is_active(&self, account: AccountId) -> bool {
        self.accounts
            .get(&account)
            .is_some_and(|account| account.state == AccountState::Active)
    }

    pub(super) fn key(&self, account: AccountId) -> Option<&Arn> {
        self.accounts.get(&account).map(|account| &account.key)
    }

    pub(super) fn facts(&self, account: AccountId) -> Option<OrganisationFacts> {
        self.accounts.get(&account)?;
        Some(OrganisationFacts {
            id: self.names.id.clone(),
            path: self.path(&account.into()),
            management_account: self.names.management,
        })
    }

    /// The control policies that bind an account, by levels.
    pub(super) fn levels(&self, account: AccountId, kind: PolicyType) -> Vec<Vec<Attached>> {
        if !self.is_active(account) {
            return vec![Vec::new()];
        }
        if account == self.names.management || !self.enabled.contains(&kind) {
            return Vec::new();
        }
        let node = NodeId::from(account);
        let level = |node: &&NodeId| {
            let attached = self.attached(node, kind);
            let documents = attached.filter_map(|policy| {
                let document = Arc::clone(policy.document.as_ref()?);
                Some(Attached::new(policy.arn.as_str(), document))
            });
            documents.collect()
        };
        self.lineage(&node).iter().map(level).collect()
    }

    pub(super) fn lets_in_long_lived(&self, account: AccountId) -> bool {
        let node = NodeId::from(account);
        self.is_active(account)
            && self.lineage(&node).iter().any(|node| {
                self.attached(node, PolicyType::ServiceControl)
                    .any(|policy| lets_in_long_lived_credentials(&policy.content))
            })
    }

    pub(super) fn all_that_let_in_long_lived(&self) -> Vec<AccountId> {
        let accounts = self.accounts.keys().copied();
        accounts
            .filter(|account| self.lets_in_long_lived(*account))
            .collect()
    }
}
