//! `checkout`: the page that a customer pays on, the links that lead to it, and the pictures of the
//! codes that it shows.

mod qr;

use api::link::{Link, PAGE_PATH};
use api::page::Page;
use api::problem::Problem;
use api::request::{DrawCode, MakeLink, Request};
use api::respond::{Answer, json};
use api::route::Route;
use api::view::LinkView;
use domain::ids::BookingId;
use http::{StatusCode, header};
use runtime::apply::check_owner;
use runtime::deps::Deps;
use runtime::serve::Handled;

/// The checkout page.
pub static PAGE: Page = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Serves the checkout page, its links and its pictures.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        match Route::parse(&request.method, &request.path)? {
            Route::GetCheckoutPage => Ok(PAGE.answer(request)),
            Route::MakeLink(booking_id) => make_link(deps, request, booking_id).await,
            Route::DrawCode(_) => draw(request),
            Route::GetDescription
            | Route::GetProduct(_)
            | Route::PutProduct(_)
            | Route::OpenBooking
            | Route::ListBookings
            | Route::GetBooking(_)
            | Route::GetBookedProduct(_)
            | Route::CancelBooking(_)
            | Route::CancelOrder(..)
            | Route::Quote(_)
            | Route::CreateOrder(_)
            | Route::GeneratePayment(_)
            | Route::ListAttention
            | Route::GetAttention(_)
            | Route::ReleaseAttention(..)
            | Route::GetOperatorPage
            | Route::InspectBooking(_)
            | Route::ListTasks
            | Route::GetFigures
            | Route::Callback(_) => Err(Problem::NotFound),
        }
    })
}

async fn make_link(deps: &Deps, request: &Request, id: BookingId) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    let MakeLink { return_url, expires_in_s } = request.json_or_default()?;
    if let Some(return_url) = &return_url {
        deps.links.return_urls.check(return_url)?;
    }
    let link = Link::new(id, return_url, expires_in_s, deps.now())?;
    let booking = deps.store.booking(&link.booking).await?.ok_or(Problem::NotFound)?;
    check_owner(&booking, claimant)?;
    let base_url = base_url(deps, request)?;
    let url = format!("{base_url}{PAGE_PATH}#{}", link.sign(&deps.keyring));
    json(StatusCode::CREATED, &LinkView { url, expires_at: link.expires })
}

/// What stands before the page's path: as configured, or the host that the caller reached us at.
fn base_url(deps: &Deps, request: &Request) -> Result<String, Problem> {
    if let Some(base_url) = &deps.links.base_url {
        return Ok(base_url.clone());
    }
    let host = request.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    host.map(|host| format!("https://{host}")).ok_or_else(|| Problem::invalid("Host", "required"))
}

/// Draws what the page shows. It comes in the body: in an address, it would be in access logs.
fn draw(request: &Request) -> Result<Answer, Problem> {
    request.claimant()?;
    let DrawCode { code } = request.json()?;
    qr::picture(&code)
}
