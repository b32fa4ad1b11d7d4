//! The replies of the bridges, and the radio.

use hue::Method;
use serde_json::{Value, json};

use super::{
    BulbOwner, JOINING, KEY, SimulatedBulb, SimulatedLight, SimulationState, error, unique_id,
};

impl SimulationState {
    pub(super) fn join(&mut self) {
        for number in 0..self.bridges.len() {
            let bridge = &mut self.bridges[number];
            let Some(opened_at) = bridge.opened_at.filter(|at| self.now >= *at + JOINING) else {
                continue;
            };
            if self.now >= bridge.open_until || self.now < opened_at {
                continue;
            }
            for (index, bulb) in self.bulbs.iter_mut().enumerate() {
                let is_listed = bridge.lights.values().any(|light| light.bulb == index);
                let comes = match bulb.owner {
                    BulbOwner::Nobody => true,
                    BulbOwner::Bridge(at) if at == number => !is_listed,
                    _ => bridge.serials.contains(&bulb.serial),
                };
                if bulb.has_power && comes {
                    bulb.owner = BulbOwner::Bridge(number);
                    let id = bridge.list(index, "");
                    bridge.found.push(id);
                }
            }
        }
    }

    /// Takes the bulb that is held to a bridge.
    pub(super) fn touchlink(&mut self, number: usize) -> bool {
        let near = |bulb: &&mut SimulatedBulb| bulb.has_power && bulb.near == Some(number);
        match self.bulbs.iter_mut().find(near) {
            Some(bulb) => {
                bulb.owner = BulbOwner::Bridge(number);
                true
            }
            None => false,
        }
    }

    pub(super) fn serve(
        &mut self,
        number: usize,
        method: Method,
        path: &str,
        body: &str,
    ) -> String {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        match (method, parts.as_slice()) {
            (Method::Post, ["api"]) => self.pair(number, &body),
            (Method::Get, ["config"]) => {
                let mut config = self.bridges[number].config.clone();
                config["mac"] = json!(format!("00:17:88:01:02:{number:02x}"));
                config["whitelist"] = json!({KEY: {"name": "mains#test"}});
                config.to_string()
            }
            (Method::Put, ["config"]) => match self.bridges[number].touchlink_error {
                Some(number) => error(number, "/config/touchlink"),
                None => {
                    assert_eq!(body, json!({"touchlink": true}));
                    self.touchlink(number);
                    success("/config/touchlink", &json!(true))
                }
            },
            (Method::Get, ["capabilities"]) if self.bridges[number].has_capabilities => {
                json!({"lights": {"available": self.bridges[number].room, "total": 63}}).to_string()
            }
            (Method::Get, ["lights"]) => self.lights(number),
            (Method::Get, ["lights", "new"]) => self.bridges[number].new_lights(self.now),
            (Method::Post, ["lights"]) => self.search(number, &body),
            (method, ["lights", id, rest @ ..]) => self.light(number, method, id, rest, &body),
            _ => error(3, path),
        }
    }

    fn pair(&self, number: usize, body: &Value) -> String {
        let bridge = &self.bridges[number];
        let is_pressed = bridge.pressed_at.is_some_and(|at| self.now >= at);
        match (is_pressed, body.get("devicetype"), body.get("generateclientkey")) {
            (_, None, _) => error(5, "/"),
            (false, ..) => error(101, ""),
            (true, _, None) => json!([{"success": {"username": KEY}}]).to_string(),
            (true, ..) => {
                json!([{"success": {"username": KEY, "clientkey": "00112233445566778899AABBCCDDEEFF"}}])
                    .to_string()
            }
        }
    }

    fn lights(&self, number: usize) -> String {
        let bridge = &self.bridges[number];
        let one = |(id, light): (&u32, &SimulatedLight)| {
            let bulb = &self.bulbs[light.bulb];
            let reachable = bulb.has_power && bulb.owner == BulbOwner::Bridge(number);
            let told = match bridge.tells_unique_ids {
                true => {
                    json!({"name": light.name, "modelid": "LCT007", "uniqueid": unique_id(light.bulb),
                    "state": {"reachable": reachable}})
                }
                false => json!({"name": light.name}),
            };
            (id.to_string(), told)
        };
        Value::Object(bridge.lights.iter().map(one).collect()).to_string()
    }

    fn search(&mut self, number: usize, body: &Value) -> String {
        let serials: Vec<String> = match body.get("deviceid") {
            None => Vec::new(),
            Some(serials) => serde_json::from_value(serials.clone()).unwrap(),
        };
        if serials.len() > 10 {
            return error(11, "/lights");
        }
        let now = self.now;
        let bridge = &mut self.bridges[number];
        if bridge.room == 0 {
            return error(203, "/lights");
        }
        bridge.open(now, serials);
        success("/lights", &json!("Searching for new devices"))
    }

    fn light(
        &mut self,
        number: usize,
        method: Method,
        id: &str,
        rest: &[&str],
        body: &Value,
    ) -> String {
        let bridge = &mut self.bridges[number];
        let known = id
            .parse()
            .ok()
            .and_then(|id: u32| bridge.lights.get_mut(&id));
        let Some(light) = known else {
            return error(3, &format!("/lights/{id}"));
        };
        match (method, rest) {
            (Method::Put, ["state"]) => {
                assert_eq!(body, &json!({"alert": "select"}));
                success(&format!("/lights/{id}/state/alert"), &json!("select"))
            }
            (Method::Put, []) => {
                light.name = body["name"].as_str().unwrap().to_owned();
                success(&format!("/lights/{id}/name"), &body["name"])
            }
            (Method::Delete, []) if bridge.can_delete => {
                let bulb = light.bulb;
                bridge.lights.remove(&id.parse().unwrap());
                self.let_go(number, bulb);
                json!([{"success": format!("/lights/{id} deleted.")}]).to_string()
            }
            _ => error(4, &format!("/lights/{id}")),
        }
    }

    /// A bulb that can be reached is reset. No light may be let go before the other bridge looks for lights.
    fn let_go(&mut self, number: usize, bulb: usize) {
        let other = &self.bridges[1 - number];
        let is_open = other.opened_at.is_some() && self.now < other.open_until;
        assert!(is_open, "the other bridge does not look for lights");
        let bulb = &mut self.bulbs[bulb];
        if bulb.has_power && bulb.owner == BulbOwner::Bridge(number) {
            bulb.owner = BulbOwner::Nobody;
        }
    }
}

fn success(path: &str, value: &Value) -> String {
    json!([{"success": {path: value}}]).to_string()
}
