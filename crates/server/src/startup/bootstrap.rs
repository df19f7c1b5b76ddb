//! Organisation, account, key and roles: found, or made once.

use moho_iam::bootstrap::Door;
use moho_kms::Kms;
use moho_store::{BootstrapPlan, Bootstrapped, Store};
use moho_terms::{Clock, Entropy};

use super::StartupError;
use crate::config::Config;

/// What the installation began with. While the bootstrap door may be open, this also makes what is not there yet and
/// adds the granted models; afterwards only those who sign in may change anything.
pub(super) fn ensure(
    store: &Store,
    kms: &Kms,
    config: &Config,
    (clock, entropy): (&dyn Clock, &dyn Entropy),
) -> Result<Bootstrapped, StartupError> {
    let bootstrapped = match Door::open(kms.attestation(), store.identity_provider()?) {
        Ok(door) => {
            let mut plan =
                BootstrapPlan::new(config.region.clone(), config.bootstrap_grants.clone(), entropy)?;
            if let Some(fixed) = &config.static_credentials {
                plan = plan.in_account(fixed.account);
            }
            store.ensure_bootstrap(&door, kms, &plan, clock.now())?
        }
        Err(closed) => {
            tracing::info!(%closed, "nothing is bootstrapped");
            store.bootstrapped()?.ok_or(StartupError::NothingThere(closed))?
        }
    };
    if bootstrapped.region == config.region {
        Ok(bootstrapped)
    } else {
        Err(StartupError::OtherRegion {
            kept: bootstrapped.region,
            asked: config.region.clone(),
        })
    }
}
