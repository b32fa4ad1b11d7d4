//! File of the admin token: `admin-token` in the state directory, accessible to its owner only.

use std::io;
use std::path::Path;

use api::{ErrorKind, RequestError};
use statefile::StateFile;
use zeroize::Zeroizing;

use super::Credential;

/// Longer than any token.
const MAX_FILE_BYTES: u64 = 4096;

/// Reads the admin token, or makes it where there is none. A file without a token is set aside, not overwritten.
///
/// # Errors
///
/// [`RequestError`] of kind `local` when the file can be neither read nor written.
pub(super) fn read_or_make(path: &Path) -> Result<Credential, RequestError> {
    let file = StateFile::new(path, MAX_FILE_BYTES);
    let was_exposed = file
        .restrict_access()
        .map_err(|error| failure(&file, "made private", &error))?;
    let token = match file.read() {
        Ok(None) => return make(path),
        Ok(Some(text)) => token(&text),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => None,
        Err(error) => return Err(failure(&file, "read", &error)),
    };
    let shown = path.display();
    let Some(token) = token else {
        let aside = file.set_aside();
        let aside = aside.map_err(|error| failure(&file, "set aside", &error))?;
        let aside = aside.display();
        tracing::warn!(
            "{shown} holds no token; it was renamed to {aside}, and a new token is made"
        );
        return make(path);
    };
    if was_exposed {
        tracing::warn!(
            "{shown} was readable by other users; revoke the token if they may have read it"
        );
    }
    Ok(token)
}

/// Reads or makes the admin token; where the disk allows neither, it is one that nobody knows.
pub(super) fn read_or_pretend(file: &Path) -> Result<Credential, RequestError> {
    read_or_make(file).or_else(|error| {
        tracing::error!(
            "{}; `mains` on this computer has no access, the login link has",
            error.message()
        );
        Credential::random()
    })
}

/// Replaces the admin token by a new one.
///
/// # Errors
///
/// [`RequestError`] of kind `local` when the file cannot be written.
pub(super) fn make(path: &Path) -> Result<Credential, RequestError> {
    let token = Credential::random()?;
    let file = StateFile::new(path, MAX_FILE_BYTES);
    let text = Zeroizing::new(format!("{}\n", token.reveal()));
    let written = file.write(text.as_bytes());
    written.map_err(|error| failure(&file, "written", &error))?;
    Ok(token)
}

fn token(text: &[u8]) -> Option<Credential> {
    let text = std::str::from_utf8(text).ok()?;
    Some(Credential::new(text.trim())).filter(Credential::is_token)
}

fn failure(file: &StateFile, what: &str, error: &io::Error) -> RequestError {
    let message = format!("{} cannot be {what}: {error}", file.path().display());
    RequestError::new(ErrorKind::Local, message)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn made_once_and_for_its_owner_alone() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("admin-token");
        let token = read_or_make(&path).unwrap();
        assert!(token.is_token());
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read_or_make(&path).unwrap(), token);
        assert_ne!(make(&path).unwrap(), token);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_others_can_read_is_closed() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("admin-token");
        let token = read_or_make(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), token);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_is_no_token_is_set_aside() {
        for rubbish in [&b""[..], b"hunter2\n", b"\xff\xfe", &[b'x'; 9000]] {
            let state = tempfile::tempdir().unwrap();
            let path = state.path().join("admin-token");
            fs::write(&path, rubbish).unwrap();
            assert!(read_or_make(&path).unwrap().is_token());
            let aside = state.path().join("admin-token.broken-1");
            assert_eq!(fs::read(aside).unwrap(), rubbish);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = read_or_make(Path::new("/nowhere/admin-token")).unwrap_err();
        assert!(error.message().contains("/nowhere/admin-token"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Local);
    }
}
