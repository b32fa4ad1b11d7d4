//! Application keys from a file or `MAINS_HUE_KEY`, never from the command line.

use std::env;
use std::path::{Path, PathBuf};

use hue::AppKey;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::secret;
use crate::ui::Ui;

/// The environment variable that holds a key.
const VARIABLE: &str = "MAINS_HUE_KEY";

/// The source of a key that takes precedence over the saved one.
#[derive(Debug)]
pub(super) struct GivenKey {
    file: Option<PathBuf>,
}

impl GivenKey {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// Returns the key in the file, else the key in the environment variable.
    pub(super) async fn key(&self, ui: &Ui) -> Result<Option<AppKey>, Failure> {
        match &self.file {
            Some(_) => self.read(ui).await,
            None => from_environment(),
        }
    }

    /// Returns the key in the file only, because the environment variable may be for another bridge.
    pub(super) async fn read(&self, ui: &Ui) -> Result<Option<AppKey>, Failure> {
        match &self.file {
            Some(file) => read_key(ui, file).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Reads the key in a file. A final line end is ignored.
async fn read_key(ui: &Ui, file: &Path) -> Result<AppKey, Failure> {
    let what = format!("the key file {}", file.display());
    let bytes = secret::from_file(ui, file, &what, AppKey::MAX_LENGTH).await?;
    parse(&bytes, &what)
}

fn from_environment() -> Result<Option<AppKey>, Failure> {
    let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let bytes = Zeroizing::new(text.into_encoded_bytes());
    parse(&bytes, VARIABLE).map(Some)
}

/// Parses a key. The error never quotes it.
fn parse(bytes: &[u8], what: &str) -> Result<AppKey, Failure> {
    if bytes.is_empty() {
        return Err(Failure::usage(format!("{what} is empty")));
    }
    let key = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok());
    key.ok_or_else(|| {
        Failure::usage(format!("{what} does not hold an application key")).hint(
            "give one line of letters, digits and '-', as issued by a bridge to `mains hue pair` or another program",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        assert_eq!(parse(b"KEY0-key", "it").unwrap().expose(), "KEY0-key");
        for (bytes, part) in [
            (&b""[..], "is empty"),
            (b"secret/../config", "does not hold"),
            (b"secret\nmore", "does not hold"),
            (b"secret\xff", "does not hold"),
            (&[b's'; 129], "does not hold"),
        ] {
            let failure = parse(bytes, "it").unwrap_err();
            assert!(failure.message().contains(part), "{failure}");
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
    }
}
