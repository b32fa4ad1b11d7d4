//! A network of the test's own, and emulated plugs in it.

use std::future::Future;

use emulator::Twin;
use emulator::server::{self, ServerError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::needs;

/// Runs a test in a network of its own, so that broadcasts of other tests are not heard. Where that is not permitted, tests take
/// turns.
pub fn in_network(test: impl Future<Output = ()>) {
    let _turn = needs::network_or_turn();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

/// Plugs that reply until this is stopped or dropped.
pub struct Plugs {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServerError>>,
}

impl Plugs {
    pub async fn start<T: Into<Box<dyn Twin>> + Send + 'static>(configs: Vec<T>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, mut is_ready) = mpsc::unbounded_channel();
        let count = configs.len();
        let tell = move |one| ready.send(one).unwrap();
        let task = tokio::spawn(server::run(configs, None, tell, async {
            let _ = stopped.await;
        }));
        for _ in 0..count {
            is_ready.recv().await.expect("the plugs ended early");
        }
        Self { stop, task }
    }

    /// Cuts the power of all of them.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}
