//! Material that customers bring themselves, and take away again.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_terms::{Arn, Timestamp};
use zeroize::Zeroizing;

use super::control::DAY;
use super::{IMPORT_TOKENS, Kms};
use crate::error::KmsError;
use crate::import::ImportTokens;
use crate::material::{Part, unwrap, wrap};
use crate::record::{KeyRecord, KeyState, Material, MaterialId, MaterialState};
use crate::spec::{KeySpec, Origin, WrappingAlgorithm, WrappingKeySpec};
use crate::unlocked::Unlocked;

/// The most days until imported material ends, if it does.
const LONGEST: u64 = 365;
/// The most characters that are said of material.
const LONGEST_DESCRIPTION: usize = 256;

/// What material is wrapped with to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersForImport {
    /// The public wrapping key, a SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
    /// What has to come with the material.
    pub token: Vec<u8>,
    /// When both end.
    pub valid_to: Timestamp,
}

/// Whether material was imported before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportType {
    /// `NEW_KEY_MATERIAL`: the key's first, or one to rotate to.
    New,
    /// `EXISTING_KEY_MATERIAL`: the key had it, and has to have it again.
    Existing,
}

/// Material to be imported.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// What came with the wrapping key.
    pub token: &'a [u8],
    /// The material, wrapped.
    pub wrapped: &'a [u8],
    /// When it ends; never, if there is none.
    pub valid_to: Option<Timestamp>,
    /// Whether it was imported before; if nobody says, the first is new and others are not.
    pub kind: Option<ImportType>,
    /// Which material it is to be, if it was imported before.
    pub material: Option<MaterialId>,
    /// What is said of it.
    pub description: Option<&'a str>,
}

/// Unwrapped material and its SHA-256.
struct Brought {
    plain: Zeroizing<Vec<u8>>,
    digest: Zeroizing<[u8; 32]>,
}

impl Kms {
    /// What material for a key is wrapped with to be imported, within a day.
    ///
    /// # Errors
    /// [`KmsError::UnsupportedOperation`] if the key's material is made here, or not wrapped so; as of [`Self::key`].
    pub fn parameters_for_import(
        &self,
        permit: &Permit<kms::GetParametersForImport>,
        algorithm: WrappingAlgorithm,
        wrapping: WrappingKeySpec,
    ) -> Result<ParametersForImport, KmsError> {
        let key = self.external(permit)?;
        let of = (&key.record.key_id, key.record.spec);
        let made =
            self.import_tokens()?
                .parameters(of, (algorithm, wrapping), self.clock.now(), &*self.entropy);
        let made = made.map_err(|refusal| refusal.of(&key.arn))?;
        Ok(ParametersForImport {
            public_key: made.public_key,
            token: made.token,
            valid_to: made.valid_to,
        })
    }

    /// Imports material: a key's first, one that it had before, or one to rotate to. A key that has all of its material
    /// again can be used again, unless it was disabled. Gives the material's id.
    ///
    /// # Errors
    /// [`KmsError::InvalidImportToken`], [`KmsError::ExpiredImportToken`]; [`KmsError::InvalidCiphertext`] if the material
    /// does not unwrap; [`KmsError::IncorrectKeyMaterial`] if it is of another kind, or not what the key had before;
    /// [`KmsError::Validation`] for an end in the past or in more than a year; as of [`Self::parameters_for_import`].
    pub fn import(
        &self,
        permit: &Permit<kms::ImportKeyMaterial>,
        import: &Import<'_>,
    ) -> Result<MaterialId, KmsError> {
        let key = self.external(permit)?;
        let now = self.clock.now();
        check_request(import, now)?;
        let of = (&key.record.key_id, key.record.spec);
        let plain = self
            .import_tokens()?
            .material(of, import.token, import.wrapped, now)?;
        let mut digest = Zeroizing::new([0; 32]);
        digest.copy_from_slice(digest::digest(&digest::SHA256, &plain).as_ref());
        let brought = Brought { plain, digest };
        self.change(permit, |record, now| {
            let id = self.take_in(record, import, &brought, now)?;
            // A disabled key is not enabled by what is imported into it.
            if matches!(record.state, KeyState::Enabled | KeyState::PendingImport) {
                record.state = if record.is_complete(now) {
                    KeyState::Enabled
                } else {
                    KeyState::PendingImport
                };
            }
            Ok(id)
        })
    }

    /// Deletes imported material: the current one, or the one named. A key that misses any of what it has encrypted with
    /// cannot be used until it is imported again; one that is to end still ends. Material that waited to become the current
    /// one leaves nothing behind. Gives what was deleted, if anything was there.
    ///
    /// # Errors
    /// [`KmsError::UnsupportedOperation`] if the key's material is made here; [`KmsError::NoSuchMaterial`]; as of
    /// [`Self::enable`].
    pub fn delete_imported(
        &self,
        permit: &Permit<kms::DeleteImportedKeyMaterial>,
        material: Option<&MaterialId>,
    ) -> Result<Option<MaterialId>, KmsError> {
        self.external(permit)?;
        let deleted = self.change(permit, |record, now| {
            let wanted = match material {
                Some(id) => Some(*id),
                None => record.current().map(|current| current.id),
            };
            let Some(wanted) = wanted else {
                return Ok(None);
            };
            let mut all = record.materials.iter_mut();
            let found = all.find(|material| material.id == wanted);
            let found = found.ok_or(KmsError::NoSuchMaterial)?;
            found.wrapped = None;
            found.valid_to = None;
            let was_used = found.state != MaterialState::PendingRotation;
            if was_used && record.state == KeyState::Enabled {
                record.state = KeyState::PendingImport;
            }
            record.forget_absent_pending(now);
            Ok(Some(wanted))
        })?;
        self.records.shred();
        Ok(deleted)
    }

    fn take_in(
        &self,
        record: &mut KeyRecord,
        import: &Import<'_>,
        brought: &Brought,
        now: Timestamp,
    ) -> Result<MaterialId, KmsError> {
        record.forget_absent_pending(now);
        let known = self.recognise(record, brought)?;
        let is_first = record.materials.is_empty();
        let by_default = if is_first {
            ImportType::New
        } else {
            ImportType::Existing
        };
        match (import.kind.unwrap_or(by_default), known) {
            (ImportType::Existing, Some(id)) if import.material.is_none_or(|wanted| wanted == id) => {
                self.bring_back(record, id, import, brought)
            }
            (ImportType::Existing, _) => Err(KmsError::IncorrectKeyMaterial(
                "The key material is not the one that was imported into the key before.",
            )),
            (ImportType::New, Some(_)) => Err(KmsError::IncorrectKeyMaterial(
                "The key material was imported into the key before.",
            )),
            (ImportType::New, None) => {
                check_new(record, is_first)?;
                let id = self.new_material_id()?;
                let material = self.imported(record, id, brought, now)?;
                record.materials.push(Material {
                    description: import.description.map(ToOwned::to_owned),
                    valid_to: import.valid_to,
                    state: if is_first {
                        MaterialState::Current
                    } else {
                        MaterialState::PendingRotation
                    },
                    ..material
                });
                Ok(id)
            }
        }
    }

    /// Which of a key's materials this is.
    fn recognise(&self, record: &KeyRecord, brought: &Brought) -> Result<Option<MaterialId>, KmsError> {
        for material in &record.materials {
            let Some(wrapped) = &material.digest else {
                continue;
            };
            let digest = unwrap(record, (Part::Digest, &material.id), wrapped, &self.root)?;
            if verify_slices_are_equal(&digest, brought.digest.as_slice()).is_ok() {
                return Ok(Some(material.id));
            }
        }
        Ok(None)
    }

    fn bring_back(
        &self,
        record: &mut KeyRecord,
        id: MaterialId,
        import: &Import<'_>,
        brought: &Brought,
    ) -> Result<MaterialId, KmsError> {
        let ring = self.root.ring();
        let sealing = (&**ring.current(), &*self.entropy);
        let wrapped = wrap(record, (Part::Material, &id), &brought.plain, sealing)?;
        let mut all = record.materials.iter_mut();
        if let Some(material) = all.find(|material| material.id == id) {
            material.wrapped = Some(wrapped);
            material.valid_to = import.valid_to;
            if let Some(description) = import.description {
                material.description = Some(description.to_owned());
            }
        }
        Ok(id)
    }

    fn imported(
        &self,
        record: &KeyRecord,
        id: MaterialId,
        brought: &Brought,
        now: Timestamp,
    ) -> Result<Material, KmsError> {
        let ring = self.root.ring();
        let sealing = (&**ring.current(), &*self.entropy);
        let wrapped = wrap(record, (Part::Material, &id), &brought.plain, sealing)?;
        let digest = wrap(record, (Part::Digest, &id), brought.digest.as_slice(), sealing)?;
        Ok(Material {
            id,
            state: MaterialState::PendingRotation,
            created_at: now,
            rotated: None,
            description: None,
            valid_to: None,
            wrapped: Some(wrapped),
            digest: Some(digest),
        })
    }

    /// The key that the permit is for, if its material is imported.
    fn external<A: Action>(&self, permit: &Permit<A>) -> Result<std::sync::Arc<Unlocked>, KmsError> {
        let key = self.unlocked(permit)?;
        match key.record.origin {
            Origin::External => Ok(key),
            Origin::AwsKms => Err(unsupported(&key.arn, "origin is AWS_KMS")),
        }
    }

    fn import_tokens(&self) -> Result<ImportTokens, KmsError> {
        self.root.derive(IMPORT_TOKENS).map(ImportTokens::new)
    }
}

fn check_request(import: &Import<'_>, now: Timestamp) -> Result<(), KmsError> {
    let latest = now.plus_seconds(LONGEST.saturating_mul(DAY));
    let refused = |why: &str| Err(KmsError::Validation(why.to_owned()));
    if import.valid_to.is_some_and(|end| end <= now || end > latest) {
        return refused("ValidTo must be in the future, and at most 365 days from now.");
    }
    let long = |description: &str| description.chars().count() > LONGEST_DESCRIPTION;
    if import.description.is_some_and(long) {
        return refused("KeyMaterialDescription has at most 256 characters.");
    }
    if import.kind == Some(ImportType::New) && import.material.is_some() {
        return refused("KeyMaterialId can only be specified for key material that was imported before.");
    }
    Ok(())
}

/// Whether a key can have one material more.
fn check_new(record: &KeyRecord, is_first: bool) -> Result<(), KmsError> {
    if is_first {
        return Ok(());
    }
    let arn = record
        .arn()
        .map_err(|_no_arn| KmsError::DamagedRecord(record.key_id.clone()))?;
    if record.spec != KeySpec::SymmetricDefault {
        return Err(unsupported(&arn, &format!("key spec is {}", record.spec)));
    }
    if record.pending().is_some() {
        return Err(KmsError::InvalidState(
            arn,
            "in possession of key material that is pending rotation already",
        ));
    }
    Ok(())
}

fn unsupported(arn: &Arn, what: &str) -> KmsError {
    KmsError::UnsupportedOperation(arn.clone(), what.to_owned())
}
