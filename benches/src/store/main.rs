//! What it takes to keep objects: sealing alone, whole segments to the disk and back, small objects that are waited for, and
//! the memory for a segment of any length.

mod puts;
mod segments;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use moho_benches::house::House;
use moho_benches::{memory, print};
use moho_iam::action::{Action, kms};
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Sealer};
use moho_os::process_cpu_time;
use moho_terms::Arn;
use serde::Serialize;

/// Measures what keeps objects.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Sealing chunks of 1 MiB where they are, on one core.
    Seal {
        /// How many.
        #[arg(long, default_value_t = 4096)]
        chunks: u32,
    },
    /// Segments to the disk and back, sealed, and the same files with plain bytes.
    Segments {
        /// MiB of each.
        #[arg(long, default_value_t = 64)]
        mebibytes: u32,
        /// Whether the plain ones come first.
        #[arg(long)]
        plain_first: bool,
    },
    /// Objects of 1 KiB by many clients of S3, each waited for until it is on the disk.
    Puts {
        /// Clients at a time.
        #[arg(long, default_value_t = 64)]
        clients: u32,
        /// How many of each client.
        #[arg(long, default_value_t = 100)]
        count: u32,
    },
    /// Memory at its peak when one segment is written and read.
    Memory {
        /// MiB of it.
        #[arg(long)]
        mebibytes: u32,
    },
}

fn main() -> Result<()> {
    match Options::parse().what {
        What::Seal { chunks } => print(&seal(chunks)?),
        What::Segments {
            mebibytes,
            plain_first,
        } => print(&segments::measure(mebibytes, plain_first)?),
        What::Puts { clients, count } => print(&puts::measure(clients, count)?),
        What::Memory { mebibytes } => print(&peak(mebibytes)?),
    }
}

/// A house, somebody in it, and what they seal under.
struct Keeping {
    house: House,
    caller: Authenticated,
    key: Arn,
    context: EncryptionContext,
}

impl Keeping {
    fn begin() -> Result<Self> {
        let house = House::build()?;
        Ok(Self {
            caller: house.caller()?,
            key: house.key()?,
            context: EncryptionContext::from_pairs([("aws:s3:arn", "arn:aws:s3:::bucket/key")])?,
            house,
        })
    }

    fn permit<A: Action>(&self) -> Result<Permit<A>> {
        let context = self.context.condition_keys();
        let request = self.house.request()?;
        let authorizer = &self.house.authorizer;
        Ok(authorizer.authorize(&self.caller, &request, &self.key, &context)?)
    }

    fn sealer(&self) -> Result<Sealer> {
        let permit = self.permit::<kms::GenerateDataKey>()?;
        Ok(self.house.kms.sealer(&permit, &self.context)?)
    }
}

/// MiB for each second of one core.
#[derive(Serialize)]
struct Sealed {
    mebibytes_per_second: f64,
}

fn seal(chunks: u32) -> Result<Sealed> {
    let mut sealer = Keeping::begin()?.sealer()?;
    let mut chunk = Vec::with_capacity(Sealer::CHUNK.saturating_add(Sealer::TAG));
    chunk.resize(Sealer::CHUNK, 7);
    let before = process_cpu_time();
    for _ in 0..chunks {
        chunk.truncate(Sealer::CHUNK);
        sealer.seal_chunk(&mut chunk, false)?;
    }
    let took = process_cpu_time().saturating_sub(before);
    Ok(Sealed {
        mebibytes_per_second: f64::from(chunks) / took.as_secs_f64(),
    })
}

/// Bytes, at the peak of the process.
#[derive(Serialize)]
struct Peak {
    bytes: u64,
}

fn peak(mebibytes: u32) -> Result<Peak> {
    let keeping = Keeping::begin()?;
    let segment = segments::written(&keeping, mebibytes)?;
    let id = segment.id();
    let mut reader = segments::opened(&keeping, segment)?;
    reader.check()?;
    keeping.house.store().delete_segment(id)?;
    Ok(Peak {
        bytes: memory("VmHWM").context("no peak")?,
    })
}
