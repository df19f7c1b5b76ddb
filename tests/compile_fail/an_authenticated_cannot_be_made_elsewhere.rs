//! fails: E0451 of struct `Authenticated` are private

pub fn forge(old: moho_iam::authn::Authenticated) -> moho_iam::authn::Authenticated {
    moho_iam::authn::Authenticated { ..old }
}
