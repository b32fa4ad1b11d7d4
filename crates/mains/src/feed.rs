//! Events as they happen, from one of two sources: a hub, or the plugs themselves.
//!
//! Both yield the same [`Event`](api::Event)s, so a verb that follows plugs does not depend on the source.

use std::pin::Pin;

use api::client::{Client, HubUrl, ReceivedEvent};
use futures_util::Stream;
use hiflying::Mac;
use plugs::net::DiscoverOptions;
use plugs::{RelayCommand, Switched};

use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::resolve::Target;

pub(crate) use hub::of_hub;
pub(crate) use local::UNHEARD;

mod hub;
mod local;

/// An item of a feed.
#[derive(Debug)]
pub(crate) enum FeedItem {
    /// An event; of a hub, with its place in the stream.
    Received(ReceivedEvent),
    /// The hub cannot be reached: until the next event, nothing is known of the plugs.
    Disconnected,
}

/// Events as they happen. It ends after a failure that a new attempt would not cure.
pub(crate) type Feed<'a> = Pin<Box<dyn Stream<Item = Result<FeedItem, Failure>> + 'a>>;

/// Plugs that are followed: their events, and the way to switch them.
pub(crate) struct PlugFeed<'a> {
    /// The events.
    pub(crate) events: Feed<'a>,
    /// The source, which also switches.
    pub(crate) source: FeedSource<'a>,
}

/// The source of the events of plugs.
#[derive(Debug, Clone)]
pub(crate) enum FeedSource<'a> {
    /// A hub, at this address when the feed was opened.
    Hub(&'a Context, HubUrl),
    /// The plugs themselves.
    Plugs(local::FollowedPlugs),
}

impl FeedSource<'_> {
    /// Switches a plug that is followed, and confirms.
    pub(crate) async fn switch(
        &self,
        plug: Mac,
        action: RelayCommand,
    ) -> Result<Switched, Failure> {
        match self {
            Self::Hub(context, _) => hub::switch(context, plug, action).await,
            Self::Plugs(plugs) => plugs.switch(plug, action).await,
        }
    }
}

/// The plugs to follow.
#[derive(Debug, Clone, Default)]
pub(crate) struct FollowRequest<'a> {
    /// Empty for all.
    pub(crate) targets: &'a [Target],
    /// True to meter each plug, where no hub does, and to be able to switch it.
    pub(crate) meters: bool,
    /// Additions to the search, where no hub makes it.
    pub(crate) search: DiscoverOptions,
}

/// Follows plugs: through the hub, if there is one, else over the network from here. Every plug is reported once at first.
pub(crate) async fn of_plugs<'a>(
    context: &'a Context,
    hub: Option<Client>,
    request: FollowRequest<'a>,
) -> Result<PlugFeed<'a>, Failure> {
    if let Some(hub) = hub {
        match hub::of_plugs(context, &hub, request.targets).await {
            Err(failure) if failure.kind() == Kind::Unavailable && !context.names_hub() => {
                context
                    .ui
                    .status(format_args!("{failure}; the plugs are contacted from here"));
            }
            opened => return opened,
        }
    }
    local::of_plugs(context, request).await
}
