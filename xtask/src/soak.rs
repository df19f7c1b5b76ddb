//! Long tests by name, with their full count; ordinary runs do a tenth of each.

use anyhow::Result;

use crate::places::Places;
use crate::test::{self, Suite};
use crate::{demo_model, packages};

/// What `cargo xtask soak` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which one.
    name: Soak,
}

/// Every soak there is.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Soak {
    /// `kill -9` and full disks again and again while calls are written down, digested and delivered: nothing that was acknowledged
    /// is lost, each event is delivered once, and AWS's validation passes.
    Audit,
    /// `kill -9` again and again under load: no acknowledged response is lost, nothing is corrupted.
    Kill,
    /// `kill -9` and full disks again and again while keys are made and changed: no acknowledged change is lost, no key is
    /// half made.
    Kms,
    /// A million objects in one bucket: every list of it is right, and the server holds no more and more.
    Objects,
    /// `kill -9`, full disks, losses of power and rot again and again under objects, conversations and prompts: nothing that was
    /// acknowledged is lost, and nothing wrong is ever answered.
    Store,
    /// Ten minutes of everything at once: nobody is served wrongly, and the server holds no more and more.
    Load,
}

impl Soak {
    fn file(self) -> &'static str {
        match self {
            Self::Audit => "soak_audit.py",
            Self::Kill => "soak_kill.py",
            Self::Kms => "soak_kms.py",
            Self::Objects => "soak_objects.py",
            Self::Store => "soak_store.py",
            Self::Load => "soak_load.py",
        }
    }
}

/// Runs the soak.
pub(crate) fn run(options: &Options) -> Result<()> {
    let places = Places::find()?;
    packages::bring()?;
    let model = demo_model::bring(&places)?;
    test::clients(&places, &model, Suite::Soak(options.name.file()))
}
