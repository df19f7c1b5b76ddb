//! Addresses: whether they can be listened on, who has them, and who can reach them.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use super::finding::{Finding, chain};
use super::scene::{Scene, System};
use crate::net::{BindError, take};

const CHECK: &str = "listen";
/// State 0A in `/proc/net/tcp`: listening.
const LISTENING: &str = "0A";

/// Takes each address as `moho serve` would, without listening on it, and gives it back.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for address in &scene.config.listen {
        findings.push(taken(scene, *address, ""));
        findings.extend(exposed(*address));
    }
    if let Some(address) = scene.config.metrics {
        findings.push(taken(scene, address, ", for metrics"));
        findings.extend(seen(address));
    }
    findings
}

/// Whether an address can be had, and what for.
pub(super) fn taken(scene: &Scene<'_>, address: SocketAddr, purpose: &str) -> Finding {
    match take(address) {
        Ok(_given_back) => Finding::fine(CHECK, format!("{address} is free{purpose}")),
        Err(error) => refused(scene, &error),
    }
}

fn refused(scene: &Scene<'_>, error: &BindError) -> Finding {
    let BindError::InUse(address) = error else {
        return Finding::fault(CHECK, chain(error)).why("nothing would be served there");
    };
    let holder = holder(&scene.system, *address);
    // Whoever can be seen is moho only if moho can be seen too.
    let ours = scene.running.filter(|running| {
        holder
            .as_ref()
            .is_none_or(|(process, _)| running.process == Some(*process))
    });
    if let Some(running) = ours {
        return Finding::fine(CHECK, format!("{address} is in use by {}", running.name()));
    }
    let what = match holder {
        Some((process, name)) => format!("{address} is in use by {name} (process {process})"),
        None => {
            format!("{address} is in use by a process that this user may not see (root sees it: `ss -ltnp`)")
        }
    };
    Finding::fault(CHECK, what)
        .why("moho cannot start there")
        .cure("stop that process, or choose another address with --listen (`listen`)")
}

/// Whoever can reach the port can try. The bootstrap door itself is a file, but what is behind it is not proven yet.
fn exposed(address: SocketAddr) -> Option<Finding> {
    if address.ip().to_canonical().is_loopback() {
        return None;
    }
    let who = if address.ip().is_unspecified() {
        "every network of this machine".to_owned()
    } else {
        format!("the network of {}", address.ip())
    };
    Some(
        Finding::warning("exposure", format!("{address} can be reached from {who}"))
            .why(
                "under the development root nothing about this machine is proven, and as long as the bootstrap door is open \
                 every program of moho's own user gets credentials",
            )
            .cure("listen on 127.0.0.1 while you try moho out, or let a firewall say who may connect"),
    )
}

/// Metrics hold no content, but nobody has to say who it is to read them.
fn seen(address: SocketAddr) -> Option<Finding> {
    (!address.ip().to_canonical().is_loopback()).then(|| {
        Finding::warning(
            "exposure",
            format!("metrics on {address} can be reached from other machines"),
        )
        .why("they are read without credentials and without encryption: load, models and errors, though never content")
        .cure("keep that network private, or set --metrics-listen (`metrics.listen`) to 127.0.0.1")
    })
}

/// The process that listens on an address, with its name, as far as /proc tells this user.
fn holder(system: &System, address: SocketAddr) -> Option<(u32, String)> {
    let inodes: Vec<String> = ["net/tcp", "net/tcp6"]
        .iter()
        .filter_map(|table| system.proc(table))
        .flat_map(|table| listeners(&table, address))
        .collect();
    let processes = fs::read_dir(&system.proc).ok()?.flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find_map(|process| {
        let files = fs::read_dir(system.proc.join(format!("{process}/fd"))).ok()?;
        let has = files.flatten().any(|file| {
            fs::read_link(file.path()).is_ok_and(|target| {
                inodes
                    .iter()
                    .any(|inode| target.as_os_str() == format!("socket:[{inode}]").as_str())
            })
        });
        has.then(|| {
            (
                process,
                system.process_name(process).unwrap_or_else(|| "?".to_owned()),
            )
        })
    })
}

/// The inodes of the sockets that listen on an address, in a table such as `/proc/net/tcp`.
fn listeners(table: &str, address: SocketAddr) -> Vec<String> {
    let inode = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[_, local, _, state, _, _, _, _, _, inode, ..] = words.as_slice() else {
            return None;
        };
        let (ip, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let ip = parsed(ip)?;
        let same = ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
        (state == LISTENING && port == address.port() && same).then(|| inode.to_owned())
    };
    table.lines().filter_map(inode).collect()
}

/// An address as the kernel prints it: 32-bit words in the machine's own order.
fn parsed(hex: &str) -> Option<IpAddr> {
    let words: Option<Vec<[u8; 4]>> = (0..hex.len() / 8)
        .map(|index| {
            let word = hex.get(index * 8..index * 8 + 8)?;
            u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
        })
        .collect();
    match words?.as_slice() {
        [word] => Some(IpAddr::from(*word)),
        [a, b, c, d] => {
            let bytes: [u8; 16] = [*a, *b, *c, *d].concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::Running;
    use super::super::tests::{config, scene};
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[tokio::test]
    async fn a_used_port_is_a_fault_that_names_who_has_it() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let config = config(&[("listen", &address.to_string())]);
        let findings = check(&scene(&config));
        let [found] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!(found.level, Level::Fault);
        let own = format!("(process {})", std::process::id());
        assert!(
            found.what.contains("is in use by") && found.what.contains(&own),
            "{found:?}"
        );
        assert!(found.cure.contains("--listen"));
        drop(taken);
        assert_eq!(check(&scene(&config))[0].level, Level::Fine);
    }

    #[tokio::test]
    async fn a_port_that_our_own_server_has_is_no_fault() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let config = config(&[("listen", &taken.local_addr().unwrap().to_string())]);
        let mut scene = scene(&config);
        scene.running = Some(Running {
            process: Some(std::process::id()),
        });
        assert_eq!(check(&scene)[0].level, Level::Fine);
        scene.running = Some(Running { process: Some(1) });
        assert_eq!(check(&scene)[0].level, Level::Fault, "somebody else has it");
        scene.running = Some(Running { process: None });
        assert_eq!(check(&scene)[0].level, Level::Fault, "this one can be seen");
    }

    #[tokio::test]
    async fn nobody_can_connect_to_an_address_that_is_only_looked_at() {
        let taken = take("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        let refused = std::net::TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_a_fault() {
        let config = config(&[("listen", "192.0.2.1:8443")]);
        let findings = check(&scene(&config));
        assert_eq!(findings[0].level, Level::Fault);
        assert!(
            findings[0].what.contains("no address 192.0.2.1:8443"),
            "{findings:?}"
        );
    }

    #[test]
    fn what_others_can_reach_is_told() {
        assert!(exposed("127.0.0.1:1".parse().unwrap()).is_none());
        assert!(exposed("[::1]:1".parse().unwrap()).is_none());
        for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
            let found = exposed(address.parse().unwrap()).unwrap();
            assert_eq!(found.level, Level::Warning, "{address}");
            assert!(found.cure.contains("127.0.0.1"));
            assert!(
                seen(address.parse().unwrap())
                    .unwrap()
                    .cure
                    .contains("metrics.listen")
            );
        }
        assert!(seen("127.0.0.1:1".parse().unwrap()).is_none());
        assert!(exposed("[::ffff:127.0.0.1]:1".parse().unwrap()).is_none());
    }

    #[tokio::test]
    async fn the_port_for_metrics_is_looked_at_too() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let config = config(&[("listen", "127.0.0.1:0"), ("metrics.listen", &address)]);
        let levels: Vec<Level> = check(&scene(&config)).iter().map(|found| found.level).collect();
        assert_eq!(levels, [Level::Fine, Level::Fault]);
    }

    #[test]
    fn the_kernels_tables_are_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4242 1 0 100";
        let told = |address: &str| listeners(line, address.parse().unwrap());
        assert_eq!(told("127.0.0.1:8080"), ["4242"]);
        assert_eq!(told("0.0.0.0:8080"), ["4242"]);
        assert!(told("127.0.0.1:8081").is_empty() && told("127.0.0.2:8080").is_empty());
        let six = parsed("00000000000000000000000001000000").unwrap();
        assert!(six.is_loopback(), "{six}");
        assert_eq!(
            parsed("0000000000000000FFFF00000100007F").unwrap(),
            parsed("0100007F").unwrap()
        );
        assert!(parsed("xyz").is_none() && parsed("").is_none());
    }
}
