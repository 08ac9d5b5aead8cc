//! The Stripe adapter, through the `Gateway` trait only.

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod bill;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod vectors;
