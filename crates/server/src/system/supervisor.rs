//! The service manager that started this process, if one did: it is told when moho serves, stops, and still lives.
//!
//! The protocol is systemd's `sd_notify`: words in a datagram to the socket in `NOTIFY_SOCKET`. Without the variable
//! nobody is told anything; a manager that cannot be told is no reason not to serve.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The manager behind `socket` (`NOTIFY_SOCKET`: a path, or an abstract name after `@`), which wants to hear within
    /// every `watchdog` microseconds (`WATCHDOG_USEC`) that this process, if it is `watched` (`WATCHDOG_PID`), lives.
    #[must_use]
    pub fn named(socket: Option<&OsStr>, watchdog: Option<&str>, watched: Option<&str>) -> Self {
        let socket = socket.filter(|name| !name.is_empty()).and_then(|name| {
            connected(name)
                .inspect_err(|error| tracing::warn!(%error, "the service manager cannot be told how moho is"))
                .ok()
        });
        let ours = watched.is_none_or(|process| process.parse() == Ok(std::process::id()));
        let watchdog = watchdog
            .filter(|_interval| ours && socket.is_some())
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| *micros > 0)
            .map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// Requests are served from now on.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// No new requests are taken any more.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping: requests in progress may end");
    }

    /// Starting takes longer: the manager shall have patience for so much more.
    pub fn patience(&self, more: Duration, status: &str) {
        self.tell(&format!(
            "EXTEND_TIMEOUT_USEC={}\nSTATUS={}",
            more.as_micros(),
            line(status)
        ));
    }

    /// This process lives. To be said every [`interval`](Self::interval).
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// How often the manager shall hear that this process lives: twice in the time that it waits.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|wait| wait / 2)
    }

    fn tell(&self, words: &str) {
        let Some((socket, manager)) = &self.socket else {
            return;
        };
        if let Err(error) = socket.send_to_addr(words.as_bytes(), manager) {
            tracing::warn!(%error, "the service manager was not told how moho is");
        }
    }
}

fn connected(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().split_first() {
        Some((b'@', abstract_name)) => SocketAddr::from_abstract_name(abstract_name)?,
        Some(_) | None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not keep moho waiting.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// A text that is one line.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        let mut words = [0; 256];
        let read = manager.recv(&mut words).unwrap();
        String::from_utf8_lossy(&words[..read]).into_owned()
    }

    #[test]
    fn a_manager_hears_when_it_is_ready_lives_and_stops() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::named(Some(path.as_os_str()), Some("20000000"), None);
        assert_eq!(supervisor.interval(), Some(Duration::from_secs(10)));
        supervisor.patience(Duration::from_secs(1), "loading m");
        supervisor.ready("serving\nX=1");
        supervisor.alive();
        supervisor.stopping();
        assert_eq!(heard(&manager), "EXTEND_TIMEOUT_USEC=1000000\nSTATUS=loading m");
        assert_eq!(
            heard(&manager),
            "READY=1\nSTATUS=serving X=1",
            "a status cannot add words of its own"
        );
        assert_eq!(heard(&manager), "WATCHDOG=1");
        assert!(heard(&manager).starts_with("STOPPING=1\n"));
    }

    #[test]
    fn a_name_without_a_file_is_a_socket_too() {
        let name = format!("moho-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let supervisor = Supervisor::named(Some(OsStr::new(&format!("@{name}"))), None, None);
        supervisor.ready("x");
        assert_eq!(heard(&manager), "READY=1\nSTATUS=x");
    }

    #[test]
    fn without_a_manager_nothing_is_told_and_nothing_fails() {
        let nobody = Supervisor::named(None, Some("20000000"), None);
        nobody.ready("x");
        assert_eq!(nobody.interval(), None);
        let gone = Supervisor::named(Some(OsStr::new("/nonexistent/notify")), None, None);
        gone.stopping();
        let other = Supervisor::named(Some(OsStr::new("@x")), Some("20000000"), Some("1"));
        assert_eq!(other.interval(), None, "the watchdog is for another process");
    }
}
