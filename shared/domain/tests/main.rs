//! Tmp.
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod change;
#[cfg(test)]
mod close_payment;
#[cfg(test)]
mod generate_payment;
#[cfg(test)]
mod make_order;
#[cfg(test)]
mod open_booking;
#[cfg(test)]
mod quote;
#[cfg(test)]
mod record_payment;
#[cfg(test)]
mod record_payment_table;
#[cfg(test)]
mod start_payment;
#[cfg(test)]
mod support;
