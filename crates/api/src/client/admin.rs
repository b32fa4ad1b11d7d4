//! Administration of a hub: state, backup, tokens, password, login links.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Client, ClientError, Download};
use crate::{
    Id, LogEntry, LogRequest, LoginLink, LoginLinkRequest, NewToken, Scope, SiteName, SiteView,
    TokenInfo, TokenRequest,
};

/// Maximum time until a backup begins: the hub makes the whole copy before it sends the first byte.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(600);

impl Client {
    /// Returns the state of the hub, with whatever a newer hub adds.
    pub async fn status(&self) -> Result<Value, ClientError> {
        self.get("hub").reply().await
    }

    /// Returns a copy of the hub's database.
    pub async fn backup(&self) -> Result<Download, ClientError> {
        self.get("hub/backup")
            .timeout(BACKUP_TIMEOUT)
            .download()
            .await
    }

    /// Returns entries of the log, newest first.
    pub async fn log(&self, request: &LogRequest) -> Result<Vec<LogEntry>, ClientError> {
        self.of_own_site(|| self.get("log").query(request)).await
    }

    /// Returns the tokens, without their secrets.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, ClientError> {
        self.get("tokens").reply().await
    }

    /// Creates a token; its secret is in this reply alone.
    pub async fn create_token(&self, token: &TokenRequest) -> Result<NewToken, ClientError> {
        self.post("tokens").json(token).reply().await
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, id: &Id) -> Result<(), ClientError> {
        self.delete(&format!("tokens/{id}")).done().await
    }

    /// Sets the password for browsers, or removes it. There is one for each of the scopes `admin` and `read`. Without `sites` it
    /// keeps those of the password before.
    pub async fn set_password(
        &self,
        password: Option<&str>,
        scope: Scope,
        sites: Option<&[SiteName]>,
    ) -> Result<(), ClientError> {
        /// Borrows the secret: a JSON value would leave a copy of it behind.
        #[derive(Serialize)]
        struct Password<'a> {
            password: Option<&'a str>,
            scope: Scope,
            // A hub of a version without sites knows no such field.
            #[serde(skip_serializing_if = "Option::is_none")]
            sites: Option<&'a [SiteName]>,
        }
        let password = Password {
            password,
            scope,
            sites,
        };
        self.put("password").json(&password).done().await
    }

    /// Returns a link that logs a browser in once.
    pub async fn login_link(&self, request: &LoginLinkRequest) -> Result<LoginLink, ClientError> {
        self.post("login-url").json(request).reply().await
    }

    /// Returns the sites in the hub's database.
    pub async fn sites(&self) -> Result<Vec<SiteView>, ClientError> {
        self.get("sites").reply().await
    }
}
