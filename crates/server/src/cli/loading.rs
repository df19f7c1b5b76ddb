//! How far a model has been loaded: as a bar for somebody who watches, as words for the service manager.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::ModelFile;
use crate::system::Supervisor;

/// A bar while a terminal is there to show it.
pub(super) struct Loading<'a> {
    bar: Option<ProgressBar>,
    watched: bool,
    supervisor: &'a Supervisor,
    /// Twentieths of the model that the service manager has heard of.
    heard: u64,
}

/// How much longer the service manager shall wait after each twentieth of a model, for the next one.
const PATIENCE: Duration = Duration::from_secs(600);

impl<'a> Loading<'a> {
    pub(super) fn new(supervisor: &'a Supervisor) -> Self {
        Self {
            bar: None,
            watched: std::io::stderr().is_terminal(),
            supervisor,
            heard: 0,
        }
    }

    /// Shows that `done` of `total` bytes of a model are loaded.
    pub(super) fn show(&mut self, model: &ModelFile, done: u64, total: u64) {
        self.tell(model, done, total);
        if !self.watched {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(model, total));
        bar.set_length(total);
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
            self.bar = None;
        }
    }
}

impl Loading<'_> {
    /// Asks the service manager to be patient.
    fn tell(&mut self, model: &ModelFile, done: u64, total: u64) {
        let twentieths = done.saturating_mul(20).checked_div(total).unwrap_or_default();
        if twentieths != self.heard {
            self.heard = twentieths;
            let percent = twentieths.saturating_mul(5);
            self.supervisor
                .patience(PATIENCE, &format!("loading {}: {percent} %", model.id));
        }
    }
}

fn bar(model: &ModelFile, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    bar.set_message(format!("loading {}", model.id));
    bar
}
