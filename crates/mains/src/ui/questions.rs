//! Questions to the user: only in a terminal, unless `--yes` answers them in advance.
//!
//! Questions are asked on stderr (a secret on the terminal itself), so that stdout stays clean. They block a thread
//! of their own, not the program: Ctrl-C ends them with a failure, and the caller can still put things back.

use std::io;

use zeroize::Zeroizing;

use super::{SecretText, Terminal, Ui, clean};
use crate::error::{Failure, Kind};

/// An answer to a question with a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The index of a choice.
    Listed(usize),
    /// A text that is no number of the list.
    Typed(String),
}

impl Ui {
    /// Fails with a usage error where a question can neither be asked nor is agreed to in advance.
    pub fn need_agreement(&self, question: &str) -> Result<(), Failure> {
        match self.options.yes {
            true => Ok(()),
            false => self.need_terminal(
                &format!("{question}?"),
                "add `--yes` to agree without being asked",
            ),
        }
    }

    /// Asks a yes-or-no question (`question` without a question mark); plain Enter is no.
    pub async fn confirm(&self, question: &str) -> Result<bool, Failure> {
        self.need_agreement(question)?;
        if self.options.yes {
            return Ok(true);
        }
        loop {
            let answer = self.ask_line(&format!("{question}? [y/N] ")).await?;
            match answer.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "" | "n" | "no" => return Ok(false),
                _ => self.status("please answer y or n"),
            }
        }
    }

    /// Asks for a line of text; `how_else` tells how to give it without a terminal.
    pub async fn line(&self, prompt: &str, how_else: &str) -> Result<String, Failure> {
        self.need_terminal(prompt, how_else)?;
        self.ask_line(&format!("{prompt}: ")).await
    }

    /// Asks for one of several; returns its index. `how_else` tells how to choose without a terminal.
    pub async fn choose(
        &self,
        prompt: &str,
        choices: &[String],
        how_else: &str,
    ) -> Result<usize, Failure> {
        loop {
            match self.choose_or_type(prompt, choices, how_else).await? {
                Choice::Listed(index) => return Ok(index),
                Choice::Typed(_) => self.status(format_args!(
                    "please answer with a number from 1 to {}",
                    choices.len()
                )),
            }
        }
    }

    /// Asks for one of several by number, or for a text of the user's own.
    pub async fn choose_or_type(
        &self,
        prompt: &str,
        choices: &[String],
        how_else: &str,
    ) -> Result<Choice, Failure> {
        self.need_terminal(prompt, how_else)?;
        for (index, choice) in choices.iter().enumerate() {
            self.ask(&format!("{:>3}  {}\n", index + 1, clean(choice)));
        }
        let prompt = format!("{prompt} [1-{}]: ", choices.len());
        loop {
            let answer = self.ask_line(&prompt).await?;
            match answer.trim().parse::<usize>() {
                Ok(number) if (1..=choices.len()).contains(&number) => {
                    return Ok(Choice::Listed(number - 1));
                }
                Err(_) if !answer.trim().is_empty() => return Ok(Choice::Typed(answer)),
                _ => self.status(format_args!(
                    "please answer with a number from 1 to {}",
                    choices.len()
                )),
            }
        }
    }

    /// Asks for a secret without showing it; `how_else` tells how to give it without a terminal.
    pub async fn secret(&self, prompt: &str, how_else: &str) -> Result<SecretText, Failure> {
        self.need_terminal(prompt, how_else)?;
        self.end_spinners();
        let _restore = Terminal::keep();
        let prompt = format!("{prompt}: ");
        let secret =
            interruptible(move || rpassword::prompt_password(prompt).map(Zeroizing::new)).await?;
        self.resume_spinners();
        Ok(secret)
    }

    /// Fails with a usage error without a terminal.
    fn need_terminal(&self, question: &str, how_else: &str) -> Result<(), Failure> {
        if self.can_ask() {
            return Ok(());
        }
        Err(Failure::usage(format!("there is no terminal to ask on: {question}")).hint(how_else))
    }

    async fn ask_line(&self, prompt: &str) -> Result<String, Failure> {
        self.ask(prompt);
        let line = interruptible(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|read| (read, line))
        });
        let (read, line) = line.await?;
        if read == 0 {
            return Err(Failure::usage(
                "the question was not answered: end of input",
            ));
        }
        self.resume_spinners();
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Shows a question, with `-q` too: otherwise the command would wait in silence.
    fn ask(&self, text: &str) {
        self.end_spinners();
        self.write_stderr(text);
    }
}

/// Runs a blocking read on a thread of its own; Ctrl-C gives it up. The thread ends with the process.
async fn interruptible<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(interrupted()),
        result = tokio::task::spawn_blocking(read) => match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Err(interrupted()),
            Ok(Err(error)) => Err(Failure::local("the terminal cannot be read").caused_by(&error)),
            Err(error) => Err(Failure::failed("the terminal cannot be read").caused_by(&error)),
        },
    }
}

/// Failure of a command that was ended with Ctrl-C.
pub(crate) fn interrupted() -> Failure {
    Failure::new(Kind::Failed, "interrupted")
}
