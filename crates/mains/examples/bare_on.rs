//! The minimum that any native client must do for `mains on <address>`: the same packets, and nothing around them.
//! `scripts/measure` times it beside `mains`, in one run, to measure the overhead of the command line.
//!
//! Usage: `bare_on <PLUG ADDRESS> <OWN ADDRESS>`

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);

fn main() -> std::io::Result<()> {
    let mut addresses = std::env::args()
        .skip(1)
        .map(|word| word.parse::<Ipv4Addr>());
    let (Some(Ok(plug)), Some(Ok(own))) = (addresses.next(), addresses.next()) else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "usage: bare_on <PLUG ADDRESS> <OWN ADDRESS>",
        ));
    };
    switch_on(plug)?;
    let reply = scan(plug, own)?;
    match reply.split(',').nth(4) {
        Some("1") => Ok(()),
        _ => Err(Error::other(format!("not on: {reply}"))),
    }
}

fn switch_on(plug: Ipv4Addr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((plug, 8899))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"AT+YZSWITCH=1,ON,201410292146\r\n")?;
    let mut reply = Vec::new();
    let mut chunk = [0; 256];
    while !reply.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        reply.extend(chunk.iter().take(length));
    }
    if reply.starts_with(b"+ok") {
        Ok(())
    } else {
        Err(Error::other("refused"))
    }
}

fn scan(plug: Ipv4Addr, own: Ipv4Addr) -> std::io::Result<String> {
    let socket = UdpSocket::bind((own, 48899))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.send_to(b"YZ-RECOSCAN", (plug, 48899))?;
    let mut datagram = [0; 256];
    let (length, _) = socket.recv_from(&mut datagram)?;
    Ok(datagram
        .iter()
        .take(length)
        .map(|&byte| char::from(byte))
        .collect())
}
