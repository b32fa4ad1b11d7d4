//! Setup by SmartLink: the key of the home network is sent in packet lengths from a computer that is on that network already.
//!
//! Nothing local is joined or changed. The plug replies to UDP port 49999 when it has joined; then it is looked for under its MAC, as
//! after any other setup.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hiflying::net::{Interface, UdpPort, select, source_for};
use hiflying::smartlink::{SMARTLINK_PORT, SmartLink};
use hiflying::{Mac, Ssid};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout};

use super::args::SetupArgs;
use super::arrival::ArrivalSearch;
use super::interruption::Interruption;
use super::job::remember;
use super::options::{self, HomeKey, SetupOptions};
use super::report::SetupReport;
use super::steps::StepLog;
use super::timing::{END_MARGIN, SMARTLINK_TIMEOUT};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::resolve::interfaces::none_up;

/// Any address that only the default route leads to; nothing is sent there.
const SOMEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Refuses options that are about the plug's own network.
pub(super) fn check(args: &SetupArgs) -> Result<(), Failure> {
    let others = [
        ("--module", args.module.is_some()),
        ("--wifi", args.wifi.is_some()),
        ("--plug-ssid", args.plug_ssid.is_some()),
        ("--plug-key-file", args.plug_key_file.is_some()),
        ("--no-verify", args.no_verify),
        ("--all", args.all),
    ];
    match others.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => Err(Failure::usage(format!(
            "{option} cannot be combined with `--method smartlink`"
        ))
        .hint("SmartLink joins no network of the plug; it needs `--ssid` and the key alone")),
    }
}

/// Sets up one plug.
pub(super) async fn run(
    context: &Context,
    interruption: &mut Interruption,
    options: &mut SetupOptions,
) -> SetupReport {
    let mut setup = SmartLinkSetup {
        context,
        options,
        steps: StepLog::new(&context.ui, String::new()),
        mac: None,
        address: None,
    };
    let outcome = interruption.run(context, setup.work()).await;
    SetupReport {
        given: None,
        mac: setup.mac,
        ssid: setup.options.ssid.clone(),
        confirmed: setup.address.is_some(),
        address: setup.address,
        failure: outcome.err(),
        steps: setup.steps.into_steps(),
    }
}

struct SmartLinkSetup<'a> {
    context: &'a Context,
    options: &'a mut SetupOptions,
    steps: StepLog<'a>,
    mac: Option<Mac>,
    address: Option<Ipv4Addr>,
}

impl SmartLinkSetup<'_> {
    async fn work(&mut self) -> Result<(), Failure> {
        let ssid = self.ask_missing().await?;
        let interface = interface(self.context)?;
        let port = UdpPort::bind_number(interface.address, SMARTLINK_PORT).await;
        let port = port.map_err(|error| {
            Failure::from(error)
                .hint("end the program that holds it: a plug replies to that port alone")
        })?;
        self.steps.succeeded(
            "interface",
            format!("sends from {} ({})", interface.name, interface.address),
        );
        self.context.ui.warn(
            "anyone in radio range can read the key of your Wi-Fi while SmartLink sends it; `--method ap` does not show it",
        );
        let (mac, address) = self.send(&port, &interface, &ssid).await?;
        self.mac = Some(mac);
        self.steps.succeeded(
            "reply",
            format!("{mac} has joined and replies from {address}"),
        );
        self.confirm(mac, address, &ssid).await
    }

    /// Asks for the name and key of the network if they were not given.
    async fn ask_missing(&mut self) -> Result<Ssid, Failure> {
        let ui = &self.context.ui;
        let ssid = match self.options.ssid.clone() {
            Some(ssid) => ssid,
            None => {
                let name = ui.line("Name of your Wi-Fi network", "pass it with `--ssid`");
                options::network_name(name.await?.as_bytes())?
            }
        };
        self.options.ssid = Some(ssid.clone());
        if matches!(self.options.key, HomeKey::Missing) {
            self.options.type_key(ui).await?;
        }
        Ok(ssid)
    }

    /// Sends the key until a module replies.
    async fn send(
        &mut self,
        port: &UdpPort,
        interface: &Interface,
        ssid: &Ssid,
    ) -> Result<(Mac, Ipv4Addr), Failure> {
        let limit = match self.context.deadline() {
            Some(_) => self.context.budget(Duration::MAX),
            None => SMARTLINK_TIMEOUT,
        };
        // Before the whole command is out of time, which would not tell what it waited for.
        let until = limit.saturating_sub(END_MARGIN);
        self.steps.progress(format_args!(
            "sending the key of '{ssid}' in packet lengths; the plug must be in SmartLink mode"
        ));
        let mut sender =
            SmartLink::new(self.options.home_key().as_ref(), Instant::now().into_std());
        let sending = drive(port, interface, &mut sender);
        let what = "waiting for a plug to join";
        let ui = &self.context.ui;
        let joined = ui.waiting_at_most(what, limit, timeout(until, sending));
        match joined.await {
            Ok(joined) => {
                let joined = joined?;
                let sent = format!("the key was sent {}", times(sender.cycles() + 1));
                self.steps.succeeded("send", sent);
                Ok(joined)
            }
            Err(_) => {
                let sent = format!(
                    "the key was sent {}; no plug has joined",
                    times(sender.cycles())
                );
                self.steps.failed("send", sent);
                Err(no_reply(self.context.settings.timeout.unwrap_or(limit)))
            }
        }
    }

    /// Confirms that the plug is on the network under its MAC.
    async fn confirm(&mut self, mac: Mac, address: Ipv4Addr, ssid: &Ssid) -> Result<(), Failure> {
        let mut to = self.options.to.clone();
        to.push(address);
        let search = ArrivalSearch {
            context: self.context,
            mac,
            ssid,
            // There is no address at which it was set up: any reply is one from home.
            module: Ipv4Addr::UNSPECIFIED,
            to,
        };
        let plug = search.find(self.options.wait, &mut self.steps).await?;
        self.address = Some(plug.address);
        remember(self.context, self.options, &plug)
    }
}

/// Sends frames when they are due, and takes replies, until a module has joined.
async fn drive(
    port: &UdpPort,
    interface: &Interface,
    sender: &mut SmartLink,
) -> Result<(Mac, Ipv4Addr), Failure> {
    let mut replies = port.subscribe();
    loop {
        while let Some(transmit) = sender.poll_transmit() {
            let to = SocketAddrV4::new(interface.broadcast, transmit.port);
            if let Err(error) = port.send_to(&transmit.bytes, to).await {
                tracing::debug!(%to, %error, "frame not sent");
            }
        }
        if let Some(joined) = sender.poll_confirmation() {
            return Ok(joined);
        }
        tokio::select! {
            biased;
            reply = replies.recv() => match reply {
                Ok(datagram) => sender.handle_datagram(*datagram.from.ip(), &datagram.bytes),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(Failure::local("the socket failed")),
            },
            () = sleep_until(sender.poll_timeout().into()) => {
                sender.handle_timeout(Instant::now().into_std());
            }
        }
    }
}

/// Returns the interface to send from: the selected one, of several the one with the default route. The key goes to no network by
/// chance.
fn interface(context: &Context) -> Result<Interface, Failure> {
    let mut selected = select(&context.settings.interfaces)?;
    let source = source_for(SOMEWHERE).ok();
    let by_route = selected.iter().position(|it| Some(it.address) == source);
    let index = match (by_route, selected.len()) {
        (Some(index), _) => index,
        (None, 0) => return Err(none_up()),
        (None, 1) => 0,
        (None, _) => return Err(several_up(&selected)),
    };
    Ok(selected.swap_remove(index))
}

fn several_up(interfaces: &[Interface]) -> Failure {
    let names: Vec<&str> = interfaces.iter().map(|it| it.name.as_str()).collect();
    let names = names.join(", ");
    Failure::usage(format!(
        "several interfaces are up ({names}), and none of them has the default route"
    ))
    .hint("name the one on the plug's future network, or its address, with `--interface`")
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn no_reply(limit: Duration) -> Failure {
    let limit = api::duration::show(limit);
    Failure::new(Kind::NoAnswer, format!("no plug has joined within {limit}")).hint(
        "put the plug into SmartLink mode (hold its button until the light blinks fast) and near the access point, check the key, \
         and that this computer is on the 2.4 GHz network that the plug should join; or use `--method ap`",
    )
}

#[cfg(test)]
mod tests {
    use hiflying::WifiKey;

    use super::*;
    use crate::config::RunSettings;
    use crate::ui::{Colour, UiOptions};

    const HERE: Ipv4Addr = Ipv4Addr::new(127, 63, 14, 1);
    /// Nothing listens there.
    const UNUSED: Ipv4Addr = Ipv4Addr::new(127, 63, 14, 2);

    #[tokio::test(start_paused = true)]
    async fn without_a_bound_it_ends_after_two_minutes() {
        let context = Context::new(RunSettings {
            ui: UiOptions {
                quiet: true,
                colour: Colour::Never,
                ..UiOptions::default()
            },
            ..RunSettings::default()
        });
        let ssid = Ssid::new("Home").unwrap();
        let mut options = SetupOptions {
            ssid: Some(ssid.clone()),
            key: HomeKey::Known(WifiKey::new("s3cret-K3y!")),
            has_typed_key: false,
            security: hiflying::WifiSecurity::Auto,
            scanned: None,
            plug_key: None,
            name: None,
            to: Vec::new(),
            verify: true,
            wait: Duration::ZERO,
        };
        let mut setup = SmartLinkSetup {
            context: &context,
            options: &mut options,
            steps: StepLog::new(&context.ui, String::new()),
            mac: None,
            address: None,
        };
        let interface = Interface {
            name: "lo".to_owned(),
            address: HERE,
            peer: None,
            prefix: 8,
            broadcast: UNUSED,
            loopback: true,
            up: true,
            index: 1,
        };
        let port = UdpPort::bind_number(HERE, SMARTLINK_PORT).await.unwrap();
        let start = Instant::now();
        let failure = setup.send(&port, &interface, &ssid).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::NoAnswer);
        assert_eq!(failure.message(), "no plug has joined within 2m");
        assert_eq!(start.elapsed().as_secs().next_multiple_of(10), 120);
        let steps = setup.steps.into_steps();
        assert_eq!((steps[0].step, steps[0].ok), ("send", false));
    }
}
