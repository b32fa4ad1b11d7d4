//! The admin token's file: `admin-token` in the state directory, for its owner alone.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use api::{HubError, Kind};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Secret;

/// Nobody's token is longer; whatever is there instead is not read whole.
const LONGEST: u64 = 4096;

/// Reads the admin token, or makes it where there is none. What is no token is set aside, not overwritten.
///
/// # Errors
///
/// [`HubError`] of kind `local` when the file can be neither read nor written.
pub(super) fn read_or_make(path: &Path, now: Timestamp) -> Result<Secret, HubError> {
    match read(path) {
        Ok(token) if token.is_token() => {
            close(path).map_err(|error| cannot(path, "made private", &error))?;
            return Ok(token);
        }
        Ok(_) => set_aside(path, now)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => set_aside(path, now)?,
        Err(error) => return Err(cannot(path, "read", &error)),
    }
    make(path)
}

/// Makes a new admin token in the place of what is there.
///
/// # Errors
///
/// [`HubError`] of kind `local` when the file cannot be written.
pub(super) fn make(path: &Path) -> Result<Secret, HubError> {
    let token = Secret::random()?;
    write(path, &token).map_err(|error| cannot(path, "written", &error))?;
    Ok(token)
}

fn read(path: &Path) -> io::Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    io::Read::read_to_string(
        &mut io::Read::take(fs::File::open(path)?, LONGEST),
        &mut text,
    )?;
    Ok(Secret::new(text.trim()))
}

/// By rename, so that a hub that is killed leaves either the old token or the new one; a temporary file is its owner's alone.
fn write(path: &Path, token: &Secret) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", token.reveal())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Takes from others the right to read it, and says so.
fn close(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let shown = path.display();
    tracing::warn!(
        "{shown} could be read by others; now it is its owner's alone. Revoke it if that was so for long"
    );
    fs::set_permissions(path, Permissions::from_mode(0o600))
}

fn set_aside(path: &Path, now: Timestamp) -> Result<(), HubError> {
    let aside = path.with_extension(format!("damaged-{}", now.as_second()));
    fs::rename(path, &aside).map_err(|error| cannot(path, "set aside", &error))?;
    let (shown, aside) = (path.display(), aside.display());
    tracing::warn!("{shown} has no token in it; it is now {aside}, and a new one is made");
    Ok(())
}

fn cannot(path: &Path, what: &str, error: &io::Error) -> HubError {
    let message = format!("{} cannot be {what}: {error}", path.display());
    HubError::new(Kind::Local, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn made_once_and_for_its_owner_alone() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("admin-token");
        let token = read_or_make(&path, NOW).unwrap();
        assert!(token.is_token());
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read_or_make(&path, NOW).unwrap(), token);
        assert_ne!(make(&path).unwrap(), token);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_others_can_read_is_closed() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("admin-token");
        let token = read_or_make(&path, NOW).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read_or_make(&path, NOW).unwrap(), token);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_is_no_token_is_set_aside() {
        for (number, rubbish) in [&b""[..], b"hunter2\n", b"\xff\xfe", &[b'x'; 9000]]
            .into_iter()
            .enumerate()
        {
            let state = tempfile::tempdir().unwrap();
            let path = state.path().join("admin-token");
            fs::write(&path, rubbish).unwrap();
            let now = Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
            assert!(read_or_make(&path, now).unwrap().is_token());
            let aside = state.path().join(format!("admin-token.damaged-{number}"));
            assert_eq!(fs::read(aside).unwrap(), rubbish);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = read_or_make(Path::new("/nowhere/admin-token"), NOW).unwrap_err();
        assert!(error.message().contains("/nowhere/admin-token"), "{error}");
        assert_eq!(error.kind(), Kind::Local);
    }
}
