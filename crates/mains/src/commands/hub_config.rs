//! The configuration of a hub to run, from the layers that the user wrote.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use hub::Config;
use hub::config::{BackupConfig, Place, TlsFiles};
use hub::store::PostgresConfig;
use zeroize::Zeroizing;

use crate::config::{ConfigProblem, DatabaseChoice, HubLayer, PlaceLayer, Sources, both};
use crate::secret;

/// Directory of backups in the state directory.
const BACKUP_DIRECTORY: &str = "backups";
/// Variable with the password of the database. It is no key: a password does not belong in a file that others may read.
const DATABASE_PASSWORD_VARIABLE: &str = "MAINS_HUB_DATABASE_PASSWORD";
const MAX_PASSWORD_LENGTH: usize = 4_096;
const DEFAULT_KEPT_BACKUPS: NonZeroU32 = NonZeroU32::new(7).expect("seven is not zero");

/// Returns the configuration of a hub that keeps everything in this directory.
pub(super) fn config(sources: &Sources, state: PathBuf) -> Result<Config, Vec<ConfigProblem>> {
    let mut hub = sources.layer.hub.clone();
    hub.interfaces = hub.interfaces.or_else(|| sources.layer.interfaces.clone());
    let config = assemble(&hub, &sources.layer.place, state).map_err(|problems| {
        let problem = |(key, what)| sources.problem(key, what);
        problems.into_iter().map(problem).collect::<Vec<_>>()
    })?;
    let web = sources.layer.web.config();
    if web.ingress_login.0.is_some() && web.trusted_proxies.is_empty() {
        let what = "it needs `web.trusted_proxies`".to_owned();
        return Err(vec![sources.problem("web.ingress_login", what)]);
    }
    Ok(Config { web, ..config })
}

/// Puts together the configuration of a hub.
fn assemble(
    hub: &HubLayer,
    place: &PlaceLayer,
    state: PathBuf,
) -> Result<Config, Vec<(&'static str, String)>> {
    let mut problems = Vec::new();
    let tls = both(
        ("hub.certificate", hub.certificate.clone()),
        ("hub.key", hub.key.clone()),
    );
    let coordinates = both(
        ("place.latitude", place.latitude),
        ("place.longitude", place.longitude),
    );
    problems.extend(tls.as_ref().err().cloned());
    problems.extend(coordinates.as_ref().err().cloned());
    let postgres = postgres(hub);
    problems.extend(postgres.as_ref().err().cloned());
    let (Ok(tls), Ok(coordinates), Ok(postgres)) = (tls, coordinates, postgres) else {
        return Err(problems);
    };
    let defaults = Config::in_state(state);
    let database = match &hub.database {
        Some(DatabaseChoice::File(path)) => path.clone(),
        _ => defaults.database,
    };
    Ok(Config {
        site: hub.site(),
        listen: hub.listen.map_or(defaults.listen, |listen| listen.0),
        hosts: hub.hosts.clone().unwrap_or_default(),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        interfaces: hub.interfaces.clone().unwrap_or_default(),
        adopt: hub.adopt.unwrap_or(defaults.adopt),
        metering: hub.metering.map_or(defaults.metering, |period| period.0),
        scan: hub.scan.map_or(defaults.scan, |period| period.0),
        database,
        postgres,
        spool: hub.spool.map_or(defaults.spool, |size| size.0),
        keep_readings: hub.keep_readings.unwrap_or(defaults.keep_readings),
        keep_minutes: hub.keep_minutes.unwrap_or(defaults.keep_minutes),
        web: defaults.web,
        backup: hub.backup.and_then(|interval| interval.0).map(|every| {
            let directory = hub.backup_directory.clone();
            let directory = directory.filter(|path| !path.as_os_str().is_empty());
            BackupConfig {
                every,
                directory: directory.unwrap_or_else(|| defaults.state.join(BACKUP_DIRECTORY)),
                keep: hub.keep_backups.unwrap_or(DEFAULT_KEPT_BACKUPS),
            }
        }),
        place: coordinates.map(|(latitude, longitude)| Place {
            latitude: latitude.0,
            longitude: longitude.0,
        }),
        is_simulated: defaults.is_simulated,
        timezone: place
            .timezone
            .as_ref()
            .map_or(defaults.timezone, |zone| zone.0.clone()),
        state: defaults.state,
    })
}

/// Returns the PostgreSQL database, with the password for it.
pub(super) fn postgres(hub: &HubLayer) -> Result<Option<PostgresConfig>, (&'static str, String)> {
    let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
    let password_file = given(&hub.database_password_file);
    let ca_file = given(&hub.database_ca_file);
    let Some(DatabaseChoice::Postgres(url)) = &hub.database else {
        let needs = "it needs a `hub.database` that begins with `postgres://`";
        return match (password_file, ca_file) {
            (Some(_), _) => Err(("hub.database_password_file", needs.to_owned())),
            (None, Some(_)) => Err(("hub.database_ca_file", needs.to_owned())),
            (None, None) => Ok(None),
        };
    };
    if hub.backup.is_some_and(|interval| interval.0.is_some()) {
        let what = "a PostgreSQL database is backed up with its own tools, e.g. `pg_dump`";
        return Err(("hub.backup", what.to_owned()));
    }
    let variable = std::env::var(DATABASE_PASSWORD_VARIABLE).ok();
    let password = match (variable.filter(|text| !text.is_empty()), password_file) {
        (Some(text), _) => Some(Zeroizing::new(text)),
        (None, Some(file)) => {
            let password = read_password(&file);
            Some(password.map_err(|what| ("hub.database_password_file", what))?)
        }
        (None, None) => None,
    };
    Ok(Some(PostgresConfig {
        url: url.clone(),
        password,
        ca_file,
        site: hub.site(),
    }))
}

/// Reads the password from a file.
fn read_password(file: &Path) -> Result<Zeroizing<String>, String> {
    let shown = file.display();
    let read = secret::read_file(file, "the password file", MAX_PASSWORD_LENGTH);
    let (bytes, _) = read.map_err(|error| format!("{shown}: {error}"))?;
    match std::str::from_utf8(&bytes) {
        Ok("") => Err(format!("{shown} is empty")),
        Ok(text) if text.len() <= MAX_PASSWORD_LENGTH => Ok(Zeroizing::new(text.to_owned())),
        _ => Err(format!("{shown} holds more than a password")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Degrees;

    #[test]
    fn keys_that_need_one_another() {
        let mut sources = Sources::default();
        sources.layer.hub.key = Some("key.pem".into());
        sources.layer.place.latitude = Some(Degrees(52.0));
        let problems = config(&sources, "/state".into()).unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| &problem.key).collect();
        assert_eq!(keys, ["hub.key", "place.latitude"]);
        sources.layer.hub.certificate = Some("certificate.pem".into());
        sources.layer.place.longitude = Some(Degrees(13.0));
        let config = config(&sources, "/state".into()).unwrap();
        assert_eq!(config.database, PathBuf::from("/state/mains.sqlite"));
        assert!(config.tls.is_some() && config.place.is_some());
    }

    #[test]
    fn users_of_an_ingress_come_by_a_trusted_proxy() {
        let mut sources = Sources::default();
        sources.layer.web.ingress_login = Some("admin".parse().unwrap());
        let problems = config(&sources, "/state".into()).unwrap_err();
        assert_eq!(problems[0].key, "web.ingress_login");
        sources.layer.web.trusted_proxies = Some(vec!["172.30.32.2".parse().unwrap()]);
        assert!(config(&sources, "/state".into()).is_ok());
    }

    #[test]
    fn a_hub_scans_where_the_commands_do_unless_told_otherwise() {
        let mut sources = Sources::default();
        sources.layer.interfaces = Some(vec!["eth0".into()]);
        let interfaces = |sources: &Sources| config(sources, "/s".into()).unwrap().interfaces;
        assert_eq!(interfaces(&sources), ["eth0"]);
        sources.layer.hub.interfaces = Some(vec!["eth1".into()]);
        assert_eq!(interfaces(&sources), ["eth1"]);
    }
}
