//! Tmp.
#[cfg(test)]
mod record_payment_table;
#[cfg(test)]
mod support;
