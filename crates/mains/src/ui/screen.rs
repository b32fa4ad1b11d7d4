//! A full screen on the terminal, which is given back as it was: at the end, after an error, in a panic, and while the process is
//! stopped.

use std::io::{self, IsTerminal, Stdout, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::ResetColor;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use terminal_size::{Height, Width, terminal_size};

use super::Ui;
use super::held::HeldOutput;
use super::terminal::is_dumb;
use crate::error::Failure;

/// Size of a terminal that does not know its own, like a serial line.
const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// True while a screen has the terminal. A panic takes it away.
static HAS_TERMINAL: AtomicBool = AtomicBool::new(false);

/// The whole terminal, in raw mode, for pictures that replace each other. Given back when dropped.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    held: Arc<HeldOutput>,
}

impl Ui {
    /// Returns true where a screen can be shown and keys can be read: both stdin and stdout are a terminal that can do it, and
    /// neither `--json` nor `-q` asks for lines.
    pub fn has_screen(&self) -> bool {
        let is_wanted = !self.options.json && !self.options.quiet;
        is_wanted && !is_dumb() && io::stdin().is_terminal() && stdout().is_terminal()
    }

    /// Takes over the terminal. To be used where [`Ui::has_screen`].
    pub fn screen(&self) -> Result<Screen, Failure> {
        Screen::open(self.held())
    }
}

impl Screen {
    fn open(held: Arc<HeldOutput>) -> Result<Self, Failure> {
        restore_in_panic();
        let terminal = terminal(area()).map_err(unusable)?;
        held.begin();
        let mut screen = Self { terminal, held };
        screen.enter()?;
        Ok(screen)
    }

    /// Draws a picture over the former one.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        if !HAS_TERMINAL.load(Ordering::SeqCst) {
            return Err(Failure::failed("a part of the program has failed"));
        }
        // A terminal that can shows the picture at once, when it is complete.
        queue!(stdout(), BeginSynchronizedUpdate).map_err(unusable)?;
        let area = area();
        if self.terminal.get_frame().area() != area {
            self.clear(area)?;
        }
        self.terminal.draw(picture).map_err(unusable)?;
        execute!(stdout(), EndSynchronizedUpdate).map_err(unusable)
    }

    /// Draws the next picture from scratch, whatever has become of the terminal.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        // The shell may have changed the modes of the terminal while the process was stopped.
        leave();
        self.enter()
    }

    /// Gives the terminal back, until [`Screen::refresh`].
    pub fn lend(&mut self) {
        leave();
    }

    /// Returns the messages that were meant for stderr since the last call.
    pub fn messages(&self) -> Vec<String> {
        self.held.messages()
    }

    fn enter(&mut self) -> Result<(), Failure> {
        HAS_TERMINAL.store(true, Ordering::SeqCst);
        enable_raw_mode().map_err(unusable)?;
        let begun = queue!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide);
        begun.map_err(unusable)?;
        self.clear(area())
    }

    /// Clears the terminal, and forgets what was drawn. [`Terminal::clear`] would ask the terminal for its cursor, whose reply
    /// can be taken for a key.
    fn clear(&mut self, area: Rect) -> Result<(), Failure> {
        execute!(stdout(), Clear(ClearType::All)).map_err(unusable)?;
        self.terminal = terminal(area).map_err(unusable)?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        // No stream is left to report a failure on.
        let _ = io::stderr().write_all(self.held.end().as_bytes());
    }
}

/// Gives the terminal back as it was, if a screen has it. Failures are dropped: there is no place to report them.
fn leave() {
    if HAS_TERMINAL.swap(false, Ordering::SeqCst) {
        let mut stdout = stdout();
        let _ = queue!(
            stdout,
            EndSynchronizedUpdate,
            ResetColor,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        let _ = stdout.flush();
        let _ = disable_raw_mode();
    }
}

/// Lets a panic give the terminal back before it reports itself.
fn restore_in_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            report(panic);
        }));
    });
}

fn terminal(area: Rect) -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    let viewport = Viewport::Fixed(area);
    Terminal::with_options(
        CrosstermBackend::new(stdout()),
        TerminalOptions { viewport },
    )
}

fn area() -> Rect {
    let known = terminal_size().filter(|(width, height)| width.0 > 0 && height.0 > 0);
    let (width, height) = known.map_or(DEFAULT_SIZE, |(Width(width), Height(height))| {
        (width, height)
    });
    Rect::new(0, 0, width, height)
}

fn unusable(error: io::Error) -> Failure {
    Failure::failed("the terminal cannot be used").caused_by(&error)
}
