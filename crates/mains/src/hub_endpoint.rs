//! The hub that a command uses: the one that the settings name, else the one that runs on this computer.
//!
//! A running hub announces its address in the state directory ([`api::running`]) and keeps a token for its owner's programs
//! there.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use api::client::{HubEndpoint, HubUrl, Token};
use api::running::{RunningHub, admin_token};
use statefile::StateFile;

use crate::config::{HubChoice, RunSettings};
use crate::error::Failure;

/// Maximum length of a file with a token.
const MAX_TOKEN_LEN: u64 = 4 * 1024;

/// Returns the hub to use; `None` if the command is to reach the plugs itself.
pub(crate) fn choose(
    settings: &RunSettings,
    state: Option<&Path>,
) -> Result<Option<HubEndpoint>, Failure> {
    let running = || match state {
        Some(state) => running_with(settings, state),
        None => Ok(None),
    };
    match &settings.hub {
        Some(HubChoice::None) => Ok(None),
        // One that is named does not depend on what is announced here.
        Some(HubChoice::At(url)) => named(settings, url, running().unwrap_or(None)).map(Some),
        None => running(),
    }
}

/// Returns the hub at an address. If it is the one that runs here, its token and certificate are known.
fn named(
    settings: &RunSettings,
    url: &HubUrl,
    running: Option<HubEndpoint>,
) -> Result<HubEndpoint, Failure> {
    let known = running.filter(|running| running.url == *url);
    let mut endpoint = known.unwrap_or_else(|| HubEndpoint {
        ca_file: settings.ca_file.clone(),
        ..HubEndpoint::new(url.clone())
    });
    if let Some(token) = &settings.token {
        endpoint.token = Some(token.clone());
    } else if let Some(file) = &settings.token_file {
        endpoint.token = Some(read_token(file)?);
    }
    Ok(endpoint)
}

/// Returns the hub that runs with a state directory. The configuration names the certificate that it was started with; that
/// file proves its identity by whatever name the hub is reached.
pub(crate) fn running_with(
    settings: &RunSettings,
    state: &Path,
) -> Result<Option<HubEndpoint>, Failure> {
    let own = settings.certificate.as_ref();
    let endpoint = |running| HubEndpoint {
        ca_file: settings.ca_file.as_ref().or(own).cloned(),
        is_pinned: settings.ca_file.is_none() && own.is_some(),
        ..running
    };
    Ok(running(state)?.map(endpoint))
}

/// Returns the hub that runs with a state directory; `None` if there is none or this user cannot read its files. Its token goes to
/// this machine only, also where the certificate is for a name that leads elsewhere: who can write to the directory could name any.
pub(crate) fn running(state: &Path) -> Result<Option<HubEndpoint>, Failure> {
    let forged = |what: String| {
        Failure::local(what)
            .hint("set MAINS_STATE to a directory of your own, or name the hub with --hub URL")
    };
    let running = RunningHub::find(state).map_err(|error| forged(error.to_string()))?;
    let Some(running) = running else {
        return Ok(None);
    };
    let token = StateFile::new(admin_token(state), MAX_TOKEN_LEN).read();
    let (Ok(url), Ok(Some(token))) = (running.url.parse::<HubUrl>(), token) else {
        return Ok(None);
    };
    let address = running.own_address().filter(|_| url.is_https());
    if !url.is_local() && (url.name().is_none() || address.is_none()) {
        let file = RunningHub::announcement(state);
        let file = file.path().display();
        let what = format!("{file} names a hub that is not on this machine: {url}");
        return Err(forged(what));
    }
    tracing::debug!(%url, "a hub runs here");
    let token = String::from_utf8_lossy(&token).into_owned();
    Ok(Some(HubEndpoint {
        address,
        token: Some(Token::new(token)),
        ..HubEndpoint::new(url)
    }))
}

fn read_token(file: &Path) -> Result<Token, Failure> {
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(MAX_TOKEN_LEN).read_to_string(&mut text))
        .map_err(|error| {
            let file = file.display();
            Failure::usage(format!("the token file {file} cannot be read")).caused_by(&error)
        })?;
    Ok(Token::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_hub_is_found_once_its_token_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        assert_eq!(running(state).unwrap(), None);
        let lock = hub::state_lock::StateLock::acquire(state).unwrap();
        let own = "127.0.0.1:8480".parse().unwrap();
        lock.announce("http://127.0.0.1:8480", own);
        assert_eq!(running(state).unwrap(), None, "it has no token yet");
        std::fs::write(admin_token(state), "secret\n").unwrap();
        let endpoint = running(state).unwrap().unwrap();
        assert_eq!(endpoint.url.to_string(), "http://127.0.0.1:8480");
        assert_eq!(endpoint.token, Some(Token::new("secret".into())));
        assert!(!format!("{endpoint:?}").contains("secret"));
        for elsewhere in [
            "http://192.0.2.1:8480",
            "http://hub.example",
            "http://[2001:db8::1]",
            "https://192.0.2.1:8480",
        ] {
            lock.announce(elsewhere, own);
            let failure = running(state).unwrap_err();
            assert!(failure.message().contains(elsewhere), "{failure}");
        }
        // The name of a certificate is reached at an address of this machine, wherever the name leads.
        let named = "https://hub.example:8480";
        lock.announce(named, own);
        assert_eq!(running(state).unwrap().unwrap().address, Some(own));
        lock.announce(named, "192.0.2.1:8480".parse().unwrap());
        let failure = running(state).unwrap_err();
        assert!(failure.message().contains(named), "{failure}");
        std::fs::write(
            RunningHub::announcement(state).path(),
            format!(r#"{{"pid":1,"url":"{named}"}}"#),
        )
        .unwrap();
        let failure = running(state).unwrap_err();
        assert!(failure.message().contains(named), "{failure}");
        drop(lock);
        assert_eq!(running(state).unwrap(), None);
    }
}
