//! Verbs that take several plugs: every one is tried, all at the same time, and told of in the order given.

use futures_util::StreamExt;
use futures_util::stream;
use hiflying::Mac;
use plugs::Capability;
use plugs::plug::UNKNOWN_MAC;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::resolve::{Reach, Target};
use crate::ui::clean;

/// Maximum number of plugs contacted concurrently; more would only wait for one another.
const MAX_CONCURRENT: usize = 256;

// The plugs of a verb. No doc comments: the help would show them in place of the verb's own line.
#[derive(Debug, clap::Args)]
pub(super) struct ReadPlugs {
    /// Name, MAC, serial number, IPv4 address, or a group of the hub [default: every plug]
    #[arg(value_name = "PLUG", value_parser = crate::resolve::parse)]
    pub(super) plugs: Vec<Target>,
}

#[derive(Debug, clap::Args)]
pub(super) struct SwitchPlugs {
    /// Name, MAC, serial number, IPv4 address, or a group of the hub; several are handled concurrently
    #[arg(value_name = "PLUG", required_unless_present = "all", value_parser = crate::resolve::parse)]
    pub(super) plugs: Vec<Target>,
    /// Switch every plug, after a question
    #[arg(long, conflicts_with = "plugs")]
    all: bool,
}

/// The plugs to try.
pub(super) struct Selection<'a> {
    /// Those that were named; without any, all that have the ability.
    pub(super) given: &'a [Target],
    /// The ability that the work needs.
    pub(super) ability: Capability,
    /// The action that all plugs are not subjected to without a question.
    pub(super) question: Option<&'static str>,
}

impl<'a> Selection<'a> {
    /// Makes a selection that needs no question.
    pub(super) fn of(given: &'a [Target], ability: Capability) -> Self {
        Self {
            given,
            ability,
            question: None,
        }
    }

    /// Asks before all plugs are subjected to the action.
    async fn ask(&self, context: &Context, targets: &[Target]) -> Result<(), Failure> {
        let (Some(action), true, false) =
            (self.question, self.given.is_empty(), targets.is_empty())
        else {
            return Ok(());
        };
        let names: Vec<_> = targets.iter().map(|target| clean(target.shown())).collect();
        let question = match names.as_slice() {
            [one] => format!("{action} {one}, which is the only plug"),
            all => format!("{action} all {} plugs: {}", all.len(), all.join(", ")),
        };
        match context.ui.confirm(&question).await? {
            true => Ok(()),
            false => Err(Failure::usage("not confirmed; nothing is switched")),
        }
    }
}

/// The outcome for one plug: a result, a failure, or both (a relay that did not move).
#[derive(Debug)]
pub(super) struct TargetOutcome<T> {
    /// The result.
    pub(super) result: Option<T>,
    /// The failure.
    pub(super) failure: Option<Failure>,
}

impl<T> From<Result<T, Failure>> for TargetOutcome<T> {
    fn from(result: Result<T, Failure>) -> Self {
        match result {
            Ok(result) => Self {
                result: Some(result),
                failure: None,
            },
            Err(failure) => Self {
                result: None,
                failure: Some(failure),
            },
        }
    }
}

/// The name of a plug in JSON: its MAC, or the text that was given for one that has not reported it.
pub(super) fn mac_or_given(target: &Target, mac: Mac) -> String {
    if mac == UNKNOWN_MAC {
        target.as_given().to_owned()
    } else {
        mac.to_string()
    }
}

/// One element of the array: the result's own fields, or the plug as given; then the error, if there is one.
#[derive(Serialize)]
struct TargetElement<'a, T> {
    #[serde(flatten)]
    result: Option<&'a T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plug: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
}

impl<'a, T> TargetElement<'a, T> {
    fn new(target: &'a Target, told: &'a TargetOutcome<T>) -> Self {
        let plug = told.result.is_none().then(|| target.as_given());
        Self {
            result: told.result.as_ref(),
            plug,
            error: told.failure.as_ref(),
        }
    }
}

/// Runs `work` for every plug of the selection. For people, `show` prints each result as soon as it and all before it are there.
pub(super) async fn each<T: Serialize>(
    context: &Context,
    selection: Selection<'_>,
    work: impl AsyncFn(&Reach<'_>, &Target) -> Result<TargetOutcome<T>, Failure>,
    show: impl FnMut(&Target, &T) -> Result<(), Failure>,
) -> Outcome {
    let reach = Reach::open(context, selection.given).await?;
    let one = async |target: &Target| {
        let told = context.bounded(work(&reach, target)).await;
        told.unwrap_or_else(|failure| Err(failure).into())
    };
    let all = async {
        let selected = reach.select(selection.given, selection.ability);
        let targets = context.bounded(selected).await?;
        if targets.is_empty() && !context.ui.is_json() {
            context.ui.status("no plug replied");
        }
        selection.ask(context, &targets).await?;
        each_of(context, &targets, one, show).await
    };
    let exit = reach.alongside(all).await?;
    reach.remember();
    Ok(exit)
}

/// As [`each`], for work that finds its plug by itself.
pub(super) async fn each_of<T: Serialize>(
    context: &Context,
    targets: &[Target],
    one: impl AsyncFn(&Target) -> TargetOutcome<T>,
    mut show: impl FnMut(&Target, &T) -> Result<(), Failure>,
) -> Outcome {
    let one = async |target| (target, one(target).await);
    let mut tolds = Vec::with_capacity(targets.len());
    let mut results = std::pin::pin!(stream::iter(targets).map(one).buffered(MAX_CONCURRENT));
    while let Some((target, told)) = results.next().await {
        if !context.ui.is_json() {
            tell(context, targets, target, &told, &mut show)?;
        }
        tolds.push((target, told));
    }
    if context.ui.is_json() {
        let elements: Vec<_> = tolds
            .iter()
            .map(|(target, told)| TargetElement::new(target, told))
            .collect();
        context.ui.document(&elements)?;
    }
    let first = tolds.iter().find_map(|(_, told)| told.failure.as_ref());
    Ok(first.map_or(Exit::DONE, |failure| Exit::with(failure.kind())))
}

fn tell<T>(
    context: &Context,
    targets: &[Target],
    target: &Target,
    told: &TargetOutcome<T>,
    show: &mut impl FnMut(&Target, &T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Some(result) = &told.result {
        show(target, result)?;
    }
    match &told.failure {
        // With several plugs a sentence alone would not say whose it is.
        Some(failure) if targets.len() > 1 => {
            context.ui.error(&failure.clone().about(target.shown()));
        }
        Some(failure) => context.ui.error(failure),
        None => {}
    }
    Ok(())
}
