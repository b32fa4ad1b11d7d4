//! The ways in which a bridge differs from a faithful one: switches without logic, set by [`super::fault`], read where they matter.

use std::time::Duration;

use crate::catalogue::TimeOr;

/// All switches.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct BridgeBehaviour {
    /// Replies that are replaced or damaged.
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) search: SearchBehaviour,
    pub(crate) touchlink: TouchlinkBehaviour,
    pub(crate) tls: CertificateBehaviour,
    /// Maximum number of lights; that of the interface unless set.
    pub(crate) capacity: Option<usize>,
    /// A deleted bulb is not reset, although it is powered.
    pub(crate) delete_orphans: bool,
    /// A full stop follows `deleted`.
    pub(crate) dotted: bool,
    /// The number of an error is text.
    pub(crate) text_numbers: bool,
    /// Delay of every reply.
    pub(crate) slow: Duration,
    /// Time for which the bulbs have been powered at the start.
    pub(crate) powered_for: Duration,
    /// Bulbs are without power until they are switched on.
    pub(crate) unpowered: bool,
    /// The reported id is that of another bridge.
    pub(crate) other_id: bool,
    /// The reported model.
    pub(crate) told_model: Option<String>,
    pub(crate) no_http: bool,
    pub(crate) no_mdns: bool,
    pub(crate) no_ssdp: bool,
}

/// Faults of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SearchBehaviour {
    /// Time for which the network stays open.
    pub(crate) time: TimeOr<5_000>,
    pub(crate) finds_nothing: bool,
    /// Bulbs are found only towards the end.
    pub(crate) late: bool,
    /// It never ends.
    pub(crate) endless: bool,
    /// A bulb that was found is in the list of all lights, not in that of new ones.
    pub(crate) unlisted: bool,
}

/// Faults of touchlink.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TouchlinkBehaviour {
    /// Duration of the procedure.
    pub(crate) time: TimeOr<1_000>,
    /// No bulb is captured, whatever is near.
    pub(crate) fails: bool,
    /// TCP port 30000 is closed.
    pub(crate) no_port: bool,
    /// Nothing comes back after the echo.
    pub(crate) silent: bool,
    /// The connection ends after the echo.
    pub(crate) eof: bool,
    /// There is no echo.
    pub(crate) no_echo: bool,
    /// The result comes in pieces.
    pub(crate) split: bool,
    /// Echo and result come at once.
    pub(crate) joined: bool,
    /// Lines end in CR LF.
    pub(crate) crlf: bool,
    /// The result is this word.
    pub(crate) word: Option<String>,
}

/// Faults of HTTPS and its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CertificateBehaviour {
    pub(crate) closed: bool,
    pub(crate) wrong_name: bool,
    pub(crate) expired: bool,
    /// Another key and certificate than without the fault.
    pub(crate) changed: bool,
    pub(crate) upper_case: bool,
}

/// One reply that is not what it should be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Deviation {
    pub(crate) scope: Scope,
    pub(crate) what: Replacement,
}

/// Selects replies: written `[METHOD][/RESOURCE][*TIMES]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scope {
    pub(crate) method: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) times: Option<u32>,
}

/// A replaced reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Replacement {
    /// An error of the bridge; the order is not carried out.
    Error(u32),
    /// An HTTP status; the order is not carried out.
    Status(u16),
    /// This body; the order is not carried out.
    Body(&'static str, &'static str),
    /// A redirection to another host.
    Elsewhere,
    /// The true reply, spoilt on its way.
    Mangled(Mangle),
}

/// A reply spoilt on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mangle {
    /// Half of it, then the connection ends.
    Half,
    /// A body of 16 MiB.
    Giant,
    /// The body in chunks.
    Chunked,
    /// No length: the body ends with the connection.
    CloseDelimited,
    /// Header lines end in LF.
    LfOnly,
    /// With a charset after the content type.
    Charset,
    /// Without a content type.
    NoContentType,
    /// One byte after the other.
    Trickle,
    /// Nothing, and the connection stays open.
    Hang,
    /// Nothing, and the connection is closed.
    Silent,
    /// Bytes that are not HTTP.
    Garbage,
}

impl Scope {
    const FORM: &'static str = "write METHOD, /resource and *N behind each other, each of which can be left out: POST/lights*1";

    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (place, times) = match text.trim().split_once('*') {
            Some((place, times)) => (place, Some(times)),
            None => (text.trim(), None),
        };
        let times = match times.map(str::parse) {
            Some(Ok(0) | Err(_)) => return Err(Self::FORM),
            Some(Ok(times)) => Some(times),
            None => None,
        };
        let (method, resource) = place.split_at(place.find('/').unwrap_or(place.len()));
        let is_method = method.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_method || method.len() > 10 || resource.len() > 100 {
            return Err(Self::FORM);
        }
        Ok(Self {
            method: (!method.is_empty()).then(|| method.to_ascii_uppercase()),
            resource: (!resource.is_empty()).then(|| resource.to_owned()),
            times,
        })
    }

    pub(crate) fn covers(&self, method: &str, resource: &str) -> bool {
        self.method.as_ref().is_none_or(|own| own == method)
            && self.resource.as_ref().is_none_or(|own| own == resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let all = Scope::parse("").unwrap();
        assert!(all.covers("GET", "/lights") && all.times.is_none());
        let one = Scope::parse("post/lights*2").unwrap();
        assert!(one.covers("POST", "/lights") && one.times == Some(2));
        assert!(!one.covers("GET", "/lights") && !one.covers("POST", "/lights/1"));
        assert!(Scope::parse("/config").unwrap().covers("PUT", "/config"));
        assert!(Scope::parse("*3").unwrap().covers("PUT", "/config"));
        for wrong in ["*0", "*x", "GET lights", "G3T/", "*"] {
            assert!(Scope::parse(wrong).is_err(), "{wrong}");
        }
    }
}
