//! How far something has come: a bar for somebody who watches, a line now and then for a log.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use moho_store::backup::Progress;

/// Tells it on standard error.
pub(super) struct Counting {
    watched: bool,
    bar: Option<(&'static str, ProgressBar)>,
    /// The last step that was said, and how many tenths of it.
    said: Option<(&'static str, u64)>,
}

impl Counting {
    pub(super) fn new() -> Self {
        Self {
            watched: std::io::stderr().is_terminal(),
            bar: None,
            said: None,
        }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        if self.watched {
            return self.draw(progress);
        }
        let tenths = progress
            .done
            .saturating_mul(10)
            .checked_div(progress.total)
            .unwrap_or(10);
        let now = (progress.step, tenths);
        if self.said != Some(now) {
            self.said = Some(now);
            let Progress {
                step,
                done,
                total,
                bytes,
            } = progress;
            // Nobody has to listen.
            drop(writeln!(
                std::io::stderr().lock(),
                "moho: {step}: {done} of {total}, {bytes} bytes"
            ));
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self, progress: Progress) {
        if self.bar.as_ref().is_none_or(|(step, _)| *step != progress.step) {
            self.end();
            self.bar = Some((progress.step, bar(progress.step)));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }
}

fn bar(step: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos} of {len} ({eta})");
    ProgressBar::new(0)
        .with_style(style.unwrap_or_else(|_fixed| ProgressStyle::default_bar()))
        .with_prefix(step)
}
