//! How far a model has been loaded, as a bar for somebody who watches.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::ModelFile;

/// A bar while a terminal is there to show it.
pub(super) struct Loading {
    bar: Option<ProgressBar>,
    watched: bool,
}

impl Loading {
    pub(super) fn new() -> Self {
        Self {
            bar: None,
            watched: std::io::stderr().is_terminal(),
        }
    }

    /// Shows that `done` of `total` bytes of a model are loaded.
    pub(super) fn show(&mut self, model: &ModelFile, done: u64, total: u64) {
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

fn bar(model: &ModelFile, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    bar.set_message(format!("loading {}", model.id));
    bar
}
