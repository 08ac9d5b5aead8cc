//! `operations`: the operator's page, and what operators read: a booking with all that happened to
//! it, the tasks, and the figures of a day. It writes nothing.

mod booking;
mod figures;
mod tasks;
mod view;

use api::page::Page;
use api::problem::Problem;
use api::request::Request;
use api::route::Route;
use runtime::deps::Deps;
use runtime::serve::Handled;

/// The operator's page.
pub static PAGE: Page = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Serves the operator's page, and the routes of operators that only read.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        match Route::parse(&request.method, &request.path)? {
            Route::GetOperatorPage => Ok(PAGE.answer(request)),
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
            | Route::GetBookedProduct(_)
            | Route::MakeLink(_)
            | Route::GetCheckoutPage
            | Route::DrawCode(_)
            | Route::ListAttention
            | Route::GetAttention(_)
            | Route::ReleaseAttention(..)
            | Route::Callback(_) => Err(Problem::NotFound),
        }
    })
}
