//! A plug written by hand for these tests: it says exactly what a test wants, on a loopback address.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Its reply; `None` is no reply. Called for every request, with the number of requests before it.
type ReplyScript = Box<dyn Fn(&str, usize) -> Option<String> + Send + Sync>;

/// A plug that answers as it is told.
pub struct ScriptedPlug {
    pub address: Ipv4Addr,
    requests: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

pub const MAC: &str = "AC:CF:23:12:34:56";

impl ScriptedPlug {
    /// UDP 48899 answers with `udp`, TCP 8899 with `tcp`; `None` for `tcp` leaves that port closed.
    pub fn start(address: [u8; 4], udp: ReplyScript, tcp: Option<ReplyScript>) -> Self {
        let plug = Self {
            address: address.into(),
            requests: Arc::default(),
            over: Arc::default(),
        };
        let socket = UdpSocket::bind(SocketAddrV4::new(plug.address, 48899)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let (requests, over) = (plug.requests.clone(), plug.over.clone());
        std::thread::spawn(move || serve_udp(&socket, &udp, &requests, &over));
        if let Some(tcp) = tcp {
            let listener = TcpListener::bind(SocketAddrV4::new(plug.address, 8899)).unwrap();
            let (requests, over) = (plug.requests.clone(), plug.over.clone());
            std::thread::spawn(move || serve_tcp(&listener, &Arc::new(tcp), &requests, &over));
        }
        plug
    }

    /// A plug that follows orders, as the protocol notes describe it.
    pub fn obedient(address: [u8; 4]) -> Self {
        let relay = Arc::new(AtomicBool::new(false));
        let shown = relay.clone();
        let udp = move |_: &str, _| Some(scan_reply(address, shown.load(Ordering::SeqCst)));
        let tcp = move |request: &str, _| {
            if request.starts_with("AT+YZSWITCH=1,") {
                relay.store(request.contains(",ON,"), Ordering::SeqCst);
            }
            Some(standard_reply(request))
        };
        Self::start(address, Box::new(udp), Some(Box::new(tcp)))
    }

    /// Everything that was asked so far, in order.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub fn target(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for ScriptedPlug {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Vector R12 of the protocol notes, at this address.
pub fn scan_reply(address: [u8; 4], on: bool) -> String {
    format!(
        "{},ACCF23123456,900000621,0,{},",
        Ipv4Addr::from(address),
        u8::from(on)
    )
}

pub fn standard_reply(request: &str) -> String {
    match request {
        "AT+YZOUT" => "+ok=3,22694,5007,0,0,3548,0\r\n\r\n".to_owned(),
        "AT+VER" => "+ok=1.0.06a-14 (2014-10-29 21:46 1M)\r\n\r\n".to_owned(),
        _ if request.starts_with("AT+YZSWITCH=") || request.starts_with("AT+YZDELAY=") => {
            "+ok\r\n\r\n".to_owned()
        }
        _ => "+ERROR\r\n\r\n".to_owned(),
    }
}

fn serve_udp(
    socket: &UdpSocket,
    answer: &ReplyScript,
    requests: &Mutex<Vec<String>>,
    over: &AtomicBool,
) {
    let mut buffer = [0; 2048];
    let mut count = 0;
    while !over.load(Ordering::SeqCst) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        requests.lock().unwrap().push(request.clone());
        if request != "YZ-RECOSCAN" {
            continue;
        }
        if let Some(reply) = answer(&request, count) {
            // As an SP-2: to port 48899, whatever the source port.
            let _ = socket.send_to(reply.as_bytes(), (from.ip(), 48899));
        }
        count += 1;
    }
}

fn serve_tcp(
    listener: &TcpListener,
    answer: &Arc<ReplyScript>,
    requests: &Arc<Mutex<Vec<String>>>,
    over: &AtomicBool,
) {
    listener.set_nonblocking(true).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    while !over.load(Ordering::SeqCst) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let (answer, requests, count) = (answer.clone(), requests.clone(), count.clone());
        std::thread::spawn(move || converse(stream, &answer, &requests, &count));
    }
}

fn converse(
    mut stream: TcpStream,
    answer: &ReplyScript,
    requests: &Mutex<Vec<String>>,
    count: &AtomicUsize,
) {
    let mut buffer = [0; 2048];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        let request = String::from_utf8_lossy(&buffer[..length]).trim().to_owned();
        requests.lock().unwrap().push(request.clone());
        let Some(reply) = answer(&request, count.fetch_add(1, Ordering::SeqCst)) else {
            continue;
        };
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}
