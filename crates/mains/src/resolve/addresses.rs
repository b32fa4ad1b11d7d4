//! The address of each plug that a command has heard, to notice two devices with one MAC.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use hiflying::Mac;
use plugs::plug::UNKNOWN_MAC;
use plugs::{Plug, duplicates};

use crate::ui::Ui;

/// The address of each plug that a command has heard.
#[derive(Debug, Default)]
pub(crate) struct SecondAddresses {
    addresses: HashMap<Mac, Ipv4Addr>,
    reported: HashSet<Mac>,
}

impl SecondAddresses {
    /// Records that a plug was heard; a command does not last long enough for it to get a new address. Returns the sentence about a
    /// second address, once for each plug.
    pub(crate) fn heard(&mut self, plug: &Plug) -> Option<String> {
        if plug.mac == UNKNOWN_MAC {
            return None;
        }
        let before = self.addresses.insert(plug.mac, plug.address)?;
        let is_second = before != plug.address && self.reported.insert(plug.mac);
        is_second.then(|| {
            let sentence = duplicates::sentence(&[before, plug.address]);
            format!("{} {sentence}", plug.mac)
        })
    }

    /// As [`SecondAddresses::heard`], with a warning.
    pub(crate) fn warn(&mut self, ui: &Ui, plug: &Plug) {
        if let Some(sentence) = self.heard(plug) {
            ui.warn(sentence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::tests::plug;

    #[test]
    fn a_second_address_is_reported_once() {
        let mut heard = SecondAddresses::default();
        let (here, there) = (plug(1, [10, 0, 0, 2], 0), plug(1, [10, 0, 0, 3], 0));
        assert_eq!(heard.heard(&here), None);
        assert_eq!(heard.heard(&here), None);
        assert_eq!(heard.heard(&plug(2, [10, 0, 0, 2], 0)), None);
        let sentence = heard.heard(&there).unwrap();
        let end = " replies from 10.0.0.2 and 10.0.0.3: two devices have its MAC";
        assert_eq!(sentence, format!("{}{end}", here.mac));
        assert_eq!(heard.heard(&here), None);
        // Nothing is known of modules that hide their MAC.
        let hidden = |address: [u8; 4]| Plug {
            mac: UNKNOWN_MAC,
            ..plug(1, address, 0)
        };
        assert_eq!(heard.heard(&hidden([10, 0, 0, 4])), None);
        assert_eq!(heard.heard(&hidden([10, 0, 0, 5])), None);
    }
}
