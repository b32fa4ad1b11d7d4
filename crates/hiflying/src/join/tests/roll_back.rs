//! A roll-back claims only what was read.

use super::*;

fn wrong_key() -> JoinConfig {
    JoinConfig {
        key: Some(WifiKey::new("wrongkey")),
        security: WifiSecurity::Wpa2,
        ..config()
    }
}

/// Replies to a line without doing what it says.
fn replies(module: &mut ScriptedModule, line: &str, reply: &str) {
    let reply = format!("{reply}\r\n\r\n").into_bytes();
    module.replies.insert(line.to_owned(), vec![reply]);
}

fn left(run: &JoinRun) -> (ModuleState, &[StepName]) {
    let failure = run.result.as_ref().expect_err("a failure");
    (failure.left, &failure.remains)
}

#[test]
fn where_no_empty_name_is_taken_the_name_of_the_home_does_not_stay() {
    let run = run(wrong_key(), |module| {
        module.settings.insert("WSSSID", Vec::new());
        refuses(module, "AT+WSSSID=");
    });
    assert_eq!(left(&run), (ModuleState::Partial, &[][..]));
    assert_eq!(run.bench.module.setting("WSSSID"), PLACEHOLDER_SSID);
    assert_eq!(run.bench.module.setting("WSKEY"), "OPEN,NONE");
    assert_eq!(run.bench.module.mode(), "AP");
    run.assert_left();
}

#[test]
fn an_empty_name_that_is_taken_is_as_before() {
    let run = run(wrong_key(), |module| {
        module.settings.insert("WSSSID", Vec::new());
    });
    assert_eq!(left(&run), (ModuleState::Restored, &[][..]));
    assert_eq!(run.bench.module.setting("WSSSID"), "");
}

#[test]
fn what_is_refused_or_only_acknowledged_remains() {
    for (line, reply, what) in [
        ("AT+WSSSID=factory", "+ERR=-4", StepName::Ssid),
        ("AT+WSSSID=factory", "+ok", StepName::Ssid),
        ("AT+WSKEY=OPEN,NONE", "+ERR=-5", StepName::Key),
        ("AT+WSKEY=OPEN,NONE", "+ok", StepName::Key),
    ] {
        let run = run(wrong_key(), |module| replies(module, line, reply));
        assert_eq!(
            left(&run),
            (ModuleState::Partial, &[what][..]),
            "{line} {reply}"
        );
        let steps = run.steps();
        assert!(steps.contains(&"roll-back!".to_owned()), "{steps:?}");
        assert_eq!(
            run.bench.module.mode(),
            "AP",
            "it can be reached all the same"
        );
        run.assert_left();
    }
}

#[test]
fn the_mode_counts_as_it_runs_after_the_restart() {
    let run = run(wrong_key(), |module| replies(module, "AT+WMODE=AP", "+ok"));
    assert_eq!(left(&run), (ModuleState::Partial, &[StepName::Mode][..]));
    assert_eq!(run.bench.module.mode(), "APSTA");
}

#[test]
fn what_is_written_back_before_any_restart_is_read_too() {
    let run = run(config(), |module| {
        refuses(module, "AT+WSKEY=WPA2PSK,AES,secret12");
        refuses(module, "AT+WSKEY=WPAPSK,TKIP,secret12");
        refuses(module, "AT+WSKEY=WPAPSK,AES,secret12");
        refuses(module, "AT+WSKEY=WPA2PSK,TKIP,secret12");
        replies(module, "AT+WSSSID=factory", "+ok");
    });
    assert_eq!(left(&run), (ModuleState::Partial, &[StepName::Ssid][..]));
    assert_eq!((run.bench.module.restarts, run.rejoins.len()), (0, 0));
}
