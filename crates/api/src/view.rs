//! Documents as the API and events show them.

use crate::document::DocumentView;
use crate::group::Group;
use crate::rule::Rule;
use crate::schedule::Schedule;
use crate::tariff::Tariff;

/// A group as the API shows it.
pub type GroupView = DocumentView<Group>;
/// A schedule as the API shows it.
pub type ScheduleView = DocumentView<Schedule>;
/// A rule as the API shows it.
pub type RuleView = DocumentView<Rule>;
/// A tariff as the API shows it.
pub type TariffView = DocumentView<Tariff>;
