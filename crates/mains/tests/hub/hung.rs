//! Two hubs whose database neither replies nor refuses.

use crate::house::eventually;
use crate::site::{self, Site};

/// Number of requests at once, as a browser sends for a page.
const REQUESTS: usize = 6;

#[test]
fn a_standby_replies_while_the_database_hangs() {
    let Some(mut site) = Site::build(1) else {
        return;
    };
    site.start(0);
    site.until_active(0);
    let body = serde_json::json!({"address": "10.77.0.101"});
    site.ask(0, "POST", "/api/v1/plugs", Some(&body)).unwrap();
    site.start(1);
    eventually("the standby shows the plug", || {
        site.get(1, "/api/v1/plugs").as_array().unwrap().len() == 1
    });
    for hub in [0, 1] {
        site.cut(hub, "db");
    }
    // Until then the active hub replies, and from then on the other one with what it knows.
    eventually("the active hub has stopped", || {
        site.get(1, "/api/v1/plugs")[0]["available"] == false
    });
    // One after the other they would wait for the database longer than a client waits.
    std::thread::scope(|scope| {
        let asked = [(); REQUESTS].map(|()| scope.spawn(|| site.get(1, "/api/v1/plugs")));
        for plugs in asked {
            assert_eq!(plugs.join().unwrap().as_array().unwrap().len(), 1);
        }
    });
    // A check of health that waits for the database would end programs that work.
    for hub in [0, 1] {
        let reply = site::request(hub, "GET", "/healthz", "Accept: */*", None);
        assert_eq!(reply.map(|(status, _, _)| status), Some(200), "hub {hub}");
    }
}
