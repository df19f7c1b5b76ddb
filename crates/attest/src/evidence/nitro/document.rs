//! The payload of a Nitro attestation document: its fields, their limits, and nothing about signatures.

use moho_terms::Timestamp;

use super::super::claims::EvidenceKind;
use super::super::refusal::{Check, Part, Refusal};
use super::super::registers::{Bank, COUNT, Registers};
use crate::cbor::{Cbor, CborError};

/// Most bytes of the fields that an attester fills.
const OPTIONAL_FIELD: usize = 1024;
/// Most bytes of one certificate.
const CERTIFICATE: usize = 1024;
/// Most certificates of the bundle.
const BUNDLE: u64 = 8;
/// Most fields of the map, those included that AWS may add.
const FIELDS: u64 = 32;
/// Registers of an enclave.
const ENCLAVE_REGISTERS: u8 = 16;

/// What a document says, before anybody has looked who signed it.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) kind: EvidenceKind,
    pub(super) module_id: &'a str,
    pub(super) timestamp: Timestamp,
    pub(super) registers: Registers,
    pub(super) certificate: &'a [u8],
    /// From the root's side.
    pub(super) authorities: Vec<&'a [u8]>,
    pub(super) public_key: Option<&'a [u8]>,
    pub(super) user_data: Option<&'a [u8]>,
    pub(super) nonce: Option<&'a [u8]>,
}

fn refused(found: impl Into<String>) -> Refusal {
    Refusal::new(Check::Encoding, Part::Document, found)
}

fn cbor(error: CborError) -> Refusal {
    refused(error.to_string())
}

/// Fields as they come by.
#[derive(Default)]
struct Fields<'a> {
    seen: Vec<&'a str>,
    module_id: Option<&'a str>,
    digest: Option<&'a str>,
    timestamp: Option<u64>,
    registers: Option<(EvidenceKind, Registers)>,
    certificate: Option<&'a [u8]>,
    authorities: Option<Vec<&'a [u8]>>,
    public_key: Option<&'a [u8]>,
    user_data: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
}

impl<'a> Document<'a> {
    /// Reads exactly one map of fields, in any order, none of them twice.
    ///
    /// NitroTPM writes this one map, and nothing else, with an indefinite length.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Cbor::new(payload);
        let mut fields = Fields::default();
        let indefinite = reader.indefinite_map();
        let count = if indefinite {
            FIELDS
        } else {
            reader.map().map_err(cbor)?
        };
        if count > FIELDS {
            return Err(refused(format!(
                "it has {count} fields, and {FIELDS} at most are looked at"
            )));
        }
        let mut ended = false;
        for _ in 0..count {
            ended = indefinite && reader.at_break();
            if ended {
                break;
            }
            fields.take(&mut reader)?;
        }
        if indefinite && !ended && !reader.at_break() {
            return Err(refused(format!("it has more than {FIELDS} fields")));
        }
        reader.end().map_err(cbor)?;
        let document = fields.document()?;
        if indefinite && document.kind != EvidenceKind::NitroTpm {
            return Err(cbor(CborError::Indefinite));
        }
        Ok(document)
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, reader: &mut Cbor<'a>) -> Result<(), Refusal> {
        let name = reader.text().map_err(cbor)?;
        if self.seen.contains(&name) {
            return Err(refused(format!("it has the field `{}` twice", shown(name))));
        }
        self.seen.push(name);
        match name {
            "module_id" => self.module_id = Some(reader.text().map_err(cbor)?),
            "digest" => self.digest = Some(reader.text().map_err(cbor)?),
            "timestamp" => self.timestamp = Some(reader.unsigned().map_err(cbor)?),
            "pcrs" => self.registers(reader, EvidenceKind::Nitro)?,
            "nitrotpm_pcrs" => self.registers(reader, EvidenceKind::NitroTpm)?,
            "certificate" => self.certificate = Some(certificate(reader)?),
            "cabundle" => self.authorities = Some(bundle(reader)?),
            "public_key" => self.public_key = optional(reader, name)?,
            "user_data" => self.user_data = optional(reader, name)?,
            "nonce" => self.nonce = optional(reader, name)?,
            // AWS signs what it adds; nothing is decided by what is not known here.
            _ => reader.skip().map_err(cbor)?,
        }
        Ok(())
    }

    fn registers(&mut self, reader: &mut Cbor<'a>, kind: EvidenceKind) -> Result<(), Refusal> {
        if self.registers.is_some() {
            return Err(refused("it has registers of an enclave and of a NitroTPM"));
        }
        let wrong = |found: String| Refusal::new(Check::Registers, Part::Document, found);
        let mut registers = Registers::new(Bank::Sha384);
        let count = reader.map().map_err(cbor)?;
        if count > 32 {
            return Err(wrong(format!("it has {count} of them")));
        }
        for _ in 0..count {
            let index = reader.unsigned().map_err(cbor)?;
            let index =
                u8::try_from(index).map_err(|_huge| wrong(format!("there is no register {index}")))?;
            let value = reader.bytes().map_err(cbor)?;
            registers.insert(index, value).map_err(wrong)?;
        }
        let of_instance = kind == EvidenceKind::NitroTpm;
        let last = if of_instance { COUNT } else { ENCLAVE_REGISTERS };
        if !registers.are_exactly(0..last) {
            let last = last.saturating_sub(1);
            return Err(wrong(format!("they are not PCR0 to PCR{last}, each of them")));
        }
        self.registers = Some((kind, registers));
        Ok(())
    }

    fn document(self) -> Result<Document<'a>, Refusal> {
        let missing = |name: &str| refused(format!("it has no field `{name}`"));
        if self.digest.ok_or_else(|| missing("digest"))? != "SHA384" {
            let found = "its registers are not of SHA-384, the only digest that Nitro has";
            return Err(Refusal::new(Check::Algorithm, Part::Document, found));
        }
        let (kind, registers) = self.registers.ok_or_else(|| missing("pcrs"))?;
        let module_id = self.module_id.ok_or_else(|| missing("module_id"))?;
        if module_id.is_empty() || module_id.len() > 255 || module_id.contains(char::is_control) {
            return Err(refused("its module_id is no name of a module"));
        }
        let milliseconds = self.timestamp.ok_or_else(|| missing("timestamp"))?;
        let micros = milliseconds
            .checked_mul(1000)
            .filter(|micros| *micros > 0)
            .ok_or_else(|| refused("its timestamp is no time"))?;
        Ok(Document {
            kind,
            module_id,
            timestamp: Timestamp::from_unix_micros(micros),
            registers,
            certificate: self.certificate.ok_or_else(|| missing("certificate"))?,
            authorities: self.authorities.ok_or_else(|| missing("cabundle"))?,
            public_key: self.public_key,
            user_data: self.user_data,
            nonce: self.nonce,
        })
    }
}

fn certificate<'a>(reader: &mut Cbor<'a>) -> Result<&'a [u8], Refusal> {
    let certificate = reader.bytes().map_err(cbor)?;
    if certificate.is_empty() || certificate.len() > CERTIFICATE {
        return Err(refused(format!(
            "a certificate in it has not 1 to {CERTIFICATE} bytes"
        )));
    }
    Ok(certificate)
}

fn bundle<'a>(reader: &mut Cbor<'a>) -> Result<Vec<&'a [u8]>, Refusal> {
    let count = reader.array().map_err(cbor)?;
    if !(1..=BUNDLE).contains(&count) {
        return Err(refused(format!(
            "its cabundle has {count} certificates instead of 1 to {BUNDLE}"
        )));
    }
    (0..count).map(|_| certificate(reader)).collect()
}

fn optional<'a>(reader: &mut Cbor<'a>, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let value = reader.bytes_or_null().map_err(cbor)?;
    if value.is_some_and(|value| value.len() > OPTIONAL_FIELD) {
        return Err(refused(format!(
            "its {name} has more than {OPTIONAL_FIELD} bytes"
        )));
    }
    // The real thing writes null for what was not given; bytes of no length say as little.
    Ok(value.filter(|value| !value.is_empty()))
}

/// A field's name, as much of it as an error may repeat.
fn shown(name: &str) -> String {
    name.chars().take(32).filter(|c| !c.is_control()).collect()
}
