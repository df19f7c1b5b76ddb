//! fails: E0277 the trait bound `Permit<CreateInference>: Clone` is not satisfied
//! fails: E0277 the trait bound `Permit<CreateInference>: Default` is not satisfied

use moho_iam::action::mantle::CreateInference;
use moho_iam::authz::Permit;

fn copy<T: Clone>(_: &T) {}

fn nothing<T: Default>() {}

pub fn keep(permit: &Permit<CreateInference>) {
    copy(permit);
    nothing::<Permit<CreateInference>>();
}
