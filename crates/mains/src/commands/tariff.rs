//! `mains tariff`: prices of energy.

use std::io::Read;
use std::path::{Path, PathBuf};

use api::text::LocalClock;
use api::{Tariff, TariffView};

use super::documents::{DocumentName, Documents, EditArgs, Listed};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use crate::hub_names::HubNames;
use crate::ui::BOLD;
use crate::ui::table::{Cell, Table};
use options::TariffOptions;

mod options;

/// Maximum size of a file of prices; a century of hours needs less.
const MAX_FILE_LEN: u64 = 64 * 1024 * 1024;

#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "WHAT",
    subcommand_help_heading = "What",
    after_long_help = "\
The hub (`mains serve`) calculates costs by its tariffs; `mains energy` shows them. NAME is a tariff's name or id. Prices are \
per kilowatt-hour, in any currency. A tariff for certain plugs takes precedence over one for all plugs; of several, the one \
that came into force last applies.

Examples:
  mains tariff add home --price 0.32 --currency EUR
  mains tariff add market --hourly --currency EUR --otherwise 0.30 --valid-from 2027-01-01
  mains tariff prices market tomorrow.csv
  mains tariff list
  mains tariff edit home --price 0.35
  mains tariff remove home

JSON: `list` prints an array, the others one object, as in the hub's API; `remove` prints the removed tariff.

Exit codes: 0 done, 2 invalid options or prices or a name already in use, 3 no such tariff or plug, 8 no hub."
)]
pub struct TariffArgs {
    #[command(subcommand)]
    command: TariffCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TariffCommand {
    /// List the tariffs
    List,
    /// Show a tariff
    Show(DocumentName),
    /// Create a tariff: flat, day and night, or hourly
    Add(Box<TariffAddArgs>),
    /// Change the given settings of a tariff
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<EditArgs<TariffOptions>>),
    /// Import hourly prices from a file
    Prices(TariffPricesArgs),
    /// Remove a tariff
    Remove(DocumentName),
}

/// Options of `mains tariff add`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains tariff add home --price 0.32 --currency EUR
  mains tariff add \"home from 2027\" --price 0.35 --currency EUR --valid-from 2027-01-01
  mains tariff add \"heat pump\" --plugs heat-pump --day 0.34 --night 0.26 --day-begins 06:00 \\
    --night-begins 22:00 --days weekdays --currency CHF
  mains tariff add market --hourly --currency EUR --otherwise 0.30
  mains --json tariff add home --price 0.32 --currency EUR
    {\"id\":\"t-3f9a02c1\",\"name\":\"home\",\"kind\":\"flat\",\"currency\":\"EUR\",
      \"valid_from\":null,\"plugs\":[],\
\"price\":0.32}

Exit codes: 0 created, 2 invalid options or a name already in use, 3 no such plug, 8 no hub.")]
struct TariffAddArgs {
    /// Name of the tariff
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    options: TariffOptions,
}

/// Options of `mains tariff prices`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The file is CSV with one line for each hour: its start and the price per kilowatt-hour,

  time,price
  2026-11-23T00:00:00+01:00,0.2871
  2026-11-23T01:00:00+01:00,-0.0013

or JSON: [{\"t\":\"2026-11-22T23:00:00Z\",\"price\":0.2871},…]. If a line is wrong, the error names it and nothing is imported.

Examples:
  mains tariff prices market tomorrow.csv
  fetch-prices | mains tariff prices market -

Exit codes: 0 imported, 2 an unreadable or invalid file, or a tariff that is not hourly, 3 no such tariff, 8 no hub.")]
struct TariffPricesArgs {
    #[command(flatten)]
    tariff: DocumentName,
    /// File to import; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Text after the help of `mains tariff edit`.
const EDIT_HELP: &str = "\
Settings that are not given keep their value; the kind cannot change. Costs of the past are recalculated.

Examples:
  mains tariff edit home --price 0.35
  mains tariff edit \"heat pump\" --night-begins 21:00 --days daily
  mains tariff edit home --name \"home until 2026\" --plugs all

Exit codes: 0 changed, 1 edited elsewhere at the same time, 2 invalid options or a name already in use, 3 no such tariff or plug, 8 no hub.";

/// Runs the verb.
pub async fn run(context: &Context, args: TariffArgs) -> Outcome {
    context.bounded(dispatch(context, args.command)).await
}

async fn dispatch(context: &Context, command: TariffCommand) -> Outcome {
    let documents = Documents::open(context).await?;
    match command {
        TariffCommand::List => documents.list::<Tariff>().await,
        TariffCommand::Show(tariff) => documents.show::<Tariff>(&tariff).await,
        TariffCommand::Add(args) => {
            let tariff = args.options.new_tariff(&args.name, &documents.names)?;
            documents.create(&tariff).await
        }
        TariffCommand::Edit(args) => documents.edit::<Tariff, _>(&args).await,
        TariffCommand::Prices(args) => prices(&documents, args).await,
        TariffCommand::Remove(tariff) => documents.remove::<Tariff>(&tariff).await,
    }
}

async fn prices(documents: &Documents<'_>, args: TariffPricesArgs) -> Outcome {
    let tariff = documents.find::<Tariff>(&args.tariff.name).await?;
    let prices = tokio::task::spawn_blocking(move || read_prices(&args.file))
        .await
        .map_err(|error| Failure::failed("the prices cannot be read").caused_by(&error))??;
    let view = documents.hub.put_prices(&tariff.id, prices).await?;
    documents.print(&view)
}

fn read_prices(file: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |problem: &str| {
        let name = match file == Path::new("-") {
            true => "standard input".to_owned(),
            false => file.display().to_string(),
        };
        Failure::usage(format!("{name} {problem}"))
    };
    let mut bytes = Vec::new();
    let result = if file == Path::new("-") {
        std::io::stdin()
            .take(MAX_FILE_LEN + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(MAX_FILE_LEN + 1).read_to_end(&mut bytes))
    };
    result.map_err(|error| failure("cannot be read").caused_by(&error))?;
    if bytes.len() as u64 > MAX_FILE_LEN {
        return Err(failure("is too long for a file of prices"));
    }
    Ok(bytes)
}

impl Listed for Tariff {
    fn table(views: &[TariffView], names: &HubNames, _: &LocalClock) -> String {
        let mut table = Table::new(["NAME", "PRICE OF A KWH", "PLUGS", "FROM"]);
        for view in views {
            let tariff = &view.document;
            table.row([
                Cell::styled(BOLD, &tariff.name),
                Cell::plain(tariff.sentence()),
                Cell::plain(tariff.members(names)),
                Cell::maybe(tariff.valid_from),
            ]);
        }
        table.render()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::documents::tests::{clock, views};
    use crate::hub_names::tests::names;

    #[test]
    fn a_table_of_prices() {
        let tariffs = views::<Tariff>(json!([
            {
                "id": "t-00000001", "name": "home", "kind": "flat", "currency": "EUR", "price": 0.32, "plugs": [],
                "valid_from": null,
            },
            {
                "id": "t-00000002", "name": "heat pump", "kind": "day_night", "currency": "CHF", "day": 0.34, "night": 0.26,
                "day_begins": "06:00", "night_begins": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"],
                "plugs": ["accf23000001"], "valid_from": "2027-01-01",
            },
            {
                "id": "t-00000003", "name": "market", "kind": "hourly", "currency": "EUR", "otherwise": 0.3, "plugs": [],
                "valid_from": null,
                "prices": [{"t": "2026-11-22T11:00:00Z", "price": 0.1}, {"t": "2026-11-23T22:00:00Z", "price": -0.01}],
            },
        ]));
        let table = Tariff::table(&tariffs, &names(), &clock());
        insta::assert_snapshot!(anstream::adapter::strip_str(&table).to_string(), @r"
            NAME       PRICE OF A KWH                               PLUGS  FROM
            home       0.32 EUR                                     all    -
            heat pump  0.34 CHF 06:00 to 22:00 weekdays, else 0.26  lamp   2027-01-01
            market     EUR by the hour, 2 known, else 0.3           all    -
            ");
    }
}
