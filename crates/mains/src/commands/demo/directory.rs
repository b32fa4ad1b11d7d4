//! The demo's temporary directory, and the commands that are run with it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use emulator::HomeNetwork;
use tempfile::TempDir;

use crate::context::Context;
use crate::error::Failure;

/// The home network.
pub(super) const SSID: &str = "Mains Demo";
const KEY: &str = "a key just for this demo";

/// State and key file of the demo, removed when it ends.
pub(super) struct DemoDirectory {
    folder: TempDir,
    pub(super) program: PathBuf,
    pub(super) network: HomeNetwork,
}

impl DemoDirectory {
    pub(super) fn new() -> Result<Self, Failure> {
        let failure = |error: std::io::Error| {
            Failure::local("cannot make the demo's directory").caused_by(&error)
        };
        let folder = tempfile::Builder::new()
            .prefix("mains-demo-")
            .tempdir()
            .map_err(failure)?;
        let directory = Self {
            folder,
            program: std::env::current_exe().map_err(failure)?,
            network: format!("{SSID}:{KEY}").parse().map_err(|error| {
                Failure::failed("cannot make the demo's network").caused_by(&error)
            })?,
        };
        // As a user should keep it: readable by its owner alone.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(directory.key_file())
            .map_err(failure)?;
        writeln!(file, "{KEY}").map_err(failure)?;
        Ok(directory)
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.folder.path().join("home.key")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Returns the command as the user would type it, with the demo's own state.
    pub(super) fn command(&self, context: &Context, words: &[String]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        for name in [
            "MAINS_JSON",
            "MAINS_TIMEOUT",
            "MAINS_HUB",
            "MAINS_TOKEN",
            "STATE_DIRECTORY",
        ] {
            command.env_remove(name);
        }
        command
            .env("MAINS_STATE", self.state())
            .env("MAINS_INTERFACE", "127.0.0.1")
            .env("MAINS_CONFIG", Path::new("/dev/null"))
            .args([
                "--color",
                if context.ui.colours_stdout() {
                    "always"
                } else {
                    "never"
                },
            ])
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}
