//! fails: E0308 expected `&Permit<CreateInference>`, found `&Authenticated`

use moho_iam::action::mantle::CreateInference;
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;

fn handler(_: &Permit<CreateInference>) {}

pub fn dispatch(caller: &Authenticated) {
    handler(caller);
}
