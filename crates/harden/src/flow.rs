//! The course of a lock-down: read, store the old values, write, read back, restart, prove, and take back what is not proven.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use api::{
    ErrorChain, ErrorDocument, ErrorKind, HardenReport, HardenRequest, HardenState, HardenStep,
    RequestError, WeaknessId,
};
use hiflying::settings::{WebLogin, WireValue};
use hiflying::{AtReply, AtRequest, DiscoveryWord, Mac};
use zeroize::Zeroizing;

use crate::module::HardenModule;
use crate::record::{HardenRecord, RecordError, RecordFile};
use crate::weakness::{
    self, NewValue, RadioSettings, SettingChange, SettingReply, Value, WeaknessFinding,
    WeaknessVerdict, is_secret, verbs,
};
use crate::web;

mod apply;

/// Time for the first contact.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);
/// Time for a module that has just restarted to join the Wi-Fi again.
const LINK_TIMEOUT: Duration = Duration::from_secs(30);
/// Interval at which its link is read meanwhile.
const LINK_INTERVAL: Duration = Duration::from_millis(500);

/// Extent and surroundings of a lock-down.
pub struct HardenOptions<'a> {
    /// The weaknesses, and whether they are closed, restored or only looked at.
    pub request: HardenRequest,
    /// State directory with the records.
    pub directory: &'a Path,
    /// A record from elsewhere, to restore from instead of that of this computer.
    pub record: Option<HardenRecord>,
    /// Returns the reason not to begin a further step, such as an interruption.
    pub stop: &'a (dyn Fn() -> Option<String> + Sync),
    /// Takes the progress.
    pub on_progress: &'a (dyn Fn(HardenProgress) + Sync),
}

impl fmt::Debug for HardenOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HardenOptions")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Progress of a lock-down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardenProgress {
    /// The setting is being written.
    Writing(WeaknessId),
    /// The module restarts, so that the setting applies.
    Restarting(WeaknessId),
    /// The change is taken back.
    TakingBack(WeaknessId),
}

impl fmt::Display for HardenProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writing(id) => write!(f, "{id}: writing the setting"),
            Self::Restarting(id) => {
                write!(
                    f,
                    "{id}: restarting the plug's module, until it replies again"
                )
            }
            Self::TakingBack(id) => write!(f, "{id}: taking the change back"),
        }
    }
}

/// Failure of a lock-down as a whole, before any step.
#[derive(Debug, thiserror::Error)]
pub enum HardenError {
    /// The module does not reply.
    #[error("no reply from the Wi-Fi module of the plug {plug} at {address}")]
    NoReply {
        /// The plug.
        plug: Mac,
        /// Its last address.
        address: Ipv4Addr,
    },
    /// The record cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The given record is that of another plug.
    #[error("the record is that of the plug {record}, not of {plug}")]
    OtherPlug {
        /// The plug.
        plug: Mac,
        /// The plug of the record.
        record: Mac,
    },
}

impl From<&RecordError> for ErrorKind {
    fn from(error: &RecordError) -> Self {
        match error {
            RecordError::Malformed { .. } | RecordError::Foreign { .. } => Self::Usage,
            RecordError::Nothing(_) => Self::Failed,
            RecordError::Io { .. } | RecordError::Busy(_) => Self::Local,
        }
    }
}

impl From<&HardenError> for RequestError {
    fn from(error: &HardenError) -> Self {
        let message = ErrorChain(error).to_string();
        match error {
            HardenError::NoReply { .. } => Self::new(ErrorKind::NoAnswer, message).hint(
                "if its discovery word was changed from another computer, harden it from there, or pass that computer's export with `--undo --from`",
            ),
            HardenError::OtherPlug { .. } => Self::usage(message),
            HardenError::Record(error) => Self::new(error.into(), message),
        }
    }
}

/// Locks a plug down, restores it, or finds out what stands open.
///
/// A step that fails is in the report and ends nothing; only after a plug that fell silent the remaining steps are skipped. Do not
/// drop the future of a run that is not dry: between two steps, [`HardenOptions::stop`] ends it.
///
/// # Errors
///
/// [`HardenError`] if nothing could be begun.
pub async fn harden<M: HardenModule>(
    module: &mut M,
    plug: Mac,
    options: HardenOptions<'_>,
) -> Result<HardenReport, HardenError> {
    let request = options.request;
    let file = RecordFile::new(options.directory, plug);
    let _lock = match request.dry_run {
        true => None,
        false => Some(file.lock()?),
    };
    let is_foreign = options.record.is_some();
    let record = match options.record {
        Some(record) if record.plug != plug => {
            let record = record.plug;
            return Err(HardenError::OtherPlug { plug, record });
        }
        Some(record) => record,
        None => file.load()?,
    };
    let mut run = HardenRun {
        module,
        plug,
        record,
        file: (!is_foreign).then_some(file),
        on_progress: options.on_progress,
        restarted_at: None,
        was_heard: false,
        web_before: None,
        is_lost: false,
    };
    let words = run.words();
    if !run.open(&words, OPEN_TIMEOUT).await {
        run.module.search(&words).await;
        if !run.open(&words, OPEN_TIMEOUT).await {
            let address = run.module.address();
            run.module.close().await;
            return Err(HardenError::NoReply { plug, address });
        }
    }
    let mut steps = Vec::new();
    for id in request.ids() {
        let obstacle = match run.is_lost {
            true => Some("the plug no longer replies".to_owned()),
            false => (options.stop)(),
        };
        steps.push(match obstacle {
            Some(reason) => skipped(id, None, reason),
            None if request.undo => run.restore(id, request.dry_run).await?,
            None => run.close(id, request.dry_run).await?,
        });
    }
    run.module.close().await;
    Ok(HardenReport {
        plug,
        dry_run: request.dry_run,
        error: error_of(&steps, request.undo),
        steps,
    })
}

fn skipped(id: WeaknessId, before: Option<String>, reason: String) -> HardenStep {
    HardenStep {
        id,
        state: HardenState::Skipped,
        after: before.clone(),
        before,
        reason: Some(reason),
    }
}

fn error_of(steps: &[HardenStep], is_undo: bool) -> Option<ErrorDocument> {
    let failed = |step: &&HardenStep| step.state == HardenState::Failed;
    let first = steps.iter().find(failed)?;
    let reason = first.reason.as_deref().unwrap_or("it failed");
    let action = match is_undo {
        true => "not restored",
        false => "not closed",
    };
    let hint = match is_undo {
        true => "the old values stay stored; run it again when the plug replies",
        false => {
            "`mains harden PLUG --undo` restores what stood before; its old values stay stored"
        }
    };
    Some(ErrorDocument {
        kind: ErrorKind::Refused,
        message: format!("{} was {action}: {reason}", first.id),
        hint: Some(hint.to_owned()),
    })
}

/// A lock-down in progress.
struct HardenRun<'a, M> {
    module: &'a mut M,
    plug: Mac,
    record: HardenRecord,
    /// `None` for a record from elsewhere, which stays as it is.
    file: Option<RecordFile>,
    on_progress: &'a (dyn Fn(HardenProgress) + Sync),
    /// Time of the module's last restart in this run.
    restarted_at: Option<Instant>,
    /// The plug has replied to the scan of its maker's application before the change.
    was_heard: bool,
    /// Status of the web page without a login before the change.
    web_before: Option<u16>,
    /// The plug no longer replies.
    is_lost: bool,
}

/// The module does not reply.
struct Silent;

/// Reading, and the decision what to do.
impl<M: HardenModule> HardenRun<'_, M> {
    /// Returns all words that the module may have, the likeliest first.
    fn words(&self) -> Vec<DiscoveryWord> {
        let mut words: Vec<DiscoveryWord> = self.record.words().collect();
        let old = self.record.old.get("ASWD");
        let old = old.and_then(|word| DiscoveryWord::new(word.as_bytes()).ok());
        for word in old.into_iter().chain(DiscoveryWord::FACTORY) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }

    /// Opens a session; a reply from another device does not count.
    async fn open(&mut self, words: &[DiscoveryWord], timeout: Duration) -> bool {
        let Some(opened) = self.module.open(words, timeout).await else {
            return false;
        };
        let mac = match opened.mac {
            Some(mac) => Some(mac),
            // It was open already; then the module itself tells.
            None => match self.read("WSMAC").await {
                Ok(setting) => setting.value().and_then(|mac| mac.parse().ok()),
                Err(Silent) => return false,
            },
        };
        mac.is_none_or(|mac| mac == self.plug)
    }

    async fn read(&mut self, verb: &str) -> Result<SettingReply, Silent> {
        let raw = self.module.send(AtRequest::query(verb)).await;
        let text = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).ok()?.trim();
            Some(SettingReply::Value(Zeroizing::new(text.to_owned())))
        };
        let is_bare_link = |bytes: &[u8]| {
            verb == "WSLK" && bytes.trim_ascii().eq_ignore_ascii_case(b"Disconnected")
        };
        Ok(match AtReply::parse(&raw.ok_or(Silent)?) {
            AtReply::Ok(None) => SettingReply::Value(Value::default()),
            AtReply::Ok(Some(value)) => {
                text(value.as_bytes()).unwrap_or(SettingReply::Unintelligible)
            }
            // A lamp clone leaves out the `+ok=` when it is not linked.
            AtReply::Unknown(value) if is_bare_link(value.as_bytes()) => {
                text(value.as_bytes()).unwrap_or(SettingReply::Unintelligible)
            }
            AtReply::Unknown(_) => SettingReply::Unintelligible,
            AtReply::Error(code) => SettingReply::Refused(code),
        })
    }

    async fn inspect(&mut self, id: WeaknessId) -> Result<WeaknessFinding, Silent> {
        Ok(match id {
            WeaknessId::DiscoveryWord => {
                let pending = self.record.words().next();
                weakness::discovery_word(&self.read("ASWD").await?, pending)
            }
            WeaknessId::WebPassword => {
                let login = self.read("WEBU").await?;
                weakness::web_password(&login, self.record.login.as_ref())
            }
            WeaknessId::AccessPoint => self.inspect_radio().await?,
            WeaknessId::CloudSocket => {
                weakness::cloud_socket(&self.read("SOCKB").await?, &self.read("NETP").await?)
            }
        })
    }

    /// Judges the access point; waits for the link of a module that has just restarted, whose access point is there at once.
    async fn inspect_radio(&mut self) -> Result<WeaknessFinding, Silent> {
        let deadline = self.restarted_at.map(|at| at + LINK_TIMEOUT);
        loop {
            let finding = weakness::access_point(&RadioSettings {
                mode: self.read("WMODE").await?,
                both: self.read("FAPSTA").await?,
                link: self.read("WSLK").await?,
                wan: self.read("WANN").await?,
                reached_at: self.module.address(),
            });
            let may_join = matches!(finding.verdict, WeaknessVerdict::NotJoined(_));
            if !may_join || deadline.is_none_or(|deadline| self.module.now() >= deadline) {
                return Ok(finding);
            }
            self.module.sleep(LINK_INTERVAL).await;
        }
    }

    /// Closes one weakness.
    async fn close(&mut self, id: WeaknessId, dry_run: bool) -> Result<HardenStep, RecordError> {
        let Ok(WeaknessFinding { before, verdict }) = self.inspect(id).await else {
            return Ok(self.lost(id));
        };
        let (changes, after, reason) = match verdict {
            WeaknessVerdict::Closed => {
                return Ok(HardenStep {
                    id,
                    state: HardenState::Closed,
                    after: before.clone(),
                    before,
                    reason: None,
                });
            }
            WeaknessVerdict::Skipped(reason) | WeaknessVerdict::NotJoined(reason) => {
                return Ok(skipped(id, before, reason));
            }
            WeaknessVerdict::Open {
                changes,
                after,
                reason,
            } => (changes, after, reason),
        };
        let step = |state, after, reason| HardenStep {
            id,
            state,
            before: before.clone(),
            after,
            reason: Some(reason),
        };
        if dry_run {
            return Ok(step(HardenState::Open, after, reason));
        }
        self.store(&changes)?;
        Ok(match self.apply(id, &changes).await {
            Ok(()) => step(HardenState::Closed, after, reason),
            Err(failure) => {
                let after = before.clone().filter(|_| failure.is_restored);
                step(HardenState::Failed, after, failure.reason)
            }
        })
    }

    /// Writes the old values, and what will be needed to reach the module, to the disk.
    fn store(&mut self, changes: &[SettingChange]) -> Result<(), RecordError> {
        for change in changes {
            let old = change.old.clone();
            self.record.old.insert(change.verb.to_owned(), old);
            match change.verb {
                "ASWD" => self.record.add_word(change.new.shown()),
                "WEBU" => self.record.login = Some(Value::new(change.new.shown().to_owned())),
                _ => {}
            }
        }
        self.save()
    }

    fn save(&self) -> Result<(), RecordError> {
        match &self.file {
            Some(file) => file.save(&self.record),
            None => Ok(()),
        }
    }

    /// Restores the settings of one weakness.
    async fn restore(&mut self, id: WeaknessId, dry_run: bool) -> Result<HardenStep, RecordError> {
        let stored = |verb: &'static str| Some((verb, self.record.old.get(verb)?.clone()));
        let stored: Vec<_> = verbs(id).iter().copied().filter_map(stored).collect();
        if stored.is_empty() {
            let reason = "no old value of it is stored on this computer";
            return Ok(skipped(id, None, reason.to_owned()));
        }
        let mut changes = Vec::new();
        for (verb, old) in stored {
            let Ok(setting) = self.read(verb).await else {
                return Ok(self.lost(id));
            };
            let Some(current) = setting.value() else {
                let reason = format!("the module does not report AT+{verb}");
                return Ok(skipped(id, None, reason));
            };
            let new = NewValue::of(&old);
            if !new.is_in(current) {
                changes.push(SettingChange::new(verb, current, new));
            }
        }
        let joined = |shown: &dyn Fn(&SettingChange) -> String| {
            let values: Vec<String> = changes.iter().map(shown).collect();
            (!is_secret(id)).then(|| values.join("; "))
        };
        let before = joined(&|change| change.old.to_string());
        let after = joined(&|change| change.new.shown().to_owned());
        let step = |state, after, reason: &str| HardenStep {
            id,
            state,
            before: before.clone(),
            after,
            reason: Some(reason.to_owned()),
        };
        if changes.is_empty() {
            if !dry_run {
                self.forget(id)?;
            }
            return Ok(step(HardenState::Open, after, "it is as it was before"));
        }
        if dry_run {
            return Ok(step(
                HardenState::Closed,
                after,
                "the old value is restored",
            ));
        }
        Ok(match self.apply(id, &changes).await {
            Ok(()) => {
                let step = step(HardenState::Open, after, "the old value is restored");
                self.forget(id)?;
                step
            }
            Err(failure) => {
                let after = before.clone().filter(|_| failure.is_restored);
                step(HardenState::Failed, after, &failure.reason)
            }
        })
    }

    /// Forgets the old values of what was restored.
    fn forget(&mut self, id: WeaknessId) -> Result<(), RecordError> {
        for verb in verbs(id) {
            self.record.old.remove(*verb);
        }
        match id {
            WeaknessId::DiscoveryWord => self.record.forget_words(),
            WeaknessId::WebPassword => self.record.login = None,
            WeaknessId::AccessPoint | WeaknessId::CloudSocket => {}
        }
        self.save()
    }

    fn lost(&mut self, id: WeaknessId) -> HardenStep {
        self.is_lost = true;
        HardenStep {
            id,
            state: HardenState::Failed,
            before: None,
            after: None,
            reason: Some("the plug no longer replies".to_owned()),
        }
    }
}
