//! Cipher suites, by the names that CloudTrail's records and S3's access logs have: those of OpenSSL, which are IANA's from TLS 1.3 on.

use rustls::CipherSuite;

/// The name of a suite; `None` if it is none that is ever agreed on here.
pub(crate) fn cipher_suite(suite: CipherSuite) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(named, _)| *named == suite)
        .map(|(_, name)| *name)
}

const NAMES: [(CipherSuite, &str); 9] = [
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
];

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::default_provider;

    use super::*;

    #[test]
    fn every_suite_that_can_be_agreed_on_has_a_name_of_its_own() {
        let provided = default_provider().cipher_suites;
        let mut names: Vec<_> = provided
            .iter()
            .map(|suite| cipher_suite(suite.suite()).unwrap())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), provided.len());
        assert_eq!(names.len(), NAMES.len());
        for (suite, name) in NAMES {
            // The two names are of the same parts.
            let parts = |text: &str| -> String {
                let text = text
                    .replace("TLS13_", "")
                    .replace("TLS_", "")
                    .replace("_WITH", "");
                text.chars().filter(char::is_ascii_alphanumeric).collect()
            };
            let whole = parts(&format!("{suite:?}"));
            assert!(whole.starts_with(&parts(name)), "{suite:?} is not {name}");
        }
        assert_eq!(cipher_suite(CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA), None);
    }
}
