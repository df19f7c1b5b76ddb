//! fails: E0451 of struct `VerifiedToken` are private

pub fn forge(old: moho_iam::oidc::VerifiedToken) -> moho_iam::oidc::VerifiedToken {
    moho_iam::oidc::VerifiedToken { ..old }
}
