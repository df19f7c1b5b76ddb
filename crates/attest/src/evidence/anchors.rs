//! The trust anchors that manufacturers publish, each held to the fingerprint that they publish with it.

use crate::x509::{AnchorError, TrustAnchors};

/// AWS's root of Nitro attestation, G1, valid from 2019-10-28 to 2049-10-28; SHA-256
/// `641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b` (AWS Nitro Enclaves User Guide, "Verifying the root
/// of trust").
///
/// # Errors
/// Never: a test reads it.
pub fn aws_nitro_roots() -> Result<TrustAnchors, AnchorError> {
    TrustAnchors::from_pem(include_str!("../../anchors/aws-nitro-root-g1.pem"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roots_are_those_that_are_published() {
        let roots = aws_nitro_roots().unwrap();
        let published = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";
        assert_eq!(
            format!("{roots:?}"),
            format!("TrustAnchors([TrustAnchor({published})])")
        );
    }
}
