//! What a bill has and the record has not: looked at again under the version, and flagged if ours.

use api::problem::Problem;
use domain::attention::Attention;
use domain::booking::Booking;
use domain::decide::flag::{Flagging, RowOf, flag, raise};
use domain::gateway::GatewayName;
use domain::ids::PaymentId;
use domain::reconcile::{Found, Open, Place};
use runtime::apply::{TRIES_MAX, back_off, commit_once};
use runtime::deps::Deps;
use runtime::news::{PaymentAddress, count_raised, ours};
use store::error::CommitError;
use store::load::{Want, WantOrder};

/// What became of an open row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flagged {
    /// Not ours: the merchant sells other things.
    Foreign,
    /// Recorded since it was compared.
    Explained,
    /// A person is asked from now on.
    Raised,
    /// A person was asked before, and may have answered.
    Before,
}

/// Flags an open row, once, if it is of a payment of ours.
///
/// # Errors
/// [`Problem`] of the store; [`Problem::VersionConflict`] when every race was lost.
pub(crate) async fn settle(
    deps: &Deps,
    gateway: &GatewayName,
    open: &Open,
) -> Result<Flagged, Problem> {
    let Some(at) = address(deps, gateway, open).await? else {
        return Ok(Flagged::Foreign);
    };
    for tries in 0..TRIES_MAX {
        back_off(deps, tries).await;
        if let Some(flagged) = settle_once(deps, &at, open).await? {
            return Ok(flagged);
        }
    }
    Err(Problem::VersionConflict)
}

/// Where the row's payment is: as its echo proves, or as it was found stored.
async fn address(
    deps: &Deps,
    gateway: &GatewayName,
    open: &Open,
) -> Result<Option<PaymentAddress>, Problem> {
    let row = &open.row;
    if let Some(at) = ours(deps, gateway, &row.payment_id, row.echo.as_deref()) {
        return Ok(Some(at));
    }
    let (Found::PaymentOnly(place) | Found::Differs { place: Some(place), .. }) = &open.found
    else {
        return Ok(None);
    };
    let Some(booking) = deps.store.booking_by_key(&place.booking_key).await? else {
        return Ok(None);
    };
    Ok(stored_at(&booking, place, gateway, &row.payment_id))
}

fn stored_at(
    booking: &Booking,
    place: &Place,
    gateway: &GatewayName,
    payment_id: &str,
) -> Option<PaymentAddress> {
    Some(PaymentAddress {
        booking_id: booking.booking_id.clone(),
        order_id: place.order_id.clone(),
        order_seq: place.order_seq,
        payment_id: PaymentId::parse(payment_id)?,
        gateway: gateway.clone(),
    })
}

/// One try; `None` if somebody else came first. What waits, and what was done about it, is read
/// behind the booking: whoever raises or releases it moves the booking's version.
async fn settle_once(
    deps: &Deps,
    at: &PaymentAddress,
    open: &Open,
) -> Result<Option<Flagged>, Problem> {
    let PaymentAddress { booking_id, order_id, order_seq, payment_id, .. } = at;
    let of = RowOf { booking_id, order_id, order_seq: *order_seq, payment_id, row: &open.row };
    let env = deps.env();
    let want = Want { booking_id, product: false, order: WantOrder::Ended(*order_seq) };
    let loaded = deps.store.load(want).await?;
    let transaction_id = open.row.transaction_id.as_str();
    let key = booking_id.key();
    let beside = deps.store.unmatched(key, payment_id.as_str(), transaction_id).await?;
    let booking = loaded.as_ref().map(|loaded| &loaded.booking);
    let order = loaded.as_ref().and_then(|loaded| loaded.order(order_id));
    let change = match flag(booking, order, beside.as_ref(), of, env) {
        Flagging::Explained => return Ok(Some(Flagged::Explained)),
        Flagging::Foreign(change) => change,
        Flagging::Raised(attention) => {
            let id = &attention.attention_id;
            let waits = deps.store.attention(booking_id, id).await?.is_some();
            if waits || !deps.store.audits_about(booking_id, id).await?.is_empty() {
                return Ok(Some(Flagged::Before));
            }
            match booking {
                Some(booking) => Box::new(raise(booking, *attention)),
                None => return raise_unbooked(deps, &attention).await,
            }
        }
    };
    count_raised(&change.raised);
    Ok(commit_once(deps, &change).await?.then_some(Flagged::Raised))
}

/// Raises it where no booking is stored; `None` if somebody else did.
async fn raise_unbooked(deps: &Deps, attention: &Attention) -> Result<Option<Flagged>, Problem> {
    count_raised(std::slice::from_ref(attention));
    match deps.store.raise_unbooked(attention, &deps.request_token()).await {
        Ok(()) => Ok(Some(Flagged::Raised)),
        Err(CommitError::Conflict) => Ok(None),
        Err(error @ (CommitError::NotApplied(_) | CommitError::Unknown(_))) => Err(error.into()),
    }
}
