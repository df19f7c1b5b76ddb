//! The clock: signatures, certificates and sessions are checked against it.
//!
//! A clock cannot be checked by itself. It is held against what moho wrote down before, against the services that keep
//! clocks right, and against the `Date` of an HTTP server if one is named: nothing is called otherwise.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use moho_terms::Timestamp;

use super::finding::Finding;
use super::scene::{Scene, System};

const CHECK: &str = "clock";
/// Signatures may be wrong by five minutes.
const ALLOWED: u64 = 300;
/// Before this version was written: no clock that is right shows it. Seconds since 1970: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;
/// How much of the journal's end is looked at: one record fits.
const TAIL: usize = 16 << 10;
/// Programs that keep a clock right.
const KEEPERS: [&str; 6] = [
    "systemd-timesyn",
    "chronyd",
    "ntpd",
    "ntpd-rs",
    "openntpd",
    "ptp4l",
];
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the clock; `server` is an HTTP server whose `Date` is to be believed.
pub(super) fn check(scene: &Scene<'_>, server: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let now = scene.now;
    if now.unix_seconds() < EARLIEST {
        findings.push(wrong(format!(
            "it is {now} here, which is before this moho was written"
        )));
    }
    if let Some(newest) = newest_entry(&scene.config.data.join("journal"))
        .filter(|newest| newest.unix_seconds() > now.unix_seconds().saturating_add(ALLOWED))
    {
        findings.push(wrong(format!(
            "it is {now} here, but the journal's newest entry is of {newest}"
        )));
    }
    findings.extend(server.map(|server| compared(server, now)));
    findings.extend(kept(&scene.system));
    if !findings
        .iter()
        .any(|found| found.level >= super::finding::Level::Warning)
    {
        findings.insert(0, Finding::fine(CHECK, format!("it is {now} here")));
    }
    findings
}

fn wrong(what: String) -> Finding {
    Finding::fault(CHECK, what)
        .why("signatures that are off by more than five minutes are refused, and certificates and sessions seem to be over, or not to have begun")
        .cure("set the clock right and keep it so (`timedatectl set-ntp true`, or chrony)")
}

/// When the journal's last whole record was written.
fn newest_entry(journal: &Path) -> Option<Timestamp> {
    use std::io::{Seek, SeekFrom};
    let mut files: Vec<_> = std::fs::read_dir(journal)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    files.into_iter().rev().find_map(|path| {
        let mut file = std::fs::File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL as u64)))
            .ok()?;
        let mut tail = Vec::new();
        file.take(TAIL as u64).read_to_end(&mut tail).ok()?;
        let text = String::from_utf8_lossy(&tail);
        text.lines().rev().find_map(time_of)
    })
}

/// The time in a journal record's line.
fn time_of(line: &str) -> Option<Timestamp> {
    #[derive(serde::Deserialize)]
    struct Record {
        entry: Entry,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        time: String,
    }
    let record: Record = serde_json::from_str(line).ok()?;
    Timestamp::parse_iso8601_basic(&record.entry.time.replace(['-', ':'], "")).ok()
}

/// Whether something keeps the clock right.
fn kept(system: &System) -> Option<Finding> {
    if system.run.join("systemd/timesync/synchronized").exists() {
        return None;
    }
    let mut processes = std::fs::read_dir(&system.proc).ok()?.flatten();
    let keeper = processes.any(|entry| {
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok());
        number
            .and_then(|number| system.process_name(number))
            .is_some_and(|name| KEEPERS.contains(&name.as_str()))
    });
    (!keeper).then(|| {
        Finding::note(
            CHECK,
            "no service that keeps the clock right can be seen (systemd-timesyncd, chrony, ntpd)",
        )
        .why("a clock that is left alone goes wrong by seconds a week, unless the host keeps it")
        .cure("`timedatectl set-ntp true`, unless this is a container or the host does it")
    })
}

/// The clock against an HTTP server's.
fn compared(server: &str, now: Timestamp) -> Finding {
    match date_of(server) {
        Ok(theirs) if theirs.abs_diff_seconds(now) > ALLOWED => {
            wrong(format!("it is {now} here and {theirs} at {server}"))
        }
        Ok(theirs) => Finding::fine(
            CHECK,
            format!("{} s from the time at {server}", theirs.abs_diff_seconds(now)),
        ),
        Err(problem) => Finding::warning(CHECK, format!("{server} told no time: {problem}"))
            .why("the clock could not be compared")
            .cure("name a server that answers plain HTTP with a Date, such as http://time.example"),
    }
}

/// What an HTTP server says the time is.
fn date_of(server: &str) -> Result<Timestamp, String> {
    let rest = server
        .strip_prefix("http://")
        .ok_or("expected http://HOST[:PORT]")?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.contains(|c: char| c.is_control() || c == ' ' || c == '@') {
        return Err("expected http://HOST[:PORT]".to_owned());
    }
    let with_port = |host: &str| {
        let explicit = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if explicit {
            host.to_owned()
        } else {
            format!("{host}:80")
        }
    };
    let address = with_port(host)
        .to_socket_addrs()
        .map_err(|error| error.to_string())?
        .next()
        .ok_or("it has no address")?;
    let head = head_of(&address, host).map_err(|error| error.to_string())?;
    let head = String::from_utf8_lossy(&head);
    let date = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| value.trim())
    });
    date.and_then(http_date)
        .ok_or_else(|| "its answer has no Date".to_owned())
}

/// The beginning of what a server answers to `HEAD /`.
fn head_of(address: &SocketAddr, host: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut head = vec![0; 4096];
    let mut read = 0;
    while let Some(room) = head.get_mut(read..).filter(|room| !room.is_empty()) {
        match stream.read(room) {
            Ok(0) => break,
            Ok(more) => read += more,
            // What has come will do.
            Err(_broken) if read > 0 => break,
            Err(error) => return Err(error),
        }
    }
    head.truncate(read);
    Ok(head)
}

/// `Sun, 30 Aug 2015 12:36:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = text.split(' ').collect();
    let &[_, day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Timestamp::parse_iso8601_basic(&format!("{year}{month:02}{day}T{}Z", time.replace(':', ""))).ok()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::scene::tests::drawn;
    use super::super::tests::{config, scene};
    use super::*;

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|found| found.level).collect()
    }

    #[test]
    fn a_journal_from_the_future_shows_that_the_clock_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&[("data", folder.path().to_str().unwrap())]);
        let mut scene = scene(&config);
        let journal = folder.path().join("journal");
        std::fs::create_dir(&journal).unwrap();
        let record = |time: &str| format!("{{\"sequence\":1,\"entry\":{{\"time\":\"{time}\",\"x\":1}}}}\n");
        let text = record("2026-02-01T00:00:00Z") + &record("2026-03-01T00:00:00Z") + "{\"torn";
        std::fs::write(journal.join("journal-00000000000000000001.jsonl"), text).unwrap();
        scene.now = "20260301T000000Z".parse_basic();
        assert!(
            check(&scene, None)
                .iter()
                .all(|found| found.level < Level::Warning)
        );
        scene.now = "20260228T235000Z".parse_basic();
        let found = &check(&scene, None)[0];
        assert_eq!(found.level, Level::Fault);
        assert!(
            found.what.contains("2026-03-01T00:00:00Z") && found.cure.contains("timedatectl"),
            "{found:?}"
        );
    }

    trait ParseBasic {
        fn parse_basic(&self) -> Timestamp;
    }

    impl ParseBasic for str {
        fn parse_basic(&self) -> Timestamp {
            Timestamp::parse_iso8601_basic(self).unwrap()
        }
    }

    #[test]
    fn a_clock_that_was_reset_is_seen() {
        let config = config(&[]);
        let mut scene = scene(&config);
        scene.now = "19700101T000300Z".parse_basic();
        assert!(levels(&check(&scene, None)).contains(&Level::Fault));
    }

    #[test]
    fn a_server_that_is_named_is_believed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            for answer in [
                "HTTP/1.1 200 OK\r\nDate: Sun, 01 Mar 2026 00:04:00 GMT\r\n\r\n",
                "HTTP/1.1 200 OK\r\nDATE: Sun, 01 Mar 2026 01:00:00 GMT\r\n\r\n",
                "HTTP/1.1 200 OK\r\n\r\n",
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 256];
                assert!(stream.read(&mut asked).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let now = "20260301T000000Z".parse_basic();
        let told: Vec<Finding> = (0..3).map(|_| compared(&server, now)).collect();
        answering.join().unwrap();
        assert_eq!(levels(&told), [Level::Fine, Level::Fault, Level::Warning]);
        assert!(told[1].what.contains("2026-03-01T01:00:00Z"), "{:?}", told[1]);
        for server in ["https://x", "x", "http://", "http://a b"] {
            assert_eq!(compared(server, now).level, Level::Warning, "{server}");
        }
    }

    #[test]
    fn a_keeper_of_the_clock_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let system = drawn(folder.path(), &[("proc/7/comm", "bash\n")]);
        assert_eq!(kept(&system).unwrap().level, Level::Note);
        let system = drawn(folder.path(), &[("proc/8/comm", "chronyd\n")]);
        assert!(kept(&system).is_none());
        let other = tempfile::tempdir().unwrap();
        let system = drawn(
            other.path(),
            &[("proc/7/comm", "x"), ("run/systemd/timesync/synchronized", "")],
        );
        assert!(kept(&system).is_none());
    }
}
