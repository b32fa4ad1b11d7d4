//! One change: written, read back, applied by a restart, proven, or taken back.

use super::*;

/// Time for the module to reply after a restart: it starts, joins the Wi-Fi and gets an address.
const RETURN_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for the module to reply after a restart that did not end well.
const SECOND_RETURN_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for one attempt to open a session with the expected word, and then with the others.
const EXPECTED_TIMEOUT: Duration = Duration::from_secs(3);
const OTHERS_TIMEOUT: Duration = Duration::from_secs(2);
/// Sessions that open without a reply to the word, after which the module needs none: a single one can be due to a late reply.
const MAX_WORDLESS: u32 = 3;
/// Attempts after which the module is also looked for at other addresses.
const SEARCH_AFTER: u32 = 2;
/// Requests to a web page that does not reply.
const WEB_RETRIES: u32 = 3;
/// Times that a value is written that does not read back.
const MAX_WRITES: u32 = 2;
/// Restarts after which a module that runs with its old word has not kept the new one.
const MAX_RESTARTS: u32 = 2;

/// Failure of a change.
pub(super) struct ChangeFailure {
    pub(super) reason: String,
    /// The old values were read back.
    pub(super) is_restored: bool,
}

/// The way by which a module replies after a restart.
#[derive(PartialEq, Eq)]
enum Return {
    Expected,
    /// With another word than the expected one.
    OtherWord,
}

/// Reason why a setting is not proven after a restart, with its verb.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("no reply to AT+{0} after the restart")]
    NoReply(&'static str),
    #[error("AT+{0} lost its new value in the restart")]
    Reverted(&'static str),
}

impl<M: HardenModule> HardenRun<'_, M> {
    /// Makes changes and proves them; takes them back where that fails.
    pub(super) async fn apply(
        &mut self,
        id: WeaknessId,
        changes: &[SettingChange],
    ) -> Result<(), ChangeFailure> {
        self.was_heard = self.module.is_heard().await;
        if id == WeaknessId::WebPassword {
            self.web_before = self.module.web_status(None).await;
        }
        self.progress(HardenProgress::Writing(id));
        // With the new word among the words: it counts from the next restart, which can come at any time.
        let words = self.words();
        let mut is_applied = false;
        let outcome = match self.open(&words, OPEN_TIMEOUT).await {
            false => Err("the plug no longer replies".to_owned()),
            true => match self.write_all(changes).await {
                Ok(()) => {
                    is_applied = true;
                    self.prove(id, changes, RETURN_TIMEOUT).await
                }
                Err(reason) => Err(reason),
            },
        };
        let Err(reason) = outcome else {
            return Ok(());
        };
        tracing::debug!(%id, reason, "a change failed");
        self.progress(HardenProgress::TakingBack(id));
        match self.take_back(id, changes, is_applied).await {
            Ok(()) => Err(ChangeFailure {
                reason: format!("{reason}; the old value is back"),
                is_restored: true,
            }),
            Err(second) => Err(ChangeFailure {
                reason: format!(
                    "{reason}; the old value could not be put back, so the plug may have either value: {second}"
                ),
                is_restored: false,
            }),
        }
    }

    fn progress(&self, progress: HardenProgress) {
        (self.on_progress)(progress);
    }

    async fn write_all(&mut self, changes: &[SettingChange]) -> Result<(), String> {
        for change in changes {
            self.write(change).await?;
        }
        Ok(())
    }

    /// Writes a value until it reads back.
    async fn write(&mut self, change: &SettingChange) -> Result<(), String> {
        let verb = change.verb;
        // That of the first spelling, which is the documented one.
        let mut problem = None;
        for spelling in change.new.spellings(verb) {
            for _ in 0..MAX_WRITES {
                let reply = self.module.send(AtRequest::set(verb, spelling)).await;
                let reply = reply.ok_or_else(|| format!("no reply to AT+{verb}"))?;
                if let AtReply::Error(code) = AtReply::parse(&reply) {
                    problem.get_or_insert(format!("the module refused AT+{verb}: {code}"));
                    break;
                }
                match self.read(verb).await {
                    Err(Silent) => return Err(format!("no reply to AT+{verb}")),
                    Ok(setting) if holds(&setting, &change.new) => return Ok(()),
                    Ok(_) => {
                        let kept = "and did not keep it";
                        problem.get_or_insert(format!("the module accepted AT+{verb} {kept}"));
                    }
                }
            }
        }
        Err(problem.expect("each spelling that is not kept is a problem"))
    }

    /// Restarts the module and proves that it replies, with the new values.
    async fn prove(
        &mut self,
        id: WeaknessId,
        changes: &[SettingChange],
        timeout: Duration,
    ) -> Result<(), String> {
        let new_word = changes.iter().find(|change| change.verb == "ASWD");
        let new_word = new_word.and_then(|change| DiscoveryWord::new(change.new.shown()).ok());
        let (expected, others) = match new_word {
            Some(word) => {
                let others = self.words().into_iter().filter(|other| *other != word);
                (vec![word.clone()], others.collect())
            }
            None => (self.words(), Vec::new()),
        };
        let mut restarts = 0;
        loop {
            restarts += 1;
            self.progress(HardenProgress::Restarting(id));
            if !self.module.restart().await {
                return Err("the module does not restart".to_owned());
            }
            let restarted_at = self.module.now();
            self.restarted_at = Some(restarted_at);
            let deadline = restarted_at + timeout;
            let by = loop {
                let by = self.wait_for_return(&expected, &others, deadline).await?;
                match self.check(changes).await {
                    Ok(()) => break by,
                    // After an outage, late replies to earlier attempts can open a session that the module does not have.
                    Err(CheckError::NoReply(_)) if self.module.now() < deadline => {}
                    Err(error) => return Err(error.to_string()),
                }
            };
            match by {
                Return::Expected => break,
                // The restart itself may have got lost.
                Return::OtherWord if restarts < MAX_RESTARTS => {}
                Return::OtherWord => {
                    return Err("the module still replies to its old word alone".to_owned());
                }
            }
        }
        if self.was_heard && !self.module.is_heard().await {
            return Err("the plug no longer replies to the scan of its maker's application".into());
        }
        match changes.iter().find(|change| change.verb == "WEBU") {
            Some(login) => self.check_login(login).await,
            None => Ok(()),
        }
    }

    /// Waits until the restarted module replies.
    async fn wait_for_return(
        &mut self,
        expected: &[DiscoveryWord],
        others: &[DiscoveryWord],
        deadline: Instant,
    ) -> Result<Return, String> {
        let needs_word = !others.is_empty();
        let (mut attempts, mut wordless) = (0, 0);
        loop {
            attempts += 1;
            if let Some(opened) = self.module.open(expected, EXPECTED_TIMEOUT).await {
                if opened.mac == Some(self.plug) {
                    return Ok(Return::Expected);
                }
                if opened.mac.is_none() {
                    wordless += 1;
                    match needs_word {
                        false => return Ok(Return::Expected),
                        true if wordless >= MAX_WORDLESS => {
                            return Err("the module takes commands without a word, so a new one protects nothing".to_owned());
                        }
                        true => {}
                    }
                }
            }
            if needs_word && self.open(others, OTHERS_TIMEOUT).await {
                return Ok(Return::OtherWord);
            }
            if self.module.now() >= deadline {
                self.is_lost = true;
                return Err("the plug no longer replies after its restart".to_owned());
            }
            if attempts >= SEARCH_AFTER {
                self.module.search(&self.words()).await;
            }
        }
    }

    /// Checks that the settings read as written.
    async fn check(&mut self, changes: &[SettingChange]) -> Result<(), CheckError> {
        for change in changes {
            let verb = change.verb;
            match self.read(verb).await {
                Err(Silent) => return Err(CheckError::NoReply(verb)),
                Ok(setting) if holds(&setting, &change.new) => {}
                Ok(_) => return Err(CheckError::Reverted(verb)),
            }
        }
        Ok(())
    }

    /// Checks that the web page accepts the new login and no longer the old one, if it asked for one before.
    async fn check_login(&mut self, change: &SettingChange) -> Result<(), String> {
        const UNAUTHORIZED: u16 = 401;
        if self.web_before != Some(UNAUTHORIZED) {
            return Ok(());
        }
        let login = |text: &str| WebLogin::parse(text.as_bytes());
        let (Some(new), Some(old)) = (login(change.new.shown()), login(&change.old)) else {
            return Ok(());
        };
        match self.accepts(&new).await {
            None => return Err("the web page no longer replies".to_owned()),
            Some(false) => return Err("the web page does not accept the new password".to_owned()),
            Some(true) => {}
        }
        match self.accepts(&old).await {
            Some(true) => Err("the web page still accepts the old password".to_owned()),
            _ => Ok(()),
        }
    }

    /// Tells whether the web page accepts a login; `None` if it does not reply.
    async fn accepts(&mut self, login: &WebLogin) -> Option<bool> {
        for _ in 0..WEB_RETRIES {
            let status = self.module.web_status(Some(login)).await;
            let status = status.and_then(|status| hyper::StatusCode::from_u16(status).ok());
            if let Some(status) = status {
                return Some(web::accepts(status));
            }
        }
        None
    }

    /// Writes the old values back, and proves them as well if the new ones were applied.
    async fn take_back(
        &mut self,
        id: WeaknessId,
        changes: &[SettingChange],
        is_applied: bool,
    ) -> Result<(), String> {
        let words = self.words();
        if !self.open(&words, SECOND_RETURN_TIMEOUT).await {
            self.is_lost = true;
            return Err("the plug no longer replies".to_owned());
        }
        self.is_lost = false;
        let reversed: Vec<SettingChange> =
            changes.iter().rev().map(SettingChange::reversed).collect();
        let mut differing = Vec::new();
        for change in reversed {
            match self.read(change.verb).await {
                Ok(setting) if holds(&setting, &change.new) => {}
                Ok(_) => differing.push(change),
                Err(Silent) => return Err(format!("no reply to AT+{}", change.verb)),
            }
        }
        self.write_all(&differing).await?;
        if is_applied && !differing.is_empty() {
            // The proof of the web page is one of the new login.
            self.web_before = None;
            self.prove(id, &differing, RETURN_TIMEOUT).await?;
        }
        Ok(())
    }
}

fn holds(setting: &SettingReply, wanted: &NewValue) -> bool {
    setting.value().is_some_and(|value| wanted.is_in(value))
}
