//! A browser without a script: reads pages and sends forms.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use hub::{Guest as _, Hub};
use tower::ServiceExt;
use web::Pages;

/// A browser that is logged in.
pub struct Browser(Router);

/// A page, or where a form leads.
#[derive(Debug)]
pub struct Shown {
    pub status: u16,
    /// Address to which the reply sends the browser.
    pub location: Option<String>,
    pub html: String,
}

impl Browser {
    pub fn of(hub: &Hub) -> Self {
        Self::on(Pages::default().router(hub))
    }

    pub fn on(router: Router) -> Self {
        Self(router)
    }

    /// Gets a page until it holds a text.
    pub async fn eventually(&self, path: &str, text: &str) {
        for _ in 0..1200 {
            if self.get(path).await.html.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.get(path).await.shows(200, text);
    }

    pub async fn get(&self, path: &str) -> Shown {
        self.send(Method::GET, path, "").await
    }

    /// Sends a form. Names that end with `[]` are sent as they are without it, so that one name can stand several times.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.send(Method::POST, path, &body).await
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> Shown {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let location = parts.headers.get("location");
        Shown {
            status: parts.status.as_u16(),
            location: location.map(|value| value.to_str().unwrap().to_owned()),
            html: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

impl Shown {
    /// Checks that a form was taken, and leads to this path.
    #[track_caller]
    pub fn leads_to(&self, path: &str) {
        assert_eq!(self.status, 303, "{}", self.html);
        assert_eq!(self.location.as_deref(), Some(path));
    }

    /// Checks that a page was shown with this status, and holds a text.
    #[track_caller]
    pub fn shows(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.html);
        assert!(self.html.contains(text), "no `{text}` in {}", self.html);
    }

    /// Checks that the message stands at a field.
    #[track_caller]
    pub fn refuses(&self, status: u16, field: &str) {
        self.shows(status, &format!("id=\"{field}-e\""));
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
