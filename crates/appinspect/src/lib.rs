//! Lists what a vendor's app knows of its devices, without running or unpacking it.
//!
//! [`inspect`] reads an APK, a bundle of APKs (XAPK, APKS), a DEX file or a JAR from anything that can be read and sought. It
//! looks at the strings of the code and of the resources, follows constants to the calls that make sockets and ciphers of
//! them (`flow`), and ranks what it finds.
//!
//! An app is hostile input. Everything is bounded by `limits`, nothing is written to the disk, and a part that cannot be
//! read is an [`AppProblem`] beside the findings of the rest.

mod archive;
mod binary;
mod class;
mod dex;
mod finding;
mod flow;
mod inspection;
mod known;
pub mod limits;
mod rank;
mod resources;
mod runs;
mod text;

use std::io::{self, Read, Seek, SeekFrom};

pub use archive::AppFormat;
use finding::FindingCollector;
pub use finding::{AppFinding, AppProblem, FindingKind};
use flow::Flow;
pub use inspection::InspectProgress;
use inspection::Inspection;
pub use known::KnownProtocol;

/// Contents of an app. Serializes as `{"format", "package", "findings", "problems"}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AppReport {
    /// Format of the file.
    pub format: AppFormat,
    /// Name of the Android package; none for a DEX or JAR file.
    pub package: Option<String>,
    /// Findings, most telling first.
    pub findings: Vec<AppFinding>,
    /// Parts that were skipped or are damaged.
    pub problems: Vec<AppProblem>,
}

/// Reason why nothing of a file could be read.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The system cannot read the file.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// The file is of another kind.
    #[error("not an APK, XAPK, APKS, DEX or JAR file")]
    NotAnApp,
    /// The file is of a known kind, and no part of it can be read.
    #[error("no part of the {format} file can be read: {problem}")]
    Unreadable {
        /// Format of the file.
        format: AppFormat,
        /// The first problem.
        problem: String,
    },
}

/// Inspects an app; `name` is that of the file, for the places of findings.
///
/// # Errors
///
/// [`InspectError`] if nothing of it can be read.
pub fn inspect(
    mut file: impl Read + Seek,
    name: &str,
    known: &KnownProtocol,
    progress: &mut dyn FnMut(InspectProgress),
) -> Result<AppReport, InspectError> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut head = Vec::new();
    (&mut file).take(8).read_to_end(&mut head)?;
    file.rewind()?;
    let mut inspection = Inspection {
        known,
        findings: FindingCollector::default(),
        flow: Flow::default(),
        package: None,
        parts: 0,
        unpack_budget: limits::MAX_UNPACKED,
        progress,
        done: 0,
        length,
    };
    let format = if dex::is_dex(&head) {
        inspection.dex_file(file, name)?;
        AppFormat::Dex
    } else {
        let format = archive::walk(&mut inspection, file, name)?;
        format.ok_or(InspectError::NotAnApp)?
    };
    inspection.report(format)
}

impl Inspection<'_> {
    fn dex_file(&mut self, file: impl Read, name: &str) -> io::Result<()> {
        let place = name.rsplit('/').next().unwrap_or(name);
        let mut bytes = Vec::new();
        file.take(limits::MAX_PART + 1).read_to_end(&mut bytes)?;
        if limits::exceeds(bytes.len(), limits::MAX_PART) {
            self.findings.problem(place, limits::TOO_LARGE);
            return Ok(());
        }
        dex::read(self, &bytes, place);
        Ok(())
    }

    fn report(mut self, format: AppFormat) -> Result<AppReport, InspectError> {
        if self.parts == 0 {
            let problem = self.findings.first_problem();
            return Err(InspectError::Unreadable { format, problem });
        }
        std::mem::take(&mut self.flow).solve(self.known, &mut self.findings);
        let is_android = matches!(format, AppFormat::Apk | AppFormat::Xapk | AppFormat::Apks);
        let (findings, problems) = self.findings.finish();
        Ok(AppReport {
            format,
            package: self.package.filter(|_| is_android),
            findings: rank::ranked(findings),
            problems,
        })
    }
}

#[cfg(test)]
mod tests;
