//! The login page.

use api::Scope;
use askama::Template;
use axum::response::Response;
use hub::{LoginPage, LoginProblem};

use crate::frame::{Frame, HOME, draw};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginView<'a> {
    frame: Frame,
    next: &'a str,
    problem: Option<String>,
    is_password_wrong: bool,
}

/// Draws the login page.
pub(crate) fn page(login: &LoginPage<'_>) -> Response {
    let visit = Visit::without_login(login.prefix.clone(), login.headers, Scope::Read);
    let problem = login.problem.map(|problem| match problem {
        LoginProblem::WrongPassword => "That password is not right.".to_owned(),
        LoginProblem::UsedLink => "This link has been used or is too old.".to_owned(),
        LoginProblem::TooManyAttempts(1) => "Too many tries. Wait 1 second.".to_owned(),
        LoginProblem::TooManyAttempts(seconds) => {
            format!("Too many tries. Wait {seconds} seconds.")
        }
    });
    draw(&LoginView {
        frame: Frame::new(&visit, HOME, "Log in"),
        next: login.next,
        problem,
        is_password_wrong: login.problem == Some(LoginProblem::WrongPassword),
    })
}
