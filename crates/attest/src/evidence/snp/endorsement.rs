//! What AMD's certificate says of the key that signed a report: of which chip or provider, and derived for which firmware (AMD
//! 57230, "VCEK Certificate and KDS Interface Specification", certificate extensions).

use super::super::refusal::{Check, Part, Refusal};
use super::guest::{Product, TcbVersion};
use super::report::{Report, SigningKey};
use crate::x509::Certificate;
use crate::x509::der::{Der, DerError, IA5_STRING, OCTET_STRING};

/// `1.3.6.1.4.1.3704.1`, before the numbers of the one extension.
macro_rules! amd {
    ($($number:literal),+) => {
        &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, $($number),+]
    };
}
const PRODUCT_NAME: &[u8] = amd!(2);
const BOOT_LOADER: &[u8] = amd!(3, 1);
const TEE: &[u8] = amd!(3, 2);
const SNP: &[u8] = amd!(3, 3);
const MICROCODE: &[u8] = amd!(3, 8);
const FMC: &[u8] = amd!(3, 9);
const HARDWARE_ID: &[u8] = amd!(4);
const CSP_ID: &[u8] = amd!(5);

/// Whose key signed a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endorser {
    /// The chip's own (VCEK), which AMD derives from a secret that is fused into it.
    Vcek,
    /// One that AMD gave to a cloud service provider (VLEK): it says whose machine it is, not which.
    Vlek {
        /// The provider's id, as AMD writes it into the certificate.
        csp_id: String,
    },
}

/// What the certificate says.
pub(super) struct Endorsement<'a> {
    pub(super) product: Product,
    pub(super) endorser: Endorser,
    tcb: TcbVersion,
    /// Of a VCEK.
    hardware_id: Option<&'a [u8]>,
}

fn unreadable(error: DerError) -> Refusal {
    Refusal::new(Check::Encoding, Part::Leaf, error.to_string())
}

fn refused<T>(found: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(Check::Binding, Part::Leaf, found))
}

impl<'a> Endorsement<'a> {
    /// Reads AMD's extensions.
    pub(super) fn read(leaf: &Certificate<'a>) -> Result<Self, Refusal> {
        let required = |name: &[u8], what: &str| {
            let missing = || {
                Refusal::new(
                    Check::Encoding,
                    Part::Leaf,
                    format!("it does not name its {what}"),
                )
            };
            leaf.extension(name).ok_or_else(missing)
        };
        let name = text(required(PRODUCT_NAME, "product")?)?;
        let Some(product) = Product::from_name(name) else {
            let found = "it is of a product that is not known";
            return Err(Refusal::new(Check::Kind, Part::Leaf, found));
        };
        let version = |name: &[u8], what: &str| small(required(name, what)?);
        let tcb = TcbVersion {
            fmc: match product {
                Product::Milan | Product::Genoa => 0,
                Product::Turin => version(FMC, "microcontroller's version")?,
            },
            boot_loader: version(BOOT_LOADER, "boot loader's version")?,
            tee: version(TEE, "secure operating system's version")?,
            snp: version(SNP, "firmware's version")?,
            microcode: version(MICROCODE, "microcode's version")?,
        };
        let (endorser, hardware_id) = match (leaf.extension(HARDWARE_ID), leaf.extension(CSP_ID)) {
            (Some(id), None) => (Endorser::Vcek, Some(id)),
            (None, Some(id)) => (
                Endorser::Vlek {
                    csp_id: text(id)?.to_owned(),
                },
                None,
            ),
            (Some(_), Some(_)) | (None, None) => {
                return refused("it names not exactly one of a chip and a provider");
            }
        };
        Ok(Self {
            product,
            endorser,
            tcb,
            hardware_id,
        })
    }

    /// That it is the certificate of the key that the report says to be signed with: of that kind, chip, product and firmware.
    pub(super) fn vouches_for(&self, report: &Report<'_>) -> Result<(), Refusal> {
        match (report.signing_key, &self.endorser) {
            (SigningKey::Vcek, Endorser::Vcek) | (SigningKey::Vlek, Endorser::Vlek { .. }) => {}
            (SigningKey::Vcek, Endorser::Vlek { .. }) => {
                return refused("it is of a VLEK, and the report says to be signed with a VCEK");
            }
            (SigningKey::Vlek, Endorser::Vcek) => {
                return refused("it is of a VCEK, and the report says to be signed with a VLEK");
            }
        }
        if let Some((family, model)) = report.cpuid
            && Product::from_cpuid(family, model) != Some(self.product)
        {
            return refused(format!(
                "it is of {}, and the report of a processor of family {family:#x}, model {model:#x}",
                self.product.name()
            ));
        }
        let reported = TcbVersion::read(report.reported_tcb, self.product)?;
        if reported != self.tcb {
            return refused(format!(
                "it is of a key for {}, and the report of {reported}",
                self.tcb
            ));
        }
        match self.hardware_id {
            Some(id) => self.is_of_chip(id, &report.chip_id),
            None => Ok(()),
        }
    }

    /// Turin's ids have eight bytes, with zeros behind them in reports; others have 64.
    fn is_of_chip(&self, id: &[u8], chip_id: &[u8; 64]) -> Result<(), Refusal> {
        let length = match self.product {
            Product::Milan | Product::Genoa => 64,
            Product::Turin => 8,
        };
        let (named, behind) = chip_id.split_at_checked(length).unwrap_or((chip_id, &[]));
        if chip_id == &[0; 64] {
            return refused("it is of one chip, and the report keeps its own chip's id to itself");
        }
        // AMD writes the bytes as they are; an OCTET STRING around them is as clear.
        let is_it = id == named || octets(id).is_some_and(|inner| inner == named);
        if is_it && behind.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            refused("it is of another chip than the report")
        }
    }
}

fn small(value: &[u8]) -> Result<u8, Refusal> {
    let mut outer = Der::new(value);
    let number = outer.small().map_err(unreadable)?;
    outer.end().map_err(unreadable)?;
    Ok(number)
}

/// A name of AMD's: printable characters, not too many of them.
fn text(value: &[u8]) -> Result<&str, Refusal> {
    let mut outer = Der::new(value);
    let bytes = outer.expect(IA5_STRING, "a name").map_err(unreadable)?;
    outer.end().map_err(unreadable)?;
    std::str::from_utf8(bytes)
        .ok()
        .filter(|name| {
            (1..=128).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        })
        .ok_or_else(|| unreadable(DerError::Value("a name")))
}

fn octets(value: &[u8]) -> Option<&[u8]> {
    let mut outer = Der::new(value);
    let inner = outer.expect(OCTET_STRING, "an id").ok()?;
    outer.end().ok().map(|()| inner)
}
