//! The firmware's event log in its crypto-agile form (TCG PC Client Platform Firmware Profile, 10), and its replay.
//!
//! Only digests are believed, and only once their replay leads to registers that a TPM quoted. An event's data is nobody's
//! word until its hash is the digest, and of images it never is what was hashed.

use super::super::refusal::{Check, Part, Refusal};
use super::super::registers::{Bank, COUNT, Registers};
use super::wire::{TpmError, Wire};

/// Longest log that is looked at, in bytes; real ones have up to 100 KiB.
const LONGEST: usize = 1 << 20;
/// Most banks of one log.
const BANKS: u32 = 8;
/// `EV_NO_ACTION`: told, and not extended.
const NO_ACTION: u32 = 3;
const SPEC_ID: &[u8] = b"Spec ID Event03\0";
const STARTUP_LOCALITY: &[u8] = b"StartupLocality\0";
/// `TPM_ALG_SHA1`, whose digests are passed over.
const SHA1: u16 = 0x0004;

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedEvent<'a> {
    /// The register it was extended into.
    pub register: u8,
    /// Its type, as the profile numbers them.
    pub kind: u32,
    /// What was extended, in the bank that was asked for.
    pub digest: &'a [u8],
    /// What the firmware says about it. See [`Self::data_was_measured`].
    pub data: &'a [u8],
}

impl LoggedEvent<'_> {
    /// Whether the data is what was measured: its hash is the digest.
    #[must_use]
    pub fn data_was_measured(&self, bank: Bank) -> bool {
        bank.digest(&[self.data]) == self.digest
    }
}

/// A log in one bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog<'a> {
    bank: Bank,
    events: Vec<LoggedEvent<'a>>,
    /// The locality that the firmware started the TPM from, which register 0 begins with.
    locality: u8,
}

fn refused(check: Check, found: impl Into<String>) -> Refusal {
    Refusal::new(check, Part::EventLog, found)
}

impl<'a> EventLog<'a> {
    /// Reads a whole log, in this bank.
    ///
    /// # Errors
    /// [`Check::Encoding`] if it is none, [`Check::Algorithm`] if it has not this bank: the older form has SHA-1 alone.
    pub fn read(log: &'a [u8], bank: Bank) -> Result<Self, Refusal> {
        if log.len() > LONGEST {
            return Err(refused(
                Check::Encoding,
                format!("it has more than {LONGEST} bytes"),
            ));
        }
        let malformed = |error: TpmError| refused(Check::Encoding, error.to_string());
        let mut wire = Wire::new(log);
        let Some(sizes) = header(&mut wire).map_err(malformed)? else {
            return Err(refused(
                Check::Algorithm,
                "it is of the older form, which has SHA-1 alone",
            ));
        };
        if !sizes
            .iter()
            .any(|(algorithm, size)| *algorithm == bank.algorithm_id() && usize::from(*size) == bank.length())
        {
            return Err(refused(
                Check::Algorithm,
                format!("it has no bank {}", bank.name()),
            ));
        }
        let mut read = Self {
            bank,
            events: Vec::new(),
            locality: 0,
        };
        while !wire.is_empty() {
            read.event(&mut wire, &sizes).map_err(malformed)?;
        }
        Ok(read)
    }

    /// `TCG_PCR_EVENT2`
    fn event(&mut self, wire: &mut Wire<'a>, sizes: &[(u16, u16)]) -> Result<(), TpmError> {
        let (register, kind, digests) = (wire.u32_le()?, wire.u32_le()?, wire.u32_le()?);
        if usize::try_from(digests).ok() != Some(sizes.len()) {
            return Err(TpmError::Value(
                "an event has another number of digests than there are banks",
            ));
        }
        let mut found = None;
        let mut seen = Vec::with_capacity(sizes.len());
        for _ in 0..digests {
            let algorithm = wire.u16_le()?;
            let size = sizes.iter().find(|(known, _)| *known == algorithm);
            let (_, size) = size.ok_or(TpmError::Value("an event has a digest of no bank of the log"))?;
            if seen.contains(&algorithm) {
                return Err(TpmError::Value("an event has two digests of one bank"));
            }
            seen.push(algorithm);
            let digest = wire.take(usize::from(*size))?;
            if algorithm == self.bank.algorithm_id() {
                found = Some(digest);
            }
        }
        let length = usize::try_from(wire.u32_le()?).map_err(|_huge| TpmError::CutShort)?;
        let data = wire.take(length)?;
        if kind == NO_ACTION {
            if let Some([locality]) = data.strip_prefix(STARTUP_LOCALITY) {
                self.locality = *locality;
            }
            return Ok(());
        }
        let register = u8::try_from(register).ok().filter(|register| *register < COUNT);
        self.events.push(LoggedEvent {
            register: register.ok_or(TpmError::Value("an event is of a register that no TPM has"))?,
            kind,
            digest: found.ok_or(TpmError::Value("an event has no digest of the bank"))?,
            data,
        });
        Ok(())
    }

    /// Its events, but those that were not extended.
    #[must_use]
    pub fn events(&self) -> &[LoggedEvent<'a>] {
        &self.events
    }

    /// What the events of a register make of it, from its start at zero (register 0: at the locality).
    #[must_use]
    pub fn replayed(&self, register: u8) -> Vec<u8> {
        let mut value = vec![0; self.bank.length()];
        if let (0, Some(last)) = (register, value.last_mut()) {
            *last = self.locality;
        }
        let of_register = self.events.iter().filter(|event| event.register == register);
        of_register.fold(value, |value, event| self.bank.digest(&[&value, event.digest]))
    }

    /// That it leads to the registers of these indices that a TPM quoted.
    ///
    /// # Errors
    /// [`Check::Replay`] with the first register that it does not lead to; [`Check::Registers`] if one was not quoted, or they are of
    /// another bank.
    pub fn leads_to(&self, quoted: &Registers, indices: &[u8]) -> Result<(), Refusal> {
        if quoted.bank() != self.bank {
            return Err(refused(
                Check::Registers,
                "it was read in another bank than was quoted",
            ));
        }
        for index in indices {
            if self.replayed(*index) != quoted.required(*index)? {
                let found = format!("its events do not lead to PCR{index} as it was quoted");
                return Err(refused(Check::Replay, found));
            }
        }
        Ok(())
    }
}

/// The first event: which banks the others have, with the lengths of their digests. `None` in the older form, which has none.
fn header(wire: &mut Wire<'_>) -> Result<Option<Vec<(u16, u16)>>, TpmError> {
    let (_register, kind) = (wire.u32_le()?, wire.u32_le()?);
    wire.take(20)?;
    let length = usize::try_from(wire.u32_le()?).map_err(|_huge| TpmError::CutShort)?;
    let data = wire.take(length)?;
    let Some(rest) = data.strip_prefix(SPEC_ID).filter(|_| kind == NO_ACTION) else {
        return Ok(None);
    };
    let mut wire = Wire::new(rest);
    wire.take(8)?;
    let count = wire.u32_le()?;
    if !(1..=BANKS).contains(&count) {
        return Err(TpmError::Value("it has no bank, or more than any TPM"));
    }
    let mut sizes: Vec<(u16, u16)> = Vec::new();
    for _ in 0..count {
        let (algorithm, size) = (wire.u16_le()?, wire.u16_le()?);
        if sizes.iter().any(|(known, _)| *known == algorithm) {
            return Err(TpmError::Value("it names a bank twice"));
        }
        let wrong = match algorithm {
            SHA1 => size != 20,
            super::key::SHA256_ID => size != 32,
            super::key::SHA384_ID => size != 48,
            _ => !(16..=64).contains(&size),
        };
        if wrong {
            return Err(TpmError::Value(
                "a bank's digests have another length than its hash",
            ));
        }
        sizes.push((algorithm, size));
    }
    let vendor = wire.u8()?;
    wire.take(usize::from(vendor))?;
    wire.end()?;
    Ok(Some(sizes))
}
