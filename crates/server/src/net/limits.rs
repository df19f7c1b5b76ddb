//! What a peer may take: sizes, counts and times, all in one place.

use std::time::Duration;

/// Bounds on everything that a peer can make the rim hold or wait for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one request's body.
    pub body: usize,
    /// Bytes of all requests' bodies that are held at once. One peer gets as great a share of them as of the connections,
    /// and a sixteenth is kept for small bodies.
    pub body_memory: usize,
    /// Bytes of a request's line and headers.
    pub head: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Connections at once; more take the places of idle ones, or are closed.
    pub connections: usize,
    /// Connections at once of one peer, by its address.
    pub connections_per_peer: usize,
    /// Requests in progress at once; more are refused. One peer gets as great a share of them as of the connections.
    pub requests: usize,
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
            connections: 4096,
            connections_per_peer: 2048,
            requests: 2048,
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

/// Files that are open besides connections: database, journal, models being loaded, listeners, and room for their
/// temporary ones.
const OTHER_FILES: usize = 256;

impl Limits {
    /// Bytes that are held at once of bodies that are taken in pieces, in the same shares: twice as many, beside the others.
    #[must_use]
    pub fn stream_memory(&self) -> usize {
        self.body_memory.saturating_mul(2)
    }

    /// The most requests of one peer that may be in progress.
    #[must_use]
    pub fn requests_per_peer(&self) -> usize {
        self.share_per_peer(self.requests).clamp(1, self.requests.max(1))
    }

    /// What one peer gets of `all`: as great a share as of the connections.
    pub(crate) fn share_per_peer(&self, all: usize) -> usize {
        let share = all.saturating_mul(self.connections_per_peer) / self.connections.max(1);
        share.min(all)
    }

    /// Limits that hold with so many open files: fewer connections, if need be, and the same share for each peer.
    #[must_use]
    pub fn within(self, open_files: usize) -> Self {
        let room = open_files.saturating_sub(OTHER_FILES).max(open_files / 4).max(1);
        if self.connections <= room {
            return self;
        }
        let share = self.connections_per_peer.saturating_mul(room) / self.connections.max(1);
        Self {
            connections: room,
            connections_per_peer: share.max(1),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        let usual = Limits::default();
        assert_eq!(usual.within(20_000).connections, 4096);
        let narrow = usual.within(1024);
        assert_eq!((narrow.connections, narrow.connections_per_peer), (768, 384));
        assert_eq!(usual.within(0).connections_per_peer, 1);
    }

    #[test]
    fn a_peer_has_the_same_share_of_requests_as_of_connections() {
        assert_eq!(Limits::default().requests_per_peer(), 1024);
        let alone = Limits {
            connections_per_peer: 4096,
            ..Limits::default()
        };
        assert_eq!(alone.requests_per_peer(), 2048);
    }
}
