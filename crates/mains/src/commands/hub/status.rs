//! `mains hub status`: the state of the hub.

use std::fmt::Write as _;

use api::SiteView;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::ui::{DIM, clean, paint};

/// Options of `mains hub status`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json it prints the document of `GET /api/v1/hub`. Where the database holds other sites, they follow, one a line; \
`GET /api/v1/sites` has them as JSON.

Example:
  mains hub status

Exit codes: 0 shown, 2 wrong token, 8 no hub.")]
pub(super) struct HubStatusArgs {}

/// Runs `mains hub status`.
pub(super) async fn run(context: &Context, _: &HubStatusArgs) -> Outcome {
    let hub = context.need_hub()?;
    let status = hub.status().await?;
    if context.ui.is_json() {
        context.ui.document(&status)?;
        return Ok(Exit::DONE);
    }
    context
        .ui
        .data(format_args!("{:<22} {}", "url", hub.url()))?;
    for (name, value) in lines(&status, "") {
        let label = paint(DIM, format_args!("{name:<22}"));
        context.ui.data(format_args!("{label} {}", clean(&value)))?;
    }
    for other in hub.sites().await?.iter().filter(|site| !site.is_own) {
        let name = format!("site {}", other.site);
        let label = paint(DIM, format_args!("{name:<22}"));
        context
            .ui
            .data(format_args!("{label} {}", clean(&words(other))))?;
    }
    Ok(Exit::DONE)
}

/// Returns what is known of another site in the hub's database.
fn words(site: &SiteView) -> String {
    let mut words = format!("{} plugs, {} unavailable", site.plugs, site.unavailable);
    if let Some(power) = site.power_w {
        let _ = write!(words, ", {power:.1} W");
    }
    if let Some(energy) = site.energy_today_wh {
        let _ = write!(words, ", {:.2} kWh today", energy / 1000.0);
    }
    match (site.is_stale, site.seen) {
        (true, Some(seen)) => {
            let _ = write!(words, "; nothing heard since {seen:.0}");
        }
        (true, None) => words.push_str("; its hub has not reported"),
        (false, _) => {}
    }
    if let Some(url) = &site.url {
        let _ = write!(words, "; {url}");
    }
    words
}

/// Returns every value of a document with its path in words, including those that a newer hub adds.
fn lines(value: &Value, path: &str) -> Vec<(String, String)> {
    let text = match value {
        Value::Object(fields) => {
            let below = |(name, value): (&String, &Value)| {
                let name = name.replace('_', " ");
                lines(value, format!("{path} {name}").trim_start())
            };
            return fields.iter().flat_map(below).collect();
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let numbered = (1..).zip(items);
            return numbered
                .flat_map(|(number, item)| lines(item, &format!("{path} {number}")))
                .collect();
        }
        Value::Array(items) if items.is_empty() => text(&Value::Null),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            items.join(", ")
        }
        value => text(value),
    };
    vec![(path.to_owned(), text)]
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_shown() {
        let status = serde_json::json!({"version": "1", "plugs": {"adopted": 3, "offered": null}, "interfaces": ["a", "b"],
            "damage": [{"table": "log"}], "duplicates": []});
        let shown: Vec<String> = lines(&status, "")
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            shown,
            [
                "damage 1 table=log",
                "duplicates=-",
                "interfaces=a, b",
                "plugs adopted=3",
                "plugs offered=-",
                "version=1"
            ]
        );
    }
}
