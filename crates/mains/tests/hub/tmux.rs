//! A terminal whose screen can be read: a shell in tmux.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::home::Home;
use crate::house::WITHIN;
use crate::needs;

/// The prompt of the shell, which nothing else prints.
const PROMPT: &str = "shell%";

/// An interactive shell in a terminal of its own.
pub struct Tmux {
    socket: PathBuf,
    // Of this terminal alone: a server that is still ending refuses the next one that comes to its socket.
    _folder: TempDir,
}

impl Tmux {
    /// Opens a terminal of this size at home. `None`, and the test is skipped, where there is no tmux.
    #[track_caller]
    pub fn open(home: &Home, width: u16, height: u16) -> Option<Self> {
        Self::open_with(home, width, height, &[])
    }

    /// As [`Tmux::open`], with further variables of the environment.
    #[track_caller]
    pub fn open_with(
        home: &Home,
        width: u16,
        height: u16,
        variables: &[(&str, &str)],
    ) -> Option<Self> {
        needs::met(needs::tool("tmux", "-V", "tmux"))?;
        let mains = home.command();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("tmux.socket");
        let mut tmux = Command::new("tmux");
        tmux.env_clear();
        for (name, value) in mains.get_envs() {
            tmux.env(name, value.unwrap_or_default());
        }
        tmux.env("LANG", "C.UTF-8")
            .env("PS1", PROMPT)
            .env("MAINS", mains.get_program())
            .env("TERM", "xterm")
            .envs(variables.iter().copied());
        let (width, height) = (width.to_string(), height.to_string());
        tmux.args(["-u", "-f", "/dev/null", "-S"]).arg(&socket);
        tmux.args(["new-session", "-d", "-x", &width, "-y", &height]);
        tmux.args(["bash", "--norc", "--noprofile", "-i"]);
        needs::succeed(&mut tmux);
        let terminal = Self {
            socket,
            _folder: folder,
        };
        // The session has no bar at the bottom: the whole size is the shell's.
        terminal.tmux(&["set-option", "-g", "status", "off"]);
        terminal.resize_to(&width, &height);
        terminal.until("the prompt", |screen| screen.contains(PROMPT));
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> String {
        let run = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(words)
            .output();
        let run = run.unwrap();
        assert!(run.status.success(), "{words:?}: {run:?}");
        String::from_utf8(run.stdout).unwrap()
    }

    /// Runs `mains` with these words, and prints its exit code when it has ended.
    pub fn mains(&self, words: &str) {
        self.line(&format!("$MAINS {words}; echo \"code=$?\""));
    }

    /// Types a line.
    pub fn line(&self, text: &str) {
        self.text(text);
        self.keys(&["Enter"]);
    }

    /// Types text.
    pub fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses keys, by their names in tmux.
    pub fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Gives the terminal another size.
    pub fn resize(&self, width: u16, height: u16) {
        self.resize_to(&width.to_string(), &height.to_string());
    }

    fn resize_to(&self, width: &str, height: &str) {
        self.tmux(&["resize-window", "-x", width, "-y", height]);
    }

    /// Returns what is visible.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Returns what is visible, with its colours and styles.
    pub fn styled_screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Returns true if a program has taken over the screen.
    pub fn is_taken_over(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{alternate_on}"])
            .trim()
            == "1"
    }

    /// Waits until what is visible is as wanted, and returns it.
    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(
                begin.elapsed() < WITHIN,
                "{what}: not within {WITHIN:?}:\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until all of these texts are visible.
    #[track_caller]
    pub fn shows(&self, texts: &[&str]) -> String {
        let has_all = |screen: &str| texts.iter().all(|text| screen.contains(text));
        self.until(&format!("{texts:?}"), has_all)
    }

    /// Sends a signal to the `mains` that the shell runs.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(self.process(), signal).unwrap();
    }

    /// Returns the process of the `mains` that the shell runs.
    #[track_caller]
    pub fn process(&self) -> Pid {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = format!("/proc/{shell}/task/{shell}/children");
        let children = std::fs::read_to_string(children).unwrap();
        Pid::from_raw(children.trim().parse().unwrap())
    }

    /// Asserts that `mains` has ended with this code, and has left the terminal as it was.
    #[track_caller]
    pub fn ended_with(&self, code: i32) -> String {
        let code = format!("code={code}");
        let ended = |screen: &str| screen.lines().any(|line| line == code);
        let screen = self.until(&code, ended);
        self.is_restored();
        screen
    }

    /// Asserts that the terminal is as the shell needs it: its own screen, a cursor, echo and line editing.
    #[track_caller]
    pub fn is_restored(&self) {
        assert!(!self.is_taken_over(), "{}", self.screen());
        let cursor = self.tmux(&["display-message", "-p", "#{cursor_flag}"]);
        assert_eq!(cursor.trim(), "1");
        self.line("clear; echo begun; cat");
        self.until("a program", |screen| {
            screen.lines().any(|line| line == "begun")
        });
        self.line("echoed");
        // Once by the terminal, once by `cat`.
        self.until("an echo", |screen| screen.matches("echoed").count() == 2);
        self.keys(&["C-d"]);
        self.shows(&[PROMPT]);
        self.line("stty -a | tr ' ' '\\n' | grep -cx -e icanon -e isig -e echo -e icrnl -e opost");
        self.until("the modes of a terminal", |screen| {
            screen.lines().any(|line| line == "5")
        });
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
    }
}
