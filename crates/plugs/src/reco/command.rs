//! The four commands that a plug answers on TCP port 8899, one to a line.

use std::fmt;

use hiflying::at::strip_prefix_ignoring_case;
use jiff::civil::DateTime;
use serde::Serialize;

use super::trim;
use crate::RelayState;

/// A command of one line.
///
/// ```
/// use plugs::{RelayState, reco::Command};
///
/// let command = Command::switch(RelayState::On, jiff::civil::date(2017, 4, 3).at(11, 53, 0, 0));
/// assert_eq!(command.emit(), b"AT+YZSWITCH=1,ON,201704031153\r\n");
/// assert_eq!(Command::parse(&command.emit()), Ok(command));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `AT+YZSWITCH`: moves the relay now.
    Switch {
        /// 1 on every known plug. What 0 or 2 does is unknown.
        socket: u8,
        /// The wanted position.
        state: RelayState,
        /// The client's local time as [`stamp`] writes it; a plug takes any text.
        stamp: String,
    },
    /// `AT+YZDELAY`: moves the relay later.
    Delay {
        /// 1 on every known plug.
        socket: u8,
        /// The wanted position.
        state: RelayState,
        /// How much later.
        minutes: Minutes,
        /// The client's local time as [`stamp`] writes it; a plug takes any text.
        stamp: String,
    },
    /// `AT+YZOUT`: reads the meter.
    Meter,
    /// `AT+VER`: asks for the firmware's version.
    Version,
}

/// The only socket that known plugs have.
const SOCKET: u8 = 1;

impl Command {
    /// Makes the command that switches a single plug; `local` is the client's local time.
    pub fn switch(state: RelayState, local: DateTime) -> Self {
        Self::Switch {
            socket: SOCKET,
            state,
            stamp: stamp(local),
        }
    }

    /// Makes the command that switches a single plug later; `local` is the client's local time.
    pub fn delay(state: RelayState, minutes: Minutes, local: DateTime) -> Self {
        Self::Delay {
            socket: SOCKET,
            state,
            minutes,
            stamp: stamp(local),
        }
    }

    /// Parses one command, with any line end or none; verbs and positions in any case, as clients send them.
    ///
    /// # Errors
    ///
    /// [`CommandError`] for everything that a plug answers with `+ERROR`.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let line = trim(line);
        let body = strip_prefix_ignoring_case(line, b"AT+").ok_or(CommandError)?;
        let text = std::str::from_utf8(body).map_err(|_| CommandError)?;
        match text.split_once('=') {
            None if text.eq_ignore_ascii_case("YZOUT") => Ok(Self::Meter),
            None if text.eq_ignore_ascii_case("VER") => Ok(Self::Version),
            Some((verb, value)) if verb.eq_ignore_ascii_case("YZSWITCH") => parse_switch(value),
            Some((verb, value)) if verb.eq_ignore_ascii_case("YZDELAY") => parse_delay(value),
            _ => Err(CommandError),
        }
        .and_then(Self::with_stamp)
    }

    /// A plug does not check the stamp; that there must be one is all that clients agree on.
    fn with_stamp(self) -> Result<Self, CommandError> {
        match &self {
            Self::Switch { stamp, .. } | Self::Delay { stamp, .. } if stamp.is_empty() => {
                Err(CommandError)
            }
            _ => Ok(self),
        }
    }

    /// Writes the line with `\r\n`, to be sent in a single write: the plug may take each segment for a command.
    pub fn emit(&self) -> Vec<u8> {
        format!("{self}\r\n").into_bytes()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch {
                socket,
                state,
                stamp,
            } => write!(f, "AT+YZSWITCH={socket},{},{stamp}", upper(*state)),
            Self::Delay {
                socket,
                state,
                minutes,
                stamp,
            } => write!(f, "AT+YZDELAY={socket},{},{minutes},{stamp}", upper(*state)),
            Self::Meter => f.write_str("AT+YZOUT"),
            Self::Version => f.write_str("AT+VER"),
        }
    }
}

/// Upper case is what the published captures carry.
fn upper(state: RelayState) -> &'static str {
    match state {
        RelayState::On => "ON",
        RelayState::Off => "OFF",
    }
}

fn parse_switch(value: &str) -> Result<Command, CommandError> {
    let mut fields = value.splitn(3, ',');
    Ok(Command::Switch {
        socket: field(&mut fields)?,
        state: field(&mut fields)?,
        stamp: field(&mut fields)?,
    })
}

fn parse_delay(value: &str) -> Result<Command, CommandError> {
    let mut fields = value.splitn(4, ',');
    Ok(Command::Delay {
        socket: field(&mut fields)?,
        state: field(&mut fields)?,
        minutes: Minutes::new(field(&mut fields)?).map_err(|_| CommandError)?,
        stamp: field(&mut fields)?,
    })
}

fn field<'a, T: std::str::FromStr>(
    fields: &mut impl Iterator<Item = &'a str>,
) -> Result<T, CommandError> {
    let text = fields.next().ok_or(CommandError)?;
    text.trim().parse().map_err(|_| CommandError)
}

/// Writes the time stamp of the switching commands: local time, twelve digits, `yyyyMMddHHmm`.
///
/// Plugs do not check it; perhaps it sets their clock, so it is always the real time.
pub fn stamp(local: DateTime) -> String {
    format!(
        "{:04}{:02}{:02}{:02}{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute()
    )
}

/// The line is none of the commands that a plug knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a command of this plug")]
pub struct CommandError;

/// The delay of a plug's own timer: 1 to 2000 whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Minutes(u16);

impl Minutes {
    /// The shortest delay. What 0 does is unknown.
    pub const MIN: Self = Self(1);
    /// The longest delay, according to a comment in one client.
    pub const MAX: Self = Self(2000);

    /// Makes a delay of this many minutes.
    ///
    /// # Errors
    ///
    /// [`MinutesError`] outside of 1..=2000.
    pub const fn new(minutes: u16) -> Result<Self, MinutesError> {
        if minutes >= Self::MIN.0 && minutes <= Self::MAX.0 {
            Ok(Self(minutes))
        } else {
            Err(MinutesError)
        }
    }

    /// Returns the number of minutes.
    pub const fn count(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The plug's timer cannot wait this long or this short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a plug's timer takes 1 to 2000 whole minutes")]
pub struct MinutesError;

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;
    use proptest::prelude::*;

    fn switch(state: RelayState, stamp: &str) -> Command {
        Command::Switch {
            socket: 1,
            state,
            stamp: stamp.into(),
        }
    }

    #[test]
    fn r1_r2_without_line_end() {
        assert_eq!(
            Command::parse(b"AT+YZSWITCH=1,ON,201704031153"),
            Ok(switch(RelayState::On, "201704031153"))
        );
        assert_eq!(
            Command::parse(b"AT+YZSWITCH=1,OFF,201704031153"),
            Ok(switch(RelayState::Off, "201704031153"))
        );
    }

    #[test]
    fn r3_r16_meter() {
        assert_eq!(Command::parse(b"AT+YZOUT\n"), Ok(Command::Meter));
        assert_eq!(Command::Meter.emit(), b"AT+YZOUT\r\n");
    }

    #[test]
    fn r4_r5_r7_switch() {
        let noon = datetime(2014, 10, 29, 21, 46, 59, 0);
        assert_eq!(
            Command::switch(RelayState::On, noon).emit(),
            b"AT+YZSWITCH=1,ON,201410292146\r\n"
        );
        assert_eq!(
            Command::switch(RelayState::Off, noon).emit(),
            b"AT+YZSWITCH=1,OFF,201410292146\r\n"
        );
        assert_eq!(
            Command::parse(b"AT+YZSWITCH=1,ON,201511222133\r\n"),
            Ok(switch(RelayState::On, "201511222133"))
        );
    }

    #[test]
    fn r6_delay() {
        let command = Command::delay(
            RelayState::Off,
            Minutes::new(5).unwrap(),
            datetime(2014, 10, 29, 21, 46, 0, 0),
        );
        assert_eq!(command.emit(), b"AT+YZDELAY=1,OFF,5,201410292146\r\n");
        assert_eq!(Command::parse(&command.emit()), Ok(command));
    }

    #[test]
    fn r8_r9_odd_stamps() {
        assert_eq!(
            Command::parse(b"AT+YZSWITCH=1,ON,time"),
            Ok(switch(RelayState::On, "time"))
        );
        assert_eq!(
            Command::parse(b"AT+YZSWITCH=1,ON,20140810153000\r\n"),
            Ok(switch(RelayState::On, "20140810153000"))
        );
    }

    #[test]
    fn r10_something_else() {
        assert_eq!(Command::parse(b"hello\r\n"), Err(CommandError));
    }

    #[test]
    fn r11_version() {
        assert_eq!(Command::parse(b"AT+VER\r\n"), Ok(Command::Version));
        assert_eq!(Command::Version.emit(), b"AT+VER\r\n");
    }

    #[test]
    fn stamp_of_an_early_hour() {
        assert_eq!(stamp(datetime(2026, 1, 2, 3, 4, 5, 0)), "202601020304");
    }

    #[test]
    fn lower_case_and_padding() {
        assert_eq!(
            Command::parse(b"at+yzswitch=1,on,201704031153\r\n\0\0"),
            Ok(switch(RelayState::On, "201704031153"))
        );
    }

    #[test]
    fn refused() {
        for line in [
            &b""[..],
            b"AT+",
            b"AT+RECOSCAN",
            b"AT+YZSWITCH",
            b"AT+YZSWITCH=",
            b"AT+YZSWITCH=1,ON",
            b"AT+YZSWITCH=1,ON,",
            b"AT+YZSWITCH=1,ONN,201704031153",
            b"AT+YZSWITCH=one,ON,201704031153",
            b"AT+YZDELAY=1,ON,0,201704031153",
            b"AT+YZDELAY=1,ON,2001,201704031153",
            b"AT+YZDELAY=1,ON,-1,201704031153",
            b"AT+YZDELAY=1,ON,5",
            b"AT+YZOUT=1",
            b"AT+VER\xff",
        ] {
            assert_eq!(
                Command::parse(line),
                Err(CommandError),
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn minutes() {
        assert_eq!(Minutes::new(0), Err(MinutesError));
        assert_eq!(Minutes::new(1), Ok(Minutes::MIN));
        assert_eq!(Minutes::new(2000), Ok(Minutes::MAX));
        assert_eq!(Minutes::new(2001), Err(MinutesError));
    }

    fn commands() -> impl Strategy<Value = Command> {
        let state = prop_oneof![Just(RelayState::On), Just(RelayState::Off)];
        let fields = (any::<u8>(), state, 1..=2000u16, "[0-9a-z]{1,14}");
        (fields, 0..4u8).prop_map(|((socket, state, minutes, stamp), kind)| match kind {
            0 => Command::Switch {
                socket,
                state,
                stamp,
            },
            1 => Command::Delay {
                socket,
                state,
                minutes: Minutes::new(minutes).unwrap(),
                stamp,
            },
            2 => Command::Meter,
            _ => Command::Version,
        })
    }

    proptest! {
        #[test]
        fn round_trip(command in commands()) {
            prop_assert_eq!(Command::parse(&command.emit()), Ok(command));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = Command::parse(&bytes);
        }

        #[test]
        fn never_panics_on_near_misses(line in "(?i)at\\+(yzswitch|yzdelay|yzout|ver)=?[ -~]{0,30}") {
            let _ = Command::parse(line.as_bytes());
        }
    }
}
