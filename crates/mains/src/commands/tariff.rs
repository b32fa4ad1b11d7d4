//! `mains tariff`: prices of energy.

use std::io::Read;
use std::path::{Path, PathBuf};

use api::Collection;
use serde_json::json;

use super::documents::{Document, Documents, Edit, One, path_of};
use crate::context::Context;
use crate::error::{Failure, Outcome};
use flags::Flags;
use show::Tariffs;

mod flags;
mod show;

/// A century of hours has less.
const LONGEST_FILE: u64 = 64 * 1024 * 1024;

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
  mains tariff add market --hourly --currency EUR --otherwise 0.30
  mains tariff prices market tomorrow.csv
  mains tariff list
  mains tariff edit home --price 0.35
  mains tariff remove home

JSON: `list` prints an array, the others one object, as in the hub's API; `remove` prints the removed tariff.

Exit codes: 0 done, 2 invalid options or prices or a name already in use, 3 no such tariff or plug, 8 no hub."
)]
pub struct TariffArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the tariffs
    List,
    /// Show a tariff
    Show(One),
    /// Create a tariff: flat, day and night, or hourly
    Add(Box<TariffAddArgs>),
    /// Change the given settings of a tariff
    #[command(after_long_help = EDIT_HELP)]
    Edit(Box<Edit<Flags>>),
    /// Import hourly prices from a file
    Prices(TariffPricesArgs),
    /// Remove a tariff
    Remove(One),
}

/// Options of `mains tariff add`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mains tariff add home --price 0.32 --currency EUR
  mains tariff add 'home from 2027' --price 0.35 --currency EUR --valid-from 2027-01-01
  mains tariff add 'heat pump' --plugs heat-pump --day 0.34 --night 0.26 --day-begins 06:00 \\
    --night-begins 22:00 --days weekdays --currency CHF
  mains tariff add market --hourly --currency EUR --otherwise 0.30
  mains --json tariff add home --price 0.32 --currency EUR
    {\"id\":\"t-3f9a02c1\",\"name\":\"home\",\"kind\":\"flat\",\"currency\":\"EUR\",\"valid_from\":null,\"plugs\":[],\
\"price\":0.32}

Exit codes: 0 created, 2 invalid options or a name already in use, 3 no such plug, 8 no hub.")]
struct TariffAddArgs {
    /// Name of the tariff
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    flags: Flags,
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
    tariff: One,
    /// File to import; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Text after the help of `mains tariff edit`.
const EDIT_HELP: &str = "\
Settings that are not given keep their value; the kind cannot change. Costs of the past are recalculated.

Examples:
  mains tariff edit home --price 0.35
  mains tariff edit 'heat pump' --night-begins 21:00 --days daily
  mains tariff edit home --name 'home until 2026' --plugs all

Exit codes: 0 changed, 1 edited elsewhere at the same time, 2 invalid options or a name already in use, 3 no such tariff or plug, 8 no hub.";

/// Runs the verb.
pub async fn run(context: &Context, args: TariffArgs) -> Outcome {
    context.bounded(dispatch(context, args.what)).await
}

async fn dispatch(context: &Context, what: What) -> Outcome {
    let documents = Documents::open(context).await?;
    match what {
        What::List => documents.list::<Tariffs>().await,
        What::Show(one) => documents.show::<Tariffs>(&one.name).await,
        What::Add(args) => add(&documents, &args).await,
        What::Edit(edit) => documents.edit::<Tariffs>(&edit).await,
        What::Prices(args) => prices(&documents, args).await,
        What::Remove(one) => documents.remove::<Tariffs>(&one.name).await,
    }
}

async fn add(documents: &Documents<'_>, args: &TariffAddArgs) -> Outcome {
    let mut new = Document::new();
    new.insert("name".to_owned(), json!(args.name));
    let body = args.flags.new_tariff(new, &documents.names)?;
    documents.create::<Tariffs>(&body).await
}

async fn prices(documents: &Documents<'_>, args: TariffPricesArgs) -> Outcome {
    let tariff = documents
        .find(Collection::Tariffs, &args.tariff.name)
        .await?;
    let file = args.file;
    let bytes = tokio::task::spawn_blocking(move || read(&file))
        .await
        .map_err(|error| Failure::failed("the prices cannot be read").caused_by(&error))??;
    let path = path_of(Collection::Tariffs, &tariff)?;
    let call = documents.hub.put(&format!("{path}/prices"));
    let call = call.body(content_type(&bytes), bytes);
    let changed: Document = call.answer().await?;
    documents.print::<Tariffs>(&changed)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |problem: &str| Failure::usage(format!("{} {problem}", file.display()));
    let mut bytes = Vec::new();
    let result = if file == Path::new("-") {
        std::io::stdin()
            .take(LONGEST_FILE + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes))
    };
    result.map_err(|error| failure("cannot be read").caused_by(&error))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(failure("is too long for a file of prices"));
    }
    Ok(bytes)
}

/// JSON begins with a bracket, and no line of CSV does.
fn content_type(bytes: &[u8]) -> &'static str {
    match bytes.trim_ascii_start().first() {
        Some(b'[' | b'{') => "application/json",
        _ => "text/csv",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_csv() {
        assert_eq!(content_type(b" \n[{\"t\":1}]"), "application/json");
        assert_eq!(content_type(b"{}"), "application/json");
        assert_eq!(content_type(b"time,price\n"), "text/csv");
        assert_eq!(content_type(b""), "text/csv");
    }
}
