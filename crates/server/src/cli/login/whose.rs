//! Whose the other end of a loopback connection is: the kernel's tables of TCP sockets say so.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The tables of both families: a socket of the newer one may speak to an address of the older.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// The user who holds the socket at `from` that is connected to `to`; `None` if there is no such socket any more.
///
/// # Errors
/// The tables cannot be read.
pub(super) fn owner(from: SocketAddrV4, to: SocketAddrV4) -> std::io::Result<Option<u32>> {
    for table in TABLES {
        let file = match File::open(table) {
            // A system without the newer family has no table of it.
            Err(error) if error.kind() == ErrorKind::NotFound && table != "/proc/net/tcp" => continue,
            opened => opened?,
        };
        for line in BufReader::new(file).lines() {
            if let Some(owner) = read(&line?, from, to) {
                return Ok(Some(owner));
            }
        }
    }
    Ok(None)
}

/// The user of a line, if it is of the connection.
fn read(line: &str, from: SocketAddrV4, to: SocketAddrV4) -> Option<u32> {
    let mut words = line.split_ascii_whitespace();
    let here = address(words.nth(1)?)?;
    let there = address(words.next()?)?;
    // State, queues, timer, retransmissions; then the user.
    let user = words.nth(4)?.parse().ok()?;
    (here == from && there == to).then_some(user)
}

/// An address as the kernel writes it: words of four bytes in the machine's order, then the port.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (address, port) = text.split_once(':')?;
    let ends_in = match address.len() {
        8 => address,
        32 => {
            let mapped = [0_u32, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff])];
            let prefix: String = mapped.iter().map(|word| format!("{word:08X}")).collect();
            address.strip_prefix(&prefix)?
        }
        _ => return None,
    };
    let word = u32::from_str_radix(ends_in, 16).ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(word.to_ne_bytes()), port))
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(_) => panic!("{address}"),
        }
    }

    #[test]
    fn a_connection_of_ours_is_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = v4(listener.local_addr().unwrap());
        let client = TcpStream::connect(to).unwrap();
        let (_accepted, from) = listener.accept().unwrap();
        assert_eq!(owner(v4(from), to).unwrap(), Some(moho_os::own_user()));
        drop(client);
        let nobody = SocketAddrV4::new(Ipv4Addr::new(127, 9, 9, 9), 1);
        assert_eq!(owner(nobody, to).unwrap(), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_is_of_one_connection() {
        let from = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0xC350);
        let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0x1F90);
        let rest = "01 00000000:00000000 00:00000000 00000000  1001        0 33 1 0";
        let line = format!("   4: 0100007F:C350 0100007F:1F90 {rest}");
        assert_eq!(read(&line, from, to), Some(1001));
        assert_eq!(read(&line, to, from), None, "the other end");
        let mapped = "0000000000000000FFFF00000100007F";
        let line = format!("   4: {mapped}:C350 {mapped}:1F90 {rest}");
        assert_eq!(read(&line, from, to), Some(1001));
        let other = "00000000000000000000000001000000";
        let line = format!("   4: {other}:C350 {other}:1F90 {rest}");
        assert_eq!(read(&line, from, to), None);
        for broken in [
            "",
            "sl local_address rem_address st",
            "1: x:y z",
            "1: é:1 é:1 1 1 1 1 1",
        ] {
            assert_eq!(read(broken, from, to), None);
        }
    }
}
