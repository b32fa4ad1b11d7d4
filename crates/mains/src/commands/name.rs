//! `mains name`: what its owner calls a plug.

use plugs::Plug;

use crate::context::Context;
use crate::error::{Exit, Failure, Outcome};
use crate::help::help_of;
use crate::inventory::{Inventory, NameTaken, PlugName};
use crate::resolve::{Network, Target, Through, parse};
use crate::ui::{BOLD, clean, paint};

mod walk;

#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
A name is any text of up to 64 characters that cannot be taken for a MAC, a serial number or an address. It belongs \
to one plug; upper and lower case are the same. Names are kept in the inventory, a file in the state directory \
(", help_of!(state_place), "), or by the hub that keeps the plug; the plug itself does not store them. A \
known plug need not be reachable.

Examples:
  mains name AC:CF:23:12:34:56 kitchen
  mains name kitchen \"coffee machine\"
  mains name \"coffee machine\" --clear
  mains name --walk                # clicks one plug after the other, and asks for its name

Exit codes: 0 named, 2 a taken or invalid name, 3 no such plug, 4 no reply, 7 the state directory \
cannot be written."))]
pub struct NameArgs {
    /// Name, MAC, serial number or IPv4 address
    #[arg(value_name = "PLUG", value_parser = parse, required_unless_present = "walk")]
    plug: Option<Target>,
    /// New name
    #[arg(required_unless_present_any = ["clear", "walk"], conflicts_with = "clear")]
    name: Option<PlugName>,
    /// Remove its name
    #[arg(long)]
    clear: bool,
    /// Click one plug after the other, and ask for the name of each
    #[arg(long, conflicts_with_all = ["plug", "name", "clear"])]
    walk: bool,
}

/// Names the plug, or takes the name away.
pub async fn run(context: &Context, args: NameArgs) -> Outcome {
    let Some(target) = &args.plug else {
        return walk::run(context).await;
    };
    let name = args.name.as_ref();
    let named = match Through::open(context).await? {
        Some(hub) => {
            let plug = context.bounded(hub.locate(target)).await?;
            rename_at(context, &hub, &plug, name).await?
        }
        None => rename_here(context, target, name).await?,
    };
    if context.ui.is_json() {
        context.ui.document(&named)?;
    } else {
        context.ui.data(sentence(target, &named))?;
    }
    Ok(Exit::DONE)
}

/// The hub has the names of its plugs. One that runs here shares them with the inventory, for the days when it does not.
async fn rename_at(
    context: &Context,
    hub: &Through<'_>,
    plug: &Plug,
    name: Option<&PlugName>,
) -> Result<Plug, Failure> {
    let named = context.bounded(hub.rename(plug, name)).await?;
    if !context.names_hub()
        && let Err(failure) = save(context, &named, name)
    {
        context
            .ui
            .warn(format_args!("only the hub has that name: {failure}"));
    }
    Ok(named)
}

async fn rename_here(
    context: &Context,
    target: &Target,
    name: Option<&PlugName>,
) -> Result<Plug, Failure> {
    let plug = match known_plug(context, target)? {
        Some(plug) => plug,
        None => context.bounded(find(context, target)).await?,
    };
    save(context, &plug, name)
}

/// The plug from memory. An address is not: another plug may be there by now.
fn known_plug(context: &Context, target: &Target) -> Result<Option<Plug>, Failure> {
    let inventory = context.inventory()?;
    match target.remembered(&inventory).as_slice() {
        [] => Ok(None),
        [mac] => Ok(inventory
            .by_mac(*mac)
            .map(crate::inventory::InventoryEntry::as_plug)),
        several => Err(crate::resolve::ambiguous(target, several)),
    }
}

async fn find(context: &Context, target: &Target) -> Result<Plug, Failure> {
    let network = Network::open(context, std::slice::from_ref(target)).await?;
    network.alongside(network.presence(target)).await
}

fn save(context: &Context, plug: &Plug, name: Option<&PlugName>) -> Result<Plug, Failure> {
    let change = |inventory: &mut Inventory| {
        inventory.remember(std::slice::from_ref(plug));
        let entry = inventory
            .rename(plug.mac, name)
            .map_err(|error| taken(&error))?;
        let name = entry.and_then(|entry| entry.name.clone());
        Ok(Plug {
            name,
            ..plug.clone()
        })
    };
    context.change_inventory(change)
}

fn taken(error: &NameTaken) -> Failure {
    Failure::usage(error.to_string()).hint(format!(
        "choose another, or free it first: `mains name {} --clear`",
        error.owner
    ))
}

fn sentence(target: &Target, plug: &Plug) -> String {
    let mac = plug.mac;
    match &plug.name {
        Some(name) => format!("{mac} is now called {}", paint(BOLD, clean(name))),
        None => format!("{mac} has no name any more{}", was(target, plug)),
    }
}

fn was(target: &Target, plug: &Plug) -> String {
    if target.is(plug) {
        String::new()
    } else {
        format!(" (it was {})", clean(target.as_given()))
    }
}
