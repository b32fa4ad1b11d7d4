//! The fields of a form.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};

use api::{ErrorKind, RequestError};

use crate::page_error::PageError;

/// Extension of a request that shows a kept form, and must change nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownAgain;

/// The fields of a form, in their order. A name can be there several times, e.g. that of checkboxes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    fields: Vec<(String, String)>,
    is_shown_again: bool,
}

impl Fields {
    /// Returns all values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.fields.iter().filter(|(key, _)| key == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Checks that the form was sent by a person, and is not one that is shown again.
    pub(crate) fn check_sent(&self) -> Result<(), RequestError> {
        match self.is_shown_again {
            true => Err(RequestError::new(
                ErrorKind::Unauthenticated,
                "you were logged out meanwhile. What you typed is still here, and not saved yet",
            )),
            false => Ok(()),
        }
    }

    /// Returns true for a kept form that is shown again, and was not sent.
    pub(crate) fn is_shown_again(&self) -> bool {
        self.is_shown_again
    }

    /// Returns the value of a field that must be there.
    pub(crate) fn needed(&self, name: &str) -> Result<&str, RequestError> {
        self.get(name)
            .ok_or_else(|| RequestError::usage(format!("{name}: it is missing")).at(name))
    }

    /// Parses the value of a field that must be there.
    pub(crate) fn parse<T: std::str::FromStr>(&self, name: &str) -> Result<T, RequestError>
    where
        T::Err: std::fmt::Display,
    {
        let value = self.needed(name)?;
        value
            .parse()
            .map_err(|error| RequestError::usage(format!("{name}: {error}")).at(name))
    }
}

impl From<Vec<(String, String)>> for Fields {
    fn from(fields: Vec<(String, String)>) -> Self {
        Self {
            fields,
            is_shown_again: false,
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let is_shown_again = request.extensions().get::<ShownAgain>().is_some();
        let form: Result<Form<Vec<(String, String)>>, FormRejection> =
            Form::from_request(request, state).await;
        match form {
            Ok(Form(fields)) => Ok(Self {
                fields,
                is_shown_again,
            }),
            Err(error) => Err(RequestError::usage(error.body_text()).into()),
        }
    }
}
