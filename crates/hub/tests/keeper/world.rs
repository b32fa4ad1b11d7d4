//! Emulated plugs, a store in memory, and a registry.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::Ipv4Addr;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::{Collection, Event, Id, LogEntry, Period, PlugView};
use async_trait::async_trait;
use emulator::PlugConfig;
use hiflying::Mac;
use hiflying::net::Interface;
use hub::lease::Lease;
use hub::registry::{Interfaces, RegistryConfig, RegistryContext};
use hub::store::{
    Backup, DocumentStore, EnergyState, HistoryQuery, HistoryRow, HistorySteps, HistoryStore,
    LogQuery, LogStore, PlugRecord, PlugStore, Quarter, Sample, SettingStore, Store, StoreError,
    StoreInfo, StoredDocument, Tier,
};
use hub::{EventBus, PublishedEvent, Registry};
use jiff::Timestamp;
use plugs::Families;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Returns the address of a plug.
pub fn at(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 71, 1 + high, low)
}

/// Returns the interface on which all tests run.
pub fn loopback() -> Interface {
    Interface {
        name: "lo".into(),
        address: Ipv4Addr::new(127, 71, 0, 1),
        prefix: 8,
        peer: None,
        broadcast: Ipv4Addr::new(127, 255, 255, 255),
        loopback: true,
        up: true,
        index: 1,
    }
}

/// Returns a plug with faults.
pub fn plug(number: u16, faults: &[&str]) -> PlugConfig {
    PlugConfig {
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        load: emulator::Load::Constant(60.0),
        ..PlugConfig::at(at(number))
    }
}

pub fn mac(number: u16) -> Mac {
    PlugConfig::at(at(number)).mac
}

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    pub plugs: Mutex<BTreeMap<Mac, PlugRecord>>,
    pub energy: Mutex<BTreeMap<Mac, EnergyState>>,
    pub purged: Mutex<Vec<Mac>>,
    pub is_broken: AtomicBool,
    /// Makes questions about the past wait for ever.
    pub is_stalled: AtomicBool,
}

impl Memory {
    fn works(&self) -> Result<(), StoreError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable {
                database: "memory".into(),
                what: "written",
                source: "the disk is full".into(),
            });
        }
        Ok(())
    }

    async fn answers(&self) {
        if self.is_stalled.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    pub fn record(&self, mac: Mac) -> Option<PlugRecord> {
        self.plugs.lock().unwrap().get(&mac).cloned()
    }
}

#[async_trait]
impl PlugStore for Memory {
    async fn plugs(&self) -> Result<Vec<PlugRecord>, StoreError> {
        Ok(self.plugs.lock().unwrap().values().cloned().collect())
    }

    async fn save_plug(&self, plug: &PlugRecord) -> Result<(), StoreError> {
        self.works()?;
        self.plugs.lock().unwrap().insert(plug.mac, plug.clone());
        Ok(())
    }

    async fn delete_plug(&self, plug: Mac, purge: bool) -> Result<(), StoreError> {
        self.works()?;
        self.plugs.lock().unwrap().remove(&plug);
        if purge {
            self.energy.lock().unwrap().remove(&plug);
            self.purged.lock().unwrap().push(plug);
        }
        Ok(())
    }

    async fn replace_plug(
        &self,
        old: Mac,
        record: &PlugRecord,
        _: &[(Collection, StoredDocument)],
    ) -> Result<(), StoreError> {
        self.works()?;
        let mut plugs = self.plugs.lock().unwrap();
        plugs.remove(&old);
        plugs.insert(record.mac, record.clone());
        Ok(())
    }

    async fn energy(&self) -> Result<Vec<(Mac, EnergyState)>, StoreError> {
        let energy = self.energy.lock().unwrap();
        Ok(energy.iter().map(|(mac, state)| (*mac, *state)).collect())
    }
}

#[async_trait]
impl DocumentStore for Memory {
    async fn documents(&self, _: Collection) -> Result<Vec<StoredDocument>, StoreError> {
        Ok(Vec::new())
    }

    async fn save_document(&self, _: Collection, _: &StoredDocument) -> Result<(), StoreError> {
        self.works()
    }

    async fn save_state(&self, _: Collection, _: &Id, _: &Value) -> Result<(), StoreError> {
        self.works()
    }

    async fn delete_document(&self, _: Collection, _: &Id) -> Result<(), StoreError> {
        self.works()
    }
}

#[async_trait]
impl SettingStore for Memory {
    async fn setting(&self, _: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn save_settings(&self, _: &[(&str, Option<&str>)]) -> Result<(), StoreError> {
        self.works()
    }
}

#[async_trait]
impl HistoryStore for Memory {
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        self.works()?;
        let mut energy = self.energy.lock().unwrap();
        for sample in samples {
            energy.extend(sample.energy.map(|state| (sample.reading.plug, state)));
        }
        Ok(())
    }

    async fn history(&self, query: &HistoryQuery) -> Result<HistorySteps, StoreError> {
        self.answers().await;
        Ok(HistorySteps {
            step: query.step,
            points: Vec::new(),
        })
    }

    async fn recorded(&self) -> Result<Vec<Mac>, StoreError> {
        self.answers().await;
        Ok(Vec::new())
    }

    async fn quarters(
        &self,
        _: Option<Mac>,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<Quarter>, StoreError> {
        self.answers().await;
        Ok(Vec::new())
    }

    async fn rows(
        &self,
        _: Mac,
        _: Tier,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn import(&self, _: Mac, _: &[HistoryRow]) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn tidy(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl LogStore for Memory {
    async fn append_log(&self, _: &[Arc<LogEntry>]) -> Result<(), StoreError> {
        self.works()
    }

    async fn log(&self, _: &LogQuery) -> Result<Vec<LogEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn last_log_id(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn problems_after(&self, _: u64) -> Result<u64, StoreError> {
        Ok(0)
    }
}

#[async_trait]
impl Store for Memory {
    async fn info(&self) -> Result<StoreInfo, StoreError> {
        Ok(StoreInfo::default())
    }

    async fn backup(&self) -> Result<Backup, StoreError> {
        panic!("no registry makes backups")
    }
}

/// The settings of a registry under test.
pub struct Wishes {
    pub adopt: bool,
    pub metering: &'static str,
    pub scan: &'static str,
    pub names: Vec<(Mac, &'static str)>,
    pub families: Families,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            adopt: false,
            metering: "1s",
            scan: "1s",
            names: Vec::new(),
            families: plugs::families::all(),
        }
    }
}

/// A registry, and the events and samples that it emits.
pub struct House {
    pub registry: Registry,
    pub store: Arc<Memory>,
    pub events: broadcast::Receiver<Arc<PublishedEvent>>,
    pub samples: mpsc::Receiver<Sample>,
    pub bus: EventBus,
    pub cancel: CancellationToken,
    pub tracker: TaskTracker,
}

impl House {
    pub async fn open(wishes: Wishes) -> Self {
        Self::open_again(Arc::default(), wishes).await
    }

    /// Starts a registry with the contents of the store.
    pub async fn open_again(store: Arc<Memory>, wishes: Wishes) -> Self {
        let config = RegistryConfig {
            interfaces: Interfaces::Fixed(vec![loopback()]),
            families: wishes.families,
            adopt: wishes.adopt,
            adopts_named: false,
            metering: wishes.metering.parse::<Period>().unwrap(),
            scan: wishes.scan.parse().unwrap(),
            names: wishes
                .names
                .into_iter()
                .map(|(mac, name)| (mac, name.to_owned()))
                .collect(),
        };
        let (bus, (sender, samples)) = (EventBus::new(), mpsc::channel(100_000));
        let (cancel, tracker) = (CancellationToken::new(), TaskTracker::new());
        let surroundings = RegistryContext {
            bus: bus.clone(),
            samples: sender,
            store: Arc::clone(&store) as Arc<dyn PlugStore>,
            settings: Arc::clone(&store) as Arc<dyn SettingStore>,
            permit: Arc::new(Lease::default()),
            cancel: cancel.clone(),
            tracker: tracker.clone(),
        };
        let (records, energy) = (store.plugs().await.unwrap(), store.energy().await.unwrap());
        let events = bus.subscribe();
        let registry = Registry::start(config, records, energy, surroundings).await;
        Self {
            registry: registry.unwrap(),
            store,
            events,
            samples,
            bus,
            cancel,
            tracker,
        }
    }

    /// Adopts these plugs, one after the other.
    pub async fn adopt(&self, numbers: impl IntoIterator<Item = u16>) {
        for number in numbers {
            let (view, is_new) = self.registry.adopt(at(number)).await.unwrap();
            assert!(is_new && view.plug.mac == mac(number));
        }
    }

    /// Returns the events since the last one.
    pub fn take_events(&mut self) -> Vec<Arc<PublishedEvent>> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Returns the samples for the history since the last call.
    pub fn take_samples(&mut self) -> Vec<Sample> {
        std::iter::from_fn(|| self.samples.try_recv().ok()).collect()
    }

    pub fn view(&self, number: u16) -> Arc<PlugView> {
        self.registry.view(mac(number)).unwrap()
    }

    /// Ends the registry, which must not take long.
    pub async fn close(self) -> Arc<Memory> {
        self.cancel.cancel();
        self.tracker.close();
        let ended = tokio::time::timeout(Duration::from_secs(3), self.tracker.wait()).await;
        ended.expect("the registry does not end");
        self.store
    }

    /// Waits for an event; returns the elapsed time.
    pub async fn event(&mut self, within: u64, wanted: impl Fn(&Event) -> bool) -> Duration {
        let start = Instant::now();
        let waiting = async {
            loop {
                match self.events.recv().await {
                    Ok(event) if wanted(&event.event) => return,
                    Ok(_) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(within), waiting)
            .await
            .expect("the event did not come");
        start.elapsed()
    }
}

/// Returns the number of our open connections to each plug, as reported by the system.
pub fn connections() -> BTreeMap<Ipv4Addr, usize> {
    // That of this thread, which may have a network of its own.
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let mut counts = BTreeMap::new();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (address, port) = fields[2].split_once(':').unwrap();
        let bytes = u32::from_str_radix(address, 16).unwrap().to_ne_bytes();
        if port == "22C3" && fields[3] == "01" && bytes[..2] == [127, 71] {
            *counts.entry(Ipv4Addr::from(bytes)).or_default() += 1;
        }
    }
    counts
}

/// Waits until a condition holds; returns the elapsed time.
#[track_caller]
pub fn eventually(within: u64, mut holds: impl FnMut() -> bool) -> impl Future<Output = Duration> {
    let from = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        while !holds() {
            assert!(
                start.elapsed() < Duration::from_secs(within),
                "still not so after {within} s: {from}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        start.elapsed()
    }
}
