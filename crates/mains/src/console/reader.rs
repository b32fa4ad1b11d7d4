//! The line editor, on a thread of its own, so that the session can be kept alive while the user thinks.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tokio::sync::mpsc as events;
use zeroize::Zeroizing;

use super::assist::{Assistant, is_own};
use super::line;
use crate::error::Failure;
use crate::ui::Terminal;

const HISTORY_LENGTH: usize = 1000;

type LineEditor = Editor<Assistant, FileHistory>;

/// What the user did at the prompt.
#[derive(Debug)]
pub(super) enum Typed {
    /// Typed a line.
    Line(Zeroizing<String>),
    /// Pressed Ctrl-D or Ctrl-C.
    Over,
    /// The terminal cannot be read any more.
    Failed(String),
}

/// Asks for one line after the other. Dropping it puts the terminal back in order, even while the
/// thread still waits for a key (it ends with the process).
#[derive(Debug)]
pub(super) struct Reader {
    ask: mpsc::Sender<()>,
    typed: events::UnboundedReceiver<Typed>,
    _restore: Terminal,
}

impl Reader {
    /// Starts the editor. A history that cannot be read is given as a warning; without `history`
    /// nothing is remembered.
    pub(super) fn start(
        prompt: String,
        assistant: Assistant,
        history: Option<PathBuf>,
    ) -> Result<(Self, Option<String>), Failure> {
        let (mut editor, warning) = editor(assistant, history.as_deref()).map_err(|error| {
            Failure::local("the terminal cannot be used for typing").caused_by(&error)
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
        // A thread that has gone is noticed by `next`.
        let _ = self.ask.send(());
    }

    /// Waits for what the user does. Can be dropped and called again without losing a line.
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
        .max_history_size(HISTORY_LENGTH)?
        .history_ignore_space(true)
        .build();
    let mut editor = LineEditor::with_config(config)?;
    editor.set_helper(Some(assistant));
    let warning = history.and_then(|path| load(&mut editor, path).err());
    Ok((editor, warning.map(|error| error.to_string())))
}

fn load(editor: &mut LineEditor, path: &Path) -> rustyline::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
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
        Err(ReadlineError::Eof | ReadlineError::Interrupted) => Typed::Over,
        Err(error) => Typed::Failed(error.to_string()),
    }
}

/// Keeps the line with its secrets masked; what is no command might hold anything, so it is not kept.
/// The file is only ours to read (the editor makes it 0600).
fn remember(editor: &mut LineEditor, text: &str, history: Option<&Path>) {
    if text.starts_with(' ') || text.trim().is_empty() || is_own(text) {
        return;
    }
    let Ok(request) = line::read(text) else {
        return;
    };
    let added = editor.add_history_entry(request.masked()).unwrap_or(false);
    if let Some(path) = history.filter(|_| added) {
        // A history that cannot be written is told once, on loading it.
        let _ = editor.append_history(path);
    }
}
