//! A database that several hubs share: the hubs, the lease of the active one, and claims to what is done once.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use api::{HubRole, Id};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::StoreError;

/// Report of a hub to the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// Its id.
    pub id: String,
    /// URL at which the other hubs reach it.
    pub url: String,
    /// Its role.
    pub role: HubRole,
    /// The fencing number of the lease that it holds and renews by this.
    pub held: Option<u64>,
    /// True if it reaches plugs; `None` if it has not tried.
    pub reaches: Option<bool>,
    /// SHA-256 of its certificate in hex, if it serves HTTPS.
    pub certificate: Option<String>,
    /// Figures for other sites.
    pub summary: Value,
}

/// A hub as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct HubRecord {
    /// Its id.
    pub id: String,
    /// URL at which the other hubs reach it.
    pub url: String,
    /// Its version of Mains.
    pub version: String,
    /// Its role; one that this version does not know counts as standby.
    pub role: HubRole,
    /// Time of its last heartbeat, by the database's clock.
    pub seen: Timestamp,
    /// Time since then.
    pub lag: Duration,
    /// True if it reaches plugs; `None` if it has not tried.
    pub reaches: Option<bool>,
    /// SHA-256 of its certificate in hex, if it serves HTTPS.
    pub certificate: Option<String>,
    /// Figures for other sites.
    pub summary: Value,
}

/// The lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Id of the active hub; `None` when it has ended.
    pub holder: Option<String>,
    /// The fencing number.
    pub number: u64,
    /// Time at which it runs out, by the database's clock.
    pub until: Timestamp,
    /// True if it has run out by the database's clock.
    pub is_over: bool,
    /// Changes with each write.
    pub version: String,
}

/// State of a site, as a heartbeat returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteState {
    /// The lease.
    pub lease: LeaseRecord,
    /// True if the heartbeat has renewed the lease.
    pub is_renewed: bool,
    /// Time of the hub's own heartbeat before; `None` for the first.
    pub seen_before: Option<Timestamp>,
    /// The hubs that were seen within 30 days, by id.
    pub hubs: Vec<HubRecord>,
    /// The secret by which the hubs recognise requests of each other.
    pub secret: SiteSecret,
}

/// The secret by which the hubs of a site recognise requests of each other.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SiteSecret(pub String);

impl fmt::Debug for SiteSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiteSecret(…)")
    }
}

/// Kind of document that acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum ClaimKind {
    /// A schedule, by its due time.
    Schedule,
    /// A rule, by the time of its decision.
    Rule,
}

impl ClaimKind {
    /// Returns the word that is stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Claim to something that is done at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Kind of the document.
    pub kind: ClaimKind,
    /// The document.
    pub id: Id,
    /// The moment that makes it unique.
    pub due: Timestamp,
    /// True to take over the claim of a hub that held the lease before, and did not finish, or its own whose reply was lost.
    pub resumes: bool,
}

/// Outcome of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is this hub's alone.
    New,
    /// A hub that held the lease before has claimed it and perhaps not finished; it is this hub's now.
    Resumed,
    /// It is done, or another hub does it.
    Taken,
}

/// A database that several hubs share. All times are by its clock.
#[async_trait]
pub trait SharedStore: fmt::Debug + Send + Sync {
    /// Returns the address from which the database sees this hub; `None` through a local socket.
    async fn own_address(&self) -> Result<Option<IpAddr>, StoreError>;

    /// Returns the hubs that were seen within 30 days, by id.
    async fn hubs(&self) -> Result<Vec<HubRecord>, StoreError>;

    /// Writes a heartbeat, renews the lease that the hub holds, and returns the state of the site. It fails within seconds.
    async fn beat(&self, beat: &Heartbeat) -> Result<SiteState, StoreError>;

    /// Takes the lease if it is still as it was seen. Returns the fencing number, which is above `above`; `None` if another hub
    /// was faster or the holder has renewed it.
    async fn take(
        &self,
        hub: &str,
        seen: &LeaseRecord,
        above: u64,
    ) -> Result<Option<u64>, StoreError>;

    /// Ends the lease that a hub holds, so that another one can take it at once.
    async fn release(&self, hub: &str, number: u64) -> Result<(), StoreError>;

    /// Claims something for the holder of the lease with this number; without that lease it is taken.
    async fn claim(&self, number: u64, claim: &Claim) -> Result<Claimed, StoreError>;

    /// From now on lets writes fail when the lease with this number is lost; `None` for a hub without a lease.
    fn fence(&self, number: Option<u64>) -> Result<(), StoreError>;

    /// Waits for a change of the site by any hub. Returns the name of the table, or `hubs` for a change of role.
    async fn next_change(&self) -> Result<String, StoreError>;
}
