//! A hub whose state directory is a copy of that of the active hub.

use crate::house::eventually;
use crate::site::Site;

#[test]
fn a_copied_state_directory_takes_no_lease_away() {
    let Some(mut site) = Site::build(0) else {
        return;
    };
    site.start(0);
    site.until_active(0);
    let id = |site: &Site, hub| std::fs::read_to_string(site.state(hub).join("hub-id")).unwrap();
    let first = id(&site, 0);
    let lease = |site: &Site| site.get(0, "/api/v1/hub")["lease"].clone();
    let before = lease(&site);
    std::fs::create_dir_all(site.state(1)).unwrap();
    std::fs::write(site.state(1).join("hub-id"), &first).unwrap();
    site.start(1);
    eventually("the active hub knows of the other", || {
        site.get(0, "/api/v1/hub")["hubs"].as_array().unwrap().len() == 2
    });
    assert_eq!(site.role(0).as_deref(), Some("active"));
    assert_eq!(site.role(1).as_deref(), Some("standby"));
    let now = lease(&site);
    assert_eq!(now["number"], before["number"], "{now}");
    assert_eq!(now["holder"], first.trim());
    assert_ne!(id(&site, 1), first);
}
