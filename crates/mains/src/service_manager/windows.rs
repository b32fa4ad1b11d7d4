//! The service manager of Windows: installs the hub as a service, starts and stops it, and is told its state.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use known_folders::{KnownFolder, get_known_folder_path};
use serde_json::json;
use tokio::sync::Notify;
use windows_service::service::{
    ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod,
    ServiceInfo, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    ServiceControlHandlerResult, ServiceStatusHandle, register,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{define_windows_service, service_dispatcher};

use crate::directories;
use crate::error::{Exit, Failure, Kind, Outcome};
use crate::service_log;
use crate::ui::Ui;

const NAME: &str = "mains";
/// An account with few rights, whose profile no other user can read.
const ACCOUNT: &str = "NT AUTHORITY\\LocalService";
/// Directory of the account's state, as a shell of an administrator writes it.
const STATE: &str = "%SystemRoot%\\ServiceProfiles\\LocalService\\AppData\\Local\\mains";
const INSTALL_OPTION: &str = "--install-service";
/// Option with which the service manager starts the program.
const RUN_OPTION: &str = "--run-as-service";
/// Time that the hub may take to start or to end.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Delay after which a service that has failed is started again.
const RESTART_DELAY: Duration = Duration::from_secs(5);
/// Time without a failure after which earlier ones do not count.
const FAILURE_RESET_PERIOD: Duration = Duration::from_secs(24 * 3600);
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_SERVICE_DOES_NOT_EXIST: i32 = 1060;
const ERROR_SERVICE_EXISTS: i32 = 1073;

/// The program and its arguments.
type HostedProgram = (Vec<OsString>, fn(Vec<OsString>) -> ExitCode);

static PROGRAM: OnceLock<HostedProgram> = OnceLock::new();
static STATUS: OnceLock<ServiceStatusHandle> = OnceLock::new();
static STOP: Notify = Notify::const_new();

define_windows_service!(entry_point, serve_as_service);

// Options of `mains serve` about services. A doc comment would become the help of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArgs {
    /// Install the hub as a service of Windows, with the other options given, and start it
    #[arg(long, conflicts_with = "uninstall_service")]
    install_service: bool,
    /// Stop the service of Windows and remove it
    #[arg(long)]
    uninstall_service: bool,
    /// Run as the service (for the service manager)
    #[arg(long, hide = true)]
    run_as_service: bool,
}

impl ServiceArgs {
    /// Installs or removes the service; `None` if neither was asked for.
    pub(crate) fn apply(&self, ui: &Ui) -> Option<Outcome> {
        match self {
            Self {
                install_service: true,
                ..
            } => Some(install(ui)),
            Self {
                uninstall_service: true,
                ..
            } => Some(uninstall(ui)),
            _ => None,
        }
    }
}

/// Runs the program, under the service manager if that has started it.
pub(crate) fn host(arguments: Vec<OsString>, program: fn(Vec<OsString>) -> ExitCode) -> ExitCode {
    if !arguments.iter().any(|argument| argument == RUN_OPTION) {
        return program(arguments);
    }
    let (arguments, program) = PROGRAM.get_or_init(|| (arguments, program));
    match service_dispatcher::start(NAME, entry_point) {
        Ok(()) => ExitCode::SUCCESS,
        // Started by hand: the same hub, without a service manager.
        Err(_) => program(arguments.clone()),
    }
}

/// Serves until the service manager stops it.
fn serve_as_service(_: Vec<OsString>) {
    let Some((arguments, program)) = PROGRAM.get() else {
        return;
    };
    let handler = |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
            STOP.notify_one();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    let Ok(handle) = register(NAME, handler) else {
        return;
    };
    STATUS.get_or_init(|| handle);
    if let Ok(directory) = directories::state() {
        service_log::begin(directory.join("mains.log"));
    }
    report(ServiceState::StartPending, ServiceExitCode::NO_ERROR);
    let code = program(arguments.clone());
    let is_done = code == ExitCode::SUCCESS;
    let code = match is_done {
        true => ServiceExitCode::NO_ERROR,
        false => ServiceExitCode::ServiceSpecific(1),
    };
    report(ServiceState::Stopped, code);
}

/// Returns true if this process is the service.
pub(crate) fn is_service() -> bool {
    STATUS.get().is_some()
}

/// Waits until the service manager stops the service.
pub(crate) async fn stop_requested() {
    STOP.notified().await;
}

/// Reports that the hub serves.
pub(crate) fn report_ready(_: &str) {
    report(ServiceState::Running, ServiceExitCode::NO_ERROR);
}

/// Reports that the hub is about to end.
pub(crate) fn report_stopping() {
    report(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
}

/// Waits for ever: there is no watchdog.
pub(crate) async fn ping_watchdog() {
    std::future::pending().await
}

fn report(state: ServiceState, exit_code: ServiceExitCode) {
    let Some(handle) = STATUS.get() else {
        return;
    };
    let is_pending = matches!(
        state,
        ServiceState::StartPending | ServiceState::StopPending
    );
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: match state {
            ServiceState::Running => ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
            _ => ServiceControlAccept::empty(),
        },
        exit_code,
        checkpoint: 0,
        wait_hint: if is_pending {
            CHANGE_TIMEOUT
        } else {
            Duration::ZERO
        },
        process_id: None,
    };
    if let Err(error) = handle.set_service_status(status) {
        tracing::warn!(%error, "the service manager cannot be reached");
    }
}

fn install(ui: &Ui) -> Outcome {
    let failed = |error| failure("install", &error);
    let program = std::env::current_exe().map_err(|error| {
        Failure::local("the program does not find its own file").caused_by(&error)
    })?;
    let home = get_known_folder_path(KnownFolder::Profile);
    if home.is_some_and(|home| program.starts_with(home)) {
        let message = format!("a service has no access to {}", program.display());
        return Err(Failure::local(message)
            .hint("move mains.exe to a folder such as \"C:\\Program Files\\mains\", and install from there"));
    }
    let given = std::env::args_os().skip(1);
    let launch_arguments = given
        .map(|argument| match argument == INSTALL_OPTION {
            true => RUN_OPTION.into(),
            false => argument,
        })
        .collect();
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: "Mains".into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: program,
        launch_arguments,
        dependencies: Vec::new(),
        account_name: Some(ACCOUNT.into()),
        account_password: None,
    };
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, access).map_err(failed)?;
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START;
    let service = manager.create_service(&info, access).map_err(failed)?;
    let described =
        service.set_description("Keeps contact with Wi-Fi plugs and serves their pages");
    // A service without a description or a restart serves all the same.
    for result in [described, service.update_failure_actions(restarts())] {
        if let Err(error) = result {
            ui.warn(format_args!(
                "a setting of the service was refused: {error}"
            ));
        }
    }
    service
        .start::<&str>(&[])
        .map_err(|error| failure("start", &error))?;
    tell(ui, true, "the service is installed and starts with Windows")?;
    ui.hint(format_args!(
        "as administrator, `set MAINS_STATE={STATE}` and `mains hub login-url` print a link for your browser"
    ));
    Ok(Exit::DONE)
}

fn restarts() -> ServiceFailureActions {
    ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FAILURE_RESET_PERIOD),
        reboot_msg: None,
        command: None,
        actions: Some(vec![ServiceAction {
            action_type: ServiceActionType::Restart,
            delay: RESTART_DELAY,
        }]),
    }
}

fn uninstall(ui: &Ui) -> Outcome {
    let failed = |error| failure("remove", &error);
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT);
    let manager = manager.map_err(failed)?;
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let service = manager.open_service(NAME, access).map_err(failed)?;
    let status = service.query_status().map_err(failed)?;
    if status.current_state != ServiceState::Stopped {
        service.stop().map_err(|error| failure("stop", &error))?;
    }
    service.delete().map_err(failed)?;
    tell(ui, false, "the service is removed; its state is kept")?;
    Ok(Exit::DONE)
}

fn tell(ui: &Ui, is_installed: bool, text: &str) -> Result<(), Failure> {
    match ui.is_json() {
        true => ui.document(&json!({"service": NAME, "installed": is_installed})),
        false => ui.data(text),
    }
}

fn failure(verb: &str, error: &windows_service::Error) -> Failure {
    let code = match error {
        windows_service::Error::Winapi(error) => error.raw_os_error(),
        _ => None,
    };
    let message = format!("cannot {verb} the service '{NAME}'");
    match code {
        Some(ERROR_ACCESS_DENIED) => Failure::local(format!("{message}: no permission"))
            .hint("run it in a terminal that was opened with \"Run as administrator\""),
        Some(ERROR_SERVICE_EXISTS) => Failure::local(format!("{message}: it is installed already"))
            .hint("`mains serve --uninstall-service` removes it"),
        Some(ERROR_SERVICE_DOES_NOT_EXIST) => {
            Failure::new(Kind::NotFound, format!("{message}: it is not installed"))
        }
        _ => Failure::local(message).caused_by(error),
    }
}
