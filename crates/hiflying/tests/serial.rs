//! The serial console on a real pseudo-terminal, whose other end is a module played with literal bytes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hiflying::AtRequest;
use hiflying::serial::{
    SerialConfig, SerialConsole, SerialConsoleError, SerialOpenError, SerialOpening,
};
use nix::pty::openpty;
use nix::sys::termios::{self, SetArg};
use nix::unistd::ttyname;
use serial2_tokio::{CharSize, KeepSettings, Parity, SerialPort, StopBits};

/// The module's end of the line.
struct ScriptedSerialModule {
    line: File,
    heard: Vec<u8>,
    since: Instant,
}

impl ScriptedSerialModule {
    /// Reads until as many bytes have come since the last call, and compares them.
    fn expect(&mut self, bytes: &[u8]) {
        while self.heard.len() < bytes.len() {
            let mut buffer = [0; 256];
            let count = self.line.read(&mut buffer).unwrap();
            self.heard.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(
            self.heard.escape_ascii().to_string(),
            bytes.escape_ascii().to_string()
        );
        self.heard.clear();
    }

    fn say(&mut self, bytes: &[u8]) {
        self.line.write_all(bytes).unwrap();
    }

    fn grant_escape(&mut self) {
        self.expect(b"+++");
        assert!(
            self.since.elapsed() >= Duration::from_millis(90),
            "the pause before the escape"
        );
        self.say(b"a");
        self.expect(b"a");
        self.say(b"+ok\r\n\r\n");
    }
}

/// Makes a line; the module runs on a thread until its script ends, and its end stays open until it is joined. The
/// client's end is kept open as well: a pseudo-terminal without one is gone for its master.
fn module(
    script: impl FnOnce(&mut ScriptedSerialModule) + Send + 'static,
) -> (PathBuf, OwnedFd, JoinHandle<ScriptedSerialModule>) {
    let pair = openpty(None, None).unwrap();
    let mut modes = termios::tcgetattr(&pair.slave).unwrap();
    termios::cfmakeraw(&mut modes);
    termios::tcsetattr(&pair.slave, SetArg::TCSANOW, &modes).unwrap();
    let path = ttyname(&pair.slave).unwrap();
    let mut module = ScriptedSerialModule {
        line: File::from(pair.master),
        heard: Vec::new(),
        since: Instant::now(),
    };
    let thread = std::thread::spawn(move || {
        script(&mut module);
        module
    });
    (path, pair.slave, thread)
}

fn open(path: &Path) -> SerialConsole {
    let config = SerialConfig {
        guards: vec![Duration::from_millis(100), Duration::from_millis(200)],
        escape_timeout: Duration::from_millis(300),
        probe_timeout: Duration::from_millis(300),
        reply_timeout: Duration::from_millis(500),
        ..SerialConfig::default()
    };
    SerialConsole::open(path, 115_200, config).unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn a_whole_session() {
    let (path, _line, script) = module(|module| {
        module.grant_escape();
        module.expect(b"AT+MID\r");
        module.say(b"AT+MID\n\r+ok=HF-L");
        std::thread::sleep(Duration::from_millis(50));
        module.say(b"PB100\r\n\r\n");
        module.expect(b"AT+WSCAN\r");
        module.say(b"AT+WSCAN\n\r+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r");
        std::thread::sleep(Duration::from_millis(600));
        module.say(b"11,hings-net,14:75:90:79:20:87,WPAPSKWPA2PSK/AES,27\n\r\r\n\r\n");
        module.expect(b"AT+ENTM\r");
        module.say(b"AT+ENTM\n\r+ok\r\n\r\n");
    });
    let mut console = open(&path);
    assert_eq!(console.wait_open().await.unwrap(), SerialOpening::Escaped);
    let settings = SerialPort::open(&path, KeepSettings)
        .unwrap()
        .get_configuration()
        .unwrap();
    assert_eq!(settings.get_baud_rate().unwrap(), 115_200);
    assert_eq!(settings.get_char_size().unwrap(), CharSize::Bits8);
    assert_eq!(settings.get_parity().unwrap(), Parity::None);
    assert_eq!(settings.get_stop_bits().unwrap(), StopBits::One);
    let reply = console.send(AtRequest::query("MID")).await.unwrap();
    assert_eq!(reply.as_slice(), b"+ok=HF-LPB100\r\n\r\n");
    let list = console.send(AtRequest::query("WSCAN")).await.unwrap();
    assert_eq!(hiflying::wscan::parse(&list).len(), 1);
    console.close().await.unwrap();
    script.join().unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn dropping_the_console_still_leaves_command_mode() {
    let (path, _line, script) = module(|module| {
        module.grant_escape();
        module.expect(b"AT+VER\r");
        module.expect(b"AT+ENTM\r");
    });
    let mut console = open(&path);
    console.wait_open().await.unwrap();
    let cut = tokio::time::timeout(
        Duration::from_millis(100),
        console.send(AtRequest::query("VER")),
    );
    assert!(cut.await.is_err());
    drop(console);
    script.join().unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn the_headers_own_parser_is_a_plain_console() {
    let (path, _line, script) = module(|module| {
        module.expect(b"+++");
        module.say(b"+ERROR\r\n\r\n");
        module.expect(b"AT+YZOUT\r\n");
        module.say(b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n");
        module.expect(b"AT+ENTM\r");
        module.say(b"+ERROR\r\n\r\n");
    });
    let mut console = open(&path);
    assert_eq!(console.wait_open().await.unwrap(), SerialOpening::Line);
    let reply = console.send(AtRequest::query("YZOUT")).await.unwrap();
    assert_eq!(reply.as_slice(), b"+ok=3,22694,5007,0,0,3548,0\r\n\r\n");
    console.close().await.unwrap();
    script.join().unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_silent_device_is_no_answer() {
    let (path, _line, script) = module(|module| {
        module.expect(b"+++");
        module.expect(b"+++");
        module.expect(b"AT+VER\r\n");
        module.expect(b"AT+ENTM\r");
    });
    let mut console = open(&path);
    let started = Instant::now();
    assert!(matches!(
        console.wait_open().await,
        Err(SerialConsoleError::NoReply)
    ));
    assert!(started.elapsed() < Duration::from_secs(3));
    script.join().unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn an_adapter_that_is_pulled_out_is_lost() {
    let (path, line, script) = module(|module| {
        module.grant_escape();
        module.expect(b"AT+VER\r");
        module.line = File::open("/dev/null").unwrap();
    });
    let mut console = open(&path);
    console.wait_open().await.unwrap();
    drop(line);
    assert!(matches!(
        console.send(AtRequest::query("VER")).await,
        Err(SerialConsoleError::Lost(_))
    ));
    script.join().unwrap();
    assert!(
        console.close().await.is_ok(),
        "there is nothing to leave any more"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_serial_port_is_told_apart() {
    let error =
        |path: &Path| SerialConsole::open(path, 115_200, SerialConfig::default()).unwrap_err();
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(
        error(Path::new("/dev/there-is-no-such-port")),
        SerialOpenError::NotFound(_)
    ));
    assert!(matches!(error(file.path()), SerialOpenError::NotSerial(_)));
    assert!(matches!(
        error(Path::new("/dev/null")),
        SerialOpenError::NotSerial(_)
    ));
    assert!(matches!(
        error(Path::new("/tmp")),
        SerialOpenError::NotSerial(_)
    ));
}
