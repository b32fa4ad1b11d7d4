//! A server that answers as a test says, byte for byte, with TLS or without.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::address::Address;

/// A server's reaction to a request.
pub(in crate::net) enum ScriptedHttpReply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes and then nothing, with the connection open.
    Hang(Vec<u8>),
}

impl ScriptedHttpReply {
    pub(in crate::net) fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bytes(bytes.as_ref().to_vec())
    }

    pub(in crate::net) fn json(body: &str) -> Self {
        Self::status(200, body)
    }

    pub(in crate::net) fn status(status: u16, body: &str) -> Self {
        let length = body.len();
        Self::bytes(format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

/// A server on a thread of its own.
pub(in crate::net) struct ScriptedServer {
    pub(in crate::net) at: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    tls: Arc<Mutex<Option<Arc<ServerConfig>>>>,
}

impl ScriptedServer {
    pub(in crate::net) fn http(
        script: impl Fn(&str) -> ScriptedHttpReply + Send + Sync + 'static,
    ) -> Self {
        Self::start(Ipv4Addr::new(127, 91, 0, 2), None, script)
    }

    pub(in crate::net) fn https(
        config: Arc<ServerConfig>,
        script: impl Fn(&str) -> ScriptedHttpReply + Send + Sync + 'static,
    ) -> Self {
        Self::start(Ipv4Addr::new(127, 91, 0, 3), Some(config), script)
    }

    /// Takes any free port. The script gets the request's first line.
    fn start(
        host: Ipv4Addr,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&str) -> ScriptedHttpReply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let server = Self {
            at: listener.local_addr().unwrap(),
            requests: Arc::default(),
            tls: Arc::new(Mutex::new(tls)),
        };
        let (requests, tls) = (server.requests.clone(), server.tls.clone());
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (requests, script) = (requests.clone(), script.clone());
                let tls = tls.lock().unwrap().clone();
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || serve(stream?, tls, &requests, &*script));
            }
        });
        server
    }

    /// Shows another certificate from now on.
    pub(in crate::net) fn change(&self, config: Arc<ServerConfig>) {
        *self.tls.lock().unwrap() = Some(config);
    }

    /// Everything that was asked so far, whole.
    pub(in crate::net) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Its address, with this scheme or none.
    pub(in crate::net) fn address(&self, scheme: &str) -> Address {
        format!("{scheme}{}", self.at).parse().unwrap()
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    requests: &Mutex<Vec<String>>,
    script: &(dyn Fn(&str) -> ScriptedHttpReply + Send + Sync),
) -> io::Result<()> {
    match tls {
        None => answer(stream, requests, script),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            answer(StreamOwned::new(connection, stream), requests, script)
        }
    }
}

fn answer(
    mut stream: impl Read + Write,
    requests: &Mutex<Vec<String>>,
    script: &(dyn Fn(&str) -> ScriptedHttpReply + Send + Sync),
) -> io::Result<()> {
    let request = read_request(&mut stream)?;
    let first = request.lines().next().unwrap_or_default().to_owned();
    requests.lock().unwrap().push(request);
    let (bytes, is_open) = match script(&first) {
        ScriptedHttpReply::Bytes(bytes) => (bytes, false),
        ScriptedHttpReply::Hang(bytes) => (bytes, true),
    };
    stream.write_all(&bytes)?;
    stream.flush()?;
    if is_open {
        std::thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}

fn read_request(stream: &mut impl Read) -> io::Result<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Ok(text);
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => request.extend_from_slice(&buffer[..length]),
        }
    }
}
