//! Policy documents: what is taken prints as it was written, and no document takes a decision long or by panic.

use moho_iam::policy::{PolicyDocument, PolicyKind};

const KINDS: [PolicyKind; 9] = [
    PolicyKind::Identity,
    PolicyKind::Session,
    PolicyKind::Boundary,
    PolicyKind::ServiceControl,
    PolicyKind::ResourceControl,
    PolicyKind::Resource,
    PolicyKind::Trust,
    PolicyKind::Key,
    PolicyKind::Endpoint,
];

/// The text as a document of every kind.
pub fn policy(data: &[u8]) {
    let text = super::text(data);
    for kind in KINDS {
        match PolicyDocument::parse(kind, &text) {
            Ok(document) => {
                assert_eq!(document.as_str(), text, "a document prints as it was written");
                assert_eq!(document.kind(), kind);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
