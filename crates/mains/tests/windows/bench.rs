//! Wine, a network of its own and a state directory for one test, with the program of Windows and that of this machine. The network is
//! loopback: wine binds a UDP socket to no address of it but 127.0.0.1 while another program has the port, also on another address.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::needs;

/// Everything that is waited for comes within this, also on a busy computer.
pub const WITHIN: Duration = Duration::from_secs(60);
const WINE: &str = "/usr/lib/wine/wine64";
const COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// The program of Windows, and wine as each test finds it.
struct Wine {
    folder: PathBuf,
    _lock: File,
}

impl Wine {
    /// Copies the program beside a library that wine lacks, and lets wine make the folder of registry and drives.
    fn prepare(program: &Path) -> Result<Self, String> {
        needs::namespaces(&[("ip", "iproute2")])?;
        needs::tool(COMPILER, "--version", "gcc-mingw-w64-x86-64")?;
        if !Path::new(WINE).exists() {
            return Err(format!("{WINE} is missing (Debian package wine64)"));
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine");
        std::fs::create_dir_all(&folder).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        compile(
            &folder,
            "bcryptprimitives.c",
            "bcryptprimitives.dll",
            &["-shared", "-ladvapi32"],
        );
        compile(&folder, "close.c", "close.exe", &[]);
        std::fs::copy(program, folder.join("mains.exe"))
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let prefix = folder.join("prefix");
        needs::succeed(wine_command(&prefix, WINE).args(["wineboot", "-i"]));
        // What it has written to the registry is kept when its server ends.
        end_wine(&prefix);
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Copies the folder of registry and drives; what nobody changes is linked.
    fn prefix(&self) -> TempDir {
        let copy = tempfile::tempdir_in(&self.folder).unwrap();
        let script = "cp -al prefix/drive_c \"$0\" && cp -a prefix/dosdevices prefix/*.reg prefix/.update-timestamp \"$0\"";
        needs::succeed(
            Command::new("sh")
                .args(["-c", script])
                .arg(copy.path())
                .current_dir(&self.folder),
        );
        copy
    }
}

/// Compiles a file of this folder for Windows.
fn compile(folder: &Path, source: &str, name: &str, options: &[&str]) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/windows");
    needs::succeed(
        Command::new(COMPILER)
            .args(["-Wall", "-Werror", "-o"])
            .arg(folder.join(name))
            .arg(tests.join(source))
            .args(options),
    );
}

fn wine() -> Option<&'static Wine> {
    static PREPARED: OnceLock<Option<Wine>> = OnceLock::new();
    PREPARED
        .get_or_init(|| {
            // Only who asks for it has built the program.
            let program = std::env::var_os("MAINS_TEST_WINDOWS").map(PathBuf::from)?;
            needs::met(Wine::prepare(&program))
        })
        .as_ref()
}

/// Returns a command of wine with this folder.
fn wine_command(prefix: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        // Neither .NET nor a browser is asked for.
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
        .env("HOME", prefix)
        .env("TZ", "UTC")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

/// Ends all programs of wine with this folder.
fn end_wine(prefix: &Path) {
    let _ = wine_command(prefix, "/usr/lib/wine/wineserver64")
        .arg("-k")
        .status();
}

/// A network and a wine for one test.
pub struct WindowsBench {
    wine: &'static Wine,
    prefix: TempDir,
    folder: TempDir,
    running: Vec<Child>,
}

/// Result of a run.
#[derive(Debug)]
pub struct WineRun {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl WineRun {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The kind and the message of a failure that is the whole document.
    #[track_caller]
    pub fn failure(&self) -> (String, String) {
        let json = self.json();
        let text = |name: &str| json["error"][name].as_str().unwrap_or_default().to_owned();
        (text("kind"), text("message"))
    }
}

impl WindowsBench {
    /// Enters a network of its own; `None`, and a reason on stderr, where the program for Windows cannot be run.
    pub fn new() -> Option<Self> {
        let Some(wine) = wine() else {
            let reason =
                "MAINS_TEST_WINDOWS does not name a program for Windows, or wine is missing";
            let _ = writeln!(std::io::stderr(), "skipped: {reason}");
            return None;
        };
        assert!(needs::own_network(), "root may have a network");
        Some(Self {
            wine,
            prefix: wine.prefix(),
            folder: tempfile::tempdir().unwrap(),
            running: Vec::new(),
        })
    }

    /// Returns a loopback address; 1 is that of the client.
    pub fn address(&self, host: u8) -> String {
        format!("127.0.0.{host}")
    }

    /// Returns a file of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and returns its name on Windows.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        on_windows(&path)
    }

    /// Returns the state directory.
    pub fn state(&self) -> PathBuf {
        self.path("Zuse M\u{fc}ller/state")
    }

    /// Returns the file of the program on Windows.
    pub fn program(&self) -> String {
        on_windows(&self.wine.folder.join("mains.exe"))
    }

    /// Returns the folder in which wine keeps registry and drives.
    pub fn prefix(&self) -> &Path {
        self.prefix.path()
    }

    /// Lets wine start anew, with the registry as it is.
    pub fn restart(&self) {
        end_wine(self.prefix.path());
    }

    /// The program of Windows.
    pub fn windows(&self, words: &[&str]) -> Command {
        let mut command = self.other(&self.program(), &[]);
        self.describe(&mut command, &on_windows(&self.state()), words);
        command
    }

    /// Another program of Windows.
    pub fn other(&self, program: &str, words: &[&str]) -> Command {
        let mut command = wine_command(self.prefix.path(), WINE);
        command.arg(program).args(words);
        command
    }

    /// Closes the windows in which the program of Windows runs.
    pub fn close_windows(&self) {
        let close = on_windows(&self.wine.folder.join("close.exe"));
        needs::succeed(&mut self.other(&close, &[]));
    }

    /// The program of this machine, with a state of its own.
    pub fn native(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mains"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        let state = self.path("native").display().to_string();
        self.describe(&mut command, &state, words);
        command
    }

    fn describe(&self, command: &mut Command, state: &str, words: &[&str]) {
        command
            .env("MAINS_STATE", state)
            .env("MAINS_INTERFACE", self.address(1))
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    /// Runs the program of Windows.
    pub fn run(&self, words: &[&str]) -> WineRun {
        run(&mut self.windows(words))
    }

    /// Runs the program of Windows with `--json`.
    pub fn json(&self, words: &[&str]) -> WineRun {
        self.run(&[&["--json"], words].concat())
    }

    /// Runs the program of this machine with `--json`.
    pub fn native_json(&self, words: &[&str]) -> WineRun {
        run(&mut self.native(&[&["--json"], words].concat()))
    }

    /// Starts twins by the program of this machine; returns the address and MAC of each.
    pub fn emulate(&mut self, host: u8, count: usize, words: &[&str]) -> Vec<(String, String)> {
        let (address, number) = (self.address(host), count.to_string());
        let first = ["emulate", "plug", "--listen", &address, "--count", &number];
        let command = self.native(&[&first, words].concat());
        let lines = self.start(command, count);
        lines.iter().map(|line| twin(line)).collect()
    }

    /// Starts a command that prints so many lines when it is ready, and ends with the test.
    pub fn start(&mut self, mut command: Command, count: usize) -> Vec<String> {
        let running = StartedProgram::start(&mut command, count);
        let lines = running.lines.clone();
        self.running.push(running.into_child());
        lines
    }
}

impl Drop for WindowsBench {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        end_wine(self.prefix.path());
    }
}

/// Reads `ready <address> <mac>`.
#[track_caller]
pub fn twin(line: &str) -> (String, String) {
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!(fields[0], "ready", "{line}");
    (fields[1].to_owned(), fields[2].to_owned())
}

/// Returns the name of a file of this machine on Windows.
pub fn on_windows(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> WineRun {
    WineRun::of(&command.output().unwrap())
}

/// A command that goes on.
pub struct StartedProgram {
    child: Option<Child>,
    received: mpsc::Receiver<String>,
    /// The lines that it printed when it was ready.
    pub lines: Vec<String>,
}

impl StartedProgram {
    /// Starts a command, and waits for so many lines.
    #[track_caller]
    pub fn start(command: &mut Command, count: usize) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, received) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut running = Self {
            child: Some(child),
            received,
            lines: Vec::new(),
        };
        while running.lines.len() < count {
            match running.received.recv_timeout(WITHIN) {
                Ok(line) => running.lines.push(line.trim_end().to_owned()),
                Err(error) => panic!("{command:?}: {error}: {}", running.end(Signal::SIGKILL).1),
            }
        }
        running
    }

    /// Waits for a further line.
    #[track_caller]
    pub fn next_line(&mut self) -> String {
        self.received.recv_timeout(WITHIN).unwrap()
    }

    /// Stops the program for a while, as sleep of the computer does.
    pub fn sleep_during(&self, time: Duration, meanwhile: impl FnOnce()) {
        self.signal(Signal::SIGSTOP);
        let begin = Instant::now();
        meanwhile();
        std::thread::sleep(time.saturating_sub(begin.elapsed()));
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }

    /// Sends a signal, and waits for the end; returns the exit code and what went to stderr.
    pub fn end(self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        self.wait()
    }

    /// Waits for the end; returns the exit code and what went to stderr.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let mut child = self.child.take().unwrap();
        let code = child.wait().unwrap().code();
        let mut log = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = stderr.read_to_string(&mut log);
        }
        (code, log)
    }

    fn into_child(mut self) -> Child {
        self.child.take().unwrap()
    }
}

impl Drop for StartedProgram {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for something that takes a moment.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < WITHIN, "{what}: not within {WITHIN:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
