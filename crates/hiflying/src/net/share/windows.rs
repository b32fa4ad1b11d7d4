//! A TCP port on loopback, which every user can reach. A file in a directory that only this user can read holds its number and two
//! random words. Each side proves by one of them that it has read the file, the peer first: what listens on the port of a holder that
//! was killed learns a word that no one accepts any more, and does not know the other.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use statefile::StateFile;
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use super::{read, write};

/// A connection between two processes.
pub(super) type ShareStream = TcpStream;

const WORD_BYTES: usize = 32;
const PORT_BYTES: usize = 2;
/// Length of the file: the number of the port, the word of a peer, the word of the holder.
const FILE_BYTES: usize = PORT_BYTES + 2 * WORD_BYTES;

/// Returns the name of the file of a port.
pub(super) fn file_name(address: Ipv4Addr, port: u16) -> String {
    format!("udp-{address}-{port}.link")
}

/// The words of a holder and its peers.
#[derive(Debug)]
struct Words {
    peer: Zeroizing<[u8; WORD_BYTES]>,
    holder: Zeroizing<[u8; WORD_BYTES]>,
}

/// Accepts connections of other processes.
#[derive(Debug)]
pub(crate) struct ShareListener {
    listener: TcpListener,
    words: Arc<Words>,
}

impl ShareListener {
    pub(super) fn bind(_: &Path, path: &Path) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let words = Words {
            peer: random_word()?,
            holder: random_word()?,
        };
        let mut content = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
        content.extend(listener.local_addr()?.port().to_be_bytes());
        content.extend(*words.peer);
        content.extend(*words.holder);
        let file = file(path);
        file.create_directory()?;
        file.write_unsynced(&content)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            words: Arc::new(words),
        })
    }

    pub(super) async fn accept(&self) -> io::Result<IncomingPeer> {
        let (stream, _) = self.listener.accept().await?;
        Ok(IncomingPeer {
            stream,
            words: Arc::clone(&self.words),
        })
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct IncomingPeer {
    stream: TcpStream,
    words: Arc<Words>,
}

impl IncomingPeer {
    /// Refuses a process that has not read the file, and proves to the other that this one wrote it.
    pub(super) async fn admit(self) -> io::Result<TcpStream> {
        expect(&self.stream, &self.words.peer).await?;
        write(&self.stream, &*self.words.holder).await?;
        Ok(self.stream)
    }
}

/// Connects to the process that listens there.
pub(super) async fn connect(path: &Path) -> io::Result<TcpStream> {
    let content = file(path).read()?.ok_or(io::ErrorKind::NotFound)?;
    let (number, words) = content
        .split_first_chunk::<PORT_BYTES>()
        .ok_or(io::ErrorKind::InvalidData)?;
    let (peer, holder) = words
        .split_first_chunk::<WORD_BYTES>()
        .ok_or(io::ErrorKind::InvalidData)?;
    let holder = holder
        .first_chunk::<WORD_BYTES>()
        .ok_or(io::ErrorKind::InvalidData)?;
    let port = u16::from_be_bytes(*number);
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    write(&stream, peer).await?;
    expect(&stream, holder).await?;
    Ok(stream)
}

fn file(path: &Path) -> StateFile {
    StateFile::new(path, FILE_BYTES as u64)
}

fn random_word() -> io::Result<Zeroizing<[u8; WORD_BYTES]>> {
    let mut word = Zeroizing::new([0; WORD_BYTES]);
    getrandom::fill(&mut *word).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(word)
}

/// Receives a word and refuses another one, in a time that does not depend on where they differ.
async fn expect(stream: &TcpStream, word: &[u8; WORD_BYTES]) -> io::Result<()> {
    let mut received = Zeroizing::new([0; WORD_BYTES]);
    read(stream, &mut *received).await?;
    let difference = received
        .iter()
        .zip(word)
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    match difference {
        0 => Ok(()),
        _ => Err(io::ErrorKind::PermissionDenied.into()),
    }
}
