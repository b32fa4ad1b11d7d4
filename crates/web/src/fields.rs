//! The fields of a form.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};

use api::RequestError;

use crate::page_error::PageError;

/// The fields of a form, in their order. A name can be there several times, e.g. that of checkboxes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Returns all values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.0.iter().filter(|(key, _)| key == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Returns the value of a field that must be there.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field.
    pub(crate) fn needed(&self, name: &str) -> Result<&str, RequestError> {
        self.get(name)
            .ok_or_else(|| RequestError::usage(format!("{name}: it is missing")).at(name))
    }

    /// Parses the value of a field that must be there.
    ///
    /// # Errors
    ///
    /// [`RequestError`] of kind `usage` at the field.
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
        Self(fields)
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let form: Result<Form<Vec<(String, String)>>, FormRejection> =
            Form::from_request(request, state).await;
        match form {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(error) => Err(RequestError::usage(error.body_text()).into()),
        }
    }
}
