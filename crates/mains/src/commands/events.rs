//! `mains events`: the hub's events as they happen, and past ones.

mod past;

use std::pin::pin;

use api::client::ReceivedEvent;
use api::text::LocalClock;
use api::{Event, LogKind, PlugView};
use clap::ValueEnum;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::documents::cell;
use super::moment::PastMoment;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::feed::{self, FeedItem};
use crate::hub_names::HubNames;
use crate::shutdown::Signals;
use crate::ui::table::{Cell, Column, Table};
use crate::ui::{BAD, BOLD, DIM};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Runs until Ctrl-C (or --timeout). After a lost connection or a restart of the hub it resumes where it stopped; if events were \
lost in between, it prints the event `reset`.

  plug           a plug was adopted, changed, switched or removed
  reading        a plug was metered
  availability   a plug became unavailable or available
  schedule       a schedule ran, changed, failed or was stopped
  rule           a rule acted, changed, failed or was stopped
  group, tariff  one was created, changed or removed
  takeover       a bridge's takeover of a bulb began, advanced or ended
  problem        a part of the hub failed or works again

With --since it prints the log of the hub, oldest first, and then new entries as they are written. An entry has its cause: who \
switched, or which schedule or rule. The log is kept for a year, at most 200,000 entries, over restarts of the hub. It has no \
readings (`mains history` shows those), and these kinds in addition:

  switch         a relay moved, or did not obey
  access         a login was refused, or a password or token was changed
  hub            the hub started or ended, or made a backup

MOMENT is a date (2026-11-22), a time (2026-11-22T18:00, local to the hub; 2026-11-22T17:00:00Z), a duration before now (7d), \
`yesterday` or `today`.

Examples:
  mains events
  mains events --since yesterday
  mains events --since 7d --kind switch --no-follow
  mains events --kind availability,rule
  mains --json events --kind reading | jq -c 'select(.data.power_w > 1000)'
    {\"event\":\"reading\",\"id\":\"1f0a77c2-415\",\"data\":{\"plug\":\"AC:CF:23:12:34:56\",
      \"power_w\":2012.5,…}}
  mains --json events --after 1f0a77c2-415
  mains --json events --since 1d --no-follow | jq -c 'select(.data.problem) | .data.text'
    \"kitchen does not answer\"

JSON: one document per line; `data` is the plug, reading, schedule, rule, takeover or, as event `log`, the entry of the log as in the \
hub's API.

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
    /// Print the log since this moment first
    #[arg(long, value_name = "MOMENT", conflicts_with = "after")]
    since: Option<PastMoment>,
    /// End after the log instead of waiting for new entries
    #[arg(long, requires = "since")]
    no_follow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EventKind {
    Plug,
    Reading,
    Availability,
    Schedule,
    Rule,
    Group,
    Tariff,
    Takeover,
    Problem,
    Switch,
    Access,
    Hub,
}

impl EventKind {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl EventsArgs {
    /// Returns the kinds of entries of the log.
    fn log_kinds(&self) -> Result<Vec<LogKind>, Failure> {
        let kinds = self.kinds.iter().map(|kind| kind.name().parse());
        kinds.collect::<Result<_, String>>().map_err(|message| {
            Failure::usage(message).hint("`mains history` shows the readings of the past")
        })
    }

    /// Checks that the kinds are those of events.
    fn check_live_kinds(&self) -> Result<(), Failure> {
        let mut names = self.kinds.iter().map(|kind| kind.name());
        match names.find(|name| !Event::NAMES.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Failure::usage(format!("{name} is a kind of the log only"))
                .hint("add --since, e.g. `--since now`")),
        }
    }
}

/// Name of the event that stands for lost events.
const RESET: &str = "reset";

/// Prints events until a signal or the deadline, or until the output is closed.
pub async fn run(context: &Context, args: EventsArgs) -> Outcome {
    let mut over = pin!(Signals::listen()?.received_before(context.deadline()));
    let listening = async {
        if args.since.is_some() {
            return past::run(context, &args).await;
        }
        args.check_live_kinds()?;
        let hub = context.need_hub()?;
        let mut printer = EventPrinter {
            context,
            kinds: args.kinds,
            names: HubNames::load(&hub).await?,
            table: Table::new(COLUMNS),
        };
        let mut events = feed::of_hub(context, &hub, args.after.as_deref(), None).await?;
        while let Some(item) = events.next().await {
            if let FeedItem::Received(received) = item? {
                printer.print(received)?;
            }
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

const COLUMNS: [Column; 4] = [
    Column::text("TIME", 8),
    Column::text("EVENT", 12),
    Column::text("NAME", 17),
    Column::text("WHAT", 0),
];

struct EventPrinter<'a> {
    context: &'a Context,
    kinds: Vec<EventKind>,
    names: HubNames,
    table: Table<4>,
}

impl EventPrinter<'_> {
    fn print(&mut self, received: ReceivedEvent) -> Result<(), Failure> {
        if let Some(Event::Plug(view)) = &received.event {
            self.names.update(PlugView::clone(view));
        }
        if !is_wanted(&self.kinds, name(&received)) {
            return Ok(());
        }
        let ui = &self.context.ui;
        if ui.is_json() {
            ui.document(&document(&received))
        } else {
            ui.data(self.line(&received, &self.names.clock()))
        }
    }

    /// Returns an event as a line of a table that grows.
    fn line(&self, received: &ReceivedEvent, clock: &LocalClock) -> String {
        let (subject, what) = match &received.event {
            Some(event) => {
                let text = event.text(&self.names, clock);
                (text.subject, cell(text.what))
            }
            None => {
                let lost = "events were lost: the hub restarted, or no longer has them";
                ("-".to_owned(), Cell::styled(BAD, lost))
            }
        };
        self.table.stream_row(&[
            Cell::styled(DIM, clock.now().strftime("%H:%M:%S")),
            Cell::plain(name(received)),
            Cell::styled(BOLD, subject),
            what,
        ])
    }
}

fn name(received: &ReceivedEvent) -> &'static str {
    received.event.as_ref().map_or(RESET, Event::name)
}

/// Returns an event as JSON.
fn document(received: &ReceivedEvent) -> Value {
    json!({"event": name(received), "id": received.id, "data": received.event})
}

/// Lost events concern every reader, whatever the kinds.
fn is_wanted(kinds: &[EventKind], name: &str) -> bool {
    kinds.is_empty() || name == RESET || kinds.iter().any(|kind| kind.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_given_kinds_are_printed() {
        let kinds = [EventKind::Rule, EventKind::Plug];
        for (name, expected) in [
            ("rule", true),
            ("plug", true),
            ("reading", false),
            ("reset", true),
        ] {
            assert_eq!(is_wanted(&kinds, name), expected, "{name}");
        }
        assert!(is_wanted(&[], "reading"));
    }

    #[test]
    fn json_has_the_data_as_json() {
        let reset = ReceivedEvent {
            id: Some("1-2".into()),
            event: None,
        };
        assert_eq!(
            document(&reset),
            json!({"event": "reset", "id": "1-2", "data": null})
        );
        let removed = r#"{"mac":"AC:CF:23:00:00:01","removed":true}"#;
        let removed = ReceivedEvent {
            id: Some("1-3".into()),
            event: Event::parse("plug", removed).unwrap(),
        };
        assert_eq!(
            document(&removed),
            json!({"event": "plug", "id": "1-3", "data": {"mac": "AC:CF:23:00:00:01", "removed": true}})
        );
    }
}
