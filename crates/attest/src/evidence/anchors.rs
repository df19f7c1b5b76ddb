//! The trust anchors that manufacturers publish, each held to the fingerprint that they publish with it.

use crate::x509::{AnchorError, TrustAnchors, certificates_of_pem};

/// AWS's root of Nitro attestation, G1, valid from 2019-10-28 to 2049-10-28; SHA-256
/// `641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b` (AWS Nitro Enclaves User Guide, "Verifying the root
/// of trust").
///
/// # Errors
/// Never: a test reads it.
pub fn aws_nitro_roots() -> Result<TrustAnchors, AnchorError> {
    TrustAnchors::from_pem(include_str!("../../anchors/aws-nitro-root-g1.pem"))
}

/// AMD's root keys of SEV (ARK) for Milan, Genoa and Turin, valid for 25 years from 2020-10-22, 2022-01-26 and 2023-05-15, as AMD's
/// key distribution service has them (AMD 57230, "VCEK Certificate and KDS Interface Specification").
///
/// # Errors
/// Never: a test reads it.
pub fn amd_roots() -> Result<TrustAnchors, AnchorError> {
    TrustAnchors::from_pem(include_str!("../../anchors/amd-ark.pem"))
}

/// AMD's authorities that issue VCEKs (ASK) for Milan, Genoa and Turin, in DER, from the same place. No trust is in them: each is
/// issued by one of [`amd_roots`]. Those that issue VLEKs (ASVK) come with the VLEK.
///
/// # Errors
/// Never: a test reads it.
pub fn amd_authorities() -> Result<Vec<Vec<u8>>, AnchorError> {
    certificates_of_pem(include_str!("../../anchors/amd-ask.pem"))
}

/// Intel's root of provisioning certificates for SGX and TDX, valid from 2018-05-21 to 2049-12-31, as Intel publishes it
/// (`Intel_SGX_Provisioning_Certification_RootCA.cer`).
///
/// # Errors
/// Never: a test reads it.
pub fn intel_roots() -> Result<TrustAnchors, AnchorError> {
    TrustAnchors::from_pem(include_str!("../../anchors/intel-sgx-root.pem"))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use moho_terms::hex;

    use super::*;
    use crate::x509::{Authority, Certificate};

    #[test]
    fn the_roots_are_those_that_are_published() {
        let roots = aws_nitro_roots().unwrap();
        let published = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";
        assert_eq!(
            format!("{roots:?}"),
            format!("TrustAnchors([TrustAnchor({published})])")
        );
    }

    #[test]
    fn intels_root_is_the_one_that_is_published() {
        let published = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3";
        assert_eq!(
            format!("{:?}", intel_roots().unwrap()),
            format!("TrustAnchors([TrustAnchor({published})])")
        );
    }

    #[test]
    fn amds_authorities_are_issued_by_its_roots_as_authorities_of_one_level() {
        let roots = certificates_of_pem(include_str!("../../anchors/amd-ark.pem")).unwrap();
        for (root, authority) in roots.iter().zip(amd_authorities().unwrap()) {
            let (root, authority) = (
                Certificate::read(root).unwrap(),
                Certificate::read(&authority).unwrap(),
            );
            assert_eq!(authority.issuer, root.subject);
            // RSASSA-PSS with SHA-384, by a key of 4096 bits.
            assert_eq!(authority.verify_signature(&root.key), Ok(()));
            assert_eq!(authority.authority, Authority::Yes(Some(0)));
        }
    }

    #[test]
    fn amds_roots_and_authorities_are_those_that_are_published() {
        let roots = [
            "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
            "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
            "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
        ];
        let shown = roots.map(|root| format!("TrustAnchor({root})")).join(", ");
        assert_eq!(
            format!("{:?}", amd_roots().unwrap()),
            format!("TrustAnchors([{shown}])")
        );
        let authorities: Vec<String> = amd_authorities()
            .unwrap()
            .iter()
            .map(|der| hex::encode(digest(&SHA256, der).as_ref()))
            .collect();
        assert_eq!(
            authorities,
            [
                "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
                "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
                "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
            ]
        );
    }
}
