//! The kernel's socket table, and the open files of processes.

use std::fs;
use std::net::Ipv4Addr;

use super::PortHolder;

/// A bound UDP socket of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoundSocket {
    /// `None` for a wildcard socket.
    pub(crate) address: Option<Ipv4Addr>,
    inode: u64,
}

/// Lists the sockets that block this address and port.
pub(crate) fn bound(address: Ipv4Addr, port: u16) -> Vec<BoundSocket> {
    // Without `/proc` the holder stays unknown.
    let table = |name| fs::read_to_string(name).unwrap_or_default();
    let mut all = parse_table(&table("/proc/net/udp"), port);
    all.extend(parse_table(&table("/proc/net/udp6"), port));
    all.retain(|bound| bound.address.is_none_or(|other| other == address));
    all
}

/// Returns the process behind one of the sockets, if this user may see it.
pub(crate) fn holder(sockets: &[BoundSocket]) -> Option<PortHolder> {
    let links: Vec<String> = sockets
        .iter()
        .map(|bound| format!("socket:[{}]", bound.inode))
        .collect();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let holds = files.flatten().any(|file| {
            fs::read_link(file.path()).is_ok_and(|link| {
                links
                    .iter()
                    .any(|wanted| link.as_os_str() == wanted.as_str())
            })
        });
        if holds {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(PortHolder {
                pid,
                name: name.trim().to_owned(),
            });
        }
    }
    None
}

/// Returns the name of this process as other processes see it.
pub(crate) fn own_name() -> String {
    fs::read_to_string("/proc/self/comm")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn parse_table(table: &str, port: u16) -> Vec<BoundSocket> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| parse_line(line, port))
        .collect()
}

/// `  sl  local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode …`
fn parse_line(line: &str, wanted: u16) -> Option<BoundSocket> {
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    let inode = fields.nth(7)?.parse().ok()?;
    if u16::from_str_radix(port, 16).ok()? != wanted {
        return None;
    }
    // Each group of eight digits is a word in the host's byte order; of an IPv6 address the last
    // one is the IPv4 part.
    let low = address.get(address.len().checked_sub(8)?..)?;
    let low = Ipv4Addr::from(u32::from_str_radix(low, 16).ok()?.to_ne_bytes());
    let wildcard = address.chars().all(|digit| digit == '0');
    Some(BoundSocket {
        address: (!wildcard).then_some(low),
        inode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn socket_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            58: 0100007F:BF03 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 1234 2 0000000000000000 0\n\
            59: 00000000:BF03 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 99 2 0000000000000000 0\n\
            60: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0000000000000000 0\n\
            junk\n";
        assert_eq!(
            parse_table(table, 48899),
            [
                BoundSocket {
                    address: Some(Ipv4Addr::LOCALHOST),
                    inode: 1234
                },
                BoundSocket {
                    address: None,
                    inode: 99
                }
            ]
        );
        let mapped =
            "x\n1: 0000000000000000FFFF00000100007F:BF03 0:0 07 0:0 00:0 0 1000 0 5 2 0 0\n";
        assert_eq!(
            parse_table(mapped, 48899),
            [BoundSocket {
                address: Some(Ipv4Addr::LOCALHOST),
                inode: 5
            }]
        );
    }

    #[test]
    fn our_own_socket_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let sockets = bound(Ipv4Addr::LOCALHOST, port);
        let holder = holder(&sockets).unwrap();
        assert_eq!((holder.pid, holder.name), (std::process::id(), own_name()));
    }
}
