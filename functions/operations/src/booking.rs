//! A booking with all that is stored of it.

use api::problem::Problem;
use api::request::{Request, SCOPE_ATTENTION_WRITE};
use api::respond::{Answer, json};
use api::view::{AttentionView, AuditView, ProductView};
use domain::booking::{Booking, Order};
use domain::ids::{BookingId, BookingReference, ProductTag};
use domain::product::Product;
use domain::timeline::{Stored, timeline};
use futures_util::future::{try_join, try_join5};
use http::StatusCode;
use runtime::deps::Deps;
use runtime::telemetry::know_booking;
use store::error::StoreError;

use crate::view::{BookingView, InspectedView, OrderView, TaskView, UnmatchedView};

/// Answers a booking, whoever's it is, with a page of its orders.
///
/// The items are not read at one moment: what is written meanwhile may be seen in one place and not
/// yet in another.
pub(crate) async fn inspect(
    deps: &Deps,
    request: &Request,
    reference: &BookingReference,
) -> Result<Answer, Problem> {
    request.require_scope(SCOPE_ATTENTION_WRITE)?;
    let cursor = request.cursor(|text| text.parse().ok())?;
    let (id, found_at) = find(deps, reference).await?;
    know_booking(&id);
    let (read, unmatched, tasks, attention, audits) = try_join5(
        deps.store.booking_with_orders(&id),
        deps.store.unmatched_of(id.key()),
        deps.store.tasks_of(&id),
        deps.store.attention_of(&id),
        deps.store.audits_of(&id),
    )
    .await?;
    let unmatched: Vec<_> = unmatched.into_iter().filter(|one| one.booking_id == id).collect();
    // Unmatched money may wait on a booking that is not stored.
    if read.is_none() && unmatched.is_empty() && attention.is_empty() && audits.is_empty() {
        return Err(Problem::NotFound);
    }
    let (booking, newest) = read.map(newest_orders).unzip();
    let newest = newest.unwrap_or_default();
    let from = cursor.or_else(|| found_at.and_then(|seq| page_with(seq, &newest)));
    let tag = id.product_tag();
    let (product, orders) =
        try_join(product_of(deps, booking.as_ref(), &tag), page(deps, &id, from, newest)).await?;
    let stored = Stored {
        booking: booking.as_ref(),
        orders: &orders,
        unmatched: &unmatched,
        attention: &attention,
        audits: &audits,
    };
    let timeline = timeline(stored);
    let view = InspectedView {
        booking_id: &id,
        booking: booking.as_ref().map(|booking| BookingView::of(booking, deps.now())),
        product: product.as_ref().map(ProductView::of),
        orders: orders.iter().map(OrderView::of).collect(),
        next_cursor: next_page(&orders),
        unmatched: unmatched.iter().map(UnmatchedView::of).collect(),
        tasks: tasks.iter().map(TaskView::of).collect(),
        attention: attention.iter().map(AttentionView::from).collect(),
        audit: audits.iter().map(AuditView::from).collect(),
        timeline,
    };
    json(StatusCode::OK, &view)
}

/// The booking that a reference names, and the position of the order that it names.
async fn find(
    deps: &Deps,
    reference: &BookingReference,
) -> Result<(BookingId, Option<u32>), Problem> {
    match reference {
        BookingReference::Id(booking_id) => Ok((booking_id.clone(), None)),
        BookingReference::Echo(text) => {
            let echo = deps.ids.open_echo(text).ok_or(Problem::NotFound)?;
            Ok((echo.booking_id, Some(echo.order_seq)))
        }
        BookingReference::Refund(number) => {
            let key = &number.booking_key;
            if let Some(booking) = deps.store.booking_by_key(key).await? {
                return Ok((booking.booking_id, Some(number.order_seq)));
            }
            let unmatched = deps.store.unmatched_of(key).await?.into_iter().next();
            Ok((unmatched.ok_or(Problem::NotFound)?.booking_id, None))
        }
    }
}

/// The live order and the newest ended ones, newest first.
fn newest_orders((booking, ended): (Booking, Vec<Order>)) -> (Booking, Vec<Order>) {
    let orders = booking.live_order.iter().cloned().chain(ended).collect();
    (booking, orders)
}

/// Where the page with an order starts, unless that is among the newest ones: at the order after
/// it, which says when it was superseded.
fn page_with(order_seq: u32, newest: &[Order]) -> Option<u32> {
    let oldest = newest.last()?;
    (order_seq < oldest.seq).then(|| order_seq.saturating_add(1))
}

async fn page(
    deps: &Deps,
    booking_id: &BookingId,
    from: Option<u32>,
    newest: Vec<Order>,
) -> Result<Vec<Order>, StoreError> {
    match from {
        Some(order_seq) => deps.store.orders_from(booking_id, order_seq).await,
        None => Ok(newest),
    }
}

/// Where the next page starts: at the last order of this one, so that the next page's first orders
/// stand beside what superseded them.
fn next_page(orders: &[Order]) -> Option<String> {
    let oldest = orders.last()?;
    (oldest.seq > 0).then(|| oldest.seq.to_string())
}

async fn product_of(
    deps: &Deps,
    booking: Option<&Booking>,
    tag: &ProductTag,
) -> Result<Option<Product>, StoreError> {
    match booking {
        Some(booking) => deps.store.product(&booking.product_id, tag).await,
        None => Ok(None),
    }
}
