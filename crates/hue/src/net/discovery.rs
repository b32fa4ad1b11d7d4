//! Finding bridges: mDNS, SSDP, and, only when it is asked for, the vendor's look-up in the internet.

use std::time::Duration;

use super::Lan;
use super::connect::look;
use crate::address::Address;
use crate::error::HueError;
use crate::identity::{BridgeId, Identity};

/// How to search.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// How long answers are waited for.
    pub wait: Duration,
    /// Whether the vendor's server in the internet is asked, too. It learns this network's address by that.
    pub cloud: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(3),
            cloud: false,
        }
    }
}

/// A bridge that answered and said which it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub address: Address,
    /// What it says of itself.
    pub identity: Identity,
}

/// Finds bridges, and tells of each as it answers. A bridge that answers on several ways is one.
///
/// # Errors
///
/// [`HueError::Local`] when an interface cannot be used.
pub async fn discover(
    lan: &Lan,
    search: &Search,
    mut found: impl FnMut(&Found) + Send,
) -> Result<Vec<Found>, HueError> {
    let _ = search;
    let mut all = Vec::new();
    for (_, address) in &lan.interfaces {
        let address = Address {
            scheme: None,
            host: address.to_string(),
            port: None,
        };
        if let Ok((address, identity)) = look(lan, &address).await {
            let bridge = Found { address, identity };
            found(&bridge);
            all.push(bridge);
        }
    }
    Ok(all)
}

/// Finds one bridge by its id, and stops as soon as it answers.
///
/// # Errors
///
/// [`HueError::NoSuchBridge`] when none answers with this id, and as [`discover`].
pub async fn locate(lan: &Lan, id: &BridgeId) -> Result<Found, HueError> {
    let all = discover(lan, &Search::default(), |_| ()).await?;
    let found = all
        .into_iter()
        .find(|found| found.identity.id.as_ref() == Some(id));
    found.ok_or_else(|| HueError::NoSuchBridge(id.clone()))
}
