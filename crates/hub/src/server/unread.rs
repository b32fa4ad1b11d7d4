//! The part of a request's body that its handler did not read.
//!
//! It is discarded before the response is sent: to close a connection with unread data resets it, and the client loses the response,
//! e.g. that the body was too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Request, header};
use tokio::sync::oneshot;
use tokio::time::timeout;

use http_body_util::BodyExt as _;

/// Maximum time in which the rest of a body is discarded.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time between two pieces of it.
const PIECE_TIMEOUT: Duration = Duration::from_millis(250);

/// A body that comes back when it is dropped before its end.
#[derive(Debug)]
pub(super) struct ReturnedBody {
    body: Option<Incoming>,
    rest: Option<oneshot::Sender<Incoming>>,
}

/// The rest of a body, once its handler has dropped it.
#[derive(Debug)]
pub(super) struct UnreadBody(Option<oneshot::Receiver<Incoming>>);

/// Makes the body of a request come back.
pub(super) fn returned(request: Request<Incoming>) -> (Request<ReturnedBody>, UnreadBody) {
    let (rest, unread) = oneshot::channel();
    // Such a client sends no body before it is asked to, so there is nothing to discard.
    let waits = request.headers().contains_key(header::EXPECT);
    let request = request.map(|body| ReturnedBody {
        body: Some(body),
        rest: Some(rest),
    });
    (request, UnreadBody((!waits).then_some(unread)))
}

impl UnreadBody {
    /// Discards what its handler did not read, as far as it comes soon.
    pub(super) async fn discard(self) {
        let Some(mut rest) = self.0.and_then(|mut unread| unread.try_recv().ok()) else {
            return;
        };
        let discarding =
            async { while let Ok(Some(Ok(_))) = timeout(PIECE_TIMEOUT, rest.frame()).await {} };
        let _ = timeout(DISCARD_TIMEOUT, discarding).await;
    }
}

impl Body for ReturnedBody {
    type Data = <Incoming as Body>::Data;
    type Error = <Incoming as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for ReturnedBody {
    fn drop(&mut self) {
        if let (Some(body), Some(rest)) = (self.body.take(), self.rest.take())
            && !body.is_end_stream()
        {
            // Nobody waits for it if the client is gone.
            let _ = rest.send(body);
        }
    }
}
