//! Quotes (`TPMS_ATTEST` of type `TPM_ST_ATTEST_QUOTE`; TCG TPM 2.0 Library, Part 2, 10.12.8, and Part 3, 18.4).

use aws_lc_rs::digest;

use super::super::refusal::{Check, Part, Refusal};
use super::super::registers::{Bank, COUNT, Registers};
use super::key::{AttestationKey, SHA256_ID, SHA384_ID};
use super::wire::{TpmError, Wire};

/// Longest quote that is looked at, in bytes; a real one over 24 registers has fewer than 200.
const LONGEST: usize = 1024;
/// `TPM_GENERATED_VALUE`: what begins everything that a TPM made itself.
const MAGIC: u32 = 0xff54_4347;
/// `TPM_ST_ATTEST_QUOTE`.
const QUOTE: u16 = 0x8018;

/// A quote whose signature holds: a TPM with this attestation key said that these registers have this digest.
///
/// Which TPM that is the quote does not say: somebody has to have bound the key to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    qualifying_data: Vec<u8>,
    bank: Bank,
    selected: Vec<u8>,
    pcr_digest: Vec<u8>,
    digest_algorithm: u16,
    /// The TPM's clock, in milliseconds of its life.
    pub clock: u64,
    /// How often it was reset.
    pub resets: u32,
    /// How often it was resumed since.
    pub restarts: u32,
}

fn refused(check: Check, found: impl Into<String>) -> Refusal {
    Refusal::new(check, Part::Quote, found)
}

impl Quote {
    /// Verifies a `TPMS_ATTEST` and its `TPMT_SIGNATURE` under an attestation key.
    ///
    /// # Errors
    /// [`Refusal`]: it is no quote, of a weak bank, or not signed by the key.
    pub fn verify(attest: &[u8], signature: &[u8], key: &AttestationKey<'_>) -> Result<Self, Refusal> {
        if attest.len() > LONGEST {
            return Err(refused(Check::Encoding, "it is longer than any quote"));
        }
        let quote =
            Self::read(attest, signature).map_err(|error| refused(Check::Encoding, error.to_string()))?;
        key.verify(attest, signature)?;
        quote.ok_or_else(|| {
            refused(
                Check::Algorithm,
                "it is not over one bank of SHA-256 or SHA-384 alone",
            )
        })
    }

    /// `None` if it is a quote, but over another bank or several.
    fn read(attest: &[u8], signature: &[u8]) -> Result<Option<Self>, TpmError> {
        let mut wire = Wire::new(attest);
        if wire.u32()? != MAGIC {
            return Err(TpmError::Value(
                "no TPM made it: it does not begin with TPM_GENERATED_VALUE",
            ));
        }
        if wire.u16()? != QUOTE {
            return Err(TpmError::Value(
                "it is an attestation of something else than registers",
            ));
        }
        wire.buffer()?;
        let qualifying_data = wire.buffer()?.to_vec();
        let (clock, resets, restarts) = (wire.u64()?, wire.u32()?, wire.u32()?);
        if wire.u8()? > 1 {
            return Err(TpmError::Value("whether its clock is safe is neither yes nor no"));
        }
        wire.u64()?;
        let banks = wire.u32()?;
        let mut selection = None;
        for _ in 0..banks.min(16) {
            let (algorithm, size) = (wire.u16()?, wire.u8()?);
            selection = Some((algorithm, wire.take(usize::from(size))?));
        }
        let pcr_digest = wire.buffer()?.to_vec();
        wire.end()?;
        let (bank, bits) = match selection {
            Some((SHA256_ID, bits)) if banks == 1 => (Bank::Sha256, bits),
            Some((SHA384_ID, bits)) if banks == 1 => (Bank::Sha384, bits),
            _ => return Ok(None),
        };
        let mut wire = Wire::new(signature);
        wire.u16()?;
        Ok(Some(Self {
            qualifying_data,
            bank,
            selected: selected(bits)?,
            pcr_digest,
            digest_algorithm: wire.u16()?,
            clock,
            resets,
            restarts,
        }))
    }

    /// What whoever asked gave to be told again.
    #[must_use]
    pub fn qualifying_data(&self) -> &[u8] {
        &self.qualifying_data
    }

    /// The indices of the registers it is over, in order.
    #[must_use]
    pub fn selected(&self) -> &[u8] {
        &self.selected
    }

    /// The hash of their bank.
    #[must_use]
    pub fn bank(&self) -> Bank {
        self.bank
    }

    /// That it is over exactly these registers, with exactly these values.
    ///
    /// # Errors
    /// [`Check::Registers`] for another bank or selection, [`Check::Binding`] for other values.
    pub fn is_over(&self, registers: &Registers) -> Result<(), Refusal> {
        if registers.bank() != self.bank {
            let found = format!(
                "it is over bank {}, and the registers are of {}",
                self.bank.name(),
                registers.bank().name()
            );
            return Err(refused(Check::Registers, found));
        }
        if !registers.are_exactly(self.selected.iter().copied()) {
            let found = format!("it is over registers {:?}, and others are told", self.selected);
            return Err(refused(Check::Registers, found));
        }
        // The digest is by the hash that the key signs with, whatever the bank's is.
        let mut context = digest::Context::new(match self.digest_algorithm {
            SHA384_ID => &digest::SHA384,
            _ => &digest::SHA256,
        });
        registers.iter().for_each(|(_, value)| context.update(value));
        if context.finish().as_ref() == self.pcr_digest {
            Ok(())
        } else {
            Err(refused(
                Check::Binding,
                "the registers that are told are not those that were quoted",
            ))
        }
    }
}

/// The indices whose bits are set (Part 2, 10.6.2).
fn selected(bits: &[u8]) -> Result<Vec<u8>, TpmError> {
    let mut indices = Vec::new();
    for index in 0..u8::try_from(bits.len().saturating_mul(8)).unwrap_or(u8::MAX) {
        let byte = bits.get(usize::from(index / 8)).copied().unwrap_or_default();
        if byte >> (index % 8) & 1 == 1 {
            if index >= COUNT {
                return Err(TpmError::Value("it selects a register that no TPM has"));
            }
            indices.push(index);
        }
    }
    if indices.is_empty() {
        return Err(TpmError::Value("it selects no register"));
    }
    Ok(indices)
}
