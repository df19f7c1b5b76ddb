//! fails: E0308 expected `&Permit<Decrypt>`, found `&Permit<GenerateDataKey>`

use moho_iam::action::kms::GenerateDataKey;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms};

pub fn open(kms: &Kms, permit: &Permit<GenerateDataKey>, context: &EncryptionContext, sealed: &[u8]) {
    let _ = kms.open(permit, context, sealed);
}
