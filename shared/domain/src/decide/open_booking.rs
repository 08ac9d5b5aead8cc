//! Opening a booking.

use crate::booking::{Booking, BookingStatus, Pins};
use crate::decide::{Env, Rejection};
use crate::product::Product;

/// A new booking of `product`, named by the customer and the request's `Idempotency-Key`.
///
/// # Errors
/// [`Rejection::BookingNotPayable`] if the product is retired.
pub fn open_booking(
    product: &Product,
    customer_id: &str,
    idempotency_key: &str,
    env: Env<'_>,
) -> Result<Booking, Rejection> {
    if product.is_retired() {
        return Err(Rejection::BookingNotPayable);
    }
    let tag = env.ids.product_tag(&product.product_id);
    Ok(Booking {
        booking_id: env.ids.booking(customer_id, idempotency_key, &tag),
        customer_id: customer_id.to_owned(),
        product_id: product.product_id.clone(),
        status: BookingStatus::PendingPayment,
        version: 1,
        pins: Pins::of(product),
        created_at: env.now,
        term: None,
        quantity_paid: 0,
        renewals: 0,
        orders_made: 0,
        live_order: None,
    })
}

/// What a stored booking means for a request that derives the same id.
///
/// # Errors
/// [`Rejection::IdempotencyMismatch`] if it is of another product.
pub fn repeat_booking(stored: Booking, product_id: &str) -> Result<Booking, Rejection> {
    if stored.product_id == product_id { Ok(stored) } else { Err(Rejection::IdempotencyMismatch) }
}
