//! `mains hub status`: the state of the hub.

use api::{HubEntry, SiteView};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::ui::table::{Cell, Table};
use crate::ui::{BOLD, DIM, clean, paint};

/// Options of `mains hub status`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json it prints the document of `GET /api/v1/hub`. Tables follow of the hubs that share the database, and of the sites \
that it holds; `GET /api/v1/sites` has those as JSON. A figure that is not known now is a dash.

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
    let (hubs, status) = without_hubs(status);
    for (name, value) in lines(&status, "") {
        let label = paint(DIM, format_args!("{name:<22}"));
        context.ui.data(format_args!("{label} {}", clean(&value)))?;
    }
    if !hubs.is_empty() {
        context.ui.data(format_args!("\n{}", hub_table(&hubs)))?;
    }
    let sites = hub.sites().await?;
    if sites.len() > 1 {
        context.ui.data(format_args!("\n{}", site_table(&sites)))?;
    }
    Ok(Exit::DONE)
}

/// Takes the hubs out of the document. Those that a hub of another version describes in another way stay in it.
fn without_hubs(mut status: Value) -> (Vec<HubEntry>, Value) {
    let hubs = status.get("hubs").cloned().unwrap_or(Value::Null);
    let hubs: Vec<HubEntry> = serde_json::from_value(hubs).unwrap_or_else(|_| Vec::new());
    if !hubs.is_empty()
        && let Some(members) = status.as_object_mut()
    {
        members.remove("hubs");
    }
    (hubs, status)
}

/// Returns the hubs that share the database as a table.
fn hub_table(hubs: &[HubEntry]) -> String {
    let mut table = Table::new(["HUB", "ROLE", "URL", "VERSION", ">LAG", "PLUGS"]);
    for hub in hubs {
        let reaches = match hub.reaches {
            Some(true) => Cell::plain("reached"),
            Some(false) => Cell::plain("not reached"),
            None => Cell::unknown(),
        };
        table.row([
            Cell::styled(BOLD, &hub.id),
            Cell::plain(hub.role),
            Cell::plain(&hub.url),
            Cell::plain(&hub.version),
            Cell::plain(format_args!("{:.1} s", hub.lag_s)),
            reaches,
        ]);
    }
    table.render()
}

/// Returns the sites in the database as a table.
fn site_table(sites: &[SiteView]) -> String {
    let mut table = Table::new([
        "SITE",
        ">PLUGS",
        ">UNAVAILABLE",
        ">POWER",
        ">TODAY",
        "HEARD",
        "HUB",
    ]);
    for site in sites {
        let heard = match (site.is_stale, site.seen) {
            (false, _) => "now".to_owned(),
            (true, Some(seen)) => format!("{seen:.0}"),
            (true, None) => "never".to_owned(),
        };
        let energy = site.energy_today_wh;
        let name = match site.site.is_empty() {
            true => Cell::unknown(),
            false => Cell::styled(BOLD, &site.site),
        };
        table.row([
            name,
            Cell::plain(site.plugs),
            Cell::plain(site.unavailable),
            Cell::maybe(site.power_w.map(|power| format!("{power:.1} W"))),
            Cell::maybe(energy.map(|energy| format!("{:.2} kWh", energy / 1000.0))),
            Cell::plain(heard),
            match site.is_own {
                true => Cell::plain("this one"),
                false => Cell::maybe(site.url.as_deref()),
            },
        ]);
    }
    table.render()
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
    fn the_hubs_of_a_site_are_a_table() {
        let hub = |id: &str, role: &str, lag_s: f64, reaches: Value| {
            serde_json::json!({"id": id, "url": "http://10.0.0.1:8480", "version": "0.1.0", "role": role,
                "seen": "2026-11-22T12:00:00Z", "lag_s": lag_s, "reaches": reaches})
        };
        let hubs = [
            hub("h1", "active", 0.04, true.into()),
            hub("h22", "standby", 12.3, Value::Null),
        ];
        let (hubs, rest) = without_hubs(serde_json::json!({"role": "active", "hubs": hubs}));
        assert_eq!(rest, serde_json::json!({"role": "active"}));
        let shown = anstream::adapter::strip_str(&hub_table(&hubs)).to_string();
        let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "HUB  ROLE     URL                   VERSION     LAG  PLUGS",
                "h1   active   http://10.0.0.1:8480  0.1.0     0.0 s  reached",
                "h22  standby  http://10.0.0.1:8480  0.1.0    12.3 s  -",
            ]
        );
        // What is not understood is shown as all else.
        let other = serde_json::json!({"hubs": [{"name": "h1"}]});
        assert_eq!(without_hubs(other.clone()), (Vec::new(), other));
    }

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
