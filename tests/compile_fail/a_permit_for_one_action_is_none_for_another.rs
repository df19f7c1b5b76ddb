//! fails: E0308 expected `&Permit<CreateInference>`, found `&Permit<GetCallerIdentity>`

use moho_iam::action::mantle::CreateInference;
use moho_iam::action::sts::GetCallerIdentity;
use moho_iam::authz::Permit;

fn handler(_: &Permit<CreateInference>) {}

pub fn dispatch(permit: &Permit<GetCallerIdentity>) {
    handler(permit);
}
