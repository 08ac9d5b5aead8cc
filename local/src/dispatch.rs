//! From a route to its function, as API Gateway does it by the template.

use api::problem::Problem;
use api::request::Request;
use api::respond::Answer;
use api::route::Route;
use runtime::deps::Deps;
use runtime::serve::{Handled, Handler, answer};

/// Every function that serves HTTP, by its name.
pub const FUNCTIONS: [(&str, Handler); 9] = [
    ("products", products::handle),
    ("bookings", bookings::handle),
    ("quote", quote::handle),
    ("create-order", create_order::handle),
    ("generate-payment", generate_payment::handle),
    ("checkout", checkout::handle),
    ("attention", attention::handle),
    ("operations", operations::handle),
    ("callback", callback::handle),
];

tokio::task_local! {
    static AT_WORK: &'static str;
}

/// Works as a function, which on AWS has a process and a role of its own.
pub async fn work_as<T>(function: &'static str, work: impl Future<Output = T>) -> T {
    AT_WORK.scope(function, work).await
}

/// The function that is at work, for whoever stands beneath the SDK; `None` outside of all.
#[must_use]
pub fn at_work() -> Option<&'static str> {
    AT_WORK.try_with(|function| *function).ok()
}

/// Answers a request by the function that its route belongs to.
pub async fn dispatch(deps: &Deps, request: &Request) -> Answer {
    let route = Route::parse(&request.method, &request.path);
    let name = route.as_ref().map(Route::function).unwrap_or_default();
    match FUNCTIONS.iter().find(|(known, _)| *known == name) {
        Some((name, handle)) => work_as(name, answer(deps, request, *handle)).await,
        None => answer(deps, request, not_found).await,
    }
}

fn not_found<'a>(_: &'a Deps, _: &'a Request) -> Handled<'a> {
    Box::pin(std::future::ready(Err(Problem::NotFound)))
}
