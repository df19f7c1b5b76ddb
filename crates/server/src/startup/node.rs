//! The name under which a moho that shares a store finds again what it counted for itself.

use moho_os::{PrivateFileError, create_private, read_private_within};
use moho_terms::Entropy;

use super::StartupError;
use crate::config::Config;

/// The file of the name, in the data directory.
const FILE: &str = "node";
/// Random bytes of a name, and its digits.
const RANDOM: usize = 16;
const DIGITS: usize = 2 * RANDOM;

/// The name of this moho: none for one whose store is in its data directory, of which there is one; else that of the data
/// directory, made at the first start.
pub(super) fn name(config: &Config, entropy: &dyn Entropy) -> Result<String, StartupError> {
    if config.store == config.data {
        return Ok(String::new());
    }
    let path = config.data.join(FILE);
    let unusable = |source| StartupError::Node {
        path: path.clone(),
        source,
    };
    match read_private_within(&path, DIGITS) {
        Ok(digits) => {
            let name = String::from_utf8_lossy(&digits).into_owned();
            let is_name = name.len() == DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit());
            return is_name.then_some(name).ok_or(StartupError::NoNode(path));
        }
        Err(PrivateFileError::Absent(_)) => {}
        Err(error) => return Err(unusable(error)),
    }
    let mut random = [0; RANDOM];
    entropy.fill(&mut random)?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    create_private(&path, name.as_bytes()).map_err(unusable)?;
    Ok(name)
}
