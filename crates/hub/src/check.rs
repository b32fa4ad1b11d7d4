//! Checks whether a hub would start with its settings, without starting it.

use api::running::RunningHub;
use api::{ErrorChain, RequestError};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::state_lock::StateLock;
use crate::store::{Postgres, Sqlite};
use crate::{auth, server};

/// Returns all reasons for which a hub with these settings would not start, each with the key of `[hub]` that it belongs to. A hub
/// may be running.
pub async fn check(config: &Config) -> Vec<(&'static str, RequestError)> {
    let mut problems = Vec::new();
    let mut note = |key, result: Result<(), RequestError>| {
        problems.extend(result.err().map(|error| (key, error)));
    };
    let is_running = RunningHub::find(&config.state).is_ok_and(|running| running.is_some());
    if !is_running && config.state.is_dir() {
        note("state", StateLock::acquire(&config.state).map(drop));
    }
    note("listen", can_listen(config, is_running).await);
    let tls = config.tls.as_ref().map(server::acceptor).transpose();
    note("certificate", tls.map(drop));
    note("hosts", auth::check_hosts(&config.hosts));
    // The first start makes the state directory and what is in it.
    let is_first = !config.state.exists() && config.database.starts_with(&config.state);
    let password = match &config.postgres {
        Some(postgres) => Postgres::inspect(postgres, auth::PASSWORD_SETTING).await,
        None if is_first => Ok(None),
        None => Sqlite::inspect(&config.database, auth::PASSWORD_SETTING).await,
    };
    match password {
        Ok(password) => note(
            "listen",
            auth::check_listen(
                config.listen,
                password.is_some() || config.web.logs_users_in(),
            ),
        ),
        Err(error) => {
            let error = RequestError::unavailable(ErrorChain(&error).to_string());
            note("database", Err(error));
        }
    }
    problems
}

/// Checks the address. Its port may be in use by the running hub itself.
async fn can_listen(config: &Config, is_running: bool) -> Result<(), RequestError> {
    let mut listen = config.listen;
    if is_running {
        listen.set_port(0);
    }
    match TcpListener::bind(listen).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = format!("cannot listen on {listen}: {error}");
            Err(RequestError::usage(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn keys(config: &Config) -> Vec<&'static str> {
        let problems = check(config).await.into_iter();
        problems.map(|(key, _)| key).collect()
    }

    #[tokio::test]
    async fn what_keeps_a_hub_from_starting_is_found() {
        let state = tempfile::tempdir().unwrap();
        let mut good = Config::in_state(state.path());
        good.listen = "127.0.0.1:0".parse().unwrap();
        assert_eq!(keys(&good).await, [""; 0]);

        // Reachable by others, and no password is set.
        let mut config = good.clone();
        config.listen = "0.0.0.0:0".parse().unwrap();
        assert_eq!(keys(&config).await, ["listen"]);
        let taken = std::net::TcpListener::bind(good.listen).unwrap();
        config.listen = taken.local_addr().unwrap();
        assert_eq!(keys(&config).await, ["listen"]);

        let mut config = good.clone();
        std::fs::write(&config.database, "a letter, not a database").unwrap();
        assert_eq!(keys(&config).await, ["database"]);
        config.database = state.path().join("nowhere/mains.sqlite");
        assert_eq!(keys(&config).await, ["database"]);
        config.database = state.path().to_owned();
        config.hosts = vec!["two words".to_owned()];
        assert_eq!(keys(&config).await, ["hosts", "database"]);
    }
}
