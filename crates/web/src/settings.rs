//! Settings: tariffs, colours, place, passwords, tokens, backups, connections.

use std::fs;

use api::text::LocalClock;
use api::{Scope, SiteName, SunEvent, TokenInfo};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use hub::auth::AccessControl;
use hub::backups;
use hub::config::BackupConfig;
use hub::schedule::sun_event;
use jiff::{Timestamp, Zoned};

use crate::PagesState;
use crate::documents::{Editor, saved};
use crate::format;
use crate::frame::{Frame, SETTINGS};
use crate::page_error::{PageError, sentence};
use crate::problems::{broker, damages};
use crate::tariffs::{self, TariffRow};
use crate::visit::{Theme, Visit};

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    damages: Vec<String>,
    /// Reason why readings are not being saved.
    unsaved: Option<String>,
    theme: &'static str,
    tariffs: Vec<TariffRow>,
    passwords: Vec<PasswordForm>,
    asks_current: bool,
    /// False where a proxy has logged the browser in.
    can_log_out: bool,
    tokens: Vec<TokenRow>,
    /// The form of a new token.
    token: Editor,
    /// Sites that a login can be bound to; empty where there is one.
    sites: Vec<SiteName>,
    /// A token that was just made, and is shown once: its name and its secret.
    new_token: Option<(String, String)>,
    timezone: String,
    place: Option<(f64, f64)>,
    sun: Option<String>,
    mqtt: Option<MqttRow>,
    storage: Option<StorageSize>,
    /// Address of a database on a server, which its own tools back up.
    server: Option<String>,
    backup: Option<BackupSchedule>,
    keep_readings: String,
    keep_minutes: String,
    version: &'static str,
}

/// A form that sets a password.
struct PasswordForm {
    scope: Scope,
    heading: &'static str,
    hint: &'static str,
    is_set: bool,
    /// Sites that its logins see; all if empty.
    sites: Vec<SiteName>,
    editor: Editor,
}

impl PasswordForm {
    /// Returns true if this site is chosen in the form.
    fn has_site(&self, site: &SiteName) -> bool {
        match self.editor.fields().all("sites").as_slice() {
            [] => self.sites.contains(site),
            chosen => chosen.contains(&site.as_str()),
        }
    }
}

/// A token in the list.
struct TokenRow {
    id: String,
    name: String,
    access: &'static str,
    details: String,
}

/// The connection to an MQTT broker in words.
struct MqttRow {
    broker: String,
    state: String,
    is_good: bool,
    problem: Option<String>,
}

/// Size of the database.
struct StorageSize {
    megabytes: String,
}

/// Backups by the clock.
struct BackupSchedule {
    every: String,
    keep: u32,
    directory: String,
    error: Option<String>,
    /// Time and size of each, newest first.
    files: Vec<(String, String)>,
}

/// Content of the forms of a page after one of them was refused or has made a token.
#[derive(Debug, Default)]
pub(crate) struct SettingsForms {
    /// The form of a new token.
    pub(crate) token: Editor,
    /// A token that was just made: its name and its secret.
    pub(crate) new_token: Option<(String, String)>,
    /// The refused form of a password, and its scope.
    pub(crate) password: Option<(Scope, Editor)>,
}

/// Shows the settings.
pub(crate) async fn settings(State(state): State<PagesState>, visit: Visit) -> Response {
    page(&state, &visit, SettingsForms::default()).await
}

/// Makes a backup beside those that are made by the clock.
pub(crate) async fn back_up(
    State(state): State<PagesState>,
    visit: Visit,
) -> Result<Response, PageError> {
    let hub = &state.hub;
    if let Some(config) = &hub.config().backup {
        let made = hub.backups().make(&**hub.store(), config, hub.bus());
        made.await?;
    }
    Ok(saved(&visit, "settings#backup"))
}

/// Draws the settings.
pub(crate) async fn page(state: &PagesState, visit: &Visit, forms: SettingsForms) -> Response {
    let hub = &state.hub;
    let config = hub.config();
    let clock = LocalClock::at(plugs::now(), hub.clock().timezone.clone());
    let storage = hub.store().info().await.ok();
    let auth = visit.auth.as_ref();
    let tokens = auth.zip(visit.caller.as_ref());
    let tokens = tokens.map(|(auth, caller)| auth.tokens(caller));
    let page = SettingsPage {
        damages: damages(hub),
        unsaved: hub
            .recorder()
            .status()
            .last_error
            .map(|error| sentence(&error)),
        frame: Frame::new(visit, SETTINGS, "Settings"),
        theme: visit.theme.as_str(),
        tariffs: tariffs::rows(state),
        asks_current: visit.asks_current_password(),
        can_log_out: visit.can_log_out(),
        tokens: tokens.map_or_else(Vec::new, |tokens| token_rows(&tokens, &clock)),
        passwords: auth.map_or_else(Vec::new, |auth| password_forms(auth, forms.password)),
        token: forms.token,
        sites: sites(state, visit),
        new_token: forms.new_token,
        timezone: format::zone(&hub.clock().timezone),
        place: config.place.map(|place| (place.latitude, place.longitude)),
        sun: sun_today(state),
        mqtt: mqtt(state, &clock),
        storage: storage.map(|info| StorageSize {
            megabytes: format::number(info.bytes as f64 / 1e6, 1),
        }),
        server: config
            .postgres
            .as_ref()
            .map(|server| server.url.to_string()),
        backup: config
            .backup
            .as_ref()
            .map(|config| schedule(state, config, &clock)),
        keep_readings: config.keep_readings.to_string(),
        keep_minutes: config.keep_minutes.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.frame.send(&page)
}

/// Returns the sites that the visitor can bind a login to; none where there is one.
fn sites(state: &PagesState, visit: &Visit) -> Vec<SiteName> {
    let hub = &state.hub;
    let others = hub.sites().others();
    if others.is_empty() {
        return Vec::new();
    }
    let own = hub.config().site.clone();
    let names = others.iter().map(|other| other.name().clone());
    let is_seen = |site: &SiteName| {
        let caller = visit.caller.as_ref();
        !site.is_empty() && caller.is_none_or(|caller| caller.sees(site))
    };
    let mut names: Vec<SiteName> = names.chain([own]).filter(is_seen).collect();
    names.sort();
    names
}

/// Returns the sites that a login is bound to, as the end of a sentence.
fn sites_words(sites: &[SiteName]) -> String {
    let names: Vec<&str> = sites.iter().map(SiteName::as_str).collect();
    names.join(", ")
}

fn password_forms(auth: &AccessControl, refused: Option<(Scope, Editor)>) -> Vec<PasswordForm> {
    let mut refused = refused;
    let kinds = [
        (
            Scope::Admin,
            "Password",
            "At least 8 characters. All other browsers are logged out.",
        ),
        (
            Scope::Read,
            "View-only password",
            "Who logs in with it sees everything and changes nothing, for example a tablet on the wall.",
        ),
    ];
    let form = |(scope, heading, hint)| PasswordForm {
        scope,
        heading,
        hint,
        is_set: auth.has_password(scope),
        sites: auth.password_sites(scope),
        editor: refused
            .take_if(|(of, _)| *of == scope)
            .map_or_else(Editor::default, |(_, editor)| editor),
    };
    kinds.into_iter().map(form).collect()
}

fn token_rows(tokens: &[TokenInfo], clock: &LocalClock) -> Vec<TokenRow> {
    let maker = |token: &TokenInfo| match token.created_by.as_deref() {
        None => "made by Mains".to_owned(),
        Some("password") => "made in a browser".to_owned(),
        Some("link") => "made in a browser that a link had logged in".to_owned(),
        Some(id) => {
            let made_by = tokens.iter().find(|other| other.id.as_str() == id);
            let name = made_by.map_or(id, |made_by| &made_by.name);
            format!("made with \u{201c}{name}\u{201d}")
        }
    };
    let row = |token: &TokenInfo| {
        let used = match token.last_used {
            Some(at) => format!("Used {}", clock.moment(at)),
            None => "Never used".to_owned(),
        };
        let made = format!("{} {}", maker(token), clock.moment(token.created));
        let expires = match token.expires {
            Some(at) => format!("ends {}", clock.moment(at)),
            None => "does not end by itself".to_owned(),
        };
        TokenRow {
            id: token.id.to_string(),
            name: token.name.clone(),
            access: access_words(token.scope),
            details: match token.sites.as_slice() {
                [] => format!("{used}, {made}, {expires}."),
                sites => {
                    let sites = sites_words(sites);
                    format!("Sites: {sites}. {used}, {made}, {expires}.")
                }
            },
        }
    };
    tokens.iter().map(row).collect()
}

/// Returns the access of a scope in words.
pub(crate) fn access_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Metrics => "Metrics",
        Scope::Read => "Sees everything",
        Scope::Switch => "Sees and switches",
        Scope::Admin => "Everything",
    }
}

fn sun_today(state: &PagesState) -> Option<String> {
    let clock = state.hub.clock();
    let today = plugs::now().to_zoned(clock.timezone.clone()).date();
    let time = |sun| {
        let at = sun_event(sun, clock.place?, today)?;
        let at = Zoned::new(at, clock.timezone.clone());
        Some(at.strftime("%H:%M").to_string())
    };
    let (up, down) = (time(SunEvent::Sunrise)?, time(SunEvent::Sunset)?);
    Some(format!("up {up}, down {down}"))
}

fn mqtt(state: &PagesState, clock: &LocalClock) -> Option<MqttRow> {
    let status = broker(&state.hub)?;
    Some(MqttRow {
        problem: status.problem(),
        is_good: status.is_connected(),
        state: format!("{} since {}", status.state, clock.moment(status.since)),
        broker: status.broker,
    })
}

fn schedule(state: &PagesState, config: &BackupConfig, clock: &LocalClock) -> BackupSchedule {
    let made = backups::list(config).unwrap_or_default();
    let file = |at: &Timestamp| {
        let size = fs::metadata(backups::path(config, *at)).map_or(0, |file| file.len());
        let megabytes = format::number(size as f64 / 1e6, 1);
        (
            sentence_start(&clock.moment(*at)),
            format!("{megabytes} MB"),
        )
    };
    BackupSchedule {
        every: config.every.to_string(),
        keep: config.keep.get(),
        directory: config.directory.display().to_string(),
        error: state
            .hub
            .backups()
            .status()
            .last_error
            .map(|error| sentence(&error)),
        files: made.iter().rev().map(file).collect(),
    }
}

/// Returns a moment as it stands at the beginning of a line.
fn sentence_start(text: &str) -> String {
    sentence(text).trim_end_matches('.').to_owned()
}

impl MqttRow {
    fn icon(&self) -> &'static str {
        if self.is_good { "check" } else { "alert" }
    }
}

impl SettingsPage {
    /// Returns the state of a password as a sentence.
    fn password_words(&self, password: &PasswordForm) -> String {
        match (password.is_set, password.sites.as_slice()) {
            (false, _) => "None is set.".to_owned(),
            (true, []) => "It is set.".to_owned(),
            (true, sites) => format!("It is set; its logins see {}.", sites_words(sites)),
        }
    }

    fn access(&self) -> &'static str {
        access_words(self.frame.scope())
    }

    fn themes(&self) -> [(&'static str, &'static str); 3] {
        let words = ["Like the device", "Light", "Dark"];
        let [auto, light, dark] = Theme::ALL.map(|(_, value)| value);
        [(auto, words[0]), (light, words[1]), (dark, words[2])]
    }

    fn scopes(&self) -> [(&'static str, &'static str); 4] {
        [Scope::Read, Scope::Switch, Scope::Admin, Scope::Metrics]
            .map(|scope| (scope.as_str(), access_words(scope)))
    }
}
