//! When an access key was last used: written down beside the request, which does not wait for it.

use std::sync::Arc;

use moho_iam::Principal;
use moho_iam::authn::{Authenticated, Scheme};
use moho_store::identities::LastUse;

use crate::startup::Platform;

/// Notes that a user's access key signed a request.
pub(super) fn note(platform: &Arc<Platform>, caller: &Authenticated) {
    let session = caller.session();
    let (Principal::User(_), Scheme::SigV4 { service }, Some(key)) =
        (session.principal(), caller.scheme(), session.access_key_id())
    else {
        return;
    };
    if !key.as_str().starts_with("AKIA") {
        return;
    }
    let (key, platform) = (key.clone(), Arc::clone(platform));
    let used = LastUse {
        at: platform.clock.now(),
        service: service.as_str().to_owned(),
        region: platform.region.as_str().to_owned(),
    };
    drop(tokio::task::spawn_blocking(move || {
        if let Err(error) = platform.store.note_access_key_use(&key, &used) {
            tracing::warn!(error = %super::chain(&error), "when an access key was last used could not be kept");
        }
    }));
}
