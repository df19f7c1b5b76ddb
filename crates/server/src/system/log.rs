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

/// The library that speaks S3 writes requests and errors at every level, which hold names, headers and content.
fn may_be_heard(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    match crate_name {
        "s3s" => false,
        name => name.starts_with("moho") || *metadata.level() <= Level::WARN,
    }
}

fn say_where(panic: &PanicHookInfo<'_>) {
    match panic.location() {
        Some(place) => error!(file = place.file(), line = place.line(), "panic"),
        None => error!("panic at an unknown place"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Page {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn what_the_s3_library_says_of_requests_is_not_heard() {
        for filter in [
            "info",
            "trace",
            "s3s=trace",
            "s3s::service=error",
            "error,s3s=trace",
        ] {
            let page = Page::default();
            let wanted = EnvFilter::builder().parse(filter).unwrap();
            let layer = fmt::layer().with_writer(page.clone());
            let layer = layer.with_filter(wanted.and(FilterFn::new(may_be_heard)));
            with_default(Registry::default().with(layer), || {
                tracing::error!(target: "s3s", "zanzibar");
                tracing::error!(target: "s3s::service", "zanzibar");
                tracing::warn!(target: "s3s::ops", "zanzibar");
                tracing::debug!(target: "hyper", "zanzibar");
                tracing::error!(target: "moho_server", "ours");
                tracing::error!(target: "s3sother", "theirs");
            });
            let told = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
            assert!(!told.contains("zanzibar"), "{filter}: {told}");
            if !filter.starts_with("s3s") {
                assert!(
                    told.contains("ours") && told.contains("theirs"),
                    "{filter}: {told}"
                );
            }
        }
    }
}
