//! By example; by comparison with a plain walk through every minute: `reference`.

use super::*;

mod example;
