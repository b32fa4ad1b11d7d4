//! Reasons why there is no connection to the broker, with the next step for the user.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use crate::protocol::{ProtocolError, reason};
use crate::session::SessionError;

/// A step on the way to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStep {
    /// Finding the address of the broker's name.
    Resolve,
    /// Opening a TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Logging in.
    Login,
    /// Publishing a message.
    Publish,
    /// Receiving that message.
    ReadBack,
}

impl fmt::Display for CheckStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Publish => "publish",
            Self::ReadBack => "read_back",
        })
    }
}

/// Reason why there is no connection to the broker, or a limited one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MqttError {
    /// A file of the settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// Everybody on this computer can read the file with the password.
    #[error("the password file {} can be read by everybody on this computer", .0.display())]
    ExposedPassword(PathBuf),
    /// The name has no address.
    #[error("the broker's name `{host}` cannot be resolved: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// The reason.
        reason: String,
    },
    /// No TCP connection.
    #[error("no connection to {address}: {reason}")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// The reason.
        reason: String,
    },
    /// No TLS.
    #[error("no TLS with the broker: {0}")]
    Tls(String),
    /// The broker refused the login.
    #[error("the broker refused the login: {}", reason(*code))]
    Refused {
        /// The reason code of MQTT 5 or 3.1.1.
        code: u8,
    },
    /// The broker speaks neither version.
    #[error("the broker speaks neither MQTT 5 nor MQTT 3.1.1")]
    Version,
    /// Another client has connected with the same client id.
    #[error("another client has connected to the broker with the client id `{client_id}`")]
    TakenOver {
        /// The client id.
        client_id: String,
    },
    /// The broker ended the connection with a reason.
    #[error("the broker ended the connection: {}", reason(*code))]
    Disconnected {
        /// The reason code of MQTT 5.
        code: u8,
    },
    /// The connection was closed or broke.
    #[error("{0}")]
    Lost(String),
    /// The broker replied with something else than MQTT.
    #[error("the broker replied with something that is not MQTT")]
    NotMqtt,
    /// The broker did not reply in time.
    #[error("the broker accepted the connection but did not reply in time")]
    NoReply,
    /// A user name or client id cannot be sent.
    #[error("user name, password or topic holds a character that MQTT does not allow")]
    Unsendable,
    /// The broker refused a message.
    #[error("the broker refused a message on `{topic}`: {}", reason(*code))]
    NotPublished {
        /// The topic.
        topic: String,
        /// The reason code of MQTT 5.
        code: u8,
    },
    /// The broker does not keep messages for clients that come later.
    #[error("the broker does not retain messages")]
    NotRetained,
    /// The broker refused a subscription.
    #[error("the broker refused the subscription to `{filter}`")]
    NotSubscribed {
        /// The filter.
        filter: String,
    },
    /// The broker accepted a message and did not deliver it.
    #[error("the broker accepted a message on `{topic}` and did not deliver it")]
    NotDelivered {
        /// The topic.
        topic: String,
    },
    /// The program did not run for a while, so that commands may have waited.
    #[error("this program did not run for {seconds} s")]
    Stalled {
        /// Duration in seconds.
        seconds: u64,
    },
}

impl MqttError {
    /// Makes an error of the end of a session.
    pub(crate) fn of_session(error: &SessionError, client_id: &str) -> Self {
        match error {
            // With TLS 1.3 a broker refuses a client certificate after the handshake.
            SessionError::Io(io) => match tls_alert(io) {
                Some(alert) => Self::Tls(format!("the broker refused it: {alert}")),
                None => Self::Lost(error.to_string()),
            },
            SessionError::Closed => Self::Lost(error.to_string()),
            SessionError::Protocol(error) => match *error {
                ProtocolError::VersionRefused => Self::Version,
                ProtocolError::Refused(code) => Self::Refused { code },
                ProtocolError::Disconnected(0x8e) => Self::TakenOver {
                    client_id: client_id.to_owned(),
                },
                ProtocolError::Disconnected(code) => Self::Disconnected { code },
                ProtocolError::Malformed => Self::NotMqtt,
                ProtocolError::NoLogin | ProtocolError::NoPong => Self::NoReply,
                ProtocolError::Unsendable => Self::Unsendable,
            },
        }
    }

    /// Returns the next step for the user.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Settings(_) => "correct the file or its path under `[mqtt]` in mains.toml",
            Self::ExposedPassword(_) => "run `chmod 600` on it",
            Self::Resolve { .. } => {
                "check the name in `url` under `[mqtt]`, or write the broker's IP address"
            }
            Self::Connect { .. } => {
                "check that the broker runs and listens on this address and port; mosquitto listens on 127.0.0.1 alone unless told otherwise"
            }
            Self::Tls(_) => {
                "check that `url` has the name in the broker's certificate, that `ca_file` holds the certificate of the authority that signed it, and that `certificate_file` is one that the broker accepts, if it asks for one"
            }
            Self::Refused {
                code: 4 | 5 | 0x86 | 0x87,
            } => {
                "check `username` and `password_file` under `[mqtt]`, and that the broker knows this user"
            }
            Self::Refused { .. } | Self::Version => "check the settings and the log of the broker",
            Self::TakenOver { .. } => {
                "give each hub a state directory of its own; a copied one has the same client id"
            }
            Self::NotMqtt | Self::NoReply => {
                "check the port: 1883 is usual for `mqtt://`, 8883 for `mqtts://`; a broker that wants TLS does not answer without it"
            }
            Self::NotRetained => "allow retained messages in the broker's settings",
            Self::Unsendable => "correct `username` or the password",
            Self::NotPublished { .. } | Self::NotSubscribed { .. } | Self::NotDelivered { .. } => {
                "allow this user to read and write the base topic and the discovery prefix in the broker's access control list"
            }
            Self::Disconnected { .. } | Self::Lost(_) | Self::Stalled { .. } => return None,
        })
    }
}

/// Returns the TLS alert that broke a connection, if one did.
fn tls_alert(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(format!("{alert:?}")),
        _ => None,
    }
}
