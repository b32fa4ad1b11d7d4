//! Walks archives, in memory and within bounds, and gives each entry to the reader of its kind.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::rc::Rc;

use serde::Serialize;
use zip::ZipReadOptions;
use zip::read::{Config, read_zipfile_from_stream};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use crate::inspection::{InspectProgress, Inspection};
use crate::limits::{MAX_DEPTH, MAX_ENTRIES, MAX_NAME, MAX_PART, TOO_LARGE, exceeds};
use crate::runs::PrintableRuns;
use crate::text::{TextKind, classify};
use crate::{class, dex, resources};

/// Bytes that tell the kind of an entry.
const HEAD: u64 = 8;
const PIECE: usize = 64 << 10;

/// Format of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "UPPERCASE")]
pub enum AppFormat {
    /// An Android package.
    Apk,
    /// A bundle of packages with a `manifest.json`.
    Xapk,
    /// Any other bundle of packages.
    Apks,
    /// A single file of Dalvik code.
    Dex,
    /// An archive of Java classes.
    Jar,
}

/// Facts that the names of the entries tell of an archive.
#[derive(Debug, Default)]
struct ArchiveContents {
    entries: usize,
    has_manifest: bool,
    has_bundle_manifest: bool,
    has_packages: bool,
}

impl ArchiveContents {
    fn see(&mut self, name: &str) {
        self.entries += 1;
        self.has_manifest |= name == "AndroidManifest.xml";
        self.has_bundle_manifest |= name == "manifest.json";
        self.has_packages |= has_extension(name, "apk");
    }

    /// Returns the format; the extension of the file decides between the two kinds of bundle where it names one.
    fn format(&self, file: &str) -> AppFormat {
        match () {
            () if self.has_manifest => AppFormat::Apk,
            () if self.has_packages && has_extension(file, "apks") => AppFormat::Apks,
            () if self.has_packages
                && (self.has_bundle_manifest || has_extension(file, "xapk")) =>
            {
                AppFormat::Xapk
            }
            () if self.has_packages => AppFormat::Apks,
            () if has_extension(file, "apk") => AppFormat::Apk,
            () => AppFormat::Jar,
        }
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| end.eq_ignore_ascii_case(extension))
}

/// Reads a file that may be an archive. Returns its format, or nothing if it is none.
pub(crate) fn walk(
    inspection: &mut Inspection<'_>,
    mut file: impl Read + Seek,
    name: &str,
) -> io::Result<Option<AppFormat>> {
    let mut reader = ArchiveReader {
        inspection,
        prefix: String::new(),
        depth: 0,
        contents: ArchiveContents::default(),
    };
    let is_archive = reader.read(&mut file)?;
    Ok(is_archive.then(|| reader.contents.format(name)))
}

struct ArchiveReader<'i, 'a> {
    inspection: &'i mut Inspection<'a>,
    /// Place of the archive with a `!`; empty for the file itself.
    prefix: String,
    depth: usize,
    contents: ArchiveContents,
}

impl ArchiveReader<'_, '_> {
    /// Reads all entries. Returns false if it is no archive.
    fn read<R: Read + Seek>(&mut self, file: &mut R) -> io::Result<bool> {
        let mut archive = match ZipIterable::try_new(&mut *file, Config::default()) {
            Ok(archive) => archive,
            Err(ZipError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(error);
            }
            Err(error) => {
                return self.salvage(file, &error.to_string());
            }
        };
        if archive.len() > MAX_ENTRIES {
            let text = format!("more than {MAX_ENTRIES} entries; only so many are read");
            self.problem("", text);
        }
        let mut names = std::collections::HashSet::new();
        let files = match archive.files() {
            Ok(files) => files,
            Err(error) => return self.salvage(file, &error.to_string()),
        };
        for _ in 0..MAX_ENTRIES {
            let entry = match files.next() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => {
                    self.problem(
                        "",
                        format!(
                            "the directory of the archive is damaged after {} entries: {error}",
                            self.contents.entries
                        ),
                    );
                    break;
                }
                None => break,
            };
            let name = shown_name(entry.name_raw());
            let packed = entry.compressed_size();
            self.contents.see(&name);
            if !names.insert(name.clone()) {
                self.problem(
                    &name,
                    "the name stands more than once in the archive; each entry is read",
                );
            }
            if !entry.is_dir() {
                if entry.encrypted() {
                    self.problem(&name, "encrypted; skipped");
                } else {
                    match entry.with_reader(files.reader_mut(), ZipReadOptions::new()) {
                        Ok(mut content) => self.entry(&name, &mut content),
                        Err(error) => self.problem(&name, unreadable(&error)),
                    }
                }
            }
            self.advance(packed);
        }
        Ok(true)
    }

    /// Reads what stands in an archive without a directory, from its beginning to the first damage.
    fn salvage<R: Read + Seek>(&mut self, file: &mut R, reason: &str) -> io::Result<bool> {
        file.seek(SeekFrom::Start(0))?;
        for _ in 0..MAX_ENTRIES {
            match read_zipfile_from_stream(file) {
                Ok(Some(mut content)) => {
                    if self.contents.entries == 0 {
                        self.problem(
                            "",
                            format!(
                                "the directory of the archive is damaged, read without it: {reason}"
                            ),
                        );
                    }
                    let name = shown_name(content.name_raw());
                    let packed = content.compressed_size();
                    self.contents.see(&name);
                    if content.is_dir() {
                        continue;
                    }
                    self.entry(&name, &mut content);
                    drop(content);
                    self.advance(packed);
                }
                Ok(None) => break,
                Err(error) => {
                    if self.contents.entries > 0 {
                        let text = format!(
                            "what follows after {} entries cannot be read: {error}",
                            self.contents.entries
                        );
                        self.problem("", text);
                    }
                    break;
                }
            }
        }
        Ok(self.contents.entries > 0)
    }

    fn advance(&mut self, packed: u64) {
        // What is inside an inner archive is done together with it.
        if self.depth == 0 {
            let length = self.inspection.length;
            self.inspection.done = self.inspection.done.saturating_add(packed).min(length);
            let done = self.inspection.done;
            (self.inspection.progress)(InspectProgress { done, length });
        }
    }

    fn place(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn problem(&mut self, name: &str, text: impl Into<String>) {
        let place = match name {
            "" => self.prefix.trim_end_matches('!').to_owned(),
            name => self.place(name),
        };
        self.inspection.findings.problem(&place, text);
    }

    fn entry(&mut self, name: &str, content: &mut dyn Read) {
        if self.inspection.unpack_budget == 0 {
            self.problem(name, "skipped: the archive unpacks to more than 1 GiB");
            return;
        }
        let mut head = Vec::new();
        if let Err(error) = (&mut *content).take(HEAD).read_to_end(&mut head) {
            self.problem(name, format!("skipped, cannot be unpacked: {error}"));
            return;
        }
        self.spend(head.len());
        let is_held = dex::is_dex(&head)
            || class::is_class(&head)
            || resources::is_resources(&head)
            || is_zip(&head);
        if is_held {
            self.held(name, head, content);
        } else {
            self.streamed(name, &head, content);
        }
    }

    fn spend(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.inspection.unpack_budget = self.inspection.unpack_budget.saturating_sub(bytes);
    }

    /// Reads a part that is taken as a whole.
    fn held(&mut self, name: &str, head: Vec<u8>, content: &mut dyn Read) {
        let limit = MAX_PART.min(self.inspection.unpack_budget);
        let mut bytes = head;
        let read = content.take(limit + 1).read_to_end(&mut bytes);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.spend(bytes.len());
        if exceeds(bytes.len(), MAX_PART) {
            self.problem(name, TOO_LARGE);
            return;
        }
        if length > limit {
            self.problem(name, "skipped: the archive unpacks to more than 1 GiB");
            return;
        }
        if let Err(error) = read {
            self.problem(name, format!("damaged, read as far as possible: {error}"));
        }
        let place = self.place(name);
        if dex::is_dex(&bytes) {
            dex::read(self.inspection, &bytes, &place);
        } else if class::is_class(&bytes) {
            class::read(self.inspection, &bytes, &place);
        } else if resources::is_resources(&bytes) {
            resources::read(self.inspection, &bytes, &place);
        } else {
            self.archive(name, bytes);
        }
    }

    fn archive(&mut self, name: &str, bytes: Vec<u8>) {
        if self.depth + 1 >= MAX_DEPTH {
            self.problem(
                name,
                format!("skipped: more than {MAX_DEPTH} archives within each other"),
            );
            return;
        }
        let mut inner = ArchiveReader {
            prefix: format!("{}!", self.place(name)),
            depth: self.depth + 1,
            contents: ArchiveContents::default(),
            inspection: self.inspection,
        };
        match inner.read(&mut Cursor::new(&bytes)) {
            Ok(true) => {}
            Ok(false) => self.problem(name, "skipped: begins like an archive and is none"),
            Err(error) => self.problem(name, format!("damaged: {error}")),
        }
    }

    /// Looks for text in a part of any other kind, piece by piece: native libraries, assets, certificates.
    fn streamed(&mut self, name: &str, head: &[u8], content: &mut dyn Read) {
        let place: Rc<str> = self.place(name).into();
        let inspection = &mut *self.inspection;
        let (known, findings) = (inspection.known, &mut inspection.findings);
        let mut found = |text: &str| {
            classify(text, TextKind::Run, known, &mut |kind, value| {
                findings.add(kind, value, &place);
            });
        };
        let mut runs = PrintableRuns::default();
        runs.feed(head, &mut found);
        let mut piece = vec![0; PIECE];
        let problem = loop {
            if inspection.unpack_budget == 0 {
                break Some("cut short: the archive unpacks to more than 1 GiB".to_owned());
            }
            match content.read(&mut piece) {
                Ok(0) => break None,
                Ok(length) => {
                    let length64 = u64::try_from(length).unwrap_or(u64::MAX);
                    inspection.unpack_budget = inspection.unpack_budget.saturating_sub(length64);
                    let read = piece
                        .get(..length)
                        .expect("a read is no longer than its buffer");
                    runs.feed(read, &mut found);
                }
                Err(error) => break Some(format!("damaged, read as far as possible: {error}")),
            }
        };
        runs.end(&mut found);
        inspection.parts += 1;
        if let Some(problem) = problem {
            self.problem(name, problem);
        }
    }
}

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

fn unreadable(error: &ZipError) -> String {
    match error {
        ZipError::CompressionMethodNotSupported(method) => {
            format!("skipped: unknown compression {method}")
        }
        error => format!("skipped: {error}"),
    }
}

/// Returns the name of an entry as it is shown. It is never used as a path.
fn shown_name(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let clean = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut name: String = clean.take(MAX_NAME).collect();
    if name.is_empty() {
        name.push('?');
    }
    name
}
