//! Help while typing: completion of verbs, a hint that explains a verb, and the `help` command.

use std::borrow::Cow;

use hiflying::verb::{self, Danger, VerbInfo};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;

use crate::ui::{BOLD, DIM, WARN, paint};

/// Commands of the console itself.
const OWN_COMMANDS: &[(&str, &str)] = &[
    ("help", "list the verbs; `help VERB` explains one"),
    ("quit", "leave; so do exit, Ctrl-D and Ctrl-C"),
];

/// Tells whether a line is a command of the console itself.
pub fn is_own_command(line: &str) -> bool {
    let Some(word) = line.split_whitespace().next() else {
        return false;
    };
    word == "?"
        || word == "exit"
        || OWN_COMMANDS
            .iter()
            .any(|(name, _)| word.eq_ignore_ascii_case(name))
}

/// The verbs that a device understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// Verbs of the Wi-Fi module's AT engine.
    Module,
    /// Verbs of the plug maker's own parser.
    Plug,
}

impl Vocabulary {
    /// Returns the named verbs; the null command is left out.
    fn verbs(self) -> impl Iterator<Item = &'static VerbInfo> {
        let table = match self {
            Self::Module => verb::VERBS,
            Self::Plug => verb::PLUG_VERBS,
        };
        table.iter().filter(|info| !info.name.is_empty())
    }
}

/// Completion and hints for the line editor.
#[derive(Debug)]
pub struct Assistant {
    vocabulary: Vocabulary,
    coloured: bool,
}

impl Assistant {
    /// Returns an assistant for these verbs.
    pub fn new(vocabulary: Vocabulary, coloured: bool) -> Self {
        Self {
            vocabulary,
            coloured,
        }
    }

    fn matching(&self, start: &str) -> impl Iterator<Item = &'static VerbInfo> {
        let start = start.to_ascii_uppercase();
        self.vocabulary
            .verbs()
            .filter(move |info| info.name.starts_with(&start))
    }
}

/// Returns the position and the typed part of the verb; `None` after a `=`.
fn verb_at(line: &str) -> Option<(usize, &str)> {
    let mut start = line.len() - line.trim_start().len();
    for prefix in ["AT+", "help "] {
        let rest = line.get(start..)?;
        if rest
            .get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        {
            start += prefix.len();
        }
    }
    let word = line.get(start..)?;
    (!word.contains(['=', ' '])).then_some((start, word))
}

/// Returns the name in the case of the typed part.
fn in_case_of(typed: &str, name: &str) -> String {
    if typed.bytes().any(|byte| byte.is_ascii_lowercase()) {
        name.to_ascii_lowercase()
    } else {
        name.to_owned()
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some((start, word)) = line.get(..pos).and_then(verb_at) else {
            return Ok((pos, Vec::new()));
        };
        let verbs = self.matching(word).map(|info| in_case_of(word, info.name));
        let own = OWN_COMMANDS
            .iter()
            .filter(|(name, _)| start == 0 && !word.is_empty() && name.starts_with(word));
        let names = verbs.chain(own.map(|(name, _)| (*name).to_owned()));
        Ok((
            start,
            names
                .map(|name| Pair {
                    display: name.clone(),
                    replacement: name,
                })
                .collect(),
        ))
    }
}

/// The rest of the verb, which the right arrow accepts, and its explanation, which is only shown.
#[derive(Debug, PartialEq, Eq)]
pub struct VerbHint {
    shown: String,
    rest: usize,
}

impl Hint for VerbHint {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.shown.get(..self.rest).filter(|rest| !rest.is_empty())
    }
}

impl Hinter for Assistant {
    type Hint = VerbHint;

    fn hint(&self, line: &str, pos: usize, _context: &rustyline::Context<'_>) -> Option<VerbHint> {
        if pos < line.len() {
            return None;
        }
        let (_, word) = verb_at(line).filter(|(_, word)| !word.is_empty())?;
        // The shortest of several, so that a complete verb is explained.
        let info = self.matching(word).min_by_key(|info| info.name.len())?;
        let rest = in_case_of(word, info.name.get(word.len()..)?);
        Some(VerbHint {
            rest: rest.len(),
            shown: format!("{rest}{}   {}", info.usage, info.summary),
        })
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.coloured {
            Cow::Owned(paint(DIM, hint))
        } else {
            Cow::Borrowed(hint)
        }
    }
}

impl Validator for Assistant {}
impl rustyline::Helper for Assistant {}

/// Returns the text of `help` or `help VERB`.
pub fn help(vocabulary: Vocabulary, about: &str) -> String {
    let name = about.trim().to_ascii_uppercase();
    let name = name.strip_prefix("AT+").unwrap_or(&name);
    if name.is_empty() {
        return overview(vocabulary);
    }
    match vocabulary.verbs().find(|info| info.name == name) {
        Some(info) => explain(info),
        None => format!(
            "{name:?} is not a known verb; it is sent as it is. `help` lists the known verbs."
        ),
    }
}

fn overview(vocabulary: Vocabulary) -> String {
    let length = |info: &VerbInfo| info.name.len() + info.usage.chars().count();
    let width = vocabulary.verbs().map(length).max().unwrap_or(0);
    let mut lines: Vec<String> = vocabulary
        .verbs()
        .map(|info| {
            let name = paint(BOLD, info.name);
            let usage = paint(DIM, info.usage);
            let padding = width - length(info);
            format!("  {name}{usage}{:padding$}  {}", "", info.summary)
        })
        .collect();
    lines.push(String::new());
    lines.extend(OWN_COMMANDS.iter().map(|(name, what)| {
        format!(
            "  {}{:pad$}  {what}",
            paint(BOLD, name),
            "",
            pad = width - name.len()
        )
    }));
    lines.push(
        "\nVERB queries a value, VERB=VALUE sets it; `AT+` in front may be left out.".to_owned(),
    );
    lines.join("\n")
}

fn explain(info: &VerbInfo) -> String {
    let mut text = format!(
        "{}{}   {}",
        paint(BOLD, format_args!("AT+{}", info.name)),
        info.usage,
        info.summary
    );
    match info.danger {
        Danger::None => {}
        Danger::Set(_) => text.push_str(&paint(WARN, "\nSetting it needs `--dangerous`.")),
        Danger::Always(_) => text.push_str(&paint(WARN, "\nNeeds `--dangerous`.")),
    }
    if info.secret && info.set {
        text.push_str("\nWith `?` in place of the key, the key is asked for without showing it.");
    }
    text
}

#[cfg(test)]
mod tests {
    use rustyline::history::DefaultHistory;

    use super::*;

    fn completions(vocabulary: Vocabulary, line: &str) -> (usize, Vec<String>) {
        let history = DefaultHistory::new();
        let context = rustyline::Context::new(&history);
        let assistant = Assistant::new(vocabulary, false);
        let (start, pairs) = assistant.complete(line, line.len(), &context).unwrap();
        (
            start,
            pairs.into_iter().map(|pair| pair.replacement).collect(),
        )
    }

    fn hint(line: &str) -> Option<VerbHint> {
        let history = DefaultHistory::new();
        Assistant::new(Vocabulary::Module, false).hint(
            line,
            line.len(),
            &rustyline::Context::new(&history),
        )
    }

    #[test]
    fn verbs_are_completed_behind_any_prefix() {
        assert_eq!(
            completions(Vocabulary::Module, "WSS"),
            (0, vec!["WSSSID".to_owned()])
        );
        assert_eq!(
            completions(Vocabulary::Module, "AT+WSS"),
            (3, vec!["WSSSID".to_owned()])
        );
        assert_eq!(
            completions(Vocabulary::Module, "at+wss"),
            (3, vec!["wsssid".to_owned()])
        );
        assert_eq!(
            completions(Vocabulary::Module, "help WSS"),
            (5, vec!["WSSSID".to_owned()])
        );
        assert_eq!(completions(Vocabulary::Module, "hel").1, ["help"]);
        assert!(completions(Vocabulary::Module, "WSSSID=WS").1.is_empty());
        assert_eq!(
            completions(Vocabulary::Plug, "YZ").1,
            ["YZSWITCH", "YZDELAY", "YZOUT"]
        );
        assert!(completions(Vocabulary::Module, "").1.len() > 30);
    }

    #[test]
    fn a_hint_completes_the_verb_but_not_its_explanation() {
        let hint = hint("AT+WSSS").unwrap();
        assert_eq!(hint.completion(), Some("ID"));
        assert!(hint.display().starts_with("ID[=…]   "));
    }

    #[test]
    fn a_whole_verb_is_explained_and_not_lengthened() {
        let hint = hint("Z").unwrap();
        assert_eq!(hint.completion(), None);
        assert!(hint.display().starts_with("   "));
        assert_eq!(tests::hint("WSSSID=x"), None);
        assert_eq!(tests::hint(""), None);
    }

    #[test]
    fn help_names_the_danger() {
        assert!(help(Vocabulary::Module, "reld").contains("--dangerous"));
        assert!(help(Vocabulary::Module, "AT+WSKEY").contains("without showing"));
        assert!(help(Vocabulary::Plug, "").contains("YZDELAY"));
        assert!(help(Vocabulary::Module, "NOPE").contains("sent as it is"));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_taken(line: String) {
            completions(Vocabulary::Module, &line);
            hint(&line);
            help(Vocabulary::Plug, &line);
        }
    }
}
