//! Application keys that are given: a file, or `MAINS_HUE_KEY`. Never the command line.

use std::env;
use std::path::{Path, PathBuf};

use hue::AppKey;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::secret;
use crate::ui::Ui;

/// The variable that holds a key.
const VARIABLE: &str = "MAINS_HUE_KEY";
/// No key is longer.
const LONGEST: usize = 128;

/// Where a key is to come from, if not from those that are kept.
#[derive(Debug)]
pub(super) struct Given {
    file: Option<PathBuf>,
}

impl Given {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// Returns the key that was given: that of the file, else that of the variable.
    ///
    /// # Errors
    ///
    /// Wrong usage when it cannot be read, or cannot be a key.
    pub(super) async fn key(&self, ui: &Ui) -> Result<Option<AppKey>, Failure> {
        match &self.file {
            Some(_) => self.named(ui).await,
            None => from_environment(),
        }
    }

    /// Returns the key of the file that was named on the command line; a variable may be meant for another bridge.
    pub(super) async fn named(&self, ui: &Ui) -> Result<Option<AppKey>, Failure> {
        match &self.file {
            Some(file) => from_file(ui, file).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Reads the key in a file. One line end at its end is dropped.
async fn from_file(ui: &Ui, file: &Path) -> Result<AppKey, Failure> {
    let what = format!("the key file {}", file.display());
    let bytes = secret::from_file(ui, file, &what, LONGEST).await?;
    checked(&bytes, &what)
}

fn from_environment() -> Result<Option<AppKey>, Failure> {
    let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let bytes = Zeroizing::new(text.into_encoded_bytes());
    checked(&bytes, VARIABLE).map(Some)
}

/// Says nothing of the key but what is wrong with it.
fn checked(bytes: &[u8], what: &str) -> Result<AppKey, Failure> {
    if bytes.is_empty() {
        return Err(Failure::usage(format!("{what} is empty")));
    }
    let key = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok());
    key.ok_or_else(|| {
        Failure::usage(format!("{what} does not hold an application key")).hint(
            "a key is one line of letters, digits and '-', as a bridge gave it to `mains hue pair` or another program",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        assert_eq!(checked(b"KEY0-key", "it").unwrap().expose(), "KEY0-key");
        for (bytes, part) in [
            (&b""[..], "is empty"),
            (b"secret/../config", "does not hold"),
            (b"secret\nmore", "does not hold"),
            (b"secret\xff", "does not hold"),
            (&[b's'; 129], "does not hold"),
        ] {
            let failure = checked(bytes, "it").unwrap_err();
            assert!(failure.message().contains(part), "{failure}");
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
    }
}
