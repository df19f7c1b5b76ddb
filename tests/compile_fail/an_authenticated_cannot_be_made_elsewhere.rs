//! fails: E0451 of struct `Authenticated` is private
//! fails: E0277 the trait bound `Authenticated: Default` is not satisfied

use moho_iam::authn::Authenticated;

fn nothing<T: Default>() {}

pub fn forge(old: Authenticated) -> Authenticated {
    nothing::<Authenticated>();
    Authenticated { ..old }
}
