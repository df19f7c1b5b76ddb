//! Requests and replies of `kms`, by subject.

pub mod aliases;
pub mod asymmetric;
pub mod encryption;
pub mod grants;
pub mod keys;
pub mod material;
pub mod rotation;
pub mod shapes;

use crate::Failure;
use crate::aws::declare::Operations as _;
use crate::aws::document::Members;

/// A parsed request.
pub enum Request {
    /// Keys: themselves, their states, policies and tags.
    Keys(keys::Request),
    /// Aliases: names that lead to keys.
    Aliases(aliases::Request),
    /// Grants on keys.
    Grants(grants::Request),
    /// Rotation of key material.
    Rotation(rotation::Request),
    /// Imported key material.
    Material(material::Request),
    /// Encryption, data keys and randomness.
    Encryption(encryption::Request),
    /// Signatures, message authentication codes and agreement on secrets.
    Asymmetric(asymmetric::Request),
}

impl Request {
    /// AWS's name of the operation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keys(request) => request.name(),
            Self::Aliases(request) => request.name(),
            Self::Grants(request) => request.name(),
            Self::Rotation(request) => request.name(),
            Self::Material(request) => request.name(),
            Self::Encryption(request) => request.name(),
            Self::Asymmetric(request) => request.name(),
        }
    }

    pub(crate) fn read(operation: &str, members: &mut Members) -> Result<Self, Failure> {
        if keys::Request::NAMES.contains(&operation) {
            return keys::Request::read(operation, members).map(Self::Keys);
        }
        if aliases::Request::NAMES.contains(&operation) {
            return aliases::Request::read(operation, members).map(Self::Aliases);
        }
        if grants::Request::NAMES.contains(&operation) {
            return grants::Request::read(operation, members).map(Self::Grants);
        }
        if rotation::Request::NAMES.contains(&operation) {
            return rotation::Request::read(operation, members).map(Self::Rotation);
        }
        if material::Request::NAMES.contains(&operation) {
            return material::Request::read(operation, members).map(Self::Material);
        }
        if encryption::Request::NAMES.contains(&operation) {
            return encryption::Request::read(operation, members).map(Self::Encryption);
        }
        if asymmetric::Request::NAMES.contains(&operation) {
            return asymmetric::Request::read(operation, members).map(Self::Asymmetric);
        }
        Err(Failure::Internal)
    }
}
