//! Every decision of the domain, and the rules that hold whatever is decided in whatever order.

#![expect(clippy::arithmetic_side_effects, reason = "in a test, an overflow is a failure")]

#[cfg(test)]
mod cancel;
#[cfg(test)]
mod change;
#[cfg(test)]
mod close_payment;
#[cfg(test)]
mod event;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod generate_payment;
#[cfg(test)]
mod make_order;
#[cfg(test)]
mod open_booking;
#[cfg(test)]
mod quote;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod record_payment;
#[cfg(test)]
mod record_payment_table;
#[cfg(test)]
mod record_refund;
#[cfg(test)]
mod release;
#[cfg(test)]
mod small_world;
#[cfg(test)]
mod start_payment;
#[cfg(test)]
mod support;
#[cfg(test)]
mod timeline;
