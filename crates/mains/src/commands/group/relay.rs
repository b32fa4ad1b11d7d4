//! `mains group on`, `off` and `toggle`: switching every plug of a group.

use api::GroupRelay;
use api::text::Names;
use api::{Group, RelayCommand};
use plugs::RelayState;

use crate::commands::documents::{DocumentName, Documents};
use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::hub_names::HubNames;
use crate::ui::{BOLD, DIM, ON, clean, paint};

/// Switches the plugs of a group and prints the result of each.
pub(super) async fn switch(
    context: &Context,
    documents: &Documents<'_>,
    group: &DocumentName,
    wanted: RelayCommand,
) -> Outcome {
    let view = documents.find::<Group>(&group.name).await?;
    let results = documents.hub.switch_group(&view.id, wanted).await?;
    let failures: Vec<_> = results
        .iter()
        .map(|result| failure(result, &documents.names))
        .collect();
    let ui = &context.ui;
    if ui.is_json() {
        ui.document(&results)?;
    } else if results.is_empty() {
        let name = clean(&view.document.name);
        ui.status(format_args!("the group {name} has no plug"));
    } else {
        for (result, failure) in results.iter().zip(&failures) {
            match failure {
                Some(failure) => ui.error(failure),
                None => ui.data(sentence(result, &documents.names))?,
            }
        }
    }
    let first = failures.iter().flatten().next();
    Ok(first.map_or(Exit::DONE, |failure| Exit::with(failure.kind())))
}

fn sentence(result: &GroupRelay, names: &HubNames) -> String {
    let name = paint(BOLD, clean(&names.plug(result.plug)));
    let relay = match result.relay {
        Some(RelayState::On) => paint(ON, "on"),
        Some(RelayState::Off) => paint(DIM, "off"),
        None => "unknown".to_owned(),
    };
    format!("{name} is {relay}")
}

/// Returns the failure of a plug, whose message names the plug as people do.
fn failure(result: &GroupRelay, names: &HubNames) -> Option<Failure> {
    let error = result.error.as_ref()?;
    let name = names.plug(result.plug);
    let message = error.message.replace(&result.plug.to_string(), &name);
    let message = match message.contains(&name) {
        true => message,
        false => format!("{name}: {message}"),
    };
    let failure = Failure::new(error.kind, message);
    Some(match &error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Kind;
    use crate::hub_names::tests::names;

    #[test]
    fn the_result_of_each_plug_names_it() {
        let results: Vec<GroupRelay> = serde_json::from_value(json!([
            {"plug": "AC:CF:23:00:00:01", "relay": "on", "confirmed": true, "error": null},
            {"plug": "AC:CF:23:00:00:03", "relay": "off", "confirmed": false,
             "error": {"kind": "refused", "message": "AC:CF:23:00:00:03 accepted `on`, but its relay is off", "hint": null}},
            {"plug": "AC:CF:23:00:00:02", "relay": null, "confirmed": false,
             "error": {"kind": "no_answer", "message": "no reply", "hint": null}},
        ]))
        .unwrap();
        let bare = |text: String| anstream::adapter::strip_str(&text).to_string();
        assert_eq!(bare(sentence(&results[0], &names())), "lamp is on");
        assert_eq!(failure(&results[0], &names()), None);
        let unconfirmed = failure(&results[1], &names()).unwrap();
        assert_eq!(
            unconfirmed.message(),
            "AC:CF:23:00:00:03 accepted `on`, but its relay is off"
        );
        let silent = failure(&results[2], &names()).unwrap();
        assert_eq!(
            (silent.kind(), silent.message()),
            (Kind::NoAnswer, "K\u{fc}che: no reply")
        );
    }
}
