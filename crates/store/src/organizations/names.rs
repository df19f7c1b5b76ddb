//! Ids within an organisation, and the ARNs that permits are asked for. An ARN follows from an id alone, so that what may
//! not be seen is decided on before anything is looked up.

use std::fmt;
use std::str::FromStr;

use moho_terms::{AccountId, Arn, ArnError, Entropy, EntropyUnavailable};

use super::PolicyType;

/// Text that is no id of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(&'static str);

/// What a node of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// The root.
    Root,
    /// An organisational unit.
    Unit,
    /// An account.
    Account,
}

impl NodeKind {
    /// As AWS Organizations writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "ROOT",
            Self::Unit => "ORGANIZATIONAL_UNIT",
            Self::Account => "ACCOUNT",
        }
    }
}

/// A node of the tree: `r-…`, `ou-…-…` or twelve digits. What policies are attached to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

impl NodeId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is, by its form.
    #[must_use]
    pub fn kind(&self) -> NodeKind {
        if self.0.starts_with("r-") {
            NodeKind::Root
        } else if self.0.starts_with("ou-") {
            NodeKind::Unit
        } else {
            NodeKind::Account
        }
    }

    /// The account that it is.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.0.parse().ok()
    }

    /// A new organisational unit's id under `root`.
    pub(super) fn new_unit(root: &Self, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let root = root.0.strip_prefix("r-").unwrap_or(&root.0);
        Ok(Self(format!("ou-{root}-{}", random::<8>(entropy)?)))
    }
}

impl From<AccountId> for NodeId {
    fn from(account: AccountId) -> Self {
        Self(account.as_str().to_owned())
    }
}

impl FromStr for NodeId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |part: &str, least: usize| {
            (least..=32).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let fits = if let Some(rest) = text.strip_prefix("ou-") {
            rest.split_once('-')
                .is_some_and(|(root, unit)| plain(root, 4) && plain(unit, 8))
        } else if let Some(rest) = text.strip_prefix("r-") {
            plain(rest, 4)
        } else {
            text.parse::<AccountId>().is_ok()
        };
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(
                "a root, organizational unit or account has an id of its kind",
            ))
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A policy: `p-` and letters and digits, the first of which says its type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(String);

impl PolicyId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The policy's type. An id that no policy has is one of a service control policy.
    #[must_use]
    pub fn policy_type(&self) -> PolicyType {
        if let Some(own) = PolicyType::ALL
            .into_iter()
            .find(|kind| kind.full_access() == Some(self.as_str()))
        {
            return own;
        }
        let letter = self.0.chars().nth(2);
        PolicyType::ALL
            .into_iter()
            .find(|kind| Some(kind.letter()) == letter)
            .unwrap_or(PolicyType::ServiceControl)
    }

    /// Whether it is one that AWS made.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        PolicyType::ALL
            .iter()
            .any(|kind| kind.full_access() == Some(self.as_str()))
    }

    /// A new policy's id.
    pub(super) fn new(kind: PolicyType, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        Ok(Self(format!("p-{}{}", kind.letter(), random::<11>(entropy)?)))
    }
}

impl FromStr for PolicyId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = |rest: &str| {
            (8..=128).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if text.strip_prefix("p-").is_some_and(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError("a policy's id is p- and 8 to 128 letters and digits"))
        }
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request to create an account: `car-` and 32 letters and digits.
pub(super) fn new_request(entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    Ok(format!("car-{}", random::<32>(entropy)?))
}

/// `N` lower-case letters and digits.
fn random<const N: usize>(entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijkmnpqrstuvwx";
    let mut bytes = [0_u8; N];
    entropy.fill(&mut bytes)?;
    let letters = bytes.iter().filter_map(|b| ALPHABET.get(usize::from(b & 31)));
    Ok(letters.map(|letter| char::from(*letter)).collect())
}

/// The organisation's own names, which never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationNames {
    /// `o-…`
    pub id: String,
    /// The account that administers it.
    pub management: AccountId,
    /// Its one root.
    pub root: NodeId,
}

impl OrganisationNames {
    /// An ARN of the organisation's: `kind/o-…/rest`.
    fn arn(&self, kind: &str, rest: &str) -> Result<Arn, ArnError> {
        let resource = format!("{kind}/{}{rest}", self.id);
        Arn::of("organizations", "", self.management.as_str(), &resource)
    }

    /// The organisation's.
    ///
    /// # Errors
    /// Never, in fact: these names always make an ARN, as all of the following.
    pub fn organisation_arn(&self) -> Result<Arn, ArnError> {
        self.arn("organization", "")
    }

    /// Whatever else is the organisation's: for what names no resource.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn anything_arn(&self) -> Result<Arn, ArnError> {
        Arn::of("organizations", "", self.management.as_str(), "*")
    }

    /// A root's, an organisational unit's or an account's.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn node_arn(&self, node: &NodeId) -> Result<Arn, ArnError> {
        let kind = match node.kind() {
            NodeKind::Root => "root",
            NodeKind::Unit => "ou",
            NodeKind::Account => "account",
        };
        self.arn(kind, &format!("/{node}"))
    }

    /// A policy's.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn policy_arn(&self, policy: &PolicyId) -> Result<Arn, ArnError> {
        let kind = policy.policy_type().arn_part();
        if policy.is_managed() {
            return Arn::of("organizations", "", "aws", &format!("policy/{kind}/{policy}"));
        }
        self.arn("policy", &format!("/{kind}/{policy}"))
    }

    /// What a permit is for: the last part of its resource.
    pub(super) fn named<T: FromStr>(arn: &Arn) -> Option<T> {
        let (_, last) = arn.resource().rsplit_once('/')?;
        (arn.service() == "organizations")
            .then(|| last.parse().ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> OrganisationNames {
        OrganisationNames {
            id: "o-0123456789abcdef".to_owned(),
            management: "123456789012".parse().unwrap(),
            root: "r-0123".parse().unwrap(),
        }
    }

    #[test]
    fn an_arn_says_what_its_id_is() {
        let arn = |node: &str| names().node_arn(&node.parse().unwrap()).unwrap().to_string();
        let start = "arn:aws:organizations::123456789012";
        assert_eq!(arn("r-0123"), format!("{start}:root/o-0123456789abcdef/r-0123"));
        assert_eq!(
            arn("ou-0123-abcdefgh"),
            format!("{start}:ou/o-0123456789abcdef/ou-0123-abcdefgh")
        );
        assert_eq!(
            arn("210987654321"),
            format!("{start}:account/o-0123456789abcdef/210987654321")
        );
        let policy = |id: &str| names().policy_arn(&id.parse().unwrap()).unwrap().to_string();
        assert_eq!(
            policy("p-FullAWSAccess"),
            "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
        );
        assert_eq!(
            policy("p-RCPFullAWSAccess"),
            "arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess"
        );
        assert_eq!(
            policy("p-t0123456789"),
            format!("{start}:policy/o-0123456789abcdef/tag_policy/p-t0123456789")
        );
        let parsed: NodeId = OrganisationNames::named(&names().node_arn(&names().root).unwrap()).unwrap();
        assert_eq!(parsed, names().root);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "r-",
            "r-ABCD",
            "ou-0123",
            "ou-0123-short",
            "12345678901",
            "r-0123/x",
            "x-0123",
        ] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
        for text in ["", "p-", "p-short", "p-0123456é89", "q-0123456789"] {
            assert!(text.parse::<PolicyId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn accepted_ids_print_back(text in "(r|ou|p)?-?[a-z0-9-]{0,20}") {
            if let Ok(node) = text.parse::<NodeId>() {
                prop_assert_eq!(node.to_string(), text.clone());
            }
            if let Ok(policy) = text.parse::<PolicyId>() {
                prop_assert_eq!(policy.to_string(), text);
            }
        }
    }
}
