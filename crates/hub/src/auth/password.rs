//! Hashing and checking the password: argon2id, one at a time, with the same work when there is none.
//!
//! Its memory is given back to the system after each hash. An allocator keeps what is freed for the next use, and 19 MiB are more
//! than the rest of the hub needs; it keeps nothing of allocations as large as [`RESERVED_BYTES`].

use api::{ErrorKind, RequestError};
use argon2::password_hash::{self, Output, ParamsString, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use tokio::sync::Semaphore;

use super::Credential;

const MIN_PASSWORD_CHARS: usize = 8;
/// Bounds the work.
const MAX_PASSWORD_BYTES: usize = 1024;

/// Hash to compare with when there is no password, so that the time reveals nothing: of 32 random bytes that were thrown away,
/// with today's parameters.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$6jojDz22yUfT0FQ18I01+g$IenUFqHwwppjGnM0fruQ1QxfrTQ4GkaHZGe2bLa5ZyQ";

/// Address space of a hash. More than 32 MiB, from which on glibc gives memory back at once, whatever was freed before; only what
/// is used takes memory.
const RESERVED_BYTES: usize = 33 * 1024 * 1024;

/// Held while hashing, which takes 19 MiB each.
static HASHING: Semaphore = Semaphore::const_new(1);

/// Checks the length of a new password.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at the field `password`.
pub(super) fn check(password: &Credential) -> Result<(), RequestError> {
    let text = password.reveal();
    let problem = if text.chars().count() < MIN_PASSWORD_CHARS {
        "a password has at least 8 characters"
    } else if text.len() > MAX_PASSWORD_BYTES {
        "a password has at most 1024 bytes"
    } else {
        return Ok(());
    };
    Err(RequestError::usage(problem).at("password"))
}

/// Returns the hash of a password.
///
/// # Errors
///
/// [`RequestError`] of kind `local` when the system has no random bytes, `failed` when the hash cannot be made.
pub(super) async fn hash(password: Credential) -> Result<Credential, RequestError> {
    let mut salt = [0; 16];
    let no_salt = |_| RequestError::new(ErrorKind::Local, "the system provides no random bytes");
    getrandom::fill(&mut salt).map_err(no_salt)?;
    run_blocking(move || {
        let salt = SaltString::encode_b64(&salt).ok()?;
        let params = Params::default();
        let output = derive(password.reveal().as_bytes(), salt.as_salt(), &params)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).ok()?,
            salt: Some(salt.as_salt()),
            hash: Some(output),
        };
        Some(Credential::new(hash.to_string()))
    })
    .await
    .flatten()
    .ok_or_else(|| RequestError::new(ErrorKind::Failed, "the password could not be hashed"))
}

/// Returns true for the password with this hash. Without a hash it returns false after the same work.
pub(super) async fn verify(given: Credential, kept: Option<Credential>) -> bool {
    let is_set = kept.is_some();
    let kept = kept.unwrap_or_else(|| Credential::new(DUMMY_HASH));
    let is_right = run_blocking(move || {
        // A longer one was never accepted; hashing its beginning takes the same time.
        let bytes = given.reveal().as_bytes();
        let (start, is_whole) = bytes
            .split_at_checked(MAX_PASSWORD_BYTES)
            .map_or((bytes, true), |(start, rest)| (start, rest.is_empty()));
        let parsed = PasswordHash::new(kept.reveal()).inspect_err(
            |error| tracing::error!(%error, "the stored hash of the password is unreadable"),
        );
        parsed.is_ok_and(|hash| matches(start, &hash) == Some(true)) && is_whole
    })
    .await;
    is_set && is_right == Some(true)
}

/// Returns true for the password with this hash, in a time that does not depend on the difference.
fn matches(password: &[u8], kept: &PasswordHash<'_>) -> Option<bool> {
    if kept.algorithm != Algorithm::Argon2id.ident() {
        return None;
    }
    let params = Params::try_from(kept).ok()?;
    let output = derive(password, kept.salt?, &params)?;
    Some(output == kept.hash?)
}

/// Hashes a password.
fn derive(password: &[u8], salt: Salt<'_>, params: &Params) -> Option<Output> {
    let mut bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut bytes).ok()?;
    let mut memory: Vec<Block> = Vec::with_capacity(RESERVED_BYTES / Block::SIZE);
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    Output::init_with(length, |output| {
        argon2
            .hash_password_into_with_memory(password, salt, output, &mut memory)
            .map_err(|_| password_hash::Error::Crypto)
    })
    .ok()
}

/// Does heavy work on a blocking thread; `None` when the runtime ends meanwhile.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let _turn = HASHING.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn right_and_wrong() {
        let kept = hash(Credential::new("correct horse")).await.unwrap();
        assert!(kept.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(hash(Credential::new("correct horse")).await.unwrap(), kept);
        assert!(verify(Credential::new("correct horse"), Some(kept.clone())).await);
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!verify(Credential::new(wrong), Some(kept.clone())).await);
        }
    }

    /// Hashes of the version before, whatever their parameters.
    #[tokio::test]
    async fn hashes_made_by_the_library_alone_are_right() {
        use argon2::password_hash::PasswordHasher;

        let salt = SaltString::encode_b64(b"sixteen bytes ok").unwrap();
        for params in [Params::default(), Params::new(64, 3, 2, Some(24)).unwrap()] {
            let library = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let kept = library.hash_password(b"correct horse", &salt).unwrap();
            let kept = Credential::new(kept.to_string());
            assert!(verify(Credential::new("correct horse"), Some(kept.clone())).await);
            assert!(!verify(Credential::new("wrong horse"), Some(kept)).await);
        }
    }

    /// Says that the process has no other tests beside this one.
    #[cfg(target_os = "linux")]
    const ALONE: &str = "MAINS_TEST_ALONE";

    /// In a process of its own, whose memory no other test takes.
    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_memory_is_given_back() {
        if std::env::var_os(ALONE).is_some() {
            return hash_many_times().await;
        }
        let name = "auth::password::tests::the_memory_is_given_back";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.contains("1 passed"),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[cfg(target_os = "linux")]
    async fn hash_many_times() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:"));
            let kib = line.unwrap().split_whitespace().nth(1).unwrap();
            kib.parse::<u64>().unwrap()
        };
        let before = resident();
        for _ in 0..30 {
            hash(Credential::new("correct horse")).await.unwrap();
        }
        // One hash takes 19 MiB, and each thread used to keep as much.
        let grown = resident().saturating_sub(before);
        assert!(grown < 8 * 1024, "{grown} KiB");
    }

    #[tokio::test]
    async fn a_beginning_is_not_the_whole() {
        let longest = "x".repeat(MAX_PASSWORD_BYTES);
        let kept = hash(Credential::new(longest.as_str())).await.unwrap();
        assert!(verify(Credential::new(longest.as_str()), Some(kept.clone())).await);
        assert!(!verify(Credential::new(format!("{longest}y")), Some(kept)).await);
    }

    #[tokio::test]
    async fn without_a_password_nobody_gets_in_after_the_same_work() {
        let kept = hash(Credential::new("correct horse")).await.unwrap();
        let kept = PasswordHash::new(kept.reveal()).unwrap();
        let dummy = PasswordHash::new(DUMMY_HASH).unwrap();
        assert_eq!(dummy.algorithm, kept.algorithm);
        assert_eq!(dummy.version, kept.version);
        assert_eq!(dummy.params.to_string(), kept.params.to_string());
        assert_eq!(dummy.hash.unwrap().len(), kept.hash.unwrap().len());
        let start = Instant::now();
        assert!(!verify(Credential::new("anything"), None).await);
        assert!(start.elapsed().as_micros() > 1_000, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn what_is_kept_and_unreadable_lets_nobody_in() {
        for kept in ["", "hunter2", "$argon2id$"] {
            assert!(!verify(Credential::new(kept), Some(Credential::new(kept))).await);
        }
    }

    #[test]
    fn short_and_long_ones() {
        for good in ["12345678", "пароль12", "正确的马电池订书针"] {
            assert_eq!(check(&Credential::new(good)), Ok(()));
        }
        for bad in [
            String::new(),
            "1234567".into(),
            "x".repeat(MAX_PASSWORD_BYTES + 1),
        ] {
            assert_eq!(
                check(&Credential::new(bad)).unwrap_err().field(),
                Some("password")
            );
        }
    }
}
