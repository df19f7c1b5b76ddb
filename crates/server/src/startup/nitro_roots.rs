//! Under whose root the attestation documents are issued that KMS releases plaintexts to: AWS's, but for tests.

use moho_attest::TrustAnchors;
use moho_attest::evidence::aws_nitro_roots;
use moho_iam::bootstrap::Attestation;

use super::StartupError;
use crate::config::{Config, NitroRoot};

/// The longest file of a root, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The roots. A test's is taken under the development root of trust alone, where nothing is proven anyway.
pub(super) fn of(config: &Config, attestation: Attestation) -> Result<TrustAnchors, StartupError> {
    let path = match (&config.nitro_root, attestation) {
        (NitroRoot::Aws, _) => return Ok(aws_nitro_roots()?),
        (NitroRoot::Test(path), Attestation::Development) => path,
        (NitroRoot::Test(_), Attestation::Measured) => return Err(StartupError::NitroRootHere),
    };
    let unreadable = |source| StartupError::NitroRootFile {
        path: path.clone(),
        source,
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > LONGEST {
        return Err(unreadable(std::io::Error::other(
            "it is longer than a certificate",
        )));
    }
    let pem = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(TrustAnchors::from_pem(&pem)?)
}

/// What the start-up lines say of a test's root.
pub(super) fn posture(config: &Config) -> Option<String> {
    match &config.nitro_root {
        NitroRoot::Aws => None,
        NitroRoot::Test(path) => Some(format!(
            "attestation documents of a test are taken instead of AWS's: whoever has the key of {} gets what key policies release \
             to measurements (--dev-nitro-root)",
            path.display()
        )),
    }
}
