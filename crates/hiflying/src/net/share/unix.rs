//! A Unix socket in a directory that only this user can open. A peer must run as the same user.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::Uid;
use tokio::net::{UnixListener, UnixStream};

/// A connection between two processes.
pub(super) type ShareStream = UnixStream;

/// Returns the name of the socket of a port.
pub(super) fn file_name(address: Ipv4Addr, port: u16) -> String {
    // Another network namespace has the same addresses, but other ports.
    let namespace = fs::metadata("/proc/thread-self/ns/net").map_or(0, |metadata| metadata.ino());
    format!("udp-{address}-{port}-{namespace}.sock")
}

/// Accepts connections of other processes.
#[derive(Debug)]
pub(crate) struct ShareListener(UnixListener);

impl ShareListener {
    pub(super) fn bind(directory: &Path, path: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory)?;
        if fs::metadata(directory)?.uid() != Uid::effective().as_raw() {
            let text = format!("{} belongs to another user", directory.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    pub(super) async fn accept(&self) -> io::Result<IncomingPeer> {
        Ok(IncomingPeer(self.0.accept().await?.0))
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct IncomingPeer(UnixStream);

impl IncomingPeer {
    /// Refuses a process of another user.
    pub(super) async fn admit(self) -> io::Result<UnixStream> {
        of_own_user(self.0)
    }
}

/// Connects to the process that listens there.
pub(super) async fn connect(path: &Path) -> io::Result<UnixStream> {
    of_own_user(UnixStream::connect(path).await?)
}

fn of_own_user(stream: UnixStream) -> io::Result<UnixStream> {
    if stream.peer_cred()?.uid() != Uid::effective().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(stream)
}
