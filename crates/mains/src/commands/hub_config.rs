//! The configuration of a hub to run, from the layers that the user wrote.

use std::num::NonZeroU32;
use std::path::PathBuf;

use hub::Config;
use hub::config::{BackupConfig, Place, TlsFiles};

use crate::config::{ConfigProblem, HubLayer, PlaceLayer, Sources, both};

/// Directory of backups in the state directory.
const BACKUP_DIRECTORY: &str = "backups";
const DEFAULT_KEPT_BACKUPS: NonZeroU32 = NonZeroU32::new(7).expect("seven is not zero");

/// Returns the configuration of a hub that keeps everything in this directory.
///
/// # Errors
///
/// Keys without the other key that they need.
pub(super) fn config(sources: &Sources, state: PathBuf) -> Result<Config, Vec<ConfigProblem>> {
    let mut hub = sources.layer.hub.clone();
    hub.interfaces = hub.interfaces.or_else(|| sources.layer.interfaces.clone());
    let config = assemble(&hub, &sources.layer.place, state).map_err(|problems| {
        let problem = |(key, what)| sources.problem(key, what);
        problems.into_iter().map(problem).collect::<Vec<_>>()
    })?;
    Ok(Config {
        web: sources.layer.web.config(),
        ..config
    })
}

/// Puts together the configuration of a hub.
///
/// # Errors
///
/// Every key that needs another one, and which.
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
    let (Ok(tls), Ok(coordinates)) = (tls, coordinates) else {
        return Err(problems);
    };
    let defaults = Config::in_state(state);
    let database = hub.database.as_ref().and_then(|given| given.0.clone());
    Ok(Config {
        listen: hub.listen.map_or(defaults.listen, |listen| listen.0),
        hosts: hub.hosts.clone().unwrap_or_default(),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        interfaces: hub.interfaces.clone().unwrap_or_default(),
        adopt: hub.adopt.unwrap_or(defaults.adopt),
        metering: hub.metering.map_or(defaults.metering, |period| period.0),
        scan: hub.scan.map_or(defaults.scan, |period| period.0),
        database: database.unwrap_or(defaults.database),
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
    fn a_hub_scans_where_the_commands_do_unless_told_otherwise() {
        let mut sources = Sources::default();
        sources.layer.interfaces = Some(vec!["eth0".into()]);
        let interfaces = |sources: &Sources| config(sources, "/s".into()).unwrap().interfaces;
        assert_eq!(interfaces(&sources), ["eth0"]);
        sources.layer.hub.interfaces = Some(vec!["eth1".into()]);
        assert_eq!(interfaces(&sources), ["eth1"]);
    }
}
