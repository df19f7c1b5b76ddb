//! What a guest was started with and what it runs on: its policy, the platform's features, and versions of firmware.

use std::fmt;

use super::super::refusal::{Check, Part, Refusal};

/// The guest policy (AMD 56860, "Guest Policy"): what the firmware lets the hypervisor do with the guest, for all its life. The
/// hypervisor hands it in and the measurement does not cover it, hence policies name it whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestPolicy(u64);

impl GuestPolicy {
    const MUST_BE_ONE: u64 = 1 << 17;
    const MIGRATE_MA: u64 = 1 << 18;
    const DEBUG: u64 = 1 << 19;
    /// Up to bit 25, PAGE_SWAP_DISABLE.
    const KNOWN: u64 = (1 << 26) - 1;

    /// A policy of these bits.
    ///
    /// # Errors
    /// What is wrong: bit 17 is not one, or a bit from 26 on is, whose meaning is not known.
    pub fn from_bits(bits: u64) -> Result<Self, String> {
        if bits & Self::MUST_BE_ONE == 0 {
            return Err(format!("bit 17 of the guest policy {bits:#x} is not one"));
        }
        if bits & !Self::KNOWN != 0 {
            return Err(format!(
                "the guest policy {bits:#x} has bits whose meaning is not known"
            ));
        }
        Ok(Self(bits))
    }

    /// Its bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether the hypervisor may read and write the guest's memory and registers.
    #[must_use]
    pub fn allows_debugging(self) -> bool {
        self.0 & Self::DEBUG != 0
    }

    /// Whether the guest may have a migration agent, which may take it to wherever it likes.
    #[must_use]
    pub fn allows_migration_agent(self) -> bool {
        self.0 & Self::MIGRATE_MA != 0
    }
}

impl fmt::Display for GuestPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Features of the platform (AMD 56860, PLATFORM_INFO), each on or off for every guest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformInfo(u64);

impl PlatformInfo {
    /// None.
    pub const NONE: Self = Self(0);
    /// ECC memory is used.
    pub const ECC: Self = Self(1 << 2);
    /// Running average power limits, a side channel, cannot be read.
    pub const RAPL_DISABLED: Self = Self(1 << 3);
    /// The hypervisor cannot read the ciphertext of the guest's memory.
    pub const CIPHERTEXT_HIDING: Self = Self(1 << 4);
    /// Since the last reset the memory was found to have no aliases (AMD-SB-3015).
    pub const ALIAS_CHECK_COMPLETE: Self = Self(1 << 5);

    /// Features of these bits.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of these are on.
    #[must_use]
    pub fn has(self, features: Self) -> bool {
        self.0 & features.0 == features.0
    }
}

/// A line of processors: each has root, authorities and layout of versions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004, 8004 and 97x4 (Genoa, Siena, Bergamo).
    Genoa,
    /// EPYC 9005.
    Turin,
}

impl Product {
    /// Its name, as AMD's key distribution service has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// The product that a certificate names: with the stepping behind it (`Milan-B0`), or without.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let product = name.split_once('-').map_or(name, |(product, _stepping)| product);
        match product {
            "Milan" => Some(Self::Milan),
            "Genoa" | "Siena" => Some(Self::Genoa),
            "Turin" => Some(Self::Turin),
            _ => None,
        }
    }

    /// The product of a processor's family and model.
    pub(super) fn from_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(Self::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Self::Genoa),
            (0x1a, 0x00..=0x11) => Some(Self::Turin),
            _ => None,
        }
    }
}

/// Versions of the firmware that a guest relies on (AMD 56860, TCB_VERSION): each counts up with every fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcbVersion {
    /// The firmware microcontroller's; 0 on Milan and Genoa, which have none.
    pub fmc: u8,
    /// The secure processor's bootloader.
    pub boot_loader: u8,
    /// The secure processor's operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The lowest microcode patch level of all cores.
    pub microcode: u8,
}

impl TcbVersion {
    pub(super) fn read(bytes: [u8; 8], product: Product) -> Result<Self, Refusal> {
        let (fmc, boot_loader, tee, snp, reserved, microcode) = match (product, bytes) {
            (Product::Milan | Product::Genoa, [boot_loader, tee, a, b, c, d, snp, microcode]) => {
                (0, boot_loader, tee, snp, [a, b, c, d], microcode)
            }
            (Product::Turin, [fmc, boot_loader, tee, snp, a, b, c, microcode]) => {
                (fmc, boot_loader, tee, snp, [a, b, c, 0], microcode)
            }
        };
        if reserved != [0; 4] {
            let found = format!("a TCB version has bytes that {} has no use for", product.name());
            return Err(Refusal::new(Check::Encoding, Part::Report, found));
        }
        Ok(Self {
            fmc,
            boot_loader,
            tee,
            snp,
            microcode,
        })
    }

    /// Whether no part of it is older than `minimum`'s.
    #[must_use]
    pub fn is_at_least(self, minimum: Self) -> bool {
        self.fmc >= minimum.fmc
            && self.boot_loader >= minimum.boot_loader
            && self.tee >= minimum.tee
            && self.snp >= minimum.snp
            && self.microcode >= minimum.microcode
    }
}

impl fmt::Display for TcbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fmc,
            boot_loader,
            tee,
            snp,
            microcode,
        } = self;
        write!(
            f,
            "fmc {fmc}, boot loader {boot_loader}, tee {tee}, snp {snp}, microcode {microcode}"
        )
    }
}
