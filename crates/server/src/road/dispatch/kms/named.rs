//! Which key a name leads to: its id, its ARN, an alias or that one's ARN.
//!
//! A name that leads nowhere is decided like one that leads to a key, so that nobody learns from a refusal what is there:
//! only who may do something to every key of the account hears that there is no such alias.

use std::str::FromStr;

use moho_iam::action::Action;
use moho_iam::authz::{Context, Permit};
use moho_kms::{EncryptionContext, KmsError};
use moho_terms::{AccountId, Arn, KeyId};
use moho_wire::Failure;

use super::super::{Trip, failure};
use crate::handlers::kms::{aliases, shown};
use crate::road::from_kms;

/// What stands for a key that is not there: no key has this id.
pub(super) const NO_KEY: &str = "key/00000000-0000-0000-0000-000000000000";
/// The condition key for the alias that a request names its key by.
const REQUEST_ALIAS: &str = "kms:RequestAlias";
/// The longest name that an error repeats.
const LONGEST_SHOWN: usize = 256;

/// What an operation takes for the name of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Ids and ARNs of keys.
    Keys,
    /// Aliases and their ARNs, too.
    Aliases,
}

/// What a name is.
pub(super) enum NamedKey {
    /// A key, which may be there or not.
    Key(Arn),
    /// A key that an alias leads to.
    ByAlias {
        /// The alias.
        alias: Arn,
        /// The key.
        key: Arn,
    },
    /// An alias that is not there.
    NoAlias(Arn),
    /// What stands for the key of a ciphertext that is of none.
    NoneOfCiphertext(Arn),
}

impl NamedKey {
    /// The key, or what stands for it.
    pub(super) fn arn(&self) -> Result<Arn, Failure> {
        match self {
            Self::Key(key) | Self::ByAlias { key, .. } | Self::NoneOfCiphertext(key) => Ok(key.clone()),
            Self::NoAlias(alias) => no_key(alias),
        }
    }

    /// The key, for who may know whether there is such an alias.
    pub(super) fn present(self) -> Result<Arn, Failure> {
        match self {
            Self::Key(key) | Self::ByAlias { key, .. } | Self::NoneOfCiphertext(key) => Ok(key),
            Self::NoAlias(alias) => Err(shown::no_such_alias(&alias)),
        }
    }
}

/// What is named, by its form alone.
enum Form {
    Key(Arn),
    Alias(Arn),
}

impl Trip<'_> {
    /// What a request names.
    pub(super) fn key_named(&self, name: &str, takes: Takes) -> Result<NamedKey, Failure> {
        match self.form_of(name)? {
            Form::Key(arn) => Ok(NamedKey::Key(arn)),
            Form::Alias(_) if takes == Takes::Keys => Err(shown::not_found(invalid_id(name))),
            Form::Alias(alias) => Ok(match self.key_behind(&alias)? {
                Some(key) => NamedKey::ByAlias { alias, key },
                None => NamedKey::NoAlias(alias),
            }),
        }
    }

    /// Leave to do `A` to a key, of whatever account.
    pub(super) fn on_key<A: Action>(&self, named: &NamedKey, context: Context) -> Result<Permit<A>, Failure> {
        match named {
            NamedKey::Key(key) => self.permit_with(key, &context),
            NamedKey::ByAlias { alias, key } => {
                let context = context.with(REQUEST_ALIAS, alias.resource());
                let permit = self.permit_with(key, &context);
                permit.map_err(|failure| told_of(failure, key, alias))
            }
            NamedKey::NoAlias(alias) => {
                let context = context.with(REQUEST_ALIAS, alias.resource());
                let nothing = no_key(alias)?;
                let judged = self.judge_absent::<A>(&nothing, &context);
                judged.map_err(|failure| told_of(failure, &nothing, alias))?;
                Err(shown::no_such_alias(alias))
            }
            NamedKey::NoneOfCiphertext(nothing) => {
                self.judge_absent::<A>(nothing, &context)?;
                Err(from_kms(&KmsError::InvalidCiphertext))
            }
        }
    }

    /// Leave to do `A` to a key that a request names.
    pub(super) fn on_key_named<A: Action>(
        &self,
        (name, takes): (&str, Takes),
        context: Context,
    ) -> Result<Permit<A>, Failure> {
        self.on_key(&self.key_named(name, takes)?, context)
    }

    /// The use of a key that the caller chose by its id, ARN or alias, by one of moho's services, if the key can be used at
    /// all.
    pub(in super::super) fn key_by_name<A: Action>(
        &self,
        name: &str,
        (context, service): (&EncryptionContext, &str),
    ) -> Result<Permit<A>, Failure> {
        let via = format!("{service}.{}.amazonaws.com", self.platform.region);
        let context = context.condition_keys().with("kms:ViaService", via);
        let permit = self.on_key_named((name, Takes::Aliases), context)?;
        let usable = self.platform.kms.key(&permit);
        usable.map_err(|error| failure::from_key_use(&error))?;
        Ok(permit)
    }

    /// Leave to do `A` to a key that the caller named, and that is there and may be in its state, in KMS's own words if not.
    pub(in super::super) fn known_key<A: Action>(&self, name: &str) -> Result<Permit<A>, Failure> {
        let permit = self.on_key_named((name, Takes::Aliases), Context::new())?;
        let known = self.platform.kms.key(&permit);
        known.map_err(|error| from_kms(&error))?;
        Ok(permit)
    }

    /// Leave to do `A` to a key, which can only be done from its own account: from any other it is as if there were no
    /// such key.
    pub(super) fn on_own_key<A: Action>(&self, name: &str, context: Context) -> Result<Permit<A>, Failure> {
        let named = self.key_named(name, Takes::Keys)?;
        let key = named.arn()?;
        if key.account() == self.caller.session().account().as_str() {
            return self.on_key(&named, context);
        }
        self.judge_absent::<A>(&key, &context)?;
        Err(shown::no_such_key(&key))
    }

    /// The key that a ciphertext says it was made with: what stands for none, if it says none that is here.
    pub(super) fn key_of_blob(&self, blob: &[u8]) -> Result<NamedKey, Failure> {
        match self.platform.kms.key_of_ciphertext(blob) {
            Ok(key) => Ok(NamedKey::Key(key)),
            Err(KmsError::InvalidCiphertext) => self.no_key_of_blob(),
            Err(error) => Err(from_kms(&error)),
        }
    }

    /// Leave to do `A` with the key that a ciphertext says it was made with. Of another account's key that may not be used,
    /// the caller hears what it would hear if there were no such key anywhere.
    pub(super) fn on_key_of_blob<A: Action>(
        &self,
        named: &NamedKey,
        context: Context,
    ) -> Result<Permit<A>, Failure> {
        let permit = self.on_key(named, context.clone());
        match permit {
            Err(Failure::AccessDenied(_)) if self.is_of_others(named)? => {
                self.on_key(&self.no_key_of_blob()?, context)
            }
            permit => permit,
        }
    }

    fn is_of_others(&self, named: &NamedKey) -> Result<bool, Failure> {
        Ok(named.arn()?.account() != self.caller.session().account().as_str())
    }

    /// What stands for the key of a ciphertext that is of none.
    fn no_key_of_blob(&self) -> Result<NamedKey, Failure> {
        self.arn("kms", NO_KEY).map(NamedKey::NoneOfCiphertext)
    }

    /// The key that an alias leads to.
    pub(super) fn key_behind(&self, alias: &Arn) -> Result<Option<Arn>, Failure> {
        let account = AccountId::from_str(alias.account()).map_err(|_never| Failure::Internal)?;
        let key = aliases::target(self.platform, account, alias.resource())?;
        key.map(|key| self.key_arn(account, &key)).transpose()
    }

    /// The ARN of a key.
    pub(in super::super) fn key_arn(&self, account: AccountId, key: &KeyId) -> Result<Arn, Failure> {
        let resource = format!("key/{key}");
        let arn = Arn::of("kms", self.platform.region.as_str(), account.as_str(), &resource);
        arn.map_err(|_never| Failure::Internal)
    }

    fn form_of(&self, name: &str) -> Result<Form, Failure> {
        if name.starts_with("arn:") {
            return self.form_of_arn(name);
        }
        if name.strip_prefix("alias/").is_some_and(is_alias) {
            return self.arn("kms", name).map(Form::Alias);
        }
        let key = KeyId::from_str(name).map_err(|_not_one| shown::not_found(invalid_id(name)))?;
        self.key_arn(self.caller.session().account(), &key).map(Form::Key)
    }

    fn form_of_arn(&self, name: &str) -> Result<Form, Failure> {
        let invalid = || shown::invalid_arn(&name_if_short(name));
        let arn = Arn::from_str(name).map_err(|_not_one| invalid())?;
        if arn.service() != "kms" || AccountId::from_str(arn.account()).is_err() {
            return Err(invalid());
        }
        if arn.region() != self.platform.region.as_str() {
            // AWS's words.
            return Err(shown::not_found(format!("Invalid arn {}", arn.region())));
        }
        match arn.resource().split_once('/') {
            Some(("key", id)) if KeyId::from_str(id).is_ok() => Ok(Form::Key(arn)),
            Some(("key", _)) => Err(shown::not_found(invalid_id(name))),
            Some(("alias", alias)) if is_alias(alias) => Ok(Form::Alias(arn)),
            _ => Err(invalid()),
        }
    }
}

/// What stands for the key that an alias would lead to.
fn no_key(alias: &Arn) -> Result<Arn, Failure> {
    Arn::of("kms", alias.region(), alias.account(), NO_KEY).map_err(|_never| Failure::Internal)
}

/// A refusal that names the alias that was asked for, and not where it leads.
fn told_of(failure: Failure, key: &Arn, alias: &Arn) -> Failure {
    if let Failure::AccessDenied(message) = failure {
        return Failure::AccessDenied(message.replace(key.as_str(), alias.as_str()));
    }
    failure
}

/// Whether an alias can be called so.
fn is_alias(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
    (1..=250).contains(&name.len()) && name.bytes().all(fits)
}

fn invalid_id(name: &str) -> String {
    format!("Invalid keyId{}", name_if_short(name))
}

/// A name to be repeated in an error, quoted; nothing of one that is long, or of other signs than names have.
fn name_if_short(name: &str) -> String {
    let fits = name.len() <= LONGEST_SHOWN && name.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { format!(" '{name}'") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_alias_and_not_the_key_behind_it() {
        let alias: Arn = "arn:aws:kms:r:123456789012:alias/a".parse().unwrap();
        let key: Arn = "arn:aws:kms:r:123456789012:key/11111111-2222-4333-8444-555555555555"
            .parse()
            .unwrap();
        let nothing = no_key(&alias).unwrap();
        let denied = |key: &Arn| Failure::AccessDenied(format!("not on resource: {key} because"));
        let told = told_of(denied(&key), &key, &alias);
        assert_eq!(told, denied(&alias));
        assert_eq!(told_of(denied(&nothing), &nothing, &alias), told);
        assert_eq!(told_of(Failure::Internal, &key, &alias), Failure::Internal);
    }

    #[test]
    fn only_what_has_the_form_of_a_name_is_repeated() {
        assert_eq!(invalid_id("alias/none"), "Invalid keyId 'alias/none'");
        for text in ["a secret", "\u{e9}", "a\nb", &"x".repeat(257)] {
            assert_eq!(invalid_id(text), "Invalid keyId", "{text}");
        }
        assert!(is_alias("a/b-c_d:e") && is_alias("1"));
        for text in ["", "a b", "\u{e9}", "*", &"x".repeat(251)] {
            assert!(!is_alias(text), "{text}");
        }
    }
}
