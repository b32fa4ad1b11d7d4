//! Reads the whole file while everything goes on, without a copy on the disk.
//!
//! A transaction that reads keeps what it sees: SQLite writes only older content into the file meanwhile, and does not begin the
//! log anew. So the pages in the log at its begin, and all others from the file, are the database at that moment.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use sqlx::SqliteConnection;

use super::database::{QueryError, READ, SqliteDatabase, unavailable};
use super::disk::read_exact_at;
use super::epoch::EPOCH;
use super::files::with_suffix;
use super::wal::Wal;
use crate::store::Backup;

/// Maximum length of the log beside the file; usually it has four megabytes.
const MAX_LOG_BYTES: u64 = 128 << 20;
/// Number of bytes that are read at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// Fields of the header.
const PAGE_BYTES: usize = 16;
const FORMAT_VERSIONS: std::ops::Range<usize> = 18..20;
const CHANGES: std::ops::Range<usize> = 24..28;
const SIZE: std::ops::Range<usize> = 28..32;
const SIZE_VALID_FOR: std::ops::Range<usize> = 92..96;

/// A database at one moment.
struct Snapshot {
    file: Arc<File>,
    wal: Wal,
    page_bytes: usize,
    pages: u32,
    /// Holds the transaction.
    _connection: SqliteConnection,
}

/// Begins a backup.
pub(super) async fn backup(database: Arc<SqliteDatabase>) -> Result<Backup, QueryError> {
    let snapshot = Arc::new(begin(&database).await?);
    let length = u64::from(snapshot.pages) * snapshot.page_bytes as u64;
    let at_once = u32::try_from(CHUNK_BYTES / snapshot.page_bytes).unwrap_or(1);
    let content = stream::unfold(Some(1), move |from: Option<u32>| {
        let snapshot = Arc::clone(&snapshot);
        async move {
            let from = from.filter(|from| *from <= snapshot.pages)?;
            let to = from.saturating_add(at_once).min(snapshot.pages + 1);
            let read = tokio::task::spawn_blocking(move || snapshot.read(from..to)).await;
            let chunk = read.map_err(io::Error::other).flatten();
            let next = chunk.is_ok().then_some(to);
            Some((chunk, next))
        }
    });
    Ok(Backup {
        length,
        content: content.boxed(),
    })
}

async fn begin(database: &SqliteDatabase) -> Result<Snapshot, QueryError> {
    let path = database.path();
    let refused = |cause: io::Error| QueryError::from(unavailable(path, READ, cause));
    if database.is_in_memory() {
        return Err(refused(io::Error::other("there is no database")));
    }
    // A connection of its own, because it is busy for as long as the backup takes.
    let mut connection = database.connect().await?;
    let _turn = database.turn().await?;
    for sql in ["BEGIN", "SELECT count(*) FROM sqlite_schema"] {
        sqlx::query(sql).execute(&mut connection).await?;
    }
    let wal = read_log(path).map_err(refused)?;
    let file = database.file();
    let mut header = [0; 100];
    let is_in_file = read_exact_at(file, &mut header, 0).is_ok();
    let page_bytes = match header.get(PAGE_BYTES..PAGE_BYTES + 2) {
        Some([0, 1]) => 65_536,
        Some([high, low]) if is_in_file => usize::from(u16::from_be_bytes([*high, *low])),
        _ => wal.page_bytes().unwrap_or_default(),
    };
    let in_file = || file.metadata().map(|metadata| metadata.len());
    let pages = match (wal.size(), page_bytes as u64) {
        (Some(pages), _) => pages,
        (None, 0) => 0,
        (None, size) => u32::try_from(in_file().map_err(refused)? / size).unwrap_or(u32::MAX),
    };
    if pages == 0 {
        return Err(refused(io::Error::other("it is empty")));
    }
    Ok(Snapshot {
        file: Arc::clone(file),
        wal,
        page_bytes,
        pages,
        _connection: connection,
    })
}

/// Reads the log beside a file.
pub(super) fn read_log(path: &Path) -> io::Result<Wal> {
    let log = with_suffix(path, "-wal");
    match log.metadata() {
        Ok(metadata) if metadata.len() > MAX_LOG_BYTES => {
            Err(io::Error::other("its log is too long just now"))
        }
        Ok(_) => fs::read(log).map(Wal::read),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Wal::default()),
        Err(error) => Err(error),
    }
}

impl Snapshot {
    /// Reads some pages.
    fn read(&self, pages: std::ops::Range<u32>) -> io::Result<Bytes> {
        let mut bytes = Vec::with_capacity(pages.len() * self.page_bytes);
        for number in pages {
            let at = bytes.len();
            bytes.resize(at + self.page_bytes, 0);
            let page = bytes.get_mut(at..).unwrap_or_default();
            match self.wal.page(number) {
                Some(content) if content.len() == page.len() => page.copy_from_slice(content),
                _ => {
                    let offset = u64::from(number - 1) * self.page_bytes as u64;
                    read_exact_at(&self.file, page, offset)?;
                }
            }
            if number == 1 {
                self.edit_header(page);
            }
        }
        Ok(bytes.into())
    }

    /// Makes the copy a file that needs no log, and to which no log belongs.
    fn edit_header(&self, page: &mut [u8]) {
        let mut put = |field: std::ops::Range<usize>, value: &[u8]| {
            if let Some(place) = page.get_mut(field) {
                place.copy_from_slice(value);
            }
        };
        put(FORMAT_VERSIONS, &[1, 1]);
        put(SIZE, &self.pages.to_be_bytes());
        put(EPOCH, &[0; 4]);
        if let Some(changes) = page.get(CHANGES).map(<[u8]>::to_vec)
            && let Some(valid_for) = page.get_mut(SIZE_VALID_FOR)
        {
            valid_for.copy_from_slice(&changes);
        }
    }
}
