//! From what the user calls a plug to the plug itself.
//!
//! A [`Target`] is what was typed. [`Network`] finds it: an address is taken as it is; a name, MAC or serial number is
//! looked for where it was last seen, then by a scan that all targets of the command share. [`Reach`] is that network, or
//! a hub that keeps the plugs.

use std::net::Ipv4Addr;

use api::client::HubUrl;
use hiflying::Mac;
use plugs::net::Lan;

use crate::error::{Failure, Kind};
use crate::inventory::Inventory;
use crate::ui::clean;

pub(crate) use addresses::SecondAddresses;
pub(crate) use network::COMMAND_TIMEOUT;
pub use network::{Network, address_of};
pub use reach::Reach;
pub use target::{SwitchedPlug, Target, device_address, parse};
pub(crate) use through::Through;

mod addresses;
pub mod interfaces;
mod network;
mod reach;
mod scan;
mod target;
mod through;

/// The failure of a name that the inventory does not have.
pub(crate) fn unknown_name(target: &Target, inventory: &Inventory) -> Failure {
    let failure = Failure::new(
        Kind::NotFound,
        format!("no plug is called \u{2018}{}\u{2019}", target.as_given()),
    );
    match inventory.names_near(target.as_given()).as_slice() {
        [] => failure
            .hint("`mains discover` shows the plugs, `mains name <PLUG> <NAME>` gives one a name"),
        near => failure.hint(format!("did you mean {}?", near.join(" or "))),
    }
}

/// Returns the failure of a plug that a hub does not keep.
pub(crate) fn not_kept(hub: &HubUrl, given: &str) -> Failure {
    let message = format!("the hub at {hub} does not keep the plug {given}");
    Failure::new(Kind::NotFound, message)
        .hint(format!("`mains hub adopt {}` adds it", quoted(given)))
}

/// Returns a text as a shell takes it.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    match text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The failure of a plug that no scan has found; where an own port was taken it may only not have been heard.
fn not_found(target: &Target, lan: &Lan, last: Option<Ipv4Addr>) -> Failure {
    let given = target.as_given();
    if let Some(error) = lan.taken().first() {
        return Failure::local(format!(
            "the plug {given} was not heard, perhaps because our port is taken"
        ))
        .caused_by(error.as_ref())
        .hint("end the program that holds the port, then try again");
    }
    let last = last
        .map(|address| format!("; it was last seen at {address}"))
        .unwrap_or_default();
    let advice = "is it plugged in, and is this computer on its network? `mains discover` shows the plugs that answer";
    let advice = match hiflying::net::same_network() {
        Some(twins) => format!("{advice}; {twins}: name the one with the plug by `--interface`"),
        None => advice.to_owned(),
    };
    Failure::new(
        Kind::NotFound,
        format!("no plug {given} answers on this network{last}"),
    )
    .hint(advice)
}

/// The failure of a serial number that several plugs have.
pub fn ambiguous(target: &Target, macs: &[Mac]) -> Failure {
    let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
    Failure::usage(format!(
        "{} is the serial number of several plugs: {}",
        clean(target.as_given()),
        macs.join(", ")
    ))
    .hint("name the plug by its MAC")
}
