//! `mains group on`, `off` and `toggle`: every plug of a group at once.

use api::Collection;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::commands::documents::names::Names;
use crate::commands::documents::people::text;
use crate::commands::documents::{Documents, path_of};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::ui::{BOLD, DIM, ON, clean, paint};

/// What the hub tells of one plug: as with `mains on`, a result, an error, or both where it did not do what it accepted.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(alias = "mac")]
    plug: String,
    relay: Option<String>,
    error: Option<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    kind: api::ErrorKind,
    #[serde(alias = "detail")]
    message: String,
    hint: Option<String>,
}

/// Switches, and tells of each plug.
pub(super) async fn switch(
    context: &Context,
    documents: &Documents<'_>,
    group: &str,
    wanted: &str,
) -> Outcome {
    let group = documents.find(Collection::Groups, group).await?;
    let path = format!("{}/relay", path_of(Collection::Groups, &group)?);
    let call = documents.hub.put(&path).json(&json!({"state": wanted}));
    let answer: Value = call.answer().await?;
    let told = Vec::<Told>::deserialize(&answer).map_err(|error| {
        let message = "what the hub tells of the plugs cannot be understood";
        Failure::new(Kind::BadAnswer, message).caused_by(&error)
    })?;
    let ui = &context.ui;
    if ui.is_json() {
        ui.document(&answer)?;
    } else if told.is_empty() {
        ui.status(format_args!(
            "the group {} has no plug",
            clean(text(&group, "name"))
        ));
    }
    let mut exit = Exit::DONE;
    for told in &told {
        let failure = told.failure(&documents.names);
        match &failure {
            Some(failure) if exit == Exit::DONE => exit = Exit::with(failure.kind()),
            _ => {}
        }
        match failure {
            _ if ui.is_json() => {}
            Some(failure) => ui.error(&failure),
            None => ui.data(told.sentence(&documents.names))?,
        }
    }
    Ok(exit)
}

impl Told {
    fn sentence(&self, names: &Names) -> String {
        let name = paint(BOLD, clean(&names.show(&self.plug)));
        let relay = match self.relay.as_deref() {
            Some("on") => paint(ON, "on"),
            Some("off") => paint(DIM, "off"),
            _ => "unknown".to_owned(),
        };
        format!("{name} is {relay}")
    }

    fn failure(&self, names: &Names) -> Option<Failure> {
        let problem = self.error.as_ref()?;
        // The hub knows it by its MAC, people by its name.
        let name = names.show(&self.plug);
        let message = match problem.message.replace(&self.plug, &name) {
            named if named.contains(&name) => named,
            other => format!("{name}: {other}"),
        };
        let failure = Failure::new(problem.kind, message);
        Some(match &problem.hint {
            Some(hint) => failure.hint(hint.clone()),
            None => failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documents::names::tests::names;

    #[test]
    fn each_plug_is_told_of() {
        let told: Vec<Told> = serde_json::from_value(json!([
            {"plug": "accf23000001", "relay": "on", "confirmed": true},
            {"plug": "accf23000003", "relay": "off", "confirmed": false,
             "error": {"kind": "refused", "message": "accf23000003 accepted `on`, but its relay is off", "hint": null}},
            {"plug": "accf23000002", "relay": null, "confirmed": false,
             "error": {"kind": "no_answer", "message": "it is silent", "hint": null}},
        ]))
        .unwrap();
        let bare = |text: String| anstream::adapter::strip_str(&text).to_string();
        assert_eq!(bare(told[0].sentence(&names())), "lamp is on");
        assert_eq!(told[0].failure(&names()), None);
        let failure = told[1].failure(&names()).unwrap();
        assert_eq!(
            failure.message(),
            "AC:CF:23:00:00:03 accepted `on`, but its relay is off"
        );
        let failure = told[2].failure(&names()).unwrap();
        assert_eq!(
            (failure.kind(), failure.message()),
            (Kind::NoAnswer, "K\u{fc}che: it is silent")
        );
    }
}
