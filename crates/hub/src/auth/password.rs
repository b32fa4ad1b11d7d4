//! The password: argon2id, one at a time, and as much work when there is none.

use api::{ErrorKind, RequestError};
use argon2::password_hash::{PasswordHasher, SaltString};
use argon2::{Argon2, PasswordHash, PasswordVerifier};
use tokio::sync::Semaphore;

use super::Secret;

/// The shortest password, in characters.
const SHORTEST: usize = 8;
/// The longest, in bytes: the work is bounded.
const LONGEST: usize = 1024;

/// What is compared with when there is no password: the same work, so that nobody can tell by the clock. It is the hash of
/// 32 random bytes that were thrown away, with today's parameters.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$6jojDz22yUfT0FQ18I01+g$IenUFqHwwppjGnM0fruQ1QxfrTQ4GkaHZGe2bLa5ZyQ";

/// One after the other: each takes 19 MiB while it works.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// Says what is wrong with a new password.
///
/// # Errors
///
/// [`RequestError`] of kind `usage` at the field `password`.
pub(super) fn check(password: &Secret) -> Result<(), RequestError> {
    let text = password.reveal();
    let problem = if text.chars().count() < SHORTEST {
        "a password has at least 8 characters"
    } else if text.len() > LONGEST {
        "a password has at most 1024 bytes"
    } else {
        return Ok(());
    };
    Err(RequestError::usage(problem).at("password"))
}

/// Returns what is kept of a password.
///
/// # Errors
///
/// [`RequestError`] of kind `local` when the system has no random bytes, `failed` when the hash cannot be made.
pub(super) async fn hash(password: Secret) -> Result<Secret, RequestError> {
    let mut salt = [0; 16];
    let no_salt = |_| RequestError::new(ErrorKind::Local, "the system gives no random bytes");
    getrandom::fill(&mut salt).map_err(no_salt)?;
    working(move || {
        let salt = SaltString::encode_b64(&salt).ok()?;
        let hash = Argon2::default().hash_password(password.reveal().as_bytes(), &salt);
        hash.ok().map(|hash| Secret::new(hash.to_string()))
    })
    .await
    .flatten()
    .ok_or_else(|| RequestError::new(ErrorKind::Failed, "the password could not be hashed"))
}

/// Tells whether this is the password whose hash is kept. Without a hash the answer is no, after the same work.
pub(super) async fn verify(given: Secret, kept: Option<Secret>) -> bool {
    let is_set = kept.is_some();
    let kept = kept.unwrap_or_else(|| Secret::new(NOBODYS));
    let is_right = working(move || {
        // A longer one was never accepted; the time of the work is that of its beginning.
        let bytes = given.reveal().as_bytes();
        let (start, is_whole) = bytes
            .split_at_checked(LONGEST)
            .map_or((bytes, true), |(start, rest)| (start, rest.is_empty()));
        let parsed = PasswordHash::new(kept.reveal()).inspect_err(
            |error| tracing::error!(%error, "the kept hash of the password is unreadable"),
        );
        let matches = |hash| Argon2::default().verify_password(start, &hash).is_ok();
        parsed.is_ok_and(matches) && is_whole
    })
    .await;
    is_set && is_right == Some(true)
}

/// Does heavy work beside the runtime. `None` when the runtime ends in the middle of it.
async fn working<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let _turn = ONE_AT_A_TIME.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn right_and_wrong() {
        let kept = hash(Secret::new("correct horse")).await.unwrap();
        assert!(kept.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(hash(Secret::new("correct horse")).await.unwrap(), kept);
        assert!(verify(Secret::new("correct horse"), Some(kept.clone())).await);
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!verify(Secret::new(wrong), Some(kept.clone())).await);
        }
    }

    #[tokio::test]
    async fn a_beginning_is_not_the_whole() {
        let longest = "x".repeat(LONGEST);
        let kept = hash(Secret::new(longest.as_str())).await.unwrap();
        assert!(verify(Secret::new(longest.as_str()), Some(kept.clone())).await);
        assert!(!verify(Secret::new(format!("{longest}y")), Some(kept)).await);
    }

    #[tokio::test]
    async fn without_a_password_nobody_gets_in_after_the_same_work() {
        let kept = hash(Secret::new("correct horse")).await.unwrap();
        let kept = PasswordHash::new(kept.reveal()).unwrap();
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        assert_eq!(nobodys.algorithm, kept.algorithm);
        assert_eq!(nobodys.version, kept.version);
        assert_eq!(nobodys.params.to_string(), kept.params.to_string());
        assert_eq!(nobodys.hash.unwrap().len(), kept.hash.unwrap().len());
        let start = Instant::now();
        assert!(!verify(Secret::new("anything"), None).await);
        assert!(start.elapsed().as_micros() > 1_000, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn what_is_kept_and_unreadable_lets_nobody_in() {
        for kept in ["", "hunter2", "$argon2id$"] {
            assert!(!verify(Secret::new(kept), Some(Secret::new(kept))).await);
        }
    }

    #[test]
    fn short_and_long_ones() {
        for good in ["12345678", "пароль12", "正确的马电池订书针"] {
            assert_eq!(check(&Secret::new(good)), Ok(()));
        }
        for bad in [String::new(), "1234567".into(), "x".repeat(LONGEST + 1)] {
            assert_eq!(
                check(&Secret::new(bad)).unwrap_err().field(),
                Some("password")
            );
        }
    }
}
