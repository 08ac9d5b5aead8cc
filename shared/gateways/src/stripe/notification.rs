//! Reading notifications whose signature has been checked.

use serde::de::DeserializeOwned;

use super::wire::{
    Changed, Dispute, Expandable, Intent, Notification, NotificationKind, Refund, Session, capture,
};
use super::{QR_CODE, Stripe, reply};
use crate::text::id;
use crate::{Distrust, Event, NamedPayment};

impl Stripe {
    /// What a verified notification tells. Events that are not about our work tell nothing; nor do
    /// "thin" ones (`v2.core.event`), which only name what changed. A snapshot is of the moment
    /// that it tells of, so `created` is when that happened, however late it arrives.
    pub(super) fn events(&self, body: &[u8]) -> Result<Vec<Event>, Distrust> {
        let kind: NotificationKind = read(body)?;
        if kind.object != "event" {
            return Ok(Vec::new());
        }
        match kind.livemode {
            Some(is_live) if is_live == self.is_live => {}
            Some(_) => return Err(Distrust::WrongMerchant),
            None => return Err(Distrust::Unreadable),
        }
        match kind.event_type.ok_or(Distrust::Unreadable)?.as_str() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
                session_paid(read(body)?)
            }
            "payment_intent.succeeded" => intent_paid(read(body)?),
            // `charge.refunded` adds nothing: its charge does not say which refund it tells of.
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
                refunded(read(body)?)
            }
            "charge.dispute.created" | "charge.dispute.closed" => disputed(read(body)?),
            _ => Ok(Vec::new()),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Distrust> {
    serde_json::from_slice(body).map_err(|_| Distrust::Unreadable)
}

/// What is told of an object that carries our own words must be readable; others sell and refund
/// at the same account, in ways that we do not know.
fn told(event: Option<Event>, words: Option<&str>) -> Result<Vec<Event>, Distrust> {
    match (event, words) {
        (Some(event), _) => Ok(vec![event]),
        (None, Some(_)) => Err(Distrust::Unreadable),
        (None, None) => Ok(Vec::new()),
    }
}

/// A session is completed too when the money is still on its way (`unpaid`), or when there was
/// none to pay (`no_payment_required`). A session tells no time of payment of its own.
fn session_paid(notification: Notification<Session>) -> Result<Vec<Event>, Distrust> {
    let Notification { created, data: Changed { object: session } } = notification;
    let is_one_payment = session.mode.as_deref() == Some("payment");
    if !is_one_payment || session.payment_status.as_deref() != Some("paid") {
        return Ok(Vec::new());
    }
    let event = || {
        Some(Event::Paid {
            payment_id: session.client_reference_id.clone()?,
            echo: session.metadata.echo().map(str::to_owned),
            gateway_ref: Some(id(&session.id)?),
            capture: capture(
                session.payment_intent.as_ref().map(Expandable::id)?,
                session.charged()?,
                created,
            )?,
        })
    };
    told(event(), session.metadata.echo())
}

fn intent_paid(notification: Notification<Intent>) -> Result<Vec<Event>, Distrust> {
    let Notification { created, data: Changed { object: intent } } = notification;
    if intent.status != "succeeded" {
        return Err(Distrust::Unreadable);
    }
    let has_own_code = intent.metadata.code.as_deref() == Some(QR_CODE);
    let event = || {
        Some(Event::Paid {
            payment_id: intent.metadata.payment_id.clone()?,
            echo: intent.metadata.echo().map(str::to_owned),
            gateway_ref: has_own_code.then(|| intent.id.clone()),
            capture: capture(&intent.id, intent.received()?, created)?,
        })
    };
    told(event(), intent.metadata.echo())
}

/// A refund of ours is named by our number; anybody else's by Stripe's. Refunds of charges without
/// a PaymentIntent are of payments that we never made.
fn refunded(notification: Notification<Refund>) -> Result<Vec<Event>, Distrust> {
    let refund = notification.data.object;
    let ours = refund.metadata.refund_number.clone().zip(refund.metadata.payment_id.clone());
    let (number, payment_id) = match ours {
        Some((number, payment_id)) => (number, Some(payment_id)),
        None => (refund.id.clone(), None),
    };
    let event = || {
        let transaction_id = refund.payment_intent.clone()?;
        Some(Event::Refund {
            amount: refund.amount()?,
            outcome: reply::refund_state(&refund, 0),
            payment: NamedPayment { transaction_id, payment_id, echo: None },
            number: id(&number)?,
        })
    };
    told(event(), refund.metadata.refund_number.as_deref())
}

/// A dispute names its payment by the PaymentIntent alone.
fn disputed(notification: Notification<Dispute>) -> Result<Vec<Event>, Distrust> {
    let dispute = notification.data.object;
    let Some(transaction_id) = dispute.payment_intent.clone() else {
        return Ok(Vec::new());
    };
    Ok(vec![Event::Dispute {
        amount: dispute.amount().ok_or(Distrust::Unreadable)?,
        payment: NamedPayment { transaction_id, payment_id: None, echo: None },
        number: id(&dispute.id).ok_or(Distrust::Unreadable)?,
    }])
}
