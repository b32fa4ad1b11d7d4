//! `mains hub migrate`: everything from the hub's database into another one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::SiteName;
use api::client::Client;
use hub::state_lock::StateLock;
use hub::store::{self, CopiedStore, CopyError, Postgres, PostgresConfig, Retention, Sqlite};
use serde_json::json;
use statefile::{FileLock, StateFile};

use super::backup;
use crate::commands::hub_config;
use crate::config::{DatabaseChoice, HubLayer, Sources};
use crate::context::Context;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::help::help_of;
use crate::hub_endpoint;
use crate::ui::clean;

/// Directory beside the hub's file in which the copy of a running hub is, for as long as it is copied from.
const COPY_DIRECTORY: &str = ".mains-migrate";
/// The lock on it is held for as long.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Options of `mains hub migrate`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = concat!("\
Copies plugs, documents, tokens and passwords, the log, history and totals from the database of the configuration into another one, \
reads everything back and compares it. The old database stays as it is, and in use until `database` in [hub] names the new one. \
A copy that was interrupted can be repeated; what is there already is not written again.

While the hub runs, the copy is of its file as it was when the command began. Stop the hub then and repeat the command, which brings \
over what has come since, before `database` names the new one. A PostgreSQL database is copied with the hub stopped.

The password for the new database is in MAINS_HUB_DATABASE_PASSWORD or in a file. In a PostgreSQL database the copy becomes the \
site of the configuration (`site` in [hub]), or that of --site.

Examples:
  mains hub migrate --to postgres://hub@nas/mains --password-file password
  mains hub migrate --to postgres://hub@nas/mains --site berlin
  mains hub migrate --to ", help_of!(database_file), "        # and back
  mains --json hub migrate --to postgres://hub@nas/mains
    {\"from\":\"", help_of!(database_file_in_json), "\",
     \"to\":\"postgres://hub@nas/mains\",\"rows\":4630912,\"verified\":true}

Exit codes: 0 copied and compared, 1 the databases differ, 2 wrong usage or configuration, 7 a hub runs with this state directory \
on a PostgreSQL database, 8 a database cannot be used."))]
pub(super) struct HubMigrateArgs {
    /// The new database: postgres://user@host/name, or the path of a file
    #[arg(long, value_name = "DATABASE")]
    to: String,
    /// File with the password for it
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust for it
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Site that the copy becomes in a PostgreSQL database [default: `site` in [hub]]
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
}

/// A database to copy from or to.
#[derive(Debug, Clone, PartialEq)]
enum DatabasePlace {
    File(PathBuf),
    Postgres(PostgresConfig),
}

/// Runs `mains hub migrate`.
pub(super) async fn run(context: &Context, args: &HubMigrateArgs) -> Outcome {
    let sources = Sources::read(&context.settings.options);
    let config = hub_config::config(&sources, context.state_directory()?)
        .map_err(|mut problems| Failure::from(problems.swap_remove(0)))?;
    let from = match config.postgres {
        Some(postgres) => DatabasePlace::Postgres(postgres),
        None => DatabasePlace::File(config.database),
    };
    let to = target(args, &config.site)?;
    if from == to {
        return Err(Failure::usage("the hub uses this database already"));
    }
    if let DatabasePlace::File(file) = &from
        && !file.exists()
    {
        let file = file.display();
        return Err(Failure::usage(format!("there is no database {file}")));
    }
    let source = Source::of(context, &from, &config.state).await?;
    let (old, new) = (source.place(&from).open().await?, to.open().await?);
    let copied = store::copy(&*old, &*new).await;
    old.close().await;
    new.close().await;
    let rows = copied.map_err(|error| failure(&error))?;
    let (from, to) = (from.name(), to.name());
    if context.ui.is_json() {
        let document = json!({"from": from, "to": to, "rows": rows, "verified": true});
        context.ui.document(&document)?;
        return Ok(Exit::DONE);
    }
    context.ui.data(format_args!(
        "{rows} rows are copied from {} to {} and compared",
        clean(&from),
        clean(&to)
    ))?;
    if matches!(source, Source::Running(..)) {
        context
            .ui
            .status("the hub goes on with the old one: stop it and repeat this command before the next step");
    }
    match args.site.as_ref().filter(|site| **site != config.site) {
        Some(site) => context.ui.status(format_args!(
            "set `database` in [hub] to the new one, and `site` to \"{site}\""
        )),
        None => context.ui.status("set `database` in [hub] to the new one"),
    }
    Ok(Exit::DONE)
}

/// The old database: in nobody's use, or a copy of that of a running hub.
enum Source {
    Stopped(#[expect(dead_code, reason = "keeps a hub from starting")] StateLock),
    Running(HubCopy),
}

impl Source {
    async fn of(context: &Context, from: &DatabasePlace, state: &Path) -> Result<Self, Failure> {
        let error = match StateLock::acquire(state) {
            Ok(lock) => return Ok(Self::Stopped(lock)),
            Err(error) => error,
        };
        let DatabasePlace::File(file) = from else {
            return Err(error.into());
        };
        let Some(endpoint) = hub_endpoint::running_with(&context.settings, state)? else {
            return Err(error.into());
        };
        let hub = Client::new(endpoint)?;
        let beside = file.parent().filter(|folder| folder.is_dir());
        let copy = HubCopy::new(beside.unwrap_or(state))?;
        let bytes = backup::fetch(&hub, &copy.file).await?;
        context.ui.status(format_args!(
            "the hub at {} runs; what is copied is its file at this moment ({bytes} bytes)",
            hub.url()
        ));
        Ok(Self::Running(copy))
    }

    fn place(&self, from: &DatabasePlace) -> DatabasePlace {
        match self {
            Self::Stopped(_) => from.clone(),
            Self::Running(copy) => DatabasePlace::File(copy.file.clone()),
        }
    }
}

/// A directory for the copy of a running hub's file, which goes with it. What a killed command has left is removed by the next one.
struct HubCopy {
    directory: PathBuf,
    file: PathBuf,
    #[expect(dead_code, reason = "keeps other commands from the directory")]
    lock: FileLock,
}

impl HubCopy {
    fn new(beside: &Path) -> Result<Self, Failure> {
        let directory = beside.join(COPY_DIRECTORY);
        let file = directory.join("mains.sqlite");
        let cannot = |cause: std::io::Error| match cause.kind() {
            ErrorKind::WouldBlock => {
                let message = format!("another `mains hub migrate` uses {}", directory.display());
                Failure::local(message).hint("wait for its end")
            }
            _ => Failure::local("no copy of the hub's file can be made").caused_by(&cause),
        };
        let lock = StateFile::new(&file, 0)
            .lock(LOCK_TIMEOUT)
            .map_err(cannot)?;
        let copy = Self {
            directory: directory.clone(),
            file,
            lock,
        };
        copy.remove_files().map_err(cannot)?;
        Ok(copy)
    }

    /// Removes everything but the lock.
    fn remove_files(&self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "lock") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Drop for HubCopy {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.directory);
        if let Err(error) = removed {
            let directory = self.directory.display();
            tracing::warn!(%directory, %error, "the copy of the hub's file is left behind");
        }
    }
}

/// Returns the new database.
fn target(args: &HubMigrateArgs, site: &SiteName) -> Result<DatabasePlace, Failure> {
    // Not read by clap, which would repeat a password in the address.
    let choice = args.to.parse::<DatabaseChoice>().map_err(Failure::usage)?;
    let file = match &choice {
        DatabaseChoice::File(file) => file.clone(),
        DatabaseChoice::Default => return Err(Failure::usage("--to names no database")),
        DatabaseChoice::Postgres(_) => PathBuf::new(),
    };
    let layer = HubLayer {
        database: Some(choice),
        database_password_file: args.password_file.clone(),
        database_ca_file: args.ca_file.clone(),
        site: Some(args.site.clone().unwrap_or_else(|| site.clone())),
        ..HubLayer::default()
    };
    let postgres = hub_config::postgres(&layer).map_err(|(_, what)| Failure::usage(what))?;
    Ok(postgres.map_or(DatabasePlace::File(file), DatabasePlace::Postgres))
}

impl DatabasePlace {
    fn name(&self) -> String {
        match self {
            Self::File(file) => file.display().to_string(),
            Self::Postgres(postgres) => postgres.url.to_string(),
        }
    }

    async fn open(&self) -> Result<Box<dyn CopiedStore>, Failure> {
        let opened: Result<Box<dyn CopiedStore>, _> = match self {
            Self::File(file) => {
                let opened = Sqlite::open(file, Retention::default()).await;
                opened.map(|opened| Box::new(opened.store) as Box<dyn CopiedStore>)
            }
            Self::Postgres(postgres) => {
                let opened = Postgres::open(postgres.clone(), Retention::default()).await;
                opened.map(|opened| Box::new(opened) as Box<dyn CopiedStore>)
            }
        };
        opened.map_err(|error| failure(&CopyError::from(error)))
    }
}

fn failure(error: &CopyError) -> Failure {
    match error {
        CopyError::Different(what) => Failure::failed(format!("{what} differ in the new database"))
            .hint("nothing of the old one is lost; copy into an empty database, or choose another site"),
        CopyError::Store(error) => {
            let hint = match error.refusal_hint() {
                Some(hint) => format!("{hint}; the old database is as it was"),
                None => "the old database is as it was; repeat the copy when the cause is gone"
                    .to_owned(),
            };
            Failure::new(Kind::Unavailable, "not everything could be copied")
                .caused_by(error)
                .hint(hint)
        }
    }
}
