//! The weaknesses of a plug, on its page.

use api::{HardenRequest, WeaknessId};
use emulator::{RecoTwin, Twin};

use crate::browser::Browser;
use crate::twins::{Plugs, in_network};
use crate::world::{House, at, hex, mac, plug};

/// Returns the state of each weakness on the page of a plug.
fn states(html: &str) -> Vec<String> {
    let section = html.split("What stands open</h2>").nth(1).unwrap();
    let section = section.split("</section>").next().unwrap();
    let chips = section.split("<span class=\"chip\">").skip(1);
    chips
        .map(|chip| chip.split('<').next().unwrap().to_owned())
        .collect()
}

#[test]
fn a_look_at_a_plug_shows_what_stands_open() {
    in_network(async {
        let twin: Box<dyn Twin> = Box::new(RecoTwin::new(plug(1, &[]), std::time::Instant::now()));
        let plugs = Plugs::start(vec![twin]).await;
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        let address = at(1).to_string();
        browser
            .post("/add", &[("address", &address), ("name", "kettle")])
            .await;
        let path = format!("/plugs/{}", hex(1));
        let page = browser.get(&path).await;
        page.shows(200, "Not looked at since this hub started.");
        assert!(!page.html.contains("Discovery word"), "{}", page.html);

        let looked = browser.post(&format!("{path}/harden"), &[]).await;
        assert_eq!(looked.status, 303, "{}", looked.html);
        let page = browser.get(&path).await;
        page.shows(200, "Discovery word");
        page.shows(200, "Access point");
        page.shows(200, &format!("mains harden {}", hex(1)));
        assert!(!page.html.contains("Not looked at"), "{}", page.html);

        assert_eq!(states(&page.html), ["open", "open", "closed", "closed"]);

        // What the hub closes shows as closed.
        let request = HardenRequest {
            only: vec![WeaknessId::WebPassword],
            ..HardenRequest::default()
        };
        let report = house
            .hub
            .harden(mac(1).parse().unwrap(), request)
            .await
            .unwrap();
        assert!(report.error.is_none(), "{report:?}");
        let page = browser.get(&path).await;
        assert_eq!(states(&page.html), ["open", "closed", "closed", "closed"]);

        browser.log_in_to_view().await;
        let page = browser.get(&path).await;
        page.shows(200, "Discovery word");
        assert!(!page.html.contains("Look now"), "{}", page.html);
        let refused = browser.post(&format!("{path}/harden"), &[]).await;
        assert_eq!(refused.status, 403, "{}", refused.html);
        house.close().await;
        plugs.stop().await;
    });
}
