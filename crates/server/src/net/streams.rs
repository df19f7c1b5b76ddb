//! One HTTP/2 stream's own end: a request can be cut without its connection.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Notify;

tokio::task_local! {
    /// The knife for the stream that runs here.
    static CUT: Arc<Notify>;
}

/// Runs one stream to its end, or until somebody whom it gave its [`own`] knife cuts it. Dropping the work resets the
/// stream.
pub(crate) async fn cuttable(work: impl Future<Output = ()>) {
    let cut = Arc::new(Notify::new());
    tokio::select! {
        () = CUT.scope(Arc::clone(&cut), work) => {}
        () = cut.notified() => {}
    }
}

/// What cuts the stream that runs here; `None` where a connection has only one at a time.
pub(crate) fn own() -> Option<Arc<Notify>> {
    CUT.try_with(Arc::clone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_cut_alone() {
        assert!(own().is_none());
        cuttable(async {
            own().unwrap().notify_one();
            std::future::pending().await
        })
        .await;
        cuttable(async { assert!(own().is_some()) }).await;
    }
}
