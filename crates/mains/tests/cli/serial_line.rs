//! A serial port for tests: a pseudo-terminal, whose other end is a module played by hand.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use nix::pty::openpty;
use nix::sys::termios::{self, SetArg};
use nix::unistd::ttyname;

/// The module's end of the line.
pub struct SerialModule(File);

impl SerialModule {
    /// Reads until as many bytes have come, and compares them.
    pub fn expect(&mut self, bytes: &[u8]) {
        let mut heard = vec![0; bytes.len()];
        self.0.read_exact(&mut heard).unwrap();
        assert_eq!(
            heard.escape_ascii().to_string(),
            bytes.escape_ascii().to_string()
        );
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Takes the device away.
    pub fn unplug(&mut self) {
        self.0 = File::open("/dev/null").unwrap();
    }

    pub fn grant_escape(&mut self) {
        self.expect(b"+++");
        self.say(b"a");
        self.expect(b"a");
        self.say(b"+ok\r\n\r\n");
    }

    pub fn let_go(&mut self) {
        self.expect(b"AT+ENTM\r");
        self.say(b"AT+ENTM\n\r+ok\r\n\r\n");
    }
}

/// The client's end: its name, and a hand on it that keeps it there.
pub struct SerialLine {
    pub name: String,
    slave: OwnedFd,
    script: JoinHandle<SerialModule>,
}

impl SerialLine {
    pub fn with(script: impl FnOnce(&mut SerialModule) + Send + 'static) -> Self {
        let pair = openpty(None, None).unwrap();
        let mut modes = termios::tcgetattr(&pair.slave).unwrap();
        termios::cfmakeraw(&mut modes);
        termios::tcsetattr(&pair.slave, SetArg::TCSANOW, &modes).unwrap();
        let name = ttyname(&pair.slave).unwrap().to_str().unwrap().to_owned();
        // A clone is closed on exec: the command must not hold the module's end as well.
        let mut module = SerialModule(File::from(pair.master.try_clone().unwrap()));
        drop(pair.master);
        let script = std::thread::spawn(move || {
            script(&mut module);
            module
        });
        Self {
            name,
            slave: pair.slave,
            script,
        }
    }

    /// Waits until the script has run to its end.
    pub fn end(self) {
        self.script.join().unwrap();
        drop(self.slave);
    }
}
