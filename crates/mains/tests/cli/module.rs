//! A Wi-Fi module played by hand on UDP 48899, with the literal bytes of the protocol notes.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::scripted::scan_reply;

/// The datagrams that answer one; none is silence.
type ModuleReply = Box<dyn Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync>;

/// A module that answers as it is told, to port 48899 like that of an SP-2.
pub struct ConsoleModule {
    pub address: Ipv4Addr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    over: Arc<AtomicBool>,
}

impl ConsoleModule {
    /// Answers every datagram with what `answer` gives.
    pub fn start(
        address: [u8; 4],
        answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let module = Self {
            address: address.into(),
            heard: Arc::default(),
            over: Arc::default(),
        };
        let socket = UdpSocket::bind(SocketAddrV4::new(module.address, 48899)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let (heard, over) = (module.heard.clone(), module.over.clone());
        let answer: ModuleReply = Box::new(answer);
        std::thread::spawn(move || serve(&socket, &answer, &heard, &over));
        module
    }

    /// A module with a session: `HF-A11ASSISTHREAD`, `+ok`, then AT lines, which `reply` answers, until `AT+Q`.
    pub fn with_session(
        address: [u8; 4],
        reply: impl Fn(&str) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::start(address, session(address, reply))
    }

    /// The module of an SP-2: it answers the plug's scan as well.
    pub fn sp2(address: [u8; 4]) -> Self {
        let session = session(address, usual);
        Self::start(address, move |datagram| match datagram {
            b"YZ-RECOSCAN" => one(scan_reply(address, true).as_bytes()),
            datagram => session(datagram),
        })
    }

    /// Everything that was heard so far, in order.
    pub fn heard(&self) -> Vec<String> {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .map(|datagram| datagram.escape_ascii().to_string())
            .collect()
    }

    /// Waits until this has been heard; a farewell may arrive after the command has ended.
    #[track_caller]
    pub fn hears(&self, datagram: &str) {
        let start = Instant::now();
        while !self.heard().iter().any(|heard| heard == datagram) {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "{datagram} did not come, but {:?}",
                self.heard()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the session has been left; after silence the client may have changed its line end.
    #[track_caller]
    pub fn is_left(&self) {
        let start = Instant::now();
        let said = |heard: &String| matches!(heard.as_str(), r"AT+Q\r" | r"AT+Q\n" | r"AT+Q\r\n");
        while !self.heard().last().is_some_and(said) {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "not left, but {:?}",
                self.heard()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn target(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for ConsoleModule {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

fn session(
    address: [u8; 4],
    reply: impl Fn(&str) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static {
    let open = AtomicBool::new(false);
    let identity = format!("{},ACCF23123456,HF-LPB100", Ipv4Addr::from(address));
    move |datagram| match datagram {
        b"HF-A11ASSISTHREAD" => one(identity.as_bytes()),
        b"+ok" => {
            open.store(true, Ordering::SeqCst);
            Vec::new()
        }
        b"AT+Q\r" | b"AT+Q\n" | b"AT+Q\r\n" => {
            open.store(false, Ordering::SeqCst);
            Vec::new()
        }
        _ if !open.load(Ordering::SeqCst) || !datagram.starts_with(b"AT+") => Vec::new(),
        b"AT+\r" | b"AT+\n" | b"AT+\r\n" | b"AT+W\r" => one(b"+ok\r\n\r\n"),
        line => reply(
            std::str::from_utf8(line)
                .unwrap()
                .trim_end_matches(['\r', '\n']),
        ),
    }
}

fn serve(socket: &UdpSocket, answer: &ModuleReply, heard: &Mutex<Vec<Vec<u8>>>, over: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !over.load(Ordering::SeqCst) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let answers = answer(&buffer[..length]);
        heard.lock().unwrap().push(buffer[..length].to_vec());
        for datagram in answers {
            let _ = socket.send_to(&datagram, (from.ip(), 48899));
        }
    }
}

/// An answer of one datagram.
pub fn one(datagram: &[u8]) -> Vec<Vec<u8>> {
    vec![datagram.to_vec()]
}

/// Replies of an HF-LPB100, as far as they were captured.
pub fn usual(line: &str) -> Vec<Vec<u8>> {
    match line {
        "AT+MID" => one(b"+ok=HF-LPB100\r\n\r\n"),
        "AT+VER" => one(b"+ok=4.12.17 (2019-01-09 10:30 1M)\r\n\r\n"),
        "AT+WMODE" => one(b"+ok=STA\r\n\r\n"),
        "AT+WSMAC" => one(b"+ok=ACCF235676D6\r\n\r\n"),
        "AT+WSKEY" => one(b"+ok=WPA2PSK,AES,hunter22\r\n\r\n"),
        "AT+WAKEY" => one(b"+ok=OPEN,NONE\r\n\r\n"),
        "AT+NETP" => one(b"+ok=TCP,Server,8899,10.10.100.254\r\n\r\n"),
        "AT+SOCKB" => one(b"+ok=\r\n\r\n"),
        "AT+WSCAN" => vec![
            b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r".to_vec(),
            b"1,ZJSW_GUEST,3C:E5:A6:61:B4:40,WPA2PSK/AES,76\n\r".to_vec(),
            b"1,ZJSW,3C:E5:A6:61:B4:41,OPEN/NONE,74\n\r".to_vec(),
            b"\r\n".to_vec(),
        ],
        "AT+Z" => Vec::new(),
        set if set.contains('=') => one(b"+ok\r\n\r\n"),
        _ => one(b"+ERR=-2\r\n\r\n"),
    }
}
