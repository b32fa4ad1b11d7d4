//! The address of a database and the settings of its connections.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use api::SiteName;
use sqlx::postgres::PgConnectOptions;
use url::Url;
use zeroize::Zeroizing;

/// A PostgreSQL database.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// Its address.
    pub url: PostgresUrl,
    /// The password of the user in the address.
    pub password: Option<Zeroizing<String>>,
    /// Certificates (PEM) to trust. With them only a server that proves its name is used.
    pub ca_file: Option<PathBuf>,
    /// The site whose schema is used; without a name it is the first schema of the search path.
    pub site: SiteName,
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("url", &self.url)
            .field("ca_file", &self.ca_file)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

/// Address of a database, `postgres://user@host[:port]/name`. It has no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text is in no error: it can hold a password.
        let url = Url::parse(text.trim()).map_err(|error| {
            format!(
                "not the address of a database ({error}); write it like `postgres://user@host/name`"
            )
        })?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(
                "a database is a file or begins with `postgres://`; write it like `postgres://user@host/name`"
                    .to_owned(),
            );
        }
        let names_password = url.query_pairs().any(|(key, _)| key == "password");
        if url.password().is_some() || names_password {
            return Err(
                "the password does not belong in the address; set `database_password_file`"
                    .to_owned(),
            );
        }
        let names_database = url.query_pairs().any(|(key, _)| key == "dbname");
        if url.path().trim_matches('/').is_empty() && !names_database {
            return Err(
                "the name of the database is missing; write it like `postgres://user@host/name`"
                    .to_owned(),
            );
        }
        let options: Result<PgConnectOptions, _> = url.as_str().parse();
        options.map_err(|error| match error {
            sqlx::Error::Configuration(cause) => format!("not the address of a database: {cause}"),
            error => format!("not the address of a database: {error}"),
        })?;
        Ok(Self(url.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_databases() {
        for good in [
            "postgres://mains@db.example/mains",
            "postgresql://mains@[::1]:5433/mains?sslmode=require",
            "postgres:///mains?host=/run/postgresql",
        ] {
            assert_eq!(good.parse::<PostgresUrl>().unwrap().to_string(), good);
        }
        for (bad, word) in [
            ("postgres://mains@db", "name of the database"),
            ("postgres://mains@db/", "name of the database"),
            ("postgres://mains:secret@db/mains", "database_password_file"),
            (
                "postgres://db/mains?password=secret",
                "database_password_file",
            ),
            ("postgres://mains:secret@db:x/mains", "port"),
            ("postgres://db/mains?sslmode=no-such-mode", "ssl_mode"),
            ("mysql://db/mains", "postgres://"),
        ] {
            let error = bad.parse::<PostgresUrl>().unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
            assert!(!error.contains("secret@"), "{error}");
        }
    }
}
