//! fails: E0624 associated function `assertion` is private

use moho_iam::{Verified, WebIdentity};

pub fn forge(web: WebIdentity) -> Verified<WebIdentity> {
    Verified::assertion(web)
}
