//! `bookings`: opening, listing, reading and cancelling bookings, and dropping orders.

use api::problem::Problem;
use api::request::{Claimant, OpenBooking, Request};
use api::respond::{Answer, empty, json, with_header};
use api::route::Route;
use api::view::{BookingView, BookingsView, OrderView, ProductView, etag};
use domain::booking::{Booking, Order};
use domain::decide::cancel::{Cancelling, cancel_booking, cancel_order};
use domain::decide::open_booking::{open_booking, repeat_booking};
use domain::ids::{BookingId, OrderId};
use http::{StatusCode, header};
use runtime::apply::{Step, apply, check_owner, refuse};
use runtime::deps::Deps;
use runtime::serve::Handled;
use runtime::telemetry::know_booking;
use store::Opened;
use store::bookings::{ORDERS_MAX, is_page_start};
use store::load::{Want, WantOrder};

/// The longest cursor that is looked at, in characters; the store's keys have a bound of their own.
const CURSOR_LEN_MAX: usize = 64;

/// Serves the routes of bookings.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        match Route::parse(&request.method, &request.path)? {
            Route::OpenBooking => open(deps, request).await,
            Route::ListBookings => list(deps, request).await,
            Route::GetBooking(booking_id) => get(deps, request, &booking_id).await,
            Route::GetBookedProduct(booking_id) => product(deps, request, &booking_id).await,
            Route::CancelBooking(booking_id) => cancel(deps, request, &booking_id).await,
            Route::CancelOrder(booking_id, order_id) => {
                drop_order(deps, request, &booking_id, &order_id).await
            }
            Route::GetDescription
            | Route::GetProduct(_)
            | Route::PutProduct(_)
            | Route::Quote(_)
            | Route::CreateOrder(_)
            | Route::GeneratePayment(_)
            | Route::MakeLink(_)
            | Route::GetCheckoutPage
            | Route::DrawCode(_)
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

async fn open(deps: &Deps, request: &Request) -> Result<Answer, Problem> {
    let customer = request.customer()?;
    let key = request.idempotency_key()?;
    let key = key.ok_or_else(|| Problem::invalid("Idempotency-Key", "required"))?;
    let OpenBooking { product_id } = request.json()?;
    let tag = deps.ids.product_tag(&product_id);
    let product = deps.store.product(&product_id, &tag).await?.ok_or(Problem::NotFound)?;
    let wanted = match open_booking(&product, customer, key, deps.env()) {
        Ok(booking) => booking,
        Err(_) => return repeat_retired(deps, customer, key, &product_id).await,
    };
    know_booking(&wanted.booking_id);
    match deps.store.open_booking(&wanted, &deps.request_token()).await? {
        Opened::New => {
            let view = BookingView::with_orders(&wanted, &[], ORDERS_MAX, deps.view());
            Ok(tagged(deps, &wanted, json(StatusCode::CREATED, &view)?))
        }
        Opened::Before(stored) => repeat(deps, *stored, &product_id).await,
    }
}

/// A retired product takes no new bookings, but a repeated request is still the same request.
async fn repeat_retired(
    deps: &Deps,
    customer: &str,
    key: &str,
    product_id: &str,
) -> Result<Answer, Problem> {
    let booking_id = deps.ids.booking(customer, key, &deps.ids.product_tag(product_id));
    let stored = deps.store.booking_by_key(booking_id.key()).await?;
    repeat(deps, stored.ok_or(Problem::BookingNotPayable)?, product_id).await
}

async fn repeat(deps: &Deps, stored: Booking, product_id: &str) -> Result<Answer, Problem> {
    let booking = repeat_booking(stored.clone(), product_id)
        .map_err(|rejection| refuse(deps, &stored, rejection))?;
    whole(deps, &booking.booking_id, Claimant::Customer(&booking.customer_id)).await
}

/// A booking with its orders.
async fn whole(
    deps: &Deps,
    booking_id: &BookingId,
    claimant: Claimant<'_>,
) -> Result<Answer, Problem> {
    let read = deps.store.booking_with_orders(booking_id).await?;
    let (booking, ended) = read.ok_or(Problem::NotFound)?;
    check_owner(&booking, claimant)?;
    let view = BookingView::with_orders(&booking, &ended, ORDERS_MAX, deps.view());
    Ok(tagged(deps, &booking, json(StatusCode::OK, &view)?))
}

fn tagged(deps: &Deps, booking: &Booking, answer: Answer) -> Answer {
    with_header(answer, header::ETAG, &etag(booking, deps.now()))
}

async fn list(deps: &Deps, request: &Request) -> Result<Answer, Problem> {
    let customer = request.customer()?;
    let fits = |cursor: &str| cursor.len() <= CURSOR_LEN_MAX && is_page_start(cursor);
    let cursor = request.cursor(|cursor| fits(cursor).then(|| cursor.to_owned()))?;
    let page = deps.store.bookings_of(customer, cursor.as_deref()).await?;
    let bookings = page.bookings.iter().map(|one| BookingView::listed(one, deps.view()));
    let view = BookingsView { bookings: bookings.collect(), next_cursor: page.next };
    json(StatusCode::OK, &view)
}

async fn get(deps: &Deps, request: &Request, id: &BookingId) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    if request.headers.contains_key(header::IF_NONE_MATCH) {
        let booking = deps.store.booking(id).await?.ok_or(Problem::NotFound)?;
        check_owner(&booking, claimant)?;
        let tag = etag(&booking, deps.now());
        if request.knows(&tag) {
            return Ok(with_header(empty(StatusCode::NOT_MODIFIED), header::ETAG, &tag));
        }
    }
    whole(deps, id, claimant).await
}

/// The booking's product, for whoever sees the booking.
async fn product(deps: &Deps, request: &Request, id: &BookingId) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    let want = Want { booking_id: id, product: true, order: WantOrder::Live };
    let loaded = deps.store.load(want).await?.ok_or(Problem::NotFound)?;
    check_owner(&loaded.booking, claimant)?;
    json(StatusCode::OK, &ProductView::of(&loaded.product.ok_or(Problem::NotFound)?))
}

async fn cancel(deps: &Deps, request: &Request, id: &BookingId) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    let want = |_| Want { booking_id: id, product: false, order: WantOrder::Live };
    apply(deps, want, |loaded| {
        check_owner(&loaded.booking, claimant)?;
        match cancel_booking(&loaded.booking, deps.env()) {
            Ok(Cancelling::Cancelled(change)) => Ok(Step::Commit(change, ())),
            Ok(Cancelling::Again) => Ok(Step::Done(())),
            Err(rejection) => Err(refuse(deps, &loaded.booking, rejection)),
        }
    })
    .await?;
    whole(deps, id, claimant).await
}

async fn drop_order(
    deps: &Deps,
    request: &Request,
    booking_id: &BookingId,
    order_id: &OrderId,
) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    let want = |_| Want { booking_id, product: false, order: WantOrder::ById(order_id) };
    let (booking, order) = apply(deps, want, |loaded| {
        check_owner(&loaded.booking, claimant)?;
        let ended = loaded.ended.as_ref();
        match cancel_order(&loaded.booking, order_id, ended, deps.env()) {
            Ok(Cancelling::Cancelled(change)) => {
                let order = change.order(order_id).cloned();
                let booking = change.booking.clone();
                Ok(Step::Commit(change, (booking, order)))
            }
            Ok(Cancelling::Again) => Ok(Step::Done((loaded.booking.clone(), ended.cloned()))),
            Err(rejection) => Err(refuse(deps, &loaded.booking, rejection)),
        }
    })
    .await?;
    let order: Order = order.ok_or(Problem::NotFound)?;
    json(StatusCode::OK, &OrderView::of(&booking, &order, deps.view()))
}
