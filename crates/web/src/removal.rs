//! The question before something is removed. With a script it is a dialog over the page that asks.

use askama::Template;
use axum::response::Response;

use crate::frame::{Frame, NavItem};
use crate::visit::Visit;

/// Question whether something is to be removed.
pub(crate) struct RemovalQuestion {
    /// Its name.
    pub(crate) title: String,
    /// Its sentence.
    pub(crate) words: String,
    /// Effects of the removal, as sentences.
    pub(crate) effects: Vec<String>,
    /// Path to which the form is sent.
    pub(crate) action: String,
    /// Path of the page that asks.
    pub(crate) back: String,
    /// True to ask for the present password.
    pub(crate) asks_current: bool,
    /// Word of the button.
    pub(crate) verb: &'static str,
}

#[derive(Template)]
#[template(path = "removal.html")]
struct RemovalPage {
    frame: Frame,
    question: RemovalQuestion,
}

impl RemovalQuestion {
    /// Draws the page that asks.
    pub(crate) fn page(self, visit: &Visit, place: NavItem) -> Response {
        let page = RemovalPage {
            frame: Frame::new(visit, place, format!("{} {}", self.verb, self.title)),
            question: self,
        };
        page.frame.send(&page)
    }
}
