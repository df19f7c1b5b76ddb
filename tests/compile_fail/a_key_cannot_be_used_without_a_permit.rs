//! fails: E0061 this method takes 3 arguments but 2 arguments were supplied

use moho_kms::{EncryptionContext, Kms};
use moho_terms::ContentBytes;

pub fn seal(kms: &Kms, context: &EncryptionContext, content: &ContentBytes) {
    let _ = kms.seal(context, content);
}
