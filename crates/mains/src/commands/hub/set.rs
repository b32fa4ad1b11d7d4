//! `mains hub set`: the settings of a plug.

use api::{Metering, PowerOn};

use crate::commands::documents::Patch;
use crate::commands::documents::options::{Setting, given, patch, word};
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::resolve::{Target, Through, parse};

/// Options of `mains hub set`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Settings that are not given keep their value. To change a plug's name, use `mains name`.

Examples:
  mains hub set heater --room \"living room\" --metering 5s
  mains hub set fridge --power-on on          # after a power cut
  mains hub set lamp --room '' --metering default --power-on none

Exit codes: 0 set, 2 wrong usage, 3 no such plug, 8 no hub.")]
pub(super) struct HubSetArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
    #[command(flatten)]
    settings: PlugOptions,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct PlugOptions {
    /// Room; '' is none
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    /// Metering interval from 1s to 1d, `off`, or `default` for the hub's own
    #[arg(long, value_name = "DURATION", value_parser = metering)]
    metering: Option<Setting<Metering>>,
    /// Relay state after a power cut: `on`, `off`, `last`, or `none` to leave it to the plug
    #[arg(long, value_name = "STATE", value_parser = power_on)]
    power_on: Option<Setting<PowerOn>>,
    /// `true`: that it does not reply is no alert
    #[arg(long, value_name = "BOOL")]
    often_unplugged: Option<bool>,
}

fn metering(text: &str) -> Result<Setting<Metering>, String> {
    match text {
        "default" => Ok(Setting(None)),
        _ => Ok(Setting(Some(text.parse()?))),
    }
}

fn power_on(text: &str) -> Result<Setting<PowerOn>, String> {
    match text {
        "none" => Ok(Setting(None)),
        _ => Ok(Setting(Some(word(text)?))),
    }
}

/// Runs `mains hub set`.
pub(super) async fn run(context: &Context, args: &HubSetArgs) -> Outcome {
    let hub = context.need_hub()?;
    let through = Through::of(context, hub.clone()).await?;
    let mac = through.kept_plug(&args.plug)?.plug.mac;
    let view = hub.patch_plug(mac, &args.settings.patch()).await?;
    if context.ui.is_json() {
        context.ui.document(&view)?;
    } else {
        let table = super::plugs::table(std::slice::from_ref(&view));
        context.ui.data(table.render())?;
    }
    Ok(Exit::DONE)
}

impl PlugOptions {
    fn patch(&self) -> Patch {
        let room = self.room.clone();
        let room = room.map(|room| (!room.is_empty()).then_some(room));
        patch([
            ("room", given(room)),
            ("metering", given(self.metering)),
            ("power_on", given(self.power_on)),
            ("often_unplugged", given(self.often_unplugged)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_the_given_settings_only() {
        let settings = PlugOptions {
            room: Some(String::new()),
            metering: Some(metering("5s").unwrap()),
            power_on: None,
            often_unplugged: Some(true),
        };
        let expected = serde_json::json!({"room": null, "metering": "5s", "often_unplugged": true});
        assert_eq!(serde_json::Value::from(settings.patch()), expected);
        assert_eq!(metering("default"), Ok(Setting(None)));
        assert_eq!(power_on("none"), Ok(Setting(None)));
        assert!(metering("0s").is_err() && power_on("ON").is_err());
    }
}
