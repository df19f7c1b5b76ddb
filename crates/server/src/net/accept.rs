//! Accepting for ever: what the system refuses now (too many open files), it may give later.

use std::future::Future;
use std::io;
use std::time::Duration;

/// The pause after the system refused a connection, so that the loop does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// The next connection, however often the system refuses one before.
pub(crate) async fn next<T, F: Future<Output = io::Result<T>>>(mut accept: impl FnMut() -> F) -> T {
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_of_the_system_is_not_the_end() {
        let mut answers = vec![Ok("a connection"), Err(io::Error::from_raw_os_error(24))];
        let accepted = next(|| std::future::ready(answers.pop().unwrap())).await;
        assert_eq!(accepted, "a connection");
        assert!(answers.is_empty());
    }
}
