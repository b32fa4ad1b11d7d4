//! The documents that people and programs see, each as one type.
//!
//! The hub stores and sends them, the command prints them, pages draw them, MQTT publishes them: all use the types of this crate.
//! It has no sockets, no clock and no async runtime.
//!
//! * `plug`: an adopted plug, what a search found, and what people can change of a plug.
//! * `document`, `id`: what groups, schedules, rules and tariffs have in common.
//! * `group`, `schedule`, `rule`, `tariff`: these documents, one file each.
//! * `energy`: what plugs used and what it cost.
//! * `harden`: locking a plug down.
//! * `cause`: on whose behalf a relay moved. `log`: past events.
//! * `local_date`, `time_of_day`, `moment`, [`duration`]: times as people write them.
//! * `site`, `sites`: the name of a site; what is told of each.
//! * `error`: errors with their kind, message, hint and field.

mod cause;
#[cfg(feature = "client")]
pub mod client;
mod damage;
mod document;
pub mod duration;
mod energy;
mod error;
mod event;
mod group;
mod harden;
mod history;
mod id;
mod json;
mod local_date;
mod log;
mod moment;
mod name;
mod patch;
mod plug;
mod requests;
mod rule;
pub mod running;
mod schedule;
mod shared;
mod site;
mod sites;
mod status;
mod takeover;
mod tariff;
pub mod text;
mod time_of_day;
mod token;
mod view;

pub use cause::Cause;
pub use damage::{DatabaseDamage, LostRows};
pub use document::{Collection, Document, DocumentView, Stored, unknown_field};
pub use duration::Period;
pub use energy::{EnergyPeriod, EnergyRow, HouseQuarter, HouseholdRow};
pub use error::{ErrorChain, ErrorDocument, ErrorKind, ProblemDocument, RequestError, excerpt};
pub use event::{Event, HubProblem, MeterEvent};
pub use group::Group;
pub use harden::{HardenReport, HardenRequest, HardenState, HardenStep, WeaknessId};
pub use history::{History, HistoryPoint};
pub use id::{Id, IdError, SwitchTarget};
pub use local_date::LocalDate;
pub use log::{LogEntry, LogKind, LogRequest};
pub use moment::{Moment, RangeRequest, TimeRange, to_millisecond};
pub use name::{Name, is_visible};
pub use patch::merge_patch;
pub use plug::{FoundPlug, Metering, PlugSettings, PlugView, PowerOn};
pub use plugs::{RelayCommand, Switched};
pub use requests::{
    AdoptRequest, DelayRequest, DelayResponse, DiscoverRequest, EnergyRequest, GroupRelay,
    HistoryRequest, ImportResponse, MAX_IMPORT_BYTES, RelayProblem, ReplaceRequest, SwitchRequest,
    SwitchResponse, VersionResponse,
};
pub use rule::{Rule, RuleKind, TestPulse};
pub use schedule::{Cron, LocalDateTime, Offset, Schedule, SunEvent, Weekdays, When};
pub use shared::{HubEntry, HubLease, HubRole};
pub use site::SiteName;
pub use sites::{MissingPlug, OfSite, SiteReport, SiteView, TariffCost};
pub use status::{
    Cost, Halted, LastRun, NoStatus, Repricing, RuleStatus, ScheduleStatus, TariffStatus,
};
pub use takeover::{TakeoverJob, TakeoverState, TakeoverStep};
pub use tariff::{ChargePeriod, HourPrice, HourPrices, StandingCharge, Tariff, TariffKind};
pub use time_of_day::TimeOfDay;
pub use token::{LoginLink, LoginLinkRequest, NewToken, Scope, TokenInfo, TokenRequest};
pub use view::{GroupView, RuleView, ScheduleView, TariffView};
