//! Public areas of keys that are made from the same seed each time, so that none has to be kept.

use crate::wire::Writer;

const RSA: u16 = 0x0001;
const AES: u16 = 0x0006;
const SHA256: u16 = 0x000b;
const NULL: u16 = 0x0010;
const ECDSA: u16 = 0x0018;
const ECC: u16 = 0x0023;
const CFB: u16 = 0x0043;
const P256: u16 = 0x0003;

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign: signs what its TPM made and nothing else.
const ATTESTATION: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18;
/// fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt.
const ENDORSEMENT: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 16 | 1 << 17;
/// `PolicySecret(TPM_RH_ENDORSEMENT)` (TCG EK Credential Profile 2.5, B.2).
const ENDORSEMENT_POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd,
    0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

/// An attestation key on P-256, signing ECDSA with SHA-256.
pub(crate) fn attestation_key() -> Vec<u8> {
    let mut template = Writer::default();
    template.u16(ECC).u16(SHA256).u32(ATTESTATION).u16(0);
    template.u16(NULL).u16(ECDSA).u16(SHA256).u16(P256).u16(NULL);
    template.u16(0).u16(0);
    template.0
}

/// The endorsement key that manufacturers certify first: RSA-2048, template L-1 (TCG EK Credential Profile 2.5, B.3.3).
pub(crate) fn endorsement_key_rsa() -> Vec<u8> {
    let mut template = Writer::default();
    template.u16(RSA).u16(SHA256).u32(ENDORSEMENT);
    template.u16(32).bytes(&ENDORSEMENT_POLICY);
    template.u16(AES).u16(128).u16(CFB).u16(NULL).u16(2048).u32(0);
    template.u16(256).bytes(&[0; 256]);
    template.0
}

/// That of P-256, template L-2 (B.3.4).
pub(crate) fn endorsement_key_ecc() -> Vec<u8> {
    let mut template = Writer::default();
    template.u16(ECC).u16(SHA256).u32(ENDORSEMENT);
    template.u16(32).bytes(&ENDORSEMENT_POLICY);
    template.u16(AES).u16(128).u16(CFB).u16(NULL).u16(P256).u16(NULL);
    template.u16(32).bytes(&[0; 32]).u16(32).bytes(&[0; 32]);
    template.0
}
