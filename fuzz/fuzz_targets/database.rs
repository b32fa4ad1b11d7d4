//! A database with arbitrary bytes at arbitrary places: it opens, or its error says why; the damaged file is kept, and the next
//! start finds a sound one.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use api::Collection;
use hub::store::{
    DocumentStore as _, OpenedStore, PlugStore as _, Retention, SettingStore as _, Sqlite,
    StoredDocument,
};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const NAME: &str = "mains.sqlite";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
});

static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = directory();
    let path = directory.path().join(NAME);
    RUNTIME.block_on(async {
        let store = open(&path).await.expect("a new file").store;
        for number in 1..=20 {
            let id = format!("g-{number:08x}").parse().expect("an id");
            let body = json!({"name": format!("lamps {number}"), "plugs": []});
            let document = StoredDocument { id, revision: 1, body, state: json!(null) };
            let saved = store.save_document(Collection::Groups, &document).await;
            saved.expect("a sound file can be written");
        }
        let saved = store.save_setting("password", Some("hash")).await;
        saved.expect("a sound file can be written");
        store.close().await;
    });
    fs::read(path).expect("a file that was just written")
});

fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("fuzz").tempdir_in("/dev/shm");
    directory.or_else(|_| tempfile::tempdir()).expect("a directory for the file")
}

async fn open(path: &Path) -> Result<OpenedStore, hub::store::StoreError> {
    Sqlite::open(path, Retention::default()).await
}

fuzz_target!(|edits: &[u8]| {
    let mut bytes = SOUND.clone();
    // Each edit is a place and what stands there.
    for edit in edits.chunks_exact(4) {
        let [a, b, c, value] = edit.try_into().expect("a chunk of four");
        let place = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let place = place % bytes.len();
        bytes[place] = value;
    }
    let directory = directory();
    let path = directory.path().join(NAME);
    fs::write(&path, &bytes).expect("the directory can be written");
    RUNTIME.block_on(async {
        let Ok(opened) = open(&path).await else {
            // Of another program, or of a newer version: it stays as it is.
            assert_eq!(fs::read(&path).expect("the file"), bytes);
            return;
        };
        if let Some(aside) = &opened.set_aside {
            assert_eq!(fs::read(aside).expect("the damaged file"), bytes);
        }
        let _ = opened.store.plugs().await;
        let _ = opened.store.documents(Collection::Groups).await;
        let _ = opened.store.setting("password").await;
        opened.store.close().await;
        if opened.set_aside.is_some() {
            let again = open(&path).await.expect("a new file is sound");
            assert!(again.set_aside.is_none());
            again.store.close().await;
        }
    });
});
