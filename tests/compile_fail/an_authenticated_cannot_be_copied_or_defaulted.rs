//! fails: E0277 the trait bound `Authenticated: Clone` is not satisfied
//! fails: E0277 the trait bound `Authenticated: Default` is not satisfied

use moho_iam::authn::Authenticated;

fn copy<T: Clone>(_: &T) {}

fn nothing<T: Default>() {}

pub fn forge(caller: &Authenticated) {
    copy(caller);
    nothing::<Authenticated>();
}
