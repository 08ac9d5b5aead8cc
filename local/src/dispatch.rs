//! From a route to its function, as API Gateway does it by the template.

use api::problem::Problem;
use api::request::Request;
use api::respond::Answer;
use api::route::Route;
use runtime::deps::Deps;
use runtime::serve::{Handled, Handler, answer};

/// Every function that serves HTTP, by its name.
pub const FUNCTIONS: [(&str, Handler); 8] = [
    ("products", products::handle),
    ("bookings", bookings::handle),
    ("quote", quote::handle),
    ("create-order", create_order::handle),
    ("generate-payment", generate_payment::handle),
    ("checkout", checkout::handle),
    ("attention", attention::handle),
    ("callback", callback::handle),
];

/// Answers a request by the function that its route belongs to.
pub async fn dispatch(deps: &Deps, request: &Request) -> Answer {
    let route = Route::parse(&request.method, &request.path);
    let name = route.as_ref().map(Route::function).unwrap_or_default();
    let function = FUNCTIONS.iter().find(|(known, _)| *known == name);
    answer(deps, request, function.map_or(not_found, |(_, handle)| *handle)).await
}

fn not_found<'a>(_: &'a Deps, _: &'a Request) -> Handled<'a> {
    Box::pin(std::future::ready(Err(Problem::NotFound)))
}
