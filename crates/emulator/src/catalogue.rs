//! Catalogues of faults: tables whose rows name, explain, parse and apply deviations.
//!
//! `B` is the set of switches that a fault sets: one type for each kind of twin.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A catalogue, in parts: some are those of several kinds of twins.
pub(crate) type Catalogue<B> = [&'static [FaultRow<B>]];

/// Returns all rows of a catalogue.
pub(crate) fn rows<B>(
    catalogue: &'static Catalogue<B>,
) -> impl Iterator<Item = &'static FaultRow<B>> {
    catalogue.iter().copied().flatten()
}

/// One row of a catalogue, with the parameter that was given.
pub(crate) struct ParsedFault<B: 'static> {
    row: &'static FaultRow<B>,
    parameter: Option<String>,
}

/// A fault that is not in the catalogue, or whose parameter does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("unknown fault {name:?}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// The name in the catalogue that looks most like it.
        nearest: Option<&'static str>,
    },
    /// The fault takes no parameter, lacks one, or got one of another kind.
    #[error("fault {spec}: {problem}")]
    Parameter {
        /// The fault as the catalogue spells it.
        spec: &'static str,
        /// The expected parameter.
        problem: String,
    },
}

impl<B: Default> ParsedFault<B> {
    /// Reads `name` or `name=parameter`.
    pub(crate) fn parse(catalogue: &'static Catalogue<B>, text: &str) -> Result<Self, FaultError> {
        let (name, parameter) = match text.split_once('=') {
            Some((name, parameter)) => (name, Some(parameter.to_owned())),
            None => (text, None),
        };
        let name = name.trim();
        let Some(row) = rows(catalogue).find(|row| row.name().eq_ignore_ascii_case(name)) else {
            return Err(FaultError::Unknown {
                name: name.to_owned(),
                nearest: nearest(catalogue, name),
            });
        };
        let fault = Self { row, parameter };
        // Parsing and applying are one function, so a fault that parses applies.
        fault.apply(&mut B::default())?;
        Ok(fault)
    }

    /// The name without the parameter.
    pub(crate) fn name(&self) -> &'static str {
        self.row.name()
    }

    pub(crate) fn apply(&self, behaviour: &mut B) -> Result<(), FaultError> {
        self.row
            .effect
            .apply(behaviour, self.parameter.as_deref())
            .map_err(|problem| FaultError::Parameter {
                spec: self.row.spec,
                problem,
            })
    }
}

impl<B> Clone for ParsedFault<B> {
    fn clone(&self) -> Self {
        Self {
            row: self.row,
            parameter: self.parameter.clone(),
        }
    }
}

impl<B> PartialEq for ParsedFault<B> {
    fn eq(&self, other: &Self) -> bool {
        self.row.name() == other.row.name() && self.parameter == other.parameter
    }
}

impl<B> fmt::Display for ParsedFault<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name())?;
        match &self.parameter {
            Some(parameter) => write!(f, "={parameter}"),
            None => Ok(()),
        }
    }
}

/// Makes the public type of the faults of one kind of twin.
macro_rules! fault_type {
    ($(#[$doc:meta])* pub struct $name:ident: $behaviour:ty = $catalogue:ident;) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq)]
        pub struct $name($crate::catalogue::ParsedFault<$behaviour>);

        impl $name {
            /// Every fault: how it is written, and what it does.
            pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static str)> {
                $crate::catalogue::rows($catalogue).map(|row| (row.spec, row.explanation))
            }

            /// The name without the parameter.
            #[must_use]
            pub fn name(&self) -> &'static str {
                self.0.name()
            }

            /// Applies the faults to a faithful twin; of two that contradict, the last counts.
            pub(crate) fn together(faults: &[Self]) -> $behaviour {
                let mut behaviour = <$behaviour>::default();
                for fault in faults {
                    // Cannot fail: it has been applied to a default when it was parsed.
                    let _ = fault.0.apply(&mut behaviour);
                }
                behaviour
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::catalogue::FaultError;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                $crate::catalogue::ParsedFault::parse($catalogue, text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}
pub(crate) use fault_type;

/// The name that starts alike, for the hint.
fn nearest<B>(catalogue: &'static Catalogue<B>, name: &str) -> Option<&'static str> {
    let alike = |candidate: &str| {
        candidate
            .bytes()
            .zip(name.bytes())
            .take_while(|(one, other)| one.eq_ignore_ascii_case(other))
            .count()
    };
    rows(catalogue)
        .map(FaultRow::name)
        .max_by_key(|candidate| alike(candidate))
        .filter(|candidate| alike(candidate) >= 3)
}

/// Spelling, explanation and effect of a fault.
pub(crate) struct FaultRow<B> {
    pub(crate) spec: &'static str,
    pub(crate) explanation: &'static str,
    pub(crate) effect: FaultEffect<B>,
}

impl<B> FaultRow<B> {
    pub(crate) fn name(&self) -> &'static str {
        self.spec.split(['=', '[']).next().unwrap_or(self.spec)
    }
}

/// Effect of a fault on the behaviour, by the kind of its parameter. The first value is the default of a parameter
/// that was left out.
pub(crate) enum FaultEffect<B> {
    Flag(fn(&mut B)),
    Share(Option<f64>, fn(&mut B, f64)),
    Time(fn(&mut B, Duration)),
    Count(RangeInclusive<u32>, fn(&mut B, u32)),
    Text(fn(&mut B, &str) -> Result<(), &'static str>),
    /// A text that may be left out; it is empty then.
    Words(fn(&mut B, &str) -> Result<(), &'static str>),
    Address(fn(&mut B, Ipv4Addr)),
}

impl<B> FaultEffect<B> {
    fn apply(&self, behaviour: &mut B, parameter: Option<&str>) -> Result<(), String> {
        match (self, parameter) {
            (Self::Flag(set), None) => set(behaviour),
            (Self::Flag(_), Some(_)) => return Err("takes no parameter".to_owned()),
            (Self::Share(Some(share), set), None) => set(behaviour, *share),
            (Self::Share(_, set), Some(text)) => set(behaviour, share(text)?),
            (Self::Time(set), Some(text)) => set(behaviour, time(text)?),
            (Self::Count(range, set), Some(text)) => set(behaviour, count(range, text)?),
            (Self::Text(set), Some(text)) => set(behaviour, text)?,
            (Self::Words(set), text) => set(behaviour, text.unwrap_or_default())?,
            (Self::Address(set), Some(text)) => set(behaviour, address(text)?),
            (_, None) => return Err("needs a parameter".to_owned()),
        }
        Ok(())
    }
}

/// A time that is `MILLIS` milliseconds unless a fault sets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TimeOr<const MILLIS: u64>(pub(crate) Duration);

impl<const MILLIS: u64> Default for TimeOr<MILLIS> {
    fn default() -> Self {
        Self(Duration::from_millis(MILLIS))
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.trim().parse::<f64>(),
    };
    match share {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!(
            "invalid share {text:?}; give 0% to 100%, or 0 to 1"
        )),
    }
}

/// Longest duration of a fault.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

fn time(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .filter(|time| *time <= MAX_DURATION)
        .ok_or_else(|| format!("invalid duration {text:?}; give up to a day, such as 800ms or 5s"))
}

fn count(range: &RangeInclusive<u32>, text: &str) -> Result<u32, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|count| range.contains(count))
        .ok_or_else(|| {
            format!(
                "invalid number {text:?}; give {} to {}",
                range.start(),
                range.end()
            )
        })
}

fn address(text: &str) -> Result<Ipv4Addr, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("invalid IPv4 address {text:?}"))
}

/// Writes a catalogue as a table of spec, effect and explanation.
macro_rules! catalogue {
    ($($spec:literal $effect:expr, $explanation:literal;)*) => {
        &[$($crate::catalogue::FaultRow { spec: $spec, explanation: $explanation, effect: $effect }),*]
    };
}
pub(crate) use catalogue;

#[cfg(test)]
pub(crate) mod tests {
    use super::{Catalogue, FaultEffect, FaultRow, ParsedFault, rows};

    /// Holds every row of a catalogue against what all have to keep. `text` is an example of a text that a row takes.
    pub(crate) fn check<B: Default + PartialEq + std::fmt::Debug>(
        catalogue: &'static Catalogue<B>,
        text: fn(&str) -> &str,
    ) {
        for row in rows(catalogue) {
            let given = example(row, text);
            let fault = ParsedFault::parse(catalogue, &given);
            let fault = fault.unwrap_or_else(|error| panic!("{given}: {error}"));
            assert_eq!(fault.to_string(), given);
            let mut behaviour = B::default();
            fault.apply(&mut behaviour).unwrap();
            assert_ne!(behaviour, B::default(), "{given} changes nothing");
            let is_phrase = !row.explanation.is_empty() && !row.explanation.ends_with('.');
            assert!(is_phrase, "{given}");
            let needs_more = row.spec.starts_with(&format!("{}=", row.name()));
            let bare = ParsedFault::parse(catalogue, row.name());
            assert_eq!(bare.is_err(), needs_more, "{}", row.spec);
        }
        let mut names: Vec<_> = rows(catalogue).map(FaultRow::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(
            names.len(),
            rows(catalogue).count(),
            "a name is there twice"
        );
    }

    fn example<B>(row: &FaultRow<B>, text: fn(&str) -> &str) -> String {
        let parameter = match &row.effect {
            FaultEffect::Flag(_) | FaultEffect::Words(_) => return row.name().to_owned(),
            FaultEffect::Text(_) => text(row.name()),
            FaultEffect::Count(..) => "3",
            FaultEffect::Share(..) => "35%",
            FaultEffect::Time(_) => "700ms",
            FaultEffect::Address(_) => "192.0.2.7",
        };
        format!("{}={parameter}", row.name())
    }
}
