//! Strings, fields and methods as the code names them, and what of them is telling.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::tables::Dex;
use crate::binary::{u16_at, u32_at};
use crate::finding::FindingKind;
use crate::flow::{Callee, FlowValue};
use crate::inspection::Inspection;
use crate::text::{TextKind, classify};

/// Maximum length of a constant that is followed.
const MAX_CONSTANT: usize = 512;

/// The telling values of each string that has some.
type TellingStrings = HashMap<u32, Vec<(FindingKind, String)>>;

fn telling_strings(inspection: &mut Inspection<'_>, dex: &Dex<'_>, place: &str) -> TellingStrings {
    let mut telling = TellingStrings::new();
    // Strings that lie over each other would make much of little.
    let mut budget = dex.bytes.len().saturating_mul(4);
    for index in 0..u32::try_from(dex.strings.count).unwrap_or(u32::MAX) {
        let Some(text) = dex.string(index) else {
            continue;
        };
        if budget < text.len() {
            inspection
                .findings
                .problem(place, "strings lie over each other; the rest is skipped");
            break;
        }
        budget -= text.len();
        classify(
            &text,
            TextKind::Constant,
            inspection.known,
            &mut |kind, value| {
                telling
                    .entry(index)
                    .or_default()
                    .push((kind, value.to_owned()));
            },
        );
    }
    telling
}

/// Resolves indices of a DEX file, on behalf of the class that is read.
pub(super) struct DexSymbols<'i, 'a, 'd> {
    pub(super) inspection: &'i mut Inspection<'a>,
    pub(super) dex: &'d Dex<'d>,
    /// Place of the class that is read.
    pub(super) class_place: Rc<str>,
    telling: TellingStrings,
    /// Strings that a class uses.
    used: HashSet<u32>,
    callees: HashMap<(u32, bool), Option<Rc<Callee>>>,
    fields: HashMap<u32, Option<u32>>,
}

impl<'i, 'a, 'd> DexSymbols<'i, 'a, 'd> {
    pub(super) fn new(inspection: &'i mut Inspection<'a>, dex: &'d Dex<'d>, file: &str) -> Self {
        let telling = telling_strings(inspection, dex, file);
        Self {
            inspection,
            dex,
            class_place: file.into(),
            telling,
            used: HashSet::new(),
            callees: HashMap::new(),
            fields: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, kind: FindingKind, value: &str) {
        self.inspection.findings.add(kind, value, &self.class_place);
    }

    /// Notes that the class uses a string, and returns it as a value.
    pub(super) fn text(&mut self, index: u32) -> Option<FlowValue> {
        if let Some(values) = self.telling.get(&index) {
            self.used.insert(index);
            for (kind, value) in values {
                self.inspection
                    .findings
                    .add(*kind, value, &self.class_place);
            }
        }
        let text = self.dex.string(index)?;
        // What is longer is no key, host or port.
        let is_short = text.len() <= MAX_CONSTANT;
        is_short.then(|| FlowValue::Text(self.inspection.flow.intern(&text)))
    }

    pub(super) fn number(&mut self, number: i32) {
        if u16::try_from(number).is_ok_and(|port| self.inspection.known.ports.contains(&port)) {
            self.add(FindingKind::Port, &number.to_string());
        }
    }

    pub(super) fn field_name(&self, index: u32) -> Option<Cow<'_, str>> {
        let at = self.dex.fields.offset(index)?;
        self.dex.string(u32_at(self.dex.bytes, at + 4)?)
    }

    /// Returns the number of a field for the flow of constants.
    pub(super) fn field(&mut self, index: u32) -> Option<u32> {
        if let Some(known) = self.fields.get(&index) {
            return *known;
        }
        let class = self
            .dex
            .fields
            .offset(index)
            .and_then(|at| self.dex.type_at(at));
        let name = self.field_name(index).map(Cow::into_owned);
        let id = class
            .zip(name)
            .map(|(class, name)| self.inspection.flow.field(&class, &name));
        self.fields.insert(index, id);
        id
    }

    /// Describes a method for the flow of constants.
    pub(super) fn callee(&mut self, index: u32, is_static: bool) -> Option<Rc<Callee>> {
        if let Some(known) = self.callees.get(&(index, is_static)) {
            return known.clone();
        }
        let callee = self.describe(index, is_static).map(Rc::new);
        self.callees.insert((index, is_static), callee.clone());
        callee
    }

    fn describe(&mut self, index: u32, is_static: bool) -> Option<Callee> {
        let at = self.dex.methods.offset(index)?;
        let class = self.dex.type_at(at)?;
        let descriptor = self
            .dex
            .descriptor(u16_at(self.dex.bytes, at + 2)?.into())?;
        let name = self.dex.string(u32_at(self.dex.bytes, at + 4)?)?;
        Some(
            self.inspection
                .flow
                .callee(&class, &name, &descriptor, is_static),
        )
    }

    /// Reports telling strings that no code uses, such as those of annotations.
    pub(super) fn report_unused(&mut self, file: &str) {
        let place: Rc<str> = format!("{file}: string table").into();
        for (index, values) in &self.telling {
            if !self.used.contains(index) {
                for (kind, value) in values {
                    self.inspection.findings.add(*kind, value, &place);
                }
            }
        }
    }
}
