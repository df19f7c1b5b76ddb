//! The outside world as `terms` asks for it: the system's clock, the system's randomness, the log.

mod log;
mod supervisor;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use moho_terms::{Clock, Entropy, EntropyUnavailable, Stopwatch, Timestamp};

pub use log::{LogError, LogFormat, start_log};
pub use supervisor::Supervisor;

/// The system's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the wall clock is read"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// Time since this was made, by the system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemStopwatch(Instant);

impl SystemStopwatch {
    /// Begins now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the stopwatch is begun"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Stopwatch for SystemStopwatch {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The system's randomness, through aws-lc's generator.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        self.0.fill(bytes).map_err(|_unspecified| EntropyUnavailable)
    }
}
