//! What a person sees: results on standard output, progress and remarks on standard error.
//!
//! Bars are drawn only on a terminal; elsewhere (CI, a pipe) each step is one plain line when it is done.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::stopwatch::Stopwatch;

/// Prints one line of the result. A reader that has gone away is no error.
pub(crate) fn say(line: &str) {
    let _closed = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints a part of a line at once: an answer as it streams in.
pub(crate) fn stream(text: &str) {
    let mut out = std::io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a remark beside the result.
pub(crate) fn note(line: &str) {
    let _closed = writeln!(std::io::stderr().lock(), "{line}");
}

/// One step of work with its bar.
pub(crate) struct Step {
    bar: ProgressBar,
    name: String,
    since: Stopwatch,
}

impl Step {
    /// A step whose end is known: `total` in bytes.
    pub(crate) fn bytes(name: &str, total: u64) -> Self {
        Self::new(
            name,
            ProgressBar::new(total),
            "{prefix:>10} [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}",
        )
    }

    /// A step whose end is known: `total` things to do.
    pub(crate) fn count(name: &str, total: u64) -> Self {
        Self::new(
            name,
            ProgressBar::new(total),
            "{prefix:>10} [{bar:32}] {pos}/{len} {elapsed} {wide_msg}",
        )
    }

    /// A step whose end is not known.
    pub(crate) fn spinner(name: &str) -> Self {
        let step = Self::new(
            name,
            ProgressBar::new_spinner(),
            "{prefix:>10} {spinner} {elapsed} {wide_msg}",
        );
        step.bar.enable_steady_tick(Duration::from_millis(120));
        step
    }

    fn new(name: &str, bar: ProgressBar, template: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(name.to_owned());
        Self {
            bar,
            name: name.to_owned(),
            since: Stopwatch::start(),
        }
    }

    /// Moves the bar to `position`.
    pub(crate) fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// Says what is being worked on.
    pub(crate) fn now(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Ends the step with one line that stays.
    pub(crate) fn done(self, what: &str) {
        self.bar.finish_and_clear();
        let seconds = self.since.elapsed().as_secs_f64();
        note(&format!("{:>10} {what} ({seconds:.1} s)", self.name));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A duration as people say it.
pub(crate) fn duration(of: Duration) -> String {
    if of < Duration::from_secs(100) {
        format!("{:.1} s", of.as_secs_f64())
    } else {
        HumanDuration(of).to_string()
    }
}
