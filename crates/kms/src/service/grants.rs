//! Grants, before they are kept: what one may be, what whoever makes it by a grant may give, and its token.
//!
//! Who has which grants is for [`Authorizer`](moho_iam::authz::Authorizer) to judge and for the store to keep. A grant is
//! in force as soon as it is kept, so a token adds nothing; one that is presented still has to be a grant's of that key.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_iam::action::kms;
use moho_iam::authz::{Grant, GrantConstraint, GrantOperation, Grants, Permit};
use moho_terms::Arn;

use super::Kms;
use crate::error::KmsError;
use crate::record::KeyRecord;
use crate::spec::{KeySpec, KeyUsage};

/// What grant tokens come of.
const GRANT_TOKENS: &str = "grant tokens";
/// The most grants of a key, as in AWS KMS.
const MOST_GRANTS: usize = 50_000;
/// The most pairs of a constraint, and the most characters of them.
const MOST_PAIRS: usize = 8;
const LONGEST_CONSTRAINT: usize = 384;
/// Bytes of a grant's id.
const ID: usize = 32;

/// What a grant is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// To whom.
    pub grantee: Arn,
    /// Who may end it, besides whom policies let.
    pub retiring: Option<Arn>,
    /// For what.
    pub operations: BTreeSet<GrantOperation>,
    /// Under which encryption contexts.
    pub constraint: Option<GrantConstraint>,
    /// What its maker calls it: asking for the same once more under the same name gives the same grant.
    pub name: Option<String>,
}

/// A grant and its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantMade {
    /// The grant.
    pub grant: Grant,
    /// `GrantToken`.
    pub token: String,
    /// Whether it is not kept yet.
    pub is_new: bool,
}

impl Kms {
    /// What a grant is, to be kept beside the `existing` ones of the key. Whoever may make it only by other grants may
    /// give nothing that one of them does not give.
    ///
    /// # Errors
    /// [`KmsError::Validation`] if it cannot be as asked for, or would give more; [`KmsError::LimitExceeded`]; as of
    /// [`Self::key`].
    pub fn new_grant(
        &self,
        permit: &Permit<kms::CreateGrant>,
        new: NewGrant,
        existing: Option<&Grants>,
    ) -> Result<GrantMade, KmsError> {
        let record = self.key(permit)?;
        check(&new, &record)?;
        let (by, constraint) = (permit.grants(), new.constraint.as_ref());
        if !by.is_empty() && !by.iter().any(|by| by.covers(&new.operations, constraint)) {
            return Err(refused(
                "A grant that is made by a grant cannot give what that one does not give.",
            ));
        }
        let account = permit.session().account();
        let same = |old: &Grant| old.issuing_account == account && is_same(old, &new);
        let old = existing.into_iter().flat_map(Grants::iter);
        if let Some(old) = old.into_iter().find(|old| new.name.is_some() && same(old)) {
            return Ok(GrantMade {
                token: self.token_of(&old.id)?,
                grant: Grant::clone(old),
                is_new: false,
            });
        }
        if existing.is_some_and(|existing| existing.len() >= MOST_GRANTS) {
            return Err(KmsError::LimitExceeded(format!(
                "The key has {MOST_GRANTS} grants, and can have no more."
            )));
        }
        let mut id = [0; ID];
        self.entropy.fill(&mut id)?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = self.token_of(&id)?;
        let grant = Grant {
            id,
            key: permit.resource().clone(),
            grantee: new.grantee,
            grantee_id: None,
            retiring: new.retiring,
            retiring_id: None,
            operations: new.operations,
            constraint: new.constraint,
            name: new.name,
            issuing_account: account,
            created_at: self.clock.now(),
            token_sha256: sha256(token.as_bytes()),
        };
        Ok(GrantMade {
            grant,
            token,
            is_new: true,
        })
    }

    /// Whether every one of these tokens is that of a grant of a key that has these grants.
    ///
    /// # Errors
    /// [`KmsError::InvalidGrantToken`] if not.
    pub fn check_grant_tokens(&self, grants: Option<&Grants>, tokens: &[String]) -> Result<(), KmsError> {
        for token in tokens {
            let id = grant_of(token).ok_or(KmsError::InvalidGrantToken)?;
            let grant = grants.and_then(|grants| grants.get(&id));
            let grant = grant.ok_or(KmsError::InvalidGrantToken)?;
            let as_kept = verify_slices_are_equal(&sha256(token.as_bytes()), &grant.token_sha256);
            // After a change of the root's seed there are two.
            if as_kept.is_err() {
                self.grant_of_token(token)?;
            }
        }
        Ok(())
    }

    /// The id of the grant that a token is of, for whoever ends a grant by its token.
    ///
    /// # Errors
    /// [`KmsError::InvalidGrantToken`] if it was not made here.
    pub fn grant_of_token(&self, token: &str) -> Result<String, KmsError> {
        let id = grant_of(token).ok_or(KmsError::InvalidGrantToken)?;
        verify_slices_are_equal(self.token_of(&id)?.as_bytes(), token.as_bytes())
            .map_err(|_other| KmsError::InvalidGrantToken)?;
        Ok(id)
    }

    /// A grant's token: its id, and what only this installation can say of it. Always the same, so that it need not be
    /// kept.
    fn token_of(&self, id: &str) -> Result<String, KmsError> {
        let secret = self.root.derive(GRANT_TOKENS)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let proof = hmac::sign(&key, id.as_bytes());
        Ok(format!("{id}.{}", URL_SAFE_NO_PAD.encode(proof.as_ref())))
    }
}

/// The id that a token says it is of.
fn grant_of(token: &str) -> Option<String> {
    let (id, _proof) = token.split_once('.')?;
    let fits = id.len() == 2 * ID && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| id.to_owned())
}

fn is_same(old: &Grant, new: &NewGrant) -> bool {
    (&old.name, &old.grantee, &old.retiring) == (&new.name, &new.grantee, &new.retiring)
        && (&old.operations, &old.constraint) == (&new.operations, &new.constraint)
}

/// Whether a key can have such a grant.
fn check(new: &NewGrant, record: &KeyRecord) -> Result<(), KmsError> {
    if new.operations.is_empty() {
        return Err(refused("A grant needs at least one operation."));
    }
    let wrong = new.operations.iter().find(|operation| !has(record, **operation));
    if let Some(operation) = wrong {
        return Err(KmsError::Validation(format!(
            "Grant operation {operation} is not valid for a key with key spec {} and key usage {}.",
            record.spec, record.usage
        )));
    }
    let letter = |b: u8| b.is_ascii_alphanumeric() || b":/_-".contains(&b);
    let named = |name: &String| (1..=256).contains(&name.len()) && name.bytes().all(letter);
    if !new.name.as_ref().is_none_or(named) {
        return Err(refused(
            "A grant's name has 1 to 256 letters, digits and the characters :/_-",
        ));
    }
    for principal in std::iter::once(&new.grantee).chain(&new.retiring) {
        if !is_principal(principal) {
            return Err(refused(
                "A grant's principals are ARNs of an account, a user, a role or a session.",
            ));
        }
    }
    new.constraint
        .as_ref()
        .map_or(Ok(()), |constraint| check_constraint(constraint, record))
}

fn check_constraint(constraint: &GrantConstraint, record: &KeyRecord) -> Result<(), KmsError> {
    if record.spec != KeySpec::SymmetricDefault {
        return Err(refused(
            "Encryption context constraints are for symmetric encryption keys only.",
        ));
    }
    let (GrantConstraint::Equals(pairs) | GrantConstraint::Subset(pairs)) = constraint;
    let length = |pairs: &BTreeMap<String, String>| -> usize {
        let lengths = pairs
            .iter()
            .map(|(key, value)| key.len().saturating_add(value.len()));
        lengths.sum()
    };
    if pairs.is_empty() || pairs.len() > MOST_PAIRS || pairs.contains_key("") {
        return Err(refused("A constraint has 1 to 8 encryption context pairs."));
    }
    if length(pairs) > LONGEST_CONSTRAINT {
        return Err(refused("A constraint has at most 384 characters."));
    }
    Ok(())
}

/// Whether keys of this kind have the operation: AWS KMS's table of grant operations.
fn has(record: &KeyRecord, operation: GrantOperation) -> bool {
    let is_symmetric = record.spec == KeySpec::SymmetricDefault;
    match operation {
        GrantOperation::CreateGrant | GrantOperation::RetireGrant | GrantOperation::DescribeKey => true,
        GrantOperation::Encrypt
        | GrantOperation::Decrypt
        | GrantOperation::ReEncryptFrom
        | GrantOperation::ReEncryptTo => record.usage == KeyUsage::EncryptDecrypt,
        GrantOperation::GenerateDataKey
        | GrantOperation::GenerateDataKeyWithoutPlaintext
        | GrantOperation::GenerateDataKeyPair
        | GrantOperation::GenerateDataKeyPairWithoutPlaintext => is_symmetric,
        GrantOperation::GetPublicKey => record.spec.is_asymmetric(),
        GrantOperation::Sign | GrantOperation::Verify => record.usage == KeyUsage::SignVerify,
        GrantOperation::GenerateMac | GrantOperation::VerifyMac => {
            record.usage == KeyUsage::GenerateVerifyMac
        }
        GrantOperation::DeriveSharedSecret => record.usage == KeyUsage::KeyAgreement,
        GrantOperation::Encapsulate | GrantOperation::Decapsulate => {
            record.usage == KeyUsage::EncapsulateDecapsulate
        }
    }
}

/// Whether somebody in particular, or an account, can have this ARN.
fn is_principal(arn: &Arn) -> bool {
    let resource = arn.resource();
    let named = |prefix: &str| resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    let fits = match arn.service() {
        "iam" => resource == "root" || named("user/") || named("role/"),
        "sts" => named("assumed-role/") || named("federated-user/"),
        _ => false,
    };
    fits && !arn.account().is_empty() && arn.region().is_empty() && !resource.contains(['*', '?'])
}

fn refused(why: &str) -> KmsError {
    KmsError::Validation(why.to_owned())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}
