//! Commands as lines of standard input.

use hiflying::AtRequest;
use hiflying::at::MAX_COMMAND;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader, Stdin};
use zeroize::Zeroizing;

use super::line::{self, CommandRules};
use crate::error::Failure;

/// Maximum length of a line: a command with `AT+`, blanks in front and the line end.
const MAX_LINE: usize = MAX_COMMAND + 64;

/// Lines of input, one command each; blank lines and those that begin with `#` are left out.
#[derive(Debug)]
pub(super) struct CommandLines<R> {
    input: R,
    /// Start of a line that was read before the wait was cancelled.
    begun: Zeroizing<Vec<u8>>,
}

impl CommandLines<BufReader<Stdin>> {
    /// Reads the standard input of the process.
    pub(super) fn of_stdin() -> Self {
        Self::new(BufReader::new(tokio::io::stdin()))
    }
}

impl<R: AsyncBufRead + Unpin> CommandLines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            begun: Zeroizing::new(Vec::with_capacity(MAX_LINE + 1)),
        }
    }

    /// Returns the next command; `None` at the end of the input or at `quit`. Safe to cancel without losing a line.
    pub(super) async fn next(&mut self, rules: CommandRules) -> Result<Option<AtRequest>, Failure> {
        loop {
            let Some(text) = self.line().await? else {
                return Ok(None);
            };
            match text.trim() {
                "" => {}
                comment if comment.starts_with('#') => {}
                "quit" | "exit" => return Ok(None),
                _ => return command(&text, rules).map(Some),
            }
        }
    }

    async fn line(&mut self) -> Result<Option<Zeroizing<String>>, Failure> {
        let room = MAX_LINE.saturating_sub(self.begun.len()) + 1;
        let room = u64::try_from(room).expect("the length of a line fits into 64 bits");
        (&mut self.input)
            .take(room)
            .read_until(b'\n', &mut self.begun)
            .await
            .map_err(|error| Failure::local("cannot read standard input").caused_by(&error))?;
        if self.begun.len() > MAX_LINE {
            return Err(Failure::usage(format!(
                "a line of the input is longer than {MAX_COMMAND} bytes, the maximum of a module"
            )));
        }
        if self.begun.is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.begun)
            .map(|text| Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            .map_err(|_| Failure::usage("a line of the input is not UTF-8"))?;
        self.begun.clear();
        Ok(Some(text))
    }
}

/// Parses a command. A secret cannot be asked for here, so `?` and `***` are errors.
fn command(text: &str, rules: CommandRules) -> Result<AtRequest, Failure> {
    let request = line::parse(text, rules)?;
    if line::missing_secret(&request).is_some() {
        return Err(Failure::usage(format!(
            "the secret of {request} is missing"
        )));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::line::CommandOrigin;
    use crate::error::Kind;

    const RULES: CommandRules = CommandRules {
        dangerous: false,
        origin: CommandOrigin::Input,
    };

    async fn read(input: &[u8]) -> Result<Vec<String>, Failure> {
        let mut lines = CommandLines::new(input);
        let mut commands = Vec::new();
        while let Some(request) = lines.next(RULES).await? {
            commands.push(request.masked());
        }
        Ok(commands)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn lines_are_commands() {
        let commands = read(b"# who are you\nMID\r\n\n  at+ver\nWSSSID=a b \nquit\nZ\n")
            .await
            .unwrap();
        assert_eq!(commands, ["AT+MID", "AT+VER", "AT+WSSSID=a b "]);
        assert_eq!(read(b"MID").await.unwrap(), ["AT+MID"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_no_command_ends_it() {
        for input in [
            &[b'x'; 100_000][..],
            b"\xff\xfe\n",
            b"RELD\n",
            b"WSKEY=WPA2PSK,AES,***\n",
            b"MID\0\n",
        ] {
            assert_eq!(read(input).await.unwrap_err().kind(), Kind::Usage);
        }
    }
}
