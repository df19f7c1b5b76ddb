//! Platform configuration registers: which, read, extended.

use std::collections::BTreeMap;

use crate::error::TpmError;
use crate::tpm::{Authorization, Code, Tpm};
use crate::wire::{Reader, Writer};

const PCR_READ: Code = Code("TPM2_PCR_Read", 0x017e);
const PCR_EXTEND: Code = Code("TPM2_PCR_Extend", 0x0182);
/// Registers of a TPM for PC clients.
const COUNT: u8 = 24;
/// How often registers are read again because one changed meanwhile.
const TRIES: u32 = 16;

/// A bank of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bank {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Bank {
    fn algorithm(self) -> u16 {
        match self {
            Self::Sha256 => 0x000b,
            Self::Sha384 => 0x000c,
        }
    }

    /// Bytes of a register.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// Some registers of one bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcrSelection {
    bank: Bank,
    bits: u32,
}

/// Indices that are no selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a selection names registers from 0 to 23, one at least, none twice")]
pub struct SelectionError;

impl PcrSelection {
    /// These registers.
    ///
    /// # Errors
    /// [`SelectionError`] if there are none, one is named twice, or no TPM has it.
    pub fn new(bank: Bank, indices: &[u8]) -> Result<Self, SelectionError> {
        let mut bits = 0_u32;
        for index in indices {
            let bit = 1_u32.checked_shl(u32::from(*index)).unwrap_or(0);
            if *index >= COUNT || bits & bit != 0 {
                return Err(SelectionError);
            }
            bits |= bit;
        }
        if bits == 0 {
            return Err(SelectionError);
        }
        Ok(Self { bank, bits })
    }

    /// Their indices, in order.
    pub fn indices(&self) -> impl Iterator<Item = u8> {
        let bits = self.bits;
        (0..COUNT).filter(move |index| bits >> index & 1 == 1)
    }

    /// `TPML_PCR_SELECTION`, of one bank.
    pub(crate) fn write(&self, to: &mut Writer) {
        let [first, second, third, _] = self.bits.to_le_bytes();
        to.u32(1)
            .u16(self.bank.algorithm())
            .u8(3)
            .bytes(&[first, second, third]);
    }

    fn read(reader: &mut Reader<'_>, bank: Bank) -> Result<u32, TpmError> {
        if (reader.u32()?, reader.u16()?) != (1, bank.algorithm()) {
            return Err(reader.malformed("it is of other banks than were asked for"));
        }
        let size = reader.u8()?;
        let bytes = reader.take(usize::from(size))?;
        let mut bits = [0; 4];
        if bytes.len() > bits.len() {
            return Err(reader.malformed("it selects more registers than there are"));
        }
        bits.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(u32::from_le_bytes(bits))
    }
}

/// Registers by their indices.
pub type PcrValues = BTreeMap<u8, Vec<u8>>;

impl Tpm {
    /// `TPM2_PCR_Read`, as often as it takes: a TPM gives eight registers at a time. All of them are of one moment.
    ///
    /// # Errors
    /// [`TpmError`]; [`TpmError::Malformed`] also if registers change faster than they can be read.
    pub fn pcr_read(&self, selection: &PcrSelection) -> Result<PcrValues, TpmError> {
        for _ in 0..TRIES {
            let mut values = PcrValues::new();
            let mut left = selection.bits;
            let mut counter = None;
            let mut steady = true;
            while left != 0 && steady {
                let (update, found) = self.some_registers(PcrSelection {
                    bits: left,
                    ..*selection
                })?;
                steady = counter.replace(update).is_none_or(|before| before == update);
                for (index, value) in found {
                    left &= !1_u32.checked_shl(u32::from(index)).unwrap_or(0);
                    values.insert(index, value);
                }
            }
            if steady {
                return Ok(values);
            }
        }
        Err(TpmError::Malformed {
            command: PCR_READ.0,
            problem: "registers change faster than they can be read",
        })
    }

    /// The counter of changes, and one register at least.
    fn some_registers(&self, selection: PcrSelection) -> Result<(u32, PcrValues), TpmError> {
        let mut parameters = Writer::default();
        selection.write(&mut parameters);
        let answer = self.ask(PCR_READ, &[], &parameters.0)?;
        let mut reader = answer.parameters()?;
        let counter = reader.u32()?;
        let bits = PcrSelection::read(&mut reader, selection.bank)?;
        if bits == 0 || bits & !selection.bits != 0 {
            return Err(reader.malformed("it has none of the registers that were asked for, or others"));
        }
        let count = reader.u32()?;
        if count != bits.count_ones() {
            return Err(reader.malformed("it has another number of registers than it says"));
        }
        let mut found = PcrValues::new();
        for index in (PcrSelection { bits, ..selection }).indices() {
            let value = reader.buffer()?;
            if value.len() != selection.bank.length() {
                return Err(reader.malformed("a register has another length than its bank's"));
            }
            found.insert(index, value.to_vec());
        }
        reader.end()?;
        Ok((counter, found))
    }

    /// `TPM2_PCR_Extend` of one register in one bank; `digest` has the bank's length.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn pcr_extend(&self, index: u8, bank: Bank, digest: &[u8]) -> Result<(), TpmError> {
        if digest.len() != bank.length() {
            return Err(TpmError::TooLong("a digest of another bank"));
        }
        let mut parameters = Writer::default();
        parameters.u32(1).u16(bank.algorithm()).bytes(digest);
        let authorized = (&[u32::from(index)][..], &[Authorization::Empty][..]);
        self.ask_authorized(PCR_EXTEND, authorized, &parameters.0)
            .map(drop)
    }
}
