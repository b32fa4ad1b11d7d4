//! Drives a join over the sockets, connects to the plug's network again when the join asks for it, and turns what it
//! tells into steps and failures.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hiflying::join::{
    JoinConfig, JoinError, JoinEvent, JoinFailure, JoinOutcome, JoinPath, JoinStep, ModuleState,
    RejoinReason, StepName,
};
use hiflying::net::{Resume, UdpPort, join};
use hiflying::{ACCESS_POINT_ADDRESS, Mac, Ssid};
use plugs::net::Lan;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::guard::Stop;
use super::job::Job;
use super::module;
use super::steps::Steps;
use super::way::Way;
use crate::error::{Failure, Kind};
use crate::inventory::InventoryFile;

/// How long the user, or the system for him, may take to join the plug's network again by hand.
const BY_HAND: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(500);

/// Puts the module on the network.
pub(super) async fn run(
    job: &mut Job<'_>,
    stop: &Stop,
    lan: Lan,
    ssid: &Ssid,
) -> Result<JoinOutcome, Failure> {
    let config = JoinConfig {
        security: job.wish.security,
        verify: job.wish.verify,
        networks: job.networks.clone(),
        ..JoinConfig::new(ssid.clone(), job.wish.home_key())
    };
    let module = job.module;
    let port = lan
        .port_towards(module)
        .ok_or_else(|| Failure::local(format!("no network leads to {module}")))?;
    let listening = stop.listen();
    let refuse = CancellationToken::new();
    let cancel = async {
        tokio::select! {
            () = listening.asked() => {}
            () = refuse.cancelled() => {}
        }
    };
    let mut refused = None;
    let mut here = port.address();
    let joined = join(port, module, config, cancel, async |event| {
        tracing::debug!(?event, "join");
        match event {
            JoinEvent::Identified { mac, path, .. } => {
                if let Err(failure) = identified(job, mac, path) {
                    refused = Some(failure);
                    refuse.cancel();
                }
                Resume::SamePort
            }
            JoinEvent::Step(step) => {
                tell(&mut job.steps, &step);
                Resume::SamePort
            }
            JoinEvent::Rejoin(reason) => tokio::select! {
                biased;
                // Nobody can write anything back to a module that is away; and what has been written back already needs
                // no witness.
                () = listening.asked() => Resume::GiveUp,
                resume = rejoin(job, reason, &mut here) => resume,
            },
            JoinEvent::Done(_) | JoinEvent::Failed(_) => Resume::SamePort,
        }
    });
    joined
        .await
        .map_err(|failure| refused.unwrap_or_else(|| explain(module, &lan, &failure)))
}

/// The module is known and nothing is changed yet: the last moment to refuse.
fn identified(job: &mut Job<'_>, mac: Mac, path: JoinPath) -> Result<(), Failure> {
    job.mac = Some(mac);
    if job.wish.verify && path == JoinPath::Direct {
        job.steps
            .doing("only the home network can tell whether the key is right");
    }
    let Some(name) = &job.wish.name else {
        return Ok(());
    };
    let store = InventoryFile::new(job.context.state_directory()?);
    match store.load()?.inventory.by_name(name.as_str()) {
        Some(owner) if owner.mac != mac => Err(Failure::usage(format!(
            "the name `{name}` belongs to the plug {}",
            owner.mac
        ))
        .hint(
            "take another name, or free it with `mains name <PLUG> --clear`; nothing was changed",
        )),
        _ => Ok(()),
    }
}

/// The module's access point went away for a moment: gets this computer back onto it.
async fn rejoin(job: &mut Job<'_>, reason: RejoinReason, here: &mut Ipv4Addr) -> Resume {
    match reach_again(job, reason, here).await {
        Ok(Some(port)) => {
            *here = port.address();
            Resume::NewPort(port)
        }
        Ok(None) => Resume::SamePort,
        Err(failure) => {
            job.steps.missed("wifi", failure.to_string());
            Resume::GiveUp
        }
    }
}

/// Gives a new socket where this computer has got another address.
async fn reach_again(
    job: &mut Job<'_>,
    reason: RejoinReason,
    here: &Ipv4Addr,
) -> Result<Option<UdpPort>, Failure> {
    match (&mut job.network, &mut *job.way) {
        (Some(network), Way::NetworkManager(manager)) => {
            network.rejoin(manager, &job.steps).await?;
        }
        _ if job.module != ACCESS_POINT_ADDRESS => return Ok(None),
        _ if !module::is_near(job.module) => {
            if reason != RejoinReason::Silence {
                job.steps.doing(
                    "the plug restarts; should this computer not return to its network by itself, join it again",
                );
            }
            by_hand(job.module).await?;
        }
        _ => {}
    }
    // The socket of before is open still: a second one on the same address could not be had.
    if module::is_own(*here) {
        return Ok(None);
    }
    let lan = module::reach(job.context, job.module).await?;
    Ok(lan.port_towards(job.module))
}

/// Waits until this computer is on the plug's network again.
async fn by_hand(module: Ipv4Addr) -> Result<(), Failure> {
    let deadline = Instant::now() + BY_HAND;
    while !module::is_near(module) {
        if Instant::now() >= deadline {
            return Err(module::not_near(module));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

fn tell(steps: &mut Steps<'_>, step: &JoinStep) {
    let what = words(step.name, step.ok);
    let line = match &step.detail {
        Some(detail) => format!("{what}: {detail}"),
        None => what.to_owned(),
    };
    if step.ok {
        steps.done(step.name.as_str(), line);
    } else {
        steps.missed(step.name.as_str(), line);
    }
}

fn words(step: StepName, ok: bool) -> &'static str {
    match (step, ok) {
        (StepName::Find, _) => "found the module",
        (StepName::Read, _) => "its mode now",
        (StepName::Scan, _) => "it sees",
        (StepName::Mode, true) => "its own network stays open for the proof",
        (StepName::Mode, false) => "its own network cannot stay open for a proof",
        (StepName::Ssid, _) => "network name written",
        (StepName::Key, _) => "key written",
        (StepName::ReadBack, _) => "read back from the module",
        (StepName::Dhcp, _) => "address by DHCP",
        (StepName::Restart, true) => "restarted",
        (StepName::Restart, false) => "restart",
        (StepName::Return, _) => "back after its restart",
        (StepName::Link, true) => "linked to your network",
        (StepName::Link, false) => "link to your network",
        (StepName::Lease, _) => "address on your network",
        (StepName::Ping, _) => "router",
        (StepName::Station, _) => "leaves its own network for yours",
        (StepName::RollBack, _) => "what was there before is written back",
    }
}

/// Turns the end of a join into a failure that says in which state the plug is.
fn explain(module: Ipv4Addr, lan: &Lan, failure: &JoinFailure) -> Failure {
    if failure.error == JoinError::NoReply
        && let Some(taken) = lan.taken().first()
    {
        return Failure::from(taken.as_ref());
    }
    let kind = match &failure.error {
        JoinError::Key(_) => Kind::Usage,
        JoinError::NoReply | JoinError::Lost(_) | JoinError::NotBack => Kind::NoAnswer,
        JoinError::Refused { .. }
        | JoinError::Mangled(_)
        | JoinError::NotRestarting
        | JoinError::WrongKey { .. }
        | JoinError::NoLease(_) => Kind::Refused,
        JoinError::BadReply(_) => Kind::BadAnswer,
        JoinError::Cancelled => Kind::Failed,
    };
    let message = match &failure.error {
        JoinError::NoReply => format!("no module answers at {module}"),
        error => error.to_string(),
    };
    Failure::new(kind, message).hint(state(failure))
}

fn state(failure: &JoinFailure) -> &'static str {
    let written_back = failure
        .steps
        .iter()
        .any(|step| step.name == StepName::RollBack && step.ok);
    match (failure.left, &failure.error) {
        (ModuleState::Untouched, JoinError::NoReply) => {
            "is the plug in a socket, and this computer on the plug's own network (or on the one where the plug is)?"
        }
        (ModuleState::Untouched, _) => {
            "nothing was changed: the plug can still be reached on its own network, or where it was"
        }
        (ModuleState::Restored, _) => {
            "the plug is as it was before: it can still be reached on its own network, or where it was"
        }
        (ModuleState::Unknown, _) if written_back => {
            "what was there before has been written back: once it has restarted, the plug is as it was before"
        }
        (ModuleState::Unknown, _) => {
            "look for the plug's own network, and for the plug on yours with `mains discover`; if it is on neither, hold the \
             button on the plug until its light changes, so that it opens its own network again"
        }
    }
}
