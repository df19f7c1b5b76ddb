//! fails: E0451 of struct `Permit` are private

use moho_iam::action::mantle::CreateInference;
use moho_iam::authz::Permit;

pub fn forge(old: Permit<CreateInference>) -> Permit<CreateInference> {
    Permit { ..old }
}
