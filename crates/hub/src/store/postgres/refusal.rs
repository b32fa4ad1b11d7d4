//! Reasons for which a server does not let a hub use a database, each with what to do next.

use std::io;

use sqlx::error::DatabaseError;

use crate::store::StoreError;

/// A reason for which a database cannot be used that its owner has to change.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerRefusal {
    /// Another program has its tables in it.
    #[error("it holds tables of another program")]
    Foreign,
    /// The server has refused something, with a code of SQLSTATE.
    #[error("{message}")]
    Server { code: String, message: String },
    /// The certificate of the server does not prove its name.
    #[error("{0}")]
    Certificate(rustls::Error),
}

impl ServerRefusal {
    /// Returns the refusal that an error of the server is.
    pub(super) fn of_server(error: &dyn DatabaseError) -> Self {
        Self::Server {
            code: error.code().map_or_else(String::new, Into::into),
            // Without the line of the server's source in which it was made.
            message: error.message().to_owned(),
        }
    }

    /// Returns the refusal if this is an error of the server's certificate.
    pub(super) fn of_certificate(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        matches!(error, rustls::Error::InvalidCertificate(_))
            .then(|| Self::Certificate(error.clone()))
    }

    /// Returns what to do next; `None` if the message says it.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Foreign => Some("name an empty database; this one is left as it is"),
            Self::Certificate(_) => Some(
                "the address has to have the name for which the server's certificate is, and `database_ca_file` the certificate that signed it",
            ),
            Self::Server { code, .. } => match code.as_str() {
                "28P01" | "28000" => Some(
                    "check the user in the address, and the password in `database_password_file` or MAINS_HUB_DATABASE_PASSWORD",
                ),
                "3D000" => Some(
                    "make the database, e.g. by `createdb --owner USER NAME`, or correct its name in the address",
                ),
                "42501" => Some(
                    "give the user in the address the right to make tables there: GRANT CREATE ON SCHEMA",
                ),
                _ => None,
            },
        }
    }
}

impl StoreError {
    /// Returns what to do next about a database that a server refuses; `None` for other errors.
    pub fn refusal_hint(&self) -> Option<&'static str> {
        let Self::Unavailable { source, .. } = self else {
            return None;
        };
        source.downcast_ref::<ServerRefusal>()?.hint()
    }
}
