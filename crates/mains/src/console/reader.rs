//! The line editor, on a thread of its own, so that the session can be kept alive while the user types.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tokio::sync::mpsc as events;
use zeroize::Zeroizing;

use super::assist::{Assistant, is_own_command};
use super::line;
use crate::error::Failure;
use crate::ui::Terminal;

/// Maximum number of lines in the history.
const MAX_HISTORY: usize = 1000;

type LineEditor = Editor<Assistant, FileHistory>;

/// Result of a prompt.
#[derive(Debug)]
pub(super) enum Typed {
    /// A line.
    Line(Zeroizing<String>),
    /// Ctrl-D or Ctrl-C.
    End,
    /// The terminal can no longer be read.
    Failed(String),
}

/// Reads one line after the other. Dropping it restores the terminal, even while the thread still waits for a key (it
/// ends with the process).
#[derive(Debug)]
pub(super) struct LineReader {
    ask: mpsc::Sender<()>,
    typed: events::UnboundedReceiver<Typed>,
    _restore: Terminal,
}

impl LineReader {
    /// Starts the editor. The result has a warning if the history cannot be read; without `history` none is kept.
    pub(super) fn start(
        prompt: String,
        assistant: Assistant,
        history: Option<PathBuf>,
    ) -> Result<(Self, Option<String>), Failure> {
        let (mut editor, warning) = editor(assistant, history.as_deref()).map_err(|error| {
            Failure::local("cannot use the terminal for typing").caused_by(&error)
        })?;
        let (ask, asked) = mpsc::channel::<()>();
        let (answer, typed) = events::unbounded_channel();
        let restore = Terminal::keep();
        std::thread::spawn(move || {
            while asked.recv().is_ok() {
                let typed = read(&mut editor, &prompt, history.as_deref());
                if answer.send(typed).is_err() {
                    return;
                }
            }
        });
        Ok((
            Self {
                ask,
                typed,
                _restore: restore,
            },
            warning,
        ))
    }

    /// Shows the prompt and waits for a line.
    pub(super) fn ask(&self) {
        // `next` notices the end of the thread.
        let _ = self.ask.send(());
    }

    /// Waits for the result of a prompt. Safe to cancel without losing a line.
    pub(super) async fn next(&mut self) -> Typed {
        self.typed
            .recv()
            .await
            .unwrap_or_else(|| Typed::Failed("the editor has ended".to_owned()))
    }
}

fn editor(
    assistant: Assistant,
    history: Option<&Path>,
) -> rustyline::Result<(LineEditor, Option<String>)> {
    let config = Config::builder()
        .max_history_size(MAX_HISTORY)?
        .history_ignore_space(true)
        .build();
    let mut editor = LineEditor::with_config(config)?;
    editor.set_helper(Some(assistant));
    let warning = history.and_then(|path| load(&mut editor, path).err());
    Ok((editor, warning.map(|error| error.to_string())))
}

fn load(editor: &mut LineEditor, path: &Path) -> rustyline::Result<()> {
    if let Some(directory) = path.parent() {
        statefile::create_directory(directory)?;
    }
    if path.exists() {
        editor.load_history(path)
    } else {
        Ok(())
    }
}

fn read(editor: &mut LineEditor, prompt: &str, history: Option<&Path>) -> Typed {
    match editor.readline(prompt) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            remember(editor, &text, history);
            Typed::Line(text)
        }
        Err(ReadlineError::Eof | ReadlineError::Interrupted) => Typed::End,
        Err(error) => Typed::Failed(error.to_string()),
    }
}

/// Adds the line to the history with its secrets masked. A line that is not a command might contain a secret, so it is
/// left out. The editor makes the file 0600.
fn remember(editor: &mut LineEditor, text: &str, history: Option<&Path>) {
    if text.starts_with(' ') || text.trim().is_empty() || is_own_command(text) {
        return;
    }
    let Ok(request) = line::parse_grammar(text) else {
        return;
    };
    let added = editor.add_history_entry(request.masked()).unwrap_or(false);
    if let Some(path) = history.filter(|_| added) {
        // The warning about the history was printed when it was loaded.
        let _ = editor.append_history(path);
    }
}
