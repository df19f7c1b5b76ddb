//! The log: what happened, never what was said.
//!
//! It goes to standard error, for people or as JSON. Other people's crates are heard from `warn` on only, whatever the
//! filter says: at `debug` an HTTP library writes headers, which hold credentials.

use std::panic::PanicHookInfo;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, error};
use tracing_subscriber::filter::{FilterExt, FilterFn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// The log's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter says nothing that can be understood.
    #[error(
        "the log filter cannot be understood: expected error, warn, info, debug, or moho_server=debug and the like"
    )]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// Something in this process logs already.
    #[error("the log was set up twice")]
    Twice(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// Starts logging, and lets a panic say where it was but not what it said: its message may quote what it failed on.
///
/// # Errors
/// [`LogError`]: the filter is no filter, or there is a log already.
pub fn start_log(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let wanted = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(filter)
        .map_err(LogError::Filter)?;
    let allowed = wanted.and(FilterFn::new(may_be_heard));
    let layer = match format {
        LogFormat::Human => fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr)
            .boxed(),
    };
    tracing::subscriber::set_global_default(Registry::default().with(layer.with_filter(allowed)))
        .map_err(LogError::Twice)?;
    std::panic::set_hook(Box::new(say_where));
    Ok(())
}

fn may_be_heard(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("moho") || *metadata.level() <= Level::WARN
}

fn say_where(panic: &PanicHookInfo<'_>) {
    match panic.location() {
        Some(place) => error!(file = place.file(), line = place.line(), "panic"),
        None => error!("panic at an unknown place"),
    }
}
