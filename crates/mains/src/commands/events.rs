//! `mains events`: the hub's events as they happen.

use std::pin::pin;

use clap::ValueEnum;
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::Value;

use super::documents::names::Names;
use super::documents::people::Clock;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::hub_client::ServerEvent;
use crate::shutdown::Signals;
use line::Lines;

pub(super) mod feed;
mod line;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Runs until Ctrl-C (or --timeout). After a lost connection or a restart of the hub it resumes where it stopped; if events were \
lost in between, it prints the event `reset`.

  plug           a plug was adopted, changed, switched or removed
  reading        a plug was metered
  availability   a plug became unavailable or available
  schedule       a schedule ran, changed, failed or was stopped
  rule           a rule acted, changed, failed or was stopped
  takeover       a bridge's takeover of a bulb began, advanced or ended

Examples:
  mains events
  mains events --kind availability,rule
  mains --json events --kind reading | jq -c 'select(.data.power_w > 1000)'
    {\"event\":\"reading\",\"id\":\"1f0a77c2-415\",\"data\":{\"plug\":\"AC:CF:23:12:34:56\",\"power_w\":2012.5,…}}
  mains --json events --after 1f0a77c2-415

JSON: one document per line; `data` is the plug, reading, schedule, rule or takeover as in the hub's API.

Exit codes: 0 ended, 2 unknown kind or wrong token, 8 no hub.")]
pub struct EventsArgs {
    /// Show only these kinds; repeat or separate with commas
    #[arg(
        long = "kind",
        value_name = "KIND",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true
    )]
    kinds: Vec<EventKind>,
    /// Resume after the event with this id; the hub keeps the last few thousand
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EventKind {
    Plug,
    Reading,
    Availability,
    Schedule,
    Rule,
    Takeover,
}

/// An event, as it is printed as JSON.
#[derive(Debug, Serialize)]
struct Event {
    #[serde(rename = "event")]
    name: String,
    id: Option<String>,
    data: Value,
}

impl From<ServerEvent> for Event {
    fn from(event: ServerEvent) -> Self {
        Self {
            // What is no JSON is nothing that a hub says; it is passed on for whoever looks into that.
            data: serde_json::from_str(&event.data).unwrap_or(Value::String(event.data)),
            name: event.name,
            id: event.id,
        }
    }
}

/// Listens until a signal, the deadline, or until nobody reads any more.
pub async fn run(context: &Context, args: EventsArgs) -> Outcome {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    let listening = async {
        let hub = context.need_hub()?;
        let mut printer = Printer {
            context,
            kinds: args.kinds,
            names: Names::load(&hub).await?,
            lines: Lines::new(),
        };
        let mut events = pin!(feed::listen(context, &hub, args.after.as_deref()).await?);
        while let Some(event) = events.next().await {
            printer.print(event?.into())?;
            if context.ui.is_closed() {
                break;
            }
        }
        Ok(Exit::DONE)
    };
    tokio::select! {
        () = &mut over => Ok(Exit::DONE),
        outcome = listening => outcome,
    }
}

struct Printer<'a> {
    context: &'a Context,
    kinds: Vec<EventKind>,
    names: Names,
    lines: Lines,
}

impl Printer<'_> {
    fn print(&mut self, event: Event) -> Result<(), Failure> {
        if event.name == "plug" {
            self.names.learn(&event.data);
        }
        if !is_wanted(&self.kinds, &event.name) {
            return Ok(());
        }
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(&event)
        } else {
            ui.data(self.lines.line(&event, &self.names, &Clock::system()))
        }
    }
}

/// That something is lost matters to everybody.
fn is_wanted(kinds: &[EventKind], name: &str) -> bool {
    let is = |kind: &EventKind| {
        kind.to_possible_value()
            .is_some_and(|value| value.get_name() == name)
    };
    kinds.is_empty() || name == "reset" || kinds.iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kinds_that_were_asked_for() {
        let kinds = [EventKind::Rule, EventKind::Plug];
        for (name, expected) in [
            ("rule", true),
            ("plug", true),
            ("reading", false),
            ("reset", true),
        ] {
            assert_eq!(is_wanted(&kinds, name), expected, "{name}");
        }
        assert!(is_wanted(&[], "what a newer hub tells"));
    }

    #[test]
    fn json_has_the_data_as_json() {
        let event = |data: &str| {
            let event = ServerEvent {
                id: Some("1-2".into()),
                name: "plug".into(),
                data: data.into(),
            };
            serde_json::to_string(&Event::from(event)).unwrap()
        };
        assert_eq!(
            event("{\"a\":1}"),
            r#"{"event":"plug","id":"1-2","data":{"a":1}}"#
        );
        assert_eq!(
            event("oops"),
            r#"{"event":"plug","id":"1-2","data":"oops"}"#
        );
    }
}
