//! Metadata of SAML identity providers: strangers' XML.

use moho_iam::saml::SamlMetadata;

/// The bytes as a metadata document.
pub fn saml_metadata(data: &[u8]) {
    let text = super::text(data);
    match SamlMetadata::parse(&text) {
        Ok(read) => {
            assert!(!read.entity_id().is_empty(), "a provider has a name");
            assert!(!read.certificates().is_empty(), "a provider signs");
            assert_eq!(read.as_str(), &*text, "it is kept as it was given");
            assert_eq!(
                SamlMetadata::parse(read.as_str()).as_ref(),
                Ok(&read),
                "it reads the same again"
            );
            assert!(!text.contains("<!DOCTYPE"), "no document has a type");
        }
        Err(refused) => assert!(
            refused.to_string().len() < 200,
            "a refusal does not repeat what it refuses"
        ),
    }
}
