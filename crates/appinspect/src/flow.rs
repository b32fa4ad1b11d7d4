//! Follows constants through arguments, fields and results to the calls that make ports, hosts, datagrams and keys of them.
//!
//! The readers of code walk each method once and report steps: a value, and where it goes. No control flow is known: a value
//! that could come along is one that does. After the last part, [`Flow::solve`] goes back from the calls to the constants, so
//! that a key may come from another class, DEX file or archive than the call.

mod calls;

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::rc::Rc;

pub(crate) use self::calls::Callee;
use self::calls::FlowUse;
use crate::finding::{FindingCollector, FindingKind};
use crate::known::KnownProtocol;
use crate::limits::{MAX_FOLLOWED, MAX_STEPS};
use crate::text;

/// Place in a program that holds values; the numbers are those of [`Flow::intern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FlowSlot {
    /// Argument of a method; an instance is argument 0.
    Argument(u32, u16),
    /// Field.
    Field(u32),
    /// Result of a method.
    Result(u32),
}

/// Value that goes somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FlowValue {
    /// Interned text.
    Text(u32),
    /// A number.
    Number(i32),
    /// Stored bytes.
    Bytes(u32),
    /// The values of that slot.
    Slot(FlowSlot),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FlowTarget {
    Slot(FlowSlot),
    Use(FlowUse),
}

#[derive(Debug)]
struct FlowStep {
    value: FlowValue,
    place: u32,
}

/// Steps of a whole app.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    ids: HashMap<Rc<str>, u32>,
    names: Vec<Rc<str>>,
    bytes: Vec<Box<[u8]>>,
    steps: HashMap<FlowTarget, Vec<FlowStep>>,
    count: usize,
    /// Bytes of names and constants.
    followed: usize,
    is_full: bool,
}

impl Flow {
    /// Returns the number of a name or text.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        if !self.has_room(text.len()) {
            return u32::MAX;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let text: Rc<str> = text.into();
        self.names.push(Rc::clone(&text));
        self.ids.insert(text, id);
        id
    }

    /// Stores bytes as a value.
    pub(crate) fn store(&mut self, bytes: &[u8]) -> Option<FlowValue> {
        let id = u32::try_from(self.bytes.len()).ok()?;
        self.has_room(bytes.len()).then(|| {
            self.bytes.push(bytes.into());
            FlowValue::Bytes(id)
        })
    }

    fn has_room(&mut self, length: usize) -> bool {
        // With what an entry takes beside its bytes.
        self.followed = self.followed.saturating_add(length).saturating_add(64);
        self.is_full |= self.followed > MAX_FOLLOWED;
        !self.is_full
    }

    /// Returns the number of a field of this class and name.
    pub(crate) fn field(&mut self, class: &str, name: &str) -> u32 {
        self.intern(&format!("{class}->{name}"))
    }

    /// Describes a method that is called. `class` and `descriptor` are as in a DEX file.
    pub(crate) fn callee(
        &mut self,
        class: &str,
        name: &str,
        descriptor: &str,
        is_static: bool,
    ) -> Callee {
        let member = self.intern(&format!("{class}->{name}{descriptor}"));
        Callee::new(member, class, name, descriptor, is_static)
    }

    /// Reports that a value becomes what a slot holds.
    pub(crate) fn assign(&mut self, value: FlowValue, slot: FlowSlot, place: &str) {
        // Most numbers are flags and counters, and too small for a port of a device.
        let is_telling =
            !matches!(value, FlowValue::Number(number) if !(20..=65535).contains(&number));
        // What a method returns of its arguments is different for each call, and calls are not told apart: through a `checkNotNull`,
        // everything would come from everywhere.
        let is_passed_on = match (value, slot) {
            (FlowValue::Slot(FlowSlot::Argument(method, _)), FlowSlot::Result(of)) => method == of,
            (value, slot) => value == FlowValue::Slot(slot),
        };
        if is_telling && !is_passed_on {
            self.step(value, FlowTarget::Slot(slot), place);
        }
    }

    /// Reports the arguments of a call and returns its result.
    pub(crate) fn call(
        &mut self,
        callee: &Callee,
        arguments: &[Option<FlowValue>],
        place: &str,
    ) -> Option<FlowValue> {
        for (position, purpose) in &callee.uses {
            if let Some(value) = arguments.get(usize::from(*position)).copied().flatten() {
                self.step(value, FlowTarget::Use(*purpose), place);
            }
        }
        if callee.converts
            && let Some(value) = arguments.iter().flatten().next()
        {
            return Some(*value);
        }
        if callee.is_system {
            return None;
        }
        for (position, value) in (0..).zip(arguments) {
            if let Some(value) = value {
                self.assign(*value, FlowSlot::Argument(callee.member, position), place);
            }
        }
        Some(FlowValue::Slot(FlowSlot::Result(callee.member)))
    }

    fn step(&mut self, value: FlowValue, target: FlowTarget, place: &str) {
        self.is_full |= self.count >= MAX_STEPS;
        if self.is_full {
            return;
        }
        self.count += 1;
        let place = self.intern(place);
        self.steps
            .entry(target)
            .or_default()
            .push(FlowStep { value, place });
    }

    /// Goes back from each use to the constants, and reports them.
    pub(crate) fn solve(self, known: &KnownProtocol, findings: &mut FindingCollector) {
        if self.is_full {
            let text = "too many constants to follow to the calls that use them; the rest was not followed";
            findings.problem("", text);
        }
        for purpose in [
            FlowUse::Key,
            FlowUse::Port,
            FlowUse::Host,
            FlowUse::Datagram,
        ] {
            let mut targets = vec![FlowTarget::Use(purpose)];
            let mut seen = HashSet::new();
            while let Some(target) = targets.pop() {
                let steps = self.steps.get(&target).map_or(&[][..], Vec::as_slice);
                // A place of general use, which says nothing of a single value.
                let is_general =
                    matches!(target, FlowTarget::Slot(_)) && steps.len() > purpose.max_origins();
                for step in steps.iter().filter(|_| !is_general) {
                    match step.value {
                        FlowValue::Slot(slot) => {
                            if seen.insert(slot) {
                                targets.push(FlowTarget::Slot(slot));
                            }
                        }
                        value => self.report(value, purpose, step.place, known, findings),
                    }
                }
            }
        }
    }

    fn report(
        &self,
        value: FlowValue,
        purpose: FlowUse,
        place: u32,
        known: &KnownProtocol,
        findings: &mut FindingCollector,
    ) {
        let name = |id: u32| usize::try_from(id).ok().and_then(|id| self.names.get(id));
        let bytes = |id: u32| usize::try_from(id).ok().and_then(|id| self.bytes.get(id));
        let value = match value {
            FlowValue::Text(id) => name(id).map(ToString::to_string),
            FlowValue::Number(number) => Some(number.to_string()),
            FlowValue::Bytes(id) => bytes(id).map(|bytes| shown(bytes)),
            FlowValue::Slot(_) => None,
        };
        let (Some(value), Some(place)) = (value, name(place)) else {
            return;
        };
        if let Some(kind) = meaning(purpose, &value, known, findings) {
            // Blanks belong to a key.
            let value = if purpose == FlowUse::Key {
                value.as_str()
            } else {
                value.trim()
            };
            findings.add(kind, value, place);
        }
    }
}

/// Returns bytes as text where they are, else in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Returns the kind of finding that a value with this use is, if it is one.
fn meaning(
    purpose: FlowUse,
    value: &str,
    known: &KnownProtocol,
    findings: &FindingCollector,
) -> Option<FindingKind> {
    let text = value.trim();
    let is_plain = !text.is_empty() && !text.contains(char::is_control);
    match purpose {
        FlowUse::Key => (is_plain && (4..=256).contains(&text.len())).then_some(FindingKind::Key),
        FlowUse::Port => text
            .parse::<u16>()
            .is_ok_and(|port| port > 0)
            .then_some(FindingKind::Port),
        FlowUse::Host
            if text
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| !address.is_unspecified()) =>
        {
            Some(FindingKind::Address)
        }
        FlowUse::Host => {
            let is_name = text.contains('.') && !text.contains([' ', '/', '%']) && text.len() > 3;
            let kind = if text::is_address(text) {
                FindingKind::Address
            } else {
                FindingKind::Host
            };
            (is_plain && is_name).then_some(kind)
        }
        FlowUse::Datagram => {
            let is_reply = text.len() < 4 || text.to_ascii_lowercase().starts_with("+ok");
            let is_command = text.to_ascii_uppercase().starts_with("AT+")
                || findings.has(FindingKind::AtCommand, text);
            let is_known = known.words.iter().any(|word| word == text);
            (is_known || (is_plain && !is_reply && !is_command && text.len() <= 64))
                .then_some(FindingKind::DiscoveryWord)
        }
    }
}
