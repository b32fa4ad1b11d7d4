//! Past events, from the log of the hub, and then the new ones.

use std::sync::Arc;

use api::client::{Client, ReceivedEvent};
use api::{Event, LogEntry, LogKind, LogRequest, Moment};
use futures_util::StreamExt;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::{EventsArgs, cell, document};
use crate::commands::moment::name_zone;
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::feed::{self, FeedItem};
use crate::hub_names::HubNames;
use crate::ui::DIM;
use crate::ui::table::{Cell, Column, Table};

/// Number of entries in one response.
const PAGE_LENGTH: usize = 1000;

const COLUMNS: [Column; 3] = [
    Column::text("TIME", 16),
    Column::text("KIND", 12),
    Column::text("WHAT", 0),
];

/// Prints the entries of the log since a moment, and then new ones, unless the arguments say otherwise.
pub(super) async fn run(context: &Context, args: &EventsArgs) -> Outcome {
    let hub = context.need_hub()?;
    let names = HubNames::load(&hub).await?;
    let clock = names.clock();
    let mut log = PastEvents {
        kinds: args.log_kinds()?,
        printer: LogPrinter {
            context,
            zone: clock.now().time_zone().clone(),
            table: Table::new(COLUMNS),
        },
        from: args.since.as_ref().map(|since| since.moment(&clock)),
        last: 0,
    };
    if !context.ui.is_json() {
        name_zone(context, &clock);
    }
    if args.no_follow {
        log.print_new(&hub).await?;
        return Ok(Exit::DONE);
    }
    // First the stream: what happens while the log is read is not lost then.
    let mut events = feed::of_hub(context, &hub, None, Some(Event::LOG)).await?;
    log.print_new(&hub).await?;
    while let Some(item) = events.next().await {
        if let FeedItem::Received(received) = item? {
            match received.event.as_ref() {
                Some(Event::Log(entry)) => log.print(entry, received.id.as_deref())?,
                Some(_) => {}
                None => log.print_new(&context.need_hub()?).await?,
            }
        }
        if context.ui.is_closed() {
            break;
        }
    }
    Ok(Exit::DONE)
}

/// The entries that were printed, and which are wanted.
struct PastEvents<'a> {
    kinds: Vec<LogKind>,
    from: Option<Moment>,
    /// Number of the last one that was printed.
    last: u64,
    printer: LogPrinter<'a>,
}

impl PastEvents<'_> {
    /// Prints all entries since the last one, oldest first.
    async fn print_new(&mut self, hub: &Client) -> Result<(), Failure> {
        let mut found: Vec<LogEntry> = Vec::new();
        loop {
            let request = LogRequest {
                from: self.from,
                before: found.last().map(|entry| entry.id),
                kinds: self.kinds.clone(),
                limit: PAGE_LENGTH,
            };
            let page = hub.log(&request).await?;
            let is_last = page.len() < PAGE_LENGTH;
            let known = found.len() + page.len();
            found.extend(page.into_iter().filter(|entry| entry.id > self.last));
            if is_last || found.len() < known {
                break;
            }
        }
        for entry in found.iter().rev() {
            self.print(entry, None)?;
        }
        Ok(())
    }

    fn print(&mut self, entry: &LogEntry, id: Option<&str>) -> Result<(), Failure> {
        let is_wanted = self.kinds.is_empty() || self.kinds.contains(&entry.kind);
        if entry.id <= self.last || !is_wanted {
            return Ok(());
        }
        self.last = entry.id;
        self.printer.print(entry, id)
    }
}

struct LogPrinter<'a> {
    context: &'a Context,
    zone: TimeZone,
    table: Table<3>,
}

impl LogPrinter<'_> {
    fn print(&self, entry: &LogEntry, id: Option<&str>) -> Result<(), Failure> {
        let ui = &self.context.ui;
        if ui.is_json() {
            let event = Some(Event::Log(Arc::new(entry.clone())));
            let id = id.map(str::to_owned);
            return ui.document(&document(&ReceivedEvent { id, event }));
        }
        let at = Zoned::new(entry.at, self.zone.clone());
        ui.data(self.table.stream_row(&[
            Cell::styled(DIM, at.strftime("%Y-%m-%d %H:%M")),
            Cell::plain(entry.kind),
            cell(entry.toned()),
        ]))
    }
}
