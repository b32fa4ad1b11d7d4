//! Choosing the home network from the plug's scan.

use hiflying::Ssid;
use hiflying::wscan::ScannedNetwork;

use super::options::{HomeKey, SetupOptions, network_name};
use crate::error::Failure;
use crate::ui::{Choice, Ui};

const SSID_FLAG: &str = "pass it with `--ssid`";

/// Asks for the home network, by number or by the name of one that the plug did not see, and for its key.
pub(super) async fn home_network(
    ui: &Ui,
    options: &mut SetupOptions,
    networks: &[ScannedNetwork],
) -> Result<Ssid, Failure> {
    let seen = by_name(networks);
    let mut lines: Vec<String> = seen.iter().map(|network| describe(network)).collect();
    lines.push("another one (type its name)".to_owned());
    let (chosen, ssid) = choose_network(ui, &seen, &lines).await?;
    options.ssid = Some(ssid.clone());
    options.scanned = chosen.and_then(|network| network.security);
    if matches!(options.key, HomeKey::Missing) {
        let open = chosen.is_some_and(is_open);
        match open {
            true => options.key = HomeKey::Open,
            false => options.type_key(ui).await?,
        }
    }
    Ok(ssid)
}

/// Asks for a network by number, or by a name, which need not be in the list.
async fn choose_network<'a>(
    ui: &Ui,
    seen: &[&'a ScannedNetwork],
    lines: &[String],
) -> Result<(Option<&'a ScannedNetwork>, Ssid), Failure> {
    if seen.is_empty() {
        return Ok((None, type_name(ui).await?));
    }
    loop {
        let answer = ui.choose_or_type("Which network is yours (number or name)", lines, SSID_FLAG);
        let name = match answer.await? {
            Choice::Listed(index) => match seen.get(index) {
                Some(network) => network.ssid.clone(),
                None => return Ok((None, type_name(ui).await?)),
            },
            Choice::Typed(name) => name.into_bytes(),
        };
        match network_name(&name) {
            Ok(ssid) => {
                let chosen = seen.iter().find(|network| network.ssid == name).copied();
                return Ok((chosen, ssid));
            }
            Err(failure) => ui.warn(failure),
        }
    }
}

async fn type_name(ui: &Ui) -> Result<Ssid, Failure> {
    loop {
        let text = ui.line("Name of your Wi-Fi network", SSID_FLAG).await?;
        match network_name(text.as_bytes()) {
            Ok(ssid) => return Ok(ssid),
            Err(failure) => ui.warn(failure),
        }
    }
}

/// Returns one row for each name, the strongest first; hidden networks are left out.
fn by_name(networks: &[ScannedNetwork]) -> Vec<&ScannedNetwork> {
    let mut seen: Vec<&ScannedNetwork> = Vec::new();
    for network in networks.iter().filter(|network| !network.ssid.is_empty()) {
        match seen.iter_mut().find(|known| known.ssid == network.ssid) {
            Some(known) if known.signal < network.signal => *known = network,
            Some(_) => {}
            None => seen.push(network),
        }
    }
    seen.sort_by_key(|network| std::cmp::Reverse(network.signal));
    seen
}

fn is_open(network: &ScannedNetwork) -> bool {
    use hiflying::wifi::{ScanAuth, ScanCipher};
    network.security.is_some_and(|security| {
        security.auth == ScanAuth::Open && security.cipher == ScanCipher::None
    })
}

fn describe(network: &ScannedNetwork) -> String {
    let name = String::from_utf8_lossy(&network.ssid);
    let signal = network
        .signal
        .map_or_else(String::new, |signal| format!("  {signal} %"));
    let security = match network.security {
        Some(_) if is_open(network) => "open".to_owned(),
        Some(security) => security.to_string(),
        None => "not supported by the plug".to_owned(),
    };
    format!("{name}{signal}  {security}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_for_each_name_the_strongest_first() {
        let list = b"+ok=\n\rCh,SSID,BSSID,Security,Indicator\n\r\
            1,Home,3C:E5:A6:61:B4:40,WPA2PSK/AES,40\n\r\
            6,Caf\xc3\xa9,3C:E5:A6:61:B4:41,OPEN/NONE,74\n\r\
            11,Home,3C:E5:A6:61:B4:42,WPAPSKWPA2PSK/AES,90\n\r\
            3,,3C:E5:A6:61:B4:43,WPA2PSK/AES,99\n\r\
            4,New,3C:E5:A6:61:B4:44,WPA3SAE/AES,10\n\r\r\n";
        let networks = hiflying::wscan::parse(list);
        let lines: Vec<String> = by_name(&networks).into_iter().map(describe).collect();
        assert_eq!(
            lines,
            [
                "Home  90 %  WPAPSKWPA2PSK/AES",
                "Caf\u{e9}  74 %  open",
                "New  10 %  not supported by the plug",
            ]
        );
    }
}
