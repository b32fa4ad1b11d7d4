//! The hub's events, resumed after a lost connection.

use std::time::Duration;

use api::client::{Client, EventStream, ReceivedEvent};
use futures_util::Stream;
use futures_util::stream;

use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::ui::{DIM, clean, paint};

/// Delay before the first attempt to reconnect; it doubles with each attempt.
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(500);
/// Maximum delay before an attempt to reconnect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(15);

/// Listens to a hub's events: those after the event `after`, else from now on. The stream ends after a failure that a new
/// attempt would not cure.
///
/// # Errors
///
/// When the hub cannot be reached to begin with.
pub(in crate::commands) async fn listen<'a>(
    context: &'a Context,
    hub: &Client,
    after: Option<&str>,
) -> Result<impl Stream<Item = Result<ReceivedEvent, Failure>> + 'a, Failure> {
    let feed = EventFeed {
        context,
        stream: Some(hub.events(after).await?),
        last_id: after.map(str::to_owned),
        delay: MIN_RECONNECT_DELAY,
    };
    Ok(stream::unfold(Some(feed), |feed| async {
        let mut feed = feed?;
        match feed.next().await {
            Ok(event) => Some((Ok(event), Some(feed))),
            Err(failure) => Some((Err(failure), None)),
        }
    }))
}

struct EventFeed<'a> {
    context: &'a Context,
    stream: Option<EventStream>,
    last_id: Option<String>,
    delay: Duration,
}

impl EventFeed<'_> {
    async fn next(&mut self) -> Result<ReceivedEvent, Failure> {
        loop {
            if let Some(stream) = &mut self.stream {
                let failure = match stream.next().await {
                    Ok(Some(event)) => {
                        self.delay = MIN_RECONNECT_DELAY;
                        self.last_id = stream.last_id().map(str::to_owned);
                        return Ok(event);
                    }
                    Ok(None) => Failure::new(Kind::Unavailable, "the hub ended the connection"),
                    Err(error) => error.into(),
                };
                curable(failure.clone())?;
                let lost = format!("{failure}; reconnecting");
                self.context.ui.status(paint(DIM, clean(&lost)));
                self.stream = None;
            }
            tokio::time::sleep(self.delay).await;
            self.delay = (self.delay * 2).min(MAX_RECONNECT_DELAY);
            match self.reconnect().await {
                Ok(stream) => {
                    self.context.ui.status(paint(DIM, "connected again"));
                    self.stream = Some(stream);
                }
                Err(failure) => curable(failure)?,
            }
        }
    }

    /// Opens the stream after the last event. A hub that was found on this computer is looked up again: its address can differ
    /// after a restart.
    async fn reconnect(&self) -> Result<EventStream, Failure> {
        let hub = self.context.need_hub()?;
        Ok(hub.events(self.last_id.as_deref()).await?)
    }
}

/// Returns a failure that a new attempt would not cure.
fn curable(failure: Failure) -> Result<(), Failure> {
    match failure.kind() {
        Kind::Unavailable => Ok(()),
        _ => Err(failure),
    }
}
