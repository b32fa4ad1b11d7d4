//! What the module tells in an AT session: questions only, and `AT+Q` at the end in every case.

use std::net::Ipv4Addr;
use std::time::Duration;

use hiflying::command::{Mid, Netp, Sockb, Ver, Wakey, Wmode, Wsmac};
use hiflying::net::{Console, ConsoleError, Port};
use hiflying::{Command, SessionConfig};

use super::evidence::{Evidence, Session};

const HANDSHAKE_WAIT: Duration = Duration::from_secs(3);
/// One of three tries.
const REPLY_WAIT: Duration = Duration::from_secs(1);

/// Opens a session with the words that were answered, asks, and leaves.
pub(super) async fn ask(port: Port, target: Ipv4Addr, evidence: &Evidence) {
    let words = evidence.look(|known| known.words.clone());
    // It has just answered a word, so less patience will do than with a module that nobody has heard.
    let config = SessionConfig {
        words,
        handshake_timeout: HANDSHAKE_WAIT,
        reply_timeout: REPLY_WAIT,
        ..SessionConfig::default()
    };
    let mut console = match Console::open(port, target, config).await {
        Ok(console) => console,
        Err(error) => {
            tracing::debug!(%target, %error, "no AT session");
            return;
        }
    };
    evidence.note(|known| known.session = Some(Session::default()));
    question(&mut console, evidence).await;
    console.close().await;
}

/// In the order of use: what follows the first silence is not known.
async fn question(console: &mut Console, evidence: &Evidence) {
    let note = |add: &dyn Fn(&mut Session)| {
        evidence.note(|known| {
            if let Some(session) = &mut known.session {
                add(session);
            }
        });
    };
    macro_rules! ask {
        ($command:expr, $session:ident, $value:ident, $keep:expr) => {
            match tell(console, &$command).await {
                Ok(Some($value)) => note(&|$session| $keep),
                Ok(None) => {}
                Err(Gone) => return,
            }
        };
    }
    ask!(
        Ver,
        session,
        version,
        session.version = Some(version.clone())
    );
    ask!(Mid, session, module, session.module = Some(module.clone()));
    ask!(Wmode, session, mode, session.mode = Some(mode));
    ask!(Wsmac, session, mac, session.mac = Some(mac));
    ask!(
        Wakey,
        session,
        key,
        session.access_point = Some(key.clone())
    );
    ask!(Netp, session, socket, session.servers.push(socket.clone()));
    ask!(
        Sockb,
        session,
        socket,
        session.servers.extend(socket.clone())
    );
}

/// The session is over.
struct Gone;

/// Asks one thing; a refusal or an answer that makes no sense only leaves it unknown.
async fn tell<C: Command>(console: &mut Console, command: &C) -> Result<Option<C::Reply>, Gone> {
    match console.run(command).await {
        Ok(value) => Ok(Some(value)),
        Err(ConsoleError::Refused { .. } | ConsoleError::BadAnswer { .. }) => Ok(None),
        Err(error) => {
            tracing::debug!(%error, "the AT session broke off");
            Err(Gone)
        }
    }
}
