//! Reading a Wi-Fi key from a file, standard input or a hidden prompt, never from the command line.

use std::path::Path;

use hiflying::WifiKey;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::secret;
use crate::ui::Ui;

/// Maximum length of a key, in hexadecimal digits.
const MAX_KEY: usize = 64;

/// Reads the key in `file`. One line end at its end is dropped, because editors add one.
pub(super) async fn from_file(ui: &Ui, file: &Path) -> Result<WifiKey, Failure> {
    let what = format!("the key file {}", file.display());
    checked(secret::from_file(ui, file, &what, MAX_KEY).await?, &what)
}

/// Reads the key from standard input, to its end.
pub(super) async fn from_stdin() -> Result<WifiKey, Failure> {
    let what = "the key on standard input";
    checked(secret::from_stdin(what, MAX_KEY).await?, what)
}

/// Makes a key of typed text.
pub(super) fn from_text(text: &str, what: &str) -> Result<WifiKey, Failure> {
    checked(Zeroizing::new(text.as_bytes().to_vec()), what)
}

/// Refuses text that cannot be a key for any network. The message does not reveal the key.
fn checked(bytes: Zeroizing<Vec<u8>>, what: &str) -> Result<WifiKey, Failure> {
    if bytes.is_empty() {
        return Err(Failure::usage(format!("{what} is empty"))
            .hint("for an open network, use `--security open`"));
    }
    if bytes.len() > MAX_KEY {
        return Err(Failure::usage(format!("{what} is too long"))
            .hint("a Wi-Fi key has at most 63 characters"));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Failure::usage(format!("{what} is not text (UTF-8)")));
    };
    if text.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "{what} contains a control character or a second line"
        ))
        .hint("give the key alone, with at most one line end after it"));
    }
    Ok(WifiKey::new(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut stream = bytes;
        secret::from_reader(&mut stream, "it", MAX_KEY)
            .and_then(|bytes| checked(bytes, "it"))
            .map(|key| key.as_bytes().to_vec())
            .map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn one_line_end_is_dropped() {
        for text in ["secret, =\"s\"", "secret, =\"s\"\n", "secret, =\"s\"\r\n"] {
            assert_eq!(read(text.as_bytes()).unwrap(), b"secret, =\"s\"");
        }
        assert_eq!(read(b" spaces stay \n").unwrap(), b" spaces stay ");
        assert_eq!(
            read("schl\u{fc}ssel\n".as_bytes()).unwrap(),
            "schl\u{fc}ssel".as_bytes()
        );
        assert_eq!(read(&[b'k'; 63]).unwrap().len(), 63);
        assert_eq!(
            read(&[[b'f'; 64].as_slice(), b"\r\n"].concat())
                .unwrap()
                .len(),
            64
        );
    }

    #[test]
    fn a_bad_key_is_refused_without_showing_it() {
        for (bytes, part) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"\r\n", "is empty"),
            (b"password\n\n", "second line"),
            (b"password\nmore\n", "second line"),
            (b"pass\0word", "control character"),
            (b"password\r", "control character"),
            (b"pass\x1bword", "control character"),
            (b"\xff\xfe12345678", "not text"),
            (&[b'k'; 65], "too long"),
            (&[b'k'; 5000], "too long"),
        ] {
            let message = read(bytes).unwrap_err();
            assert!(message.contains(part), "{message}");
            assert!(!message.contains("pass"), "{message}");
        }
    }
}
