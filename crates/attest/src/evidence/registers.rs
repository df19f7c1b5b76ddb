//! Platform configuration registers, and the one digest that a boot is appraised by.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest;
use moho_terms::hex;

use super::refusal::{Check, Part, Refusal};

/// Registers of a TPM 2.0 for PC clients, and of NitroTPM.
pub const COUNT: u8 = 24;

/// The hash that a bank of registers is extended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bank {
    /// SHA-256: registers of 32 bytes.
    Sha256,
    /// SHA-384: registers of 48 bytes.
    Sha384,
}

impl Bank {
    /// Bytes of one register.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// Its number in TCG's registry of algorithms (`TPM_ALG_SHA256`, `TPM_ALG_SHA384`).
    #[must_use]
    pub fn algorithm_id(self) -> u16 {
        match self {
            Self::Sha256 => 0x000b,
            Self::Sha384 => 0x000c,
        }
    }

    /// Its name in policies: `sha256` or `sha384`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
        }
    }

    /// The digest of these parts, one behind another.
    pub(crate) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = digest::Context::new(match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
        });
        parts.iter().for_each(|part| context.update(part));
        context.finish().as_ref().to_vec()
    }
}

/// Registers of one bank: those that evidence tells of, each by its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    bank: Bank,
    values: BTreeMap<u8, Vec<u8>>,
}

impl Registers {
    pub(crate) fn new(bank: Bank) -> Self {
        let values = BTreeMap::new();
        Self { bank, values }
    }

    /// Takes in one more; an index twice, beyond the last, or of the wrong length is refused.
    pub(crate) fn insert(&mut self, index: u8, value: &[u8]) -> Result<(), String> {
        if index >= 32 {
            return Err(format!("there is no register {index}"));
        }
        if value.len() != self.bank.length() {
            let wanted = self.bank.length();
            return Err(format!(
                "PCR{index} has {} bytes instead of {wanted}",
                value.len()
            ));
        }
        match self.values.insert(index, value.to_vec()) {
            Some(_) => Err(format!("PCR{index} is there twice")),
            None => Ok(()),
        }
    }

    /// The hash that they are extended with.
    #[must_use]
    pub fn bank(&self) -> Bank {
        self.bank
    }

    /// The register of this index, if the evidence tells of it.
    #[must_use]
    pub fn get(&self, index: u8) -> Option<&[u8]> {
        self.values.get(&index).map(Vec::as_slice)
    }

    /// Each with its index, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.values
            .iter()
            .map(|(index, value)| (*index, value.as_slice()))
    }

    /// Whether the evidence tells of exactly these.
    pub(crate) fn are_exactly(&self, indices: impl Iterator<Item = u8>) -> bool {
        self.values.keys().copied().eq(indices)
    }

    /// Whether the register is there and nothing was ever extended into it.
    pub(crate) fn is_untouched(&self, index: u8) -> bool {
        self.get(index)
            .is_some_and(|value| value.iter().all(|byte| *byte == 0))
    }

    /// Registers that somebody tells: with each its index.
    ///
    /// # Errors
    /// What is wrong: an index twice, beyond the last, or a value of another length than the bank's.
    pub fn told<'v>(bank: Bank, values: impl IntoIterator<Item = (u8, &'v [u8])>) -> Result<Self, String> {
        let mut registers = Self::new(bank);
        for (index, value) in values {
            registers.insert(index, value)?;
        }
        Ok(registers)
    }

    /// One that must be there.
    pub(crate) fn required(&self, index: u8) -> Result<&[u8], Refusal> {
        self.get(index).ok_or_else(|| {
            let found = format!("PCR{index} is not among them, and nothing is decided without it");
            Refusal::new(Check::Registers, Part::Evidence, found)
        })
    }
}

/// What was booted: PCR 4 (the program that was started), 7 (Secure Boot) and 11 (the unified kernel image), with 12 and 13
/// (command lines, credentials and extensions from outside) untouched, as one digest.
///
/// `SHA-256("moho boot digest v1" ‖ 0x00 ‖ algorithm, 2 bytes ‖ PCR4 ‖ PCR7 ‖ PCR11 ‖ PCR12 ‖ PCR13)`. One value instead of five,
/// so that no policy can leave a register out: without 12, an operator could alter the command line of an otherwise correct
/// image (GHSA-xrv8-2pf5-f3q7).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BootDigest([u8; 32]);

impl BootDigest {
    /// The registers that it is made of.
    pub const REGISTERS: [u8; 5] = [4, 7, 11, 12, 13];

    /// Of the registers that evidence tells of.
    ///
    /// # Errors
    /// [`Check::Registers`] if one of the five is not there, or 12 or 13 is not zero; [`Check::Mode`] if nothing was measured
    /// at all.
    pub fn of(registers: &Registers) -> Result<Self, Refusal> {
        for index in [12, 13] {
            let value = registers.required(index)?;
            if !registers.is_untouched(index) {
                let found = format!(
                    "PCR{index} is {} instead of zero: something from outside the image was measured, such as a command line",
                    hex::encode(value)
                );
                return Err(Refusal::new(Check::Registers, Part::Evidence, found));
            }
        }
        let [pcr4, pcr7, pcr11] = [
            registers.required(4)?,
            registers.required(7)?,
            registers.required(11)?,
        ];
        if registers.is_untouched(4) {
            let found = "PCR4 is zero: nothing says what was booted";
            return Err(Refusal::new(Check::Mode, Part::Evidence, found));
        }
        Ok(Self::from_parts(registers.bank, pcr4, pcr7, pcr11))
    }

    fn from_parts(bank: Bank, pcr4: &[u8], pcr7: &[u8], pcr11: &[u8]) -> Self {
        let untouched = vec![0; bank.length()];
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"moho boot digest v1\0");
        context.update(&bank.algorithm_id().to_be_bytes());
        for register in [pcr4, pcr7, pcr11, &untouched, &untouched] {
            context.update(register);
        }
        let mut bytes = [0; 32];
        bytes
            .iter_mut()
            .zip(context.finish().as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    /// Of the values that an image is known to have.
    ///
    /// # Errors
    /// What is wrong: a register of another length than the bank's, or a PCR 4 of zero.
    pub fn expected(bank: Bank, pcr4: &[u8], pcr7: &[u8], pcr11: &[u8]) -> Result<Self, String> {
        for (index, register) in [(4, pcr4), (7, pcr7), (11, pcr11)] {
            if register.len() != bank.length() {
                let (name, wanted) = (bank.name(), bank.length());
                return Err(format!(
                    "PCR{index} of bank {name} has {wanted} bytes, not {}",
                    register.len()
                ));
            }
        }
        if pcr4.iter().all(|byte| *byte == 0) {
            return Err("a PCR4 of zero is of nothing that was booted".to_owned());
        }
        Ok(Self::from_parts(bank, pcr4, pcr7, pcr11))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BootDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for BootDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootDigest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(bank: Bank) -> Registers {
        let mut registers = Registers::new(bank);
        for index in 0..COUNT {
            let value = if matches!(index, 4 | 7 | 11) { index } else { 0 };
            registers.insert(index, &vec![value; bank.length()]).unwrap();
        }
        registers
    }

    #[test]
    fn a_boot_is_one_digest_of_five_registers() {
        for bank in [Bank::Sha256, Bank::Sha384] {
            let length = bank.length();
            let expected =
                BootDigest::expected(bank, &vec![4; length], &vec![7; length], &vec![11; length]).unwrap();
            assert_eq!(BootDigest::of(&registers(bank)), Ok(expected));
            let other = BootDigest::expected(bank, &vec![4; length], &vec![8; length], &vec![11; length]);
            assert_ne!(other.unwrap(), expected);
        }
        let of_32 = BootDigest::of(&registers(Bank::Sha256)).unwrap();
        assert_ne!(of_32, BootDigest::of(&registers(Bank::Sha384)).unwrap());
    }

    #[test]
    fn pcr12_omitted() {
        for left_out in BootDigest::REGISTERS {
            let mut registers = registers(Bank::Sha384);
            registers.values.remove(&left_out);
            let refusal = BootDigest::of(&registers).unwrap_err();
            assert_eq!(refusal.check(), Check::Registers, "{left_out}");
            assert!(
                refusal.to_string().contains(&format!("PCR{left_out} ")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn registers_12_and_13_must_be_zero() {
        for index in [12, 13] {
            let mut registers = registers(Bank::Sha256);
            registers.values.insert(index, vec![1; 32]);
            let refusal = BootDigest::of(&registers).unwrap_err();
            assert_eq!(refusal.check(), Check::Registers);
            assert!(
                refusal.to_string().contains(&format!("PCR{index} is 0101")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn kms_7_zero_pcr_policy() {
        let zero = [0; 32];
        assert!(BootDigest::expected(Bank::Sha256, &zero, &zero, &zero).is_err());
        let mut registers = registers(Bank::Sha256);
        registers.values.insert(4, vec![0; 32]);
        assert_eq!(BootDigest::of(&registers).unwrap_err().check(), Check::Mode);
    }

    #[test]
    fn a_register_twice_or_of_another_length_is_none() {
        let mut registers = registers(Bank::Sha256);
        assert!(registers.insert(4, &[4; 32]).is_err());
        assert!(registers.insert(24, &[4; 48]).is_err());
        assert!(registers.insert(32, &[4; 32]).is_err());
    }
}
