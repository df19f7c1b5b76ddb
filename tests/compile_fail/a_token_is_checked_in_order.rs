//! fails: E0599 no method named `for_provider` found for struct `IdToken<'a>`
//! fails: E0308 expected `Verified<WebIdentity>`, found `WebIdentity`

use moho_iam::WebIdentity;
use moho_iam::authn::Authenticated;
use moho_iam::oidc::{IdToken, Provider};
use moho_terms::Timestamp;

pub fn unsigned(token: IdToken<'_>, provider: &Provider, now: Timestamp) {
    drop(token.for_provider(provider, now));
}

pub fn unproven(web: WebIdentity, now: Timestamp) {
    drop(Authenticated::by_web_identity(web, now));
}
