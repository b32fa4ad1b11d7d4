//! The demo's surroundings: a folder that is gone when it ends, and the commands that are run with it.

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

/// Where the demo keeps what the tour makes; gone when it ends.
pub(super) struct Place {
    folder: TempDir,
    pub(super) program: PathBuf,
    pub(super) network: HomeNetwork,
}

impl Place {
    pub(super) fn new() -> Result<Self, Failure> {
        let failure = |error: std::io::Error| {
            Failure::local("the demo has no place for its files").caused_by(&error)
        };
        let folder = tempfile::Builder::new()
            .prefix("mains-demo-")
            .tempdir()
            .map_err(failure)?;
        let place = Self {
            folder,
            program: std::env::current_exe().map_err(failure)?,
            network: format!("{SSID}:{KEY}").parse().map_err(|error| {
                Failure::failed("the demo's network cannot be").caused_by(&error)
            })?,
        };
        // As a user should keep it: readable by nobody else.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(place.key_file())
            .map_err(failure)?;
        writeln!(file, "{KEY}").map_err(failure)?;
        Ok(place)
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.folder.path().join("home.key")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The command as the user would type it, in the demo's own surroundings.
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
