//! What a peer may take: sizes, counts and times, all in one place.

use std::time::Duration;

/// Bounds on everything that a peer can make the rim hold or wait for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one request's body.
    pub body: usize,
    /// Bytes of all requests' bodies that are held at once.
    pub body_memory: usize,
    /// Bytes of a request's line and headers.
    pub head: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Connections at once; more wait in the system's queue.
    pub connections: usize,
    /// Connections at once of one peer, by its address; more are closed.
    pub connections_per_peer: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the end of the last request on HTTP/1.1 (or the handshake) to the end of the next head.
    pub head_wait: Duration,
    /// From the head to the end of the body.
    pub body_wait: Duration,
    /// How long a connection may be without any request.
    pub idle: Duration,
    /// How long a client may take nothing of a reply that waits for it.
    pub stall: Duration,
    /// How long a client that is sent away in the middle of its body may go on sending, so that it reads the reply.
    pub linger: Duration,
    /// From the request to stop until what still runs is told to end with an error.
    pub drain: Duration,
    /// How long clients may then take to read that error.
    pub last_words: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 10 << 20,
            body_memory: 128 << 20,
            head: 64 << 10,
            headers: 100,
            connections: 512,
            connections_per_peer: 256,
            streams: 128,
            handshake: Duration::from_secs(10),
            head_wait: Duration::from_secs(30),
            body_wait: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(60),
            linger: Duration::from_secs(10),
            drain: Duration::from_secs(30),
            last_words: Duration::from_secs(5),
        }
    }
}
