//! The hub's events, across cuts: whoever listens goes on where it was, and is told so.

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream;

use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::hub_client::{Client, EventStream, ServerEvent};
use crate::ui::{DIM, clean, paint};

/// The wait before the first try to listen again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest wait between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Listens to a hub until nobody wants to hear any more. The stream ends after a failure that waiting does not heal.
///
/// # Errors
///
/// When the hub is not there to begin with.
pub(in crate::commands) async fn listen<'a>(
    context: &'a Context,
    hub: &Client,
    after: Option<&str>,
) -> Result<impl Stream<Item = Result<ServerEvent, Failure>> + 'a, Failure> {
    let feed = Feed {
        context,
        stream: Some(hub.events(after).await?),
        last: after.map(str::to_owned),
        pause: FIRST_PAUSE,
    };
    Ok(stream::unfold(Some(feed), |feed| async {
        let mut feed = feed?;
        match feed.next().await {
            Ok(event) => Some((Ok(event), Some(feed))),
            Err(failure) => Some((Err(failure), None)),
        }
    }))
}

struct Feed<'a> {
    context: &'a Context,
    stream: Option<EventStream>,
    last: Option<String>,
    pause: Duration,
}

impl Feed<'_> {
    async fn next(&mut self) -> Result<ServerEvent, Failure> {
        loop {
            if let Some(stream) = &mut self.stream {
                match stream.next().await {
                    Ok(Some(event)) => {
                        self.pause = FIRST_PAUSE;
                        return Ok(event);
                    }
                    Ok(None) => self.cut("the hub has ended the connection"),
                    Err(failure) if is_passing(&failure) => self.cut(&failure.to_string()),
                    Err(failure) => return Err(failure),
                }
            }
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.again().await?;
        }
    }

    fn cut(&mut self, why: &str) {
        let last = self
            .stream
            .take()
            .and_then(|stream| stream.last_id().map(str::to_owned));
        self.last = last.or_else(|| self.last.take());
        self.context
            .ui
            .status(paint(DIM, format_args!("{}; waiting for it", clean(why))));
    }

    /// Tries to go on. A hub that was found on this computer is looked for anew: it may be elsewhere after a restart.
    async fn again(&mut self) -> Result<(), Failure> {
        let opened = match self.context.need_hub() {
            Ok(hub) => hub.events(self.last.as_deref()).await,
            Err(failure) => Err(failure),
        };
        match opened {
            Ok(stream) => {
                self.context.ui.status(paint(DIM, "listening again"));
                self.stream = Some(stream);
                Ok(())
            }
            Err(failure) if is_passing(&failure) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// Tells whether it may be well again later.
fn is_passing(failure: &Failure) -> bool {
    failure.kind() == Kind::Unavailable
}
