//! Queries, parsed strictly: a misspelt or repeated parameter is an error, because it would change the meaning of the request.

use std::fmt::Display;
use std::str::FromStr;

use api::{Moment, RangeRequest, RequestError, excerpt};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::problem::Problem;

/// Maximum number of parameters in a query.
const MAX_PARAMETERS: usize = 256;

/// The parameters of a query, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(params) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| RequestError::usage("the query cannot be read"))?;
        if params.len() > MAX_PARAMETERS {
            let message = format!("a query has at most {MAX_PARAMETERS} parameters");
            return Err(RequestError::usage(message).into());
        }
        Ok(Self(params))
    }
}

impl Params {
    /// Rejects every parameter except these.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), RequestError> {
        let unknown = |(name, _): &&(String, String)| !known.contains(&name.as_str());
        match self.0.iter().find(unknown) {
            None => Ok(()),
            Some((name, _)) => {
                let name = excerpt(name);
                let hint = match known {
                    [] => "this path takes no query".to_owned(),
                    known => format!("there are: {}", known.join(", ")),
                };
                let message = format!("{name}: there is no such parameter here");
                Err(RequestError::usage(message).hint(hint).at(name))
            }
        }
    }

    /// Returns the text of a parameter that may be given once.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, RequestError> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(RequestError::usage(format!("{name}: given twice")).at(name)),
        }
    }

    /// Returns the parsed value of a parameter that may be given once.
    pub(crate) fn value<T: FromStr<Err: Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, RequestError> {
        self.text(name)?
            .map(|text| {
                text.parse::<T>()
                    .map_err(|error| RequestError::usage(format!("{name}: {error}")).at(name))
            })
            .transpose()
    }

    /// Returns the range between `from` and `to`.
    pub(crate) fn range(&self) -> Result<RangeRequest, RequestError> {
        let moment = |name| {
            self.value::<Moment>(name).map_err(|error| {
                // `+02:00` in a query that was not escaped.
                match self.text(name) {
                    Ok(Some(text)) if text.contains(' ') => {
                        error.hint("in a URL a + is written %2B; times in UTC end in Z")
                    }
                    _ => error,
                }
            })
        };
        Ok(RangeRequest {
            from: moment("from")?,
            to: moment("to")?,
        })
    }

    /// Returns the parsed values of a parameter with a list that commas separate; empty if omitted.
    pub(crate) fn list<T: FromStr<Err: Display>>(
        &self,
        name: &str,
    ) -> Result<Vec<T>, RequestError> {
        let texts = self.text(name)?.into_iter();
        texts
            .flat_map(|text| text.split(','))
            .map(|text| {
                text.parse()
                    .map_err(|error| RequestError::usage(format!("{name}: {error}")).at(name))
            })
            .collect()
    }

    /// Returns a parameter that is `true` or `false`; false if omitted.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, RequestError> {
        match self.text(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => {
                let message = format!("{name}: it is `true` or `false`");
                Err(RequestError::usage(message).at(name))
            }
        }
    }

    /// Returns all values of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Params {
        /// Parses a query string of a URL.
        pub(crate) fn of(query: &str) -> Self {
            let uri: axum::http::Uri = format!("/x?{query}").parse().unwrap();
            Self(Query::try_from_uri(&uri).unwrap().0)
        }
    }

    fn params(query: &str) -> Params {
        Params::of(query)
    }

    #[test]
    fn a_misspelt_parameter_is_named() {
        let error = params("form=1").only(&["from", "to"]).unwrap_err();
        assert_eq!(error.field(), Some("form"));
        assert_eq!(error.hint_text(), Some("there are: from, to"));
        assert_eq!(params("to=1&from=2").only(&["from", "to"]), Ok(()));
        assert!(params("x=1").only(&[]).is_err());
    }

    #[test]
    fn ranges_are_read_strictly() {
        assert_eq!(params("").range(), Ok(RangeRequest::default()));
        for (query, field) in [
            ("from=yesterday", "from"),
            ("to=", "to"),
            ("from=2026-11-22&from=2026-11-22", "from"),
        ] {
            let error = params(query).range().unwrap_err();
            assert_eq!(error.field(), Some(field), "{query}: {error}");
        }
        let error = params("from=2026-11-22T10:00:00+02:00")
            .range()
            .unwrap_err();
        assert!(error.hint_text().unwrap().contains("%2B"));
    }

    #[test]
    fn values_are_read_once() {
        let query = params("a=1&b=x&c=1&c=2&flag=true&wrong=yes");
        assert_eq!(query.value("a"), Ok(Some(1_u8)));
        assert_eq!(query.value::<u8>("z"), Ok(None));
        assert_eq!(query.value::<u8>("b").unwrap_err().field(), Some("b"));
        assert_eq!(query.text("c").unwrap_err().field(), Some("c"));
        assert_eq!(query.all("c").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.flag("flag"), Ok(true));
        assert_eq!(query.flag("z"), Ok(false));
        assert_eq!(query.flag("wrong").unwrap_err().field(), Some("wrong"));
    }
}
