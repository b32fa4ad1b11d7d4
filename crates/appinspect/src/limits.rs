//! Bounds of an inspection, so that no file can exhaust memory or time.

/// Maximum length of a part that is held in memory: a DEX file, a class, a resource table, an archive within an archive.
pub const MAX_PART: u64 = 256 << 20;
/// Maximum number of bytes that all parts together are unpacked to.
pub const MAX_UNPACKED: u64 = 1 << 30;
/// Maximum number of entries of one archive.
pub const MAX_ENTRIES: usize = 200_000;
/// Maximum depth of archives within archives: an APK in an XAPK, a JAR in that APK, one more in that.
pub const MAX_DEPTH: usize = 4;
/// Maximum length in bytes of a string that is looked at.
pub const MAX_STRING: usize = 16 << 10;
/// Maximum length in characters of the value of a finding.
pub const MAX_VALUE: usize = 1000;
/// Maximum number of findings.
pub const MAX_FINDINGS: usize = 50_000;
/// Maximum number of places of all findings together.
pub const MAX_PLACES: usize = 500_000;
/// Maximum number of problems that are listed.
pub const MAX_PROBLEMS: usize = 1000;
/// Maximum number of steps from constants to calls that are followed.
pub const MAX_STEPS: usize = 2_000_000;
/// Maximum length in bytes of all names and constants that are followed.
pub const MAX_FOLLOWED: usize = 128 << 20;
/// Maximum length in characters of the name of a class or entry that is shown.
pub const MAX_NAME: usize = 300;

pub(crate) const TOO_LARGE: &str = "larger than 256 MiB; skipped";

/// Tells whether a length is above a limit.
pub(crate) fn exceeds(length: usize, limit: u64) -> bool {
    u64::try_from(length).map_or(true, |length| length > limit)
}
