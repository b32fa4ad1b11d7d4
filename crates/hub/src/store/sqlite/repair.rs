//! A copy of a damaged file with a new first page, and with the pages of its log in their places
//! (<https://www.sqlite.org/fileformat2.html>).
//!
//! The first page holds the header and the schema, without which SQLite reads none of the others; both are known. In the copy, a
//! table can also be read from a page within its tree, where a page above it is damaged.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteJournalMode;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempPath;

use super::backup::read_log;
use super::database::{QueryError, WRITTEN, options, unavailable};
use super::disk::{read_exact_at, write_all_at};
use super::files::with_suffix;
use super::header::{self, HEADER_BYTES, MAGIC, PAGE_BYTES};
use super::schema::{self, SchemaEntry};

const PAGE: usize = PAGE_BYTES as usize;
/// Ending of the name of the copy, which is beside the new database.
const SUFFIX: &str = "-copy";
/// Size of an entry in a page that maps pages to the page above them: a kind and a number.
const MAP_ENTRY_BYTES: usize = 5;
/// Kind of a page within a tree.
const WITHIN_TREE: u8 = 5;
/// More than the height of any tree.
const MAX_HEIGHT: usize = 20;

/// A copy that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct RepairedCopy {
    path: TempPath,
    file: File,
    /// Number of pages of the damaged file.
    pages: u32,
    entries: Vec<SchemaEntry>,
    connection: SqliteConnection,
    /// Number by which others see that the schema was edited.
    edits: u32,
}

impl RepairedCopy {
    /// Copies a damaged file beside a database.
    ///
    /// # Errors
    ///
    /// [`QueryError`] if there is no room for it, or if the file is not of Mains.
    pub(super) async fn make(damaged: &Path, database: &Path) -> Result<Self, QueryError> {
        let path = copy_beside(database);
        let (from, to) = (damaged.to_owned(), path.clone());
        let copied = tokio::task::spawn_blocking(move || copy_pages(&from, &to)).await;
        let copied = copied.map_err(io::Error::other).flatten();
        // Removed with what follows, if that fails.
        let path =
            TempPath::try_from_path(path).map_err(|error| unavailable(database, WRITTEN, error))?;
        let (file, pages, is_own) = copied.map_err(|error| unavailable(&path, WRITTEN, error))?;
        let newest = schema::newest();
        let (entries, connection) = write_schema(&path, &file, newest).await?;
        let mut copy = Self {
            path,
            file,
            pages,
            entries,
            connection,
            edits: 1,
        };
        if !schema::has_known_steps(&mut copy.connection)
            .await
            .unwrap_or(false)
        {
            if is_own {
                return Ok(copy);
            }
            let what = "the damaged file is not of Mains, or its version cannot be read";
            return Err(unavailable(damaged, WRITTEN, what).into());
        }
        let version = schema::version(&mut copy.connection).await?;
        if version < newest {
            (copy.entries, copy.connection) = write_schema(&copy.path, &copy.file, version).await?;
        }
        Ok(copy)
    }

    /// Returns the path of the copy.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the pages of a table, its first one first, the others as far as they are noted.
    pub(super) fn pages_of(&self, table: &str) -> Vec<u32> {
        let entry = self.entries.iter().find(|entry| entry.1 == table);
        let Some(root) = entry.and_then(|entry| u32::try_from(entry.3).ok()) else {
            return Vec::new();
        };
        let parents = self.parents();
        let parent = |page: u32| *parents.get(page as usize)?;
        let is_below = |page: &u32| {
            let above = std::iter::successors(parent(*page), |page| parent(*page));
            above.take(MAX_HEIGHT).any(|page| page == root)
        };
        let below = (1..=self.pages).filter(is_below);
        std::iter::once(root).chain(below).collect()
    }

    /// Makes a table begin at another page.
    pub(super) async fn read_from(&mut self, table: &str, page: u32) -> Result<(), sqlx::Error> {
        self.edits += 1;
        sqlx::query("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?")
            .bind(page)
            .bind(table)
            .execute(&mut self.connection)
            .await?;
        let sql = format!("PRAGMA schema_version = {}", self.edits);
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Returns the page above each page within a tree, by the page's number. It is noted apart from the pages themselves.
    fn parents(&self) -> Vec<Option<u32>> {
        let mut parents = vec![None; 2];
        while parents.len() <= self.pages as usize {
            let map = parents.len() as u64;
            let mut entries = [0; PAGE];
            if read_exact_at(&self.file, &mut entries, offset(map)).is_err() {
                break;
            }
            parents.push(None);
            let (entries, _) = entries.as_chunks::<MAP_ENTRY_BYTES>();
            parents.extend(entries.iter().map(|entry| {
                let [kind, parent @ ..] = *entry;
                (kind == WITHIN_TREE).then_some(u32::from_be_bytes(parent))
            }));
        }
        parents
    }
}

/// Returns the path of the copy that is read while a database is filled.
pub(super) fn copy_beside(database: &Path) -> PathBuf {
    with_suffix(database, SUFFIX)
}

/// Copies a file, and the pages of its log. Returns the copy, its number of pages, and true if its header says that it is of Mains.
fn copy_pages(damaged: &Path, to: &Path) -> io::Result<(File, u32, bool)> {
    let mut from = File::open(damaged)?;
    match fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = statefile::owner_only();
    let options = options.read(true).write(true).create_new(true);
    let mut file = options.open(to)?;
    let length = io::copy(&mut from, &mut file)?;
    let log = read_log(damaged)?;
    let log = (log.page_bytes() == Some(PAGE)).then_some(log);
    let in_file = u32::try_from(length.div_ceil(PAGE_BYTES)).unwrap_or(u32::MAX);
    let in_log = log.as_ref().and_then(super::wal::Wal::size);
    let pages = in_log.unwrap_or(in_file).max(1);
    file.set_len(u64::from(pages) * PAGE_BYTES)?;
    for number in 1..=pages {
        if let Some(page) = log.as_ref().and_then(|log| log.page(number)) {
            write_all_at(&file, page, offset(number.into()))?;
        }
    }
    let mut header = [0; HEADER_BYTES];
    read_exact_at(&file, &mut header, 0)?;
    Ok((file, pages, header::is_own(&header)))
}

/// Gives a copy the schema of a version. Returns it, and a connection that may edit it.
async fn write_schema(
    path: &Path,
    file: &File,
    version: i64,
) -> Result<(Vec<SchemaEntry>, SqliteConnection), QueryError> {
    let entries = schema::of_version(version).await?;
    let written = file.metadata().and_then(|metadata| {
        let pages = u32::try_from(metadata.len() / PAGE_BYTES).map_err(io::Error::other)?;
        write_all_at(file, &first_page(pages), 0)
    });
    written.map_err(|error| unavailable(path, WRITTEN, error))?;
    let options = options(path).journal_mode(SqliteJournalMode::Off);
    let options = options.pragma("writable_schema", "ON");
    let mut connection = options.connect().await?;
    for (kind, name, table, root, sql) in &entries {
        sqlx::query("INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)")
            .bind(kind)
            .bind(name)
            .bind(table)
            .bind(root)
            .bind(sql)
            .execute(&mut connection)
            .await?;
    }
    connection.close().await?;
    Ok((entries, options.connect().await?))
}

/// Returns the first page of a database without tables.
fn first_page(pages: u32) -> [u8; PAGE] {
    let mut page = [0; PAGE];
    let mut put = |at: usize, value: &[u8]| {
        let place = page.get_mut(at..at + value.len());
        place
            .expect("all fields are within a page")
            .copy_from_slice(value);
    };
    put(0, MAGIC);
    put(16, &(PAGE as u16).to_be_bytes());
    // Without a log; no reserved bytes; the fractions that every file has.
    put(18, &[1, 1, 0, 64, 32, 32]);
    // Number of the last change, for which the number of pages is right.
    put(24, &1_u32.to_be_bytes());
    put(28, &pages.to_be_bytes());
    // Version and format of the schema.
    put(40, &1_u32.to_be_bytes());
    put(44, &4_u32.to_be_bytes());
    // Automatic vacuum, incremental; UTF-8.
    put(52, &1_u32.to_be_bytes());
    put(56, &1_u32.to_be_bytes());
    put(64, &1_u32.to_be_bytes());
    put(92, &1_u32.to_be_bytes());
    // A leaf without cells, which begin at the end.
    put(100, &[0x0d]);
    put(105, &(PAGE as u16).to_be_bytes());
    page
}

fn offset(number: u64) -> u64 {
    number.saturating_sub(1) * PAGE_BYTES
}
