//! `mains hub set`: the settings of a plug.

use api::{Metering, PlugView};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::resolve::{Target, Through, parse};

/// Options of `mains hub set`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Settings that are not given keep their value. To change a plug's name, use `mains name`.

Examples:
  mains hub set heater --room 'living room' --metering 5s
  mains hub set fridge --power-on on          # after a power cut
  mains hub set lamp --room '' --metering default --power-on none

Exit codes: 0 set, 2 wrong usage, 3 no such plug, 8 no hub.")]
pub(super) struct HubSetArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse)]
    plug: Target,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Room; '' is none
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    /// Metering interval from 1s to 1d, `off`, or `default` for the hub's own
    #[arg(long, value_name = "DURATION", value_parser = metering)]
    metering: Option<Value>,
    /// Relay state after a power cut: `on`, `off`, `last`, or `none` to leave it to the plug
    #[arg(long, value_name = "STATE", value_parser = power_on)]
    power_on: Option<Value>,
}

fn metering(text: &str) -> Result<Value, String> {
    match text {
        "default" => Ok(Value::Null),
        text => text
            .parse::<Metering>()
            .map(|metering| metering.to_string().into()),
    }
}

fn power_on(text: &str) -> Result<Value, &'static str> {
    match text {
        "none" => Ok(Value::Null),
        "on" | "off" | "last" => Ok(text.into()),
        _ => Err("one of `on`, `off`, `last` and `none`"),
    }
}

/// Runs `mains hub set`.
pub(super) async fn run(context: &Context, args: &HubSetArgs) -> Outcome {
    let hub = context.need_hub()?;
    let through = Through::of(context, hub.clone()).await?;
    let mac = through.kept_plug(&args.plug)?.plug.mac;
    let path = format!("plugs/{:x}", mac);
    let change = args.change.document();
    let view: PlugView = hub.patch(&path).json(&change).answer().await?;
    if context.ui.is_json() {
        context.ui.document(&view)?;
    } else {
        let table = super::plugs::table(std::slice::from_ref(&view));
        context.ui.data(table.render())?;
    }
    Ok(Exit::DONE)
}

impl Change {
    fn document(&self) -> Value {
        let room = self.room.as_ref().map(|room| match room.as_str() {
            "" => Value::Null,
            room => room.into(),
        });
        let fields = [
            ("room", room),
            ("metering", self.metering.clone()),
            ("power_on", self.power_on.clone()),
        ];
        let given = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
        Value::Object(Map::from_iter(fields.into_iter().filter_map(given)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_changed() {
        let change = Change {
            room: Some(String::new()),
            metering: Some(metering("5s").unwrap()),
            power_on: None,
        };
        let expected = serde_json::json!({"room": null, "metering": "5s"});
        assert_eq!(change.document(), expected);
        assert_eq!(metering("default"), Ok(Value::Null));
        assert_eq!(power_on("none"), Ok(Value::Null));
        assert!(metering("0s").is_err() && power_on("ON").is_err());
    }
}
