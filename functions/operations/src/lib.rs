//! `operations`: what operators read: a booking with all that happened to it, the tasks, and the
//! figures of a day. It writes nothing.

mod booking;
mod figures;
mod tasks;
mod view;

use api::problem::Problem;
use api::request::{Request, SCOPE_ATTENTION_WRITE};
use api::route::Route;
use runtime::deps::Deps;
use runtime::serve::Handled;

/// Serves the routes of operators that only read.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        let route = Route::parse(&request.method, &request.path)?;
        request.require_scope(SCOPE_ATTENTION_WRITE)?;
        match route {
            Route::InspectBooking(reference) => booking::inspect(deps, request, &reference).await,
            Route::ListTasks => tasks::list(deps, request).await,
            Route::GetFigures => figures::get(deps, request).await,
            Route::GetDescription
            | Route::GetProduct(_)
            | Route::PutProduct(_)
            | Route::OpenBooking
            | Route::ListBookings
            | Route::GetBooking(_)
            | Route::CancelBooking(_)
            | Route::CancelOrder(..)
            | Route::Quote(_)
            | Route::CreateOrder(_)
            | Route::GeneratePayment(_)
            | Route::ListAttention
            | Route::GetAttention(_)
            | Route::ReleaseAttention(..)
            | Route::Callback(_) => Err(Problem::NotFound),
        }
    })
}

/// What a cursor that no page gave is refused with.
fn unknown_cursor() -> Problem {
    Problem::invalid("cursor", "not one that an earlier page gave")
}
