//! A plug without a meter beside one that has one.

use emulator::{OrviboConfig, OrviboTwin, RecoTwin, Twin};
use serde_json::json;

use crate::browser::Browser;
use crate::twins::{Plugs, in_network};
use crate::world::{House, at, hex, plug};

/// Returns the article of a plug on the home page.
fn article(html: &str, number: u8) -> String {
    let id = format!("id=\"plug-{}\"", hex(number));
    let articles = html.split("<article").find(|part| part.contains(&id));
    let article = articles.unwrap_or_else(|| panic!("no {id} in {html}"));
    article.split("</article>").next().unwrap().to_owned()
}

#[test]
fn no_page_tells_of_the_energy_of_a_plug_without_a_meter() {
    in_network(async {
        let now = std::time::Instant::now();
        let twins: Vec<Box<dyn Twin>> = vec![
            Box::new(OrviboTwin::new(OrviboConfig::at(at(1)), now)),
            Box::new(RecoTwin::new(plug(2, &[]), now)),
        ];
        let plugs = Plugs::start(twins).await;
        let house = House::open().await;
        let browser = Browser::of(&house.hub).await;
        browser.post("/add/search", &[]).await.leads_to("/add");
        browser.get("/add").await.shows(200, "SOC005");
        for (number, name) in [(1, "lamp"), (2, "kettle")] {
            let address = at(number).to_string();
            let added = browser
                .post("/add", &[("address", &address), ("name", name)])
                .await;
            assert_eq!(added.status, 303, "{}", added.html);
        }
        let home = browser.get("/").await;
        let (lamp, kettle) = (article(&home.html, 1), article(&home.html, 2));
        for field in ["power", "energy-today", "cost-today"] {
            let field = format!("data-field=\"{field}\"");
            assert!(kettle.contains(&field), "{field}");
            assert!(!lamp.contains(&field), "{field}: {lamp}");
        }
        assert!(lamp.contains("role=\"switch\""), "{lamp}");
        let path = format!("/plugs/{}", hex(1));
        let page = browser.get(&path).await;
        page.shows(200, "Orvibo S20");
        for absent in [
            "data-field=\"power\"",
            "data-field=\"voltage\"",
            "name=\"metering\"",
        ] {
            assert!(!page.html.contains(absent), "{absent}");
        }
        page.shows(200, "1 to 1,092 minutes");
        let rules = browser.get("/rules?new=1&kind=standby_kill").await;
        rules.shows(200, ">kettle</option>");
        assert!(!rules.html.contains(">lamp</option>"), "{}", rules.html);
        let switched = browser
            .post(&format!("{path}/relay"), &[("state", "on")])
            .await;
        assert_eq!(switched.status, 303, "{}", switched.html);
        let plug = house
            .get(&format!("/api/v1/plugs/{}", hex(1)))
            .await
            .expect(200);
        assert_eq!(plug["relay"], json!("on"));
        house.close().await;
        plugs.stop().await;
    });
}
