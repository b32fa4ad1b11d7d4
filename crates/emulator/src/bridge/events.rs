//! Events that a bridge sends to clients that listen.

use std::collections::VecDeque;

use serde_json::{Value, json};

/// Older events are forgotten.
const MAX_EVENTS: usize = 256;

/// The last events of a bridge, as they are written into the stream.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    /// Number of events so far.
    count: u64,
    last: VecDeque<String>,
}

impl EventLog {
    /// Adds what has been added, changed or deleted, at a time.
    pub(super) fn push(&mut self, kind: &str, data: &[Value], time: &str) {
        self.count += 1;
        let id = format!("{:08x}-0000-4000-a000-{:012x}", self.count, self.count);
        let event =
            json!([{"creationtime": format!("{time}Z"), "id": id, "type": kind, "data": data}]);
        if self.last.len() >= MAX_EVENTS {
            self.last.pop_front();
        }
        self.last
            .push_back(format!("id: {}:0\ndata: {event}\n\n", self.count));
    }

    /// Returns the number of events so far, and those after the first `seen`.
    pub(super) fn after(&self, seen: u64) -> (u64, String) {
        let fresh = usize::try_from(self.count.saturating_sub(seen)).unwrap_or(MAX_EVENTS);
        let known = self.last.len().saturating_sub(fresh);
        (
            self.count,
            self.last.iter().skip(known).map(String::as_str).collect(),
        )
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_yet() {
        let mut events = EventLog::default();
        for number in 0..300 {
            events.push("add", &[json!({"number": number})], "2026-11-23T10:00:00");
        }
        let (count, text) = events.after(298);
        assert_eq!((count, events.count()), (300, 300));
        assert!(
            text.starts_with("id: 299:0\ndata: [{") && text.ends_with("}]\n\n"),
            "{text}"
        );
        assert_eq!(text.matches("data: ").count(), 2);
        assert_eq!(events.after(0).1.matches("data: ").count(), MAX_EVENTS);
        assert_eq!(events.after(300).1, "");
        assert_eq!(events.after(u64::MAX).1, "");
    }
}
