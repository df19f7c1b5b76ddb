//! How much of a caller's quotas is left, as OpenAI tells it in headers.

use std::time::Duration;

/// One kind of limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The most there may be.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// When all of it is there again.
    pub reset: Duration,
}

/// The headers that tell of limits on requests and on tokens; none for what is not limited.
#[must_use]
pub fn headers(requests: Option<RateLimit>, tokens: Option<RateLimit>) -> Vec<(&'static str, String)> {
    let told = |limit: Option<RateLimit>, names: [&'static str; 3]| {
        limit.map(
            |RateLimit {
                 limit,
                 remaining,
                 reset,
             }| {
                let values = [limit.to_string(), remaining.to_string(), span(reset)];
                names.into_iter().zip(values)
            },
        )
    };
    let requests = told(
        requests,
        [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ],
    );
    let tokens = told(
        tokens,
        [
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ],
    );
    requests.into_iter().chain(tokens).flatten().collect()
}

/// A time as OpenAI writes it, to the millisecond: `120ms`, `1.5s`, `6m0s`, `11h59m3.25s`.
fn span(time: Duration) -> String {
    let millis = time.as_millis();
    if millis > 0 && millis < 1000 {
        return format!("{millis}ms");
    }
    let (seconds, part) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let seconds = if part == 0 {
        format!("{seconds}s")
    } else {
        let exact = format!("{seconds}.{part:03}");
        format!("{}s", exact.trim_end_matches('0'))
    };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_openai_writes_them() {
        for (millis, text) in [
            (0, "0s"),
            (7, "7ms"),
            (1000, "1s"),
            (7660, "7.66s"),
            (60_000, "1m0s"),
            (360_250, "6m0.25s"),
            (86_400_000, "24h0m0s"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn what_is_not_limited_is_not_told() {
        assert!(headers(None, None).is_empty());
        let tokens = RateLimit {
            limit: 1000,
            remaining: 7,
            reset: Duration::from_secs(90),
        };
        let told = headers(None, Some(tokens));
        assert_eq!(
            told,
            [
                ("x-ratelimit-limit-tokens", "1000".to_owned()),
                ("x-ratelimit-remaining-tokens", "7".to_owned()),
                ("x-ratelimit-reset-tokens", "1m30s".to_owned()),
            ]
        );
    }
}
