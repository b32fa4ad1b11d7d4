//! The four commands of TCP port 8899, one to a line.

use jiff::civil::DateTime;

use crate::RelayState;
use crate::command::PlugCommand;

/// The only socket that known plugs have. The effect of 0 or 2 is unknown.
const SOCKET: u8 = 1;

/// Writes a command as one line with `\r\n`, to be sent in a single write: the plug may treat each segment as a command.
///
/// `local` is the client's local time, which switching commands carry. `None` for a command that the family lacks.
///
/// ```
/// use plugs::{PlugCommand, RelayState, reco};
///
/// let local = jiff::civil::date(2017, 4, 3).at(11, 53, 0, 0);
/// let line = reco::command_line(PlugCommand::Switch(RelayState::On), local);
/// assert_eq!(line.as_deref(), Some(&b"AT+YZSWITCH=1,ON,201704031153\r\n"[..]));
/// ```
pub fn command_line(command: PlugCommand, local: DateTime) -> Option<Vec<u8>> {
    let stamp = stamp(local);
    let line = match command {
        PlugCommand::Switch(state) => {
            format!("AT+YZSWITCH={SOCKET},{},{stamp}\r\n", upper(state))
        }
        PlugCommand::Delay(state, minutes) => {
            let state = upper(state);
            format!("AT+YZDELAY={SOCKET},{state},{minutes},{stamp}\r\n")
        }
        PlugCommand::Meter => "AT+YZOUT\r\n".to_owned(),
        PlugCommand::Version => "AT+VER\r\n".to_owned(),
        PlugCommand::Label => return None,
    };
    Some(line.into_bytes())
}

/// Returns the position in upper case, as in the published captures.
fn upper(state: RelayState) -> &'static str {
    match state {
        RelayState::On => "ON",
        RelayState::Off => "OFF",
    }
}

/// Writes the time stamp of the switching commands: local time, twelve digits, `yyyyMMddHHmm`.
///
/// Plugs do not check it; it may set their clock, so it is always the actual time.
fn stamp(local: DateTime) -> String {
    format!(
        "{:04}{:02}{:02}{:02}{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Minutes;
    use jiff::civil::datetime;

    const AFTERNOON: DateTime = datetime(2014, 10, 29, 21, 46, 59, 0);

    fn line(command: PlugCommand) -> Vec<u8> {
        command_line(command, AFTERNOON).unwrap()
    }

    #[test]
    fn r4_r5_switch() {
        assert_eq!(
            line(PlugCommand::Switch(RelayState::On)),
            b"AT+YZSWITCH=1,ON,201410292146\r\n"
        );
        assert_eq!(
            line(PlugCommand::Switch(RelayState::Off)),
            b"AT+YZSWITCH=1,OFF,201410292146\r\n"
        );
    }

    #[test]
    fn r6_delay() {
        let minutes = Minutes::new(5).unwrap();
        assert_eq!(
            line(PlugCommand::Delay(RelayState::Off, minutes)),
            b"AT+YZDELAY=1,OFF,5,201410292146\r\n"
        );
    }

    #[test]
    fn r3_r11_r16_meter_and_version() {
        assert_eq!(line(PlugCommand::Meter), b"AT+YZOUT\r\n");
        assert_eq!(line(PlugCommand::Version), b"AT+VER\r\n");
    }

    #[test]
    fn stamp_of_an_early_hour() {
        assert_eq!(stamp(datetime(2026, 1, 2, 3, 4, 5, 0)), "202601020304");
    }
}
