//! `attention`: what waits for a person is listed, tried again or resolved, and the audit is kept.

mod release;

use api::problem::Problem;
use api::request::{ReleaseAttention, Request, SCOPE_ATTENTION_WRITE};
use api::respond::{Answer, json};
use api::route::Route;
use api::view::{AttentionPageView, AttentionView, AuditView, BookingAttentionView};
use domain::attention::{Action, AttentionId};
use domain::decide::release::Release;
use domain::ids::BookingId;
use http::StatusCode;
use runtime::deps::Deps;
use runtime::serve::Handled;
use store::index::PageStart;

use crate::release::release;

/// Serves the routes of what waits for a person.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        match Route::parse(&request.method, &request.path)? {
            Route::ListAttention => list(deps, request).await,
            Route::GetAttention(booking_id) => get(deps, request, &booking_id).await,
            Route::ReleaseAttention(booking_id, attention_id, action) => {
                act(deps, request, (&booking_id, &attention_id), action).await
            }
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
            | Route::GetOperatorPage
            | Route::InspectBooking(_)
            | Route::ListTasks
            | Route::GetFigures
            | Route::Callback(_) => Err(Problem::NotFound),
        }
    })
}

async fn list(deps: &Deps, request: &Request) -> Result<Answer, Problem> {
    request.require_scope(SCOPE_ATTENTION_WRITE)?;
    let from = request.cursor(PageStart::parse)?;
    let page = deps.store.attention_page(from.as_ref()).await?;
    let view = AttentionPageView {
        attention: page.waiting.iter().map(AttentionView::from).collect(),
        next_cursor: page.next.as_ref().map(PageStart::to_text),
    };
    json(StatusCode::OK, &view)
}

async fn get(deps: &Deps, request: &Request, booking_id: &BookingId) -> Result<Answer, Problem> {
    request.require_scope(SCOPE_ATTENTION_WRITE)?;
    let waiting = deps.store.attention_of(booking_id).await?;
    let audits = deps.store.audits_of(booking_id).await?;
    // Unmatched money may wait on a booking that is not stored.
    if waiting.is_empty() && audits.is_empty() {
        deps.store.booking(booking_id).await?.ok_or(Problem::NotFound)?;
    }
    let view = BookingAttentionView {
        booking_id: booking_id.clone(),
        attention: waiting.iter().map(AttentionView::from).collect(),
        audit: audits.iter().map(AuditView::from).collect(),
    };
    json(StatusCode::OK, &view)
}

async fn act(
    deps: &Deps,
    request: &Request,
    at: (&BookingId, &AttentionId),
    action: Action,
) -> Result<Answer, Problem> {
    request.require_scope(SCOPE_ATTENTION_WRITE)?;
    let by = request.customer()?;
    let body: ReleaseAttention = match action {
        Action::Retry => request.json_or_default()?,
        Action::Resolve => request.json()?,
    };
    let note = body.note()?;
    if action == Action::Resolve && note.is_none() {
        return Err(Problem::invalid("note", "required"));
    }
    let audit = release(deps, at, Release { action, by, note }).await?;
    json(StatusCode::OK, &AuditView::from(&audit))
}
