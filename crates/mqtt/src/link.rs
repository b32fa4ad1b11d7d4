//! Opens a session: address, TCP, TLS, login, in the newest version that the broker speaks.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::{MqttConfig, PasswordSource};
use crate::error::{CheckStep, MqttError};
use crate::protocol::packet::{MqttLogin, MqttVersion};
use crate::protocol::{KEEP_ALIVE_SECONDS, ProtocolError};
use crate::session::{BrokerStream, Session, SessionError};
use crate::transport;

/// Maximum length of a password in bytes; MQTT allows 65,535.
const MAX_PASSWORD_LENGTH: usize = 4_096;

/// A session that was opened.
pub(crate) struct OpenSession {
    pub(crate) session: Session,
    pub(crate) version: MqttVersion,
    /// Address of this computer on the way to the broker.
    pub(crate) own_address: Option<IpAddr>,
}

/// Reports each step when it is done, with a detail for the user.
pub(crate) type StepReport<'a> = &'a mut (dyn FnMut(CheckStep, String) + Send);

/// Opens a session. `first` is the version to try first; a broker that refuses MQTT 5 gets MQTT 3.1.1.
pub(crate) async fn open(
    config: &MqttConfig,
    login: &MqttLogin,
    first: MqttVersion,
    report: StepReport<'_>,
) -> Result<OpenSession, (CheckStep, MqttError)> {
    let mut version = first;
    loop {
        let (stream, own_address) = stream(config, report).await?;
        match Session::login(stream, version, login).await {
            Ok(session) => {
                return Ok(OpenSession {
                    session,
                    version,
                    own_address,
                });
            }
            // Some brokers close the connection when they do not know the version.
            Err(
                SessionError::Protocol(ProtocolError::VersionRefused | ProtocolError::Malformed)
                | SessionError::Closed
                | SessionError::Io(_),
            ) if version == MqttVersion::V5 => version = MqttVersion::V3,
            Err(error) => {
                let error = MqttError::of_session(&error, &login.client_id);
                return Err((CheckStep::Login, error));
            }
        }
    }
}

async fn stream(
    config: &MqttConfig,
    report: StepReport<'_>,
) -> Result<(Box<dyn BrokerStream>, Option<IpAddr>), (CheckStep, MqttError)> {
    let addresses = transport::resolve(&config.url)
        .await
        .map_err(|error| (CheckStep::Resolve, error))?;
    let shown: Vec<String> = addresses.iter().map(|it| it.ip().to_string()).collect();
    report(CheckStep::Resolve, shown.join(", "));
    let stream = transport::connect(&addresses)
        .await
        .map_err(|error| (CheckStep::Connect, error))?;
    let peer = stream
        .peer_addr()
        .map_or_else(|_| config.url.to_string(), |it| it.to_string());
    report(CheckStep::Connect, peer);
    let own_address = stream.local_addr().ok().map(|address| address.ip());
    if !config.url.is_tls {
        report(CheckStep::Tls, "not used".to_owned());
        return Ok((Box::new(stream), own_address));
    }
    let stream = transport::secure(stream, config)
        .await
        .map_err(|error| (CheckStep::Tls, error))?;
    report(
        CheckStep::Tls,
        "the broker's certificate is trusted".to_owned(),
    );
    Ok((stream, own_address))
}

/// Makes the data of the login, without a last will.
pub(crate) fn login(config: &MqttConfig, client_id: &str) -> Result<MqttLogin, MqttError> {
    let password = match &config.password {
        PasswordSource::None => None,
        PasswordSource::Given(password) => Some(password.clone()),
        PasswordSource::File(file) => Some(read_password(file)?),
    };
    Ok(MqttLogin {
        client_id: client_id.to_owned(),
        username: config.username.clone(),
        password,
        keep_alive: KEEP_ALIVE_SECONDS,
        will: None,
    })
}

/// Returns a warning if everybody on this computer can read the password's file.
pub(crate) fn exposed_password(config: &MqttConfig) -> Option<MqttError> {
    let PasswordSource::File(file) = &config.password else {
        return None;
    };
    let metadata = std::fs::metadata(file).ok()?;
    statefile::is_open_to_all(&metadata).then(|| MqttError::ExposedPassword(file.clone()))
}

/// Reads the first line of a file.
fn read_password(path: &Path) -> Result<Zeroizing<Vec<u8>>, MqttError> {
    let shown = path.display();
    let failed =
        |reason: String| MqttError::Settings(format!("the password file {shown} {reason}"));
    let unreadable = |error: std::io::Error| failed(format!("cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD_LENGTH + 2));
    file.take(MAX_PASSWORD_LENGTH as u64 + 2)
        .read_to_end(&mut content)
        .map_err(unreadable)?;
    let end = content
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .unwrap_or(content.len());
    if end > MAX_PASSWORD_LENGTH {
        return Err(failed("holds more than a password".to_owned()));
    }
    content.truncate(end);
    if content.is_empty() {
        return Err(failed("is empty".to_owned()));
    }
    Ok(content)
}
