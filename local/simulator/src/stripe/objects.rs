//! The objects as replies and events show them, and how Stripe names them.

use serde_json::{Value, json};

use super::book::{Charge, Decline, Dispute, DisputeStatus, Intent, IntentStatus, Session};
use super::currency;
use super::form::Form;
use super::refusal::Refusal;
use crate::ledger::{Ledger, Payment, Refund, RefundOutcome};
use crate::random::Random;

/// Letters and digits before the running number of a session's id.
const SESSION_RANDOM_LEN: usize = 46;

/// Letters and digits before the running number of the other ids.
const RANDOM_LEN: usize = 13;

/// What a reply shows in place of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expansion(Vec<String>);

impl Expansion {
    /// Reads `expand[]`; only these properties can be expanded.
    ///
    /// <https://docs.stripe.com/api/expanding_objects> (read 2026-11-24).
    pub(super) fn take(form: &mut Form, known: &[&str]) -> Result<Self, Refusal> {
        let asked = form.texts("expand")?;
        match asked.iter().find(|path| !known.contains(&path.as_str())) {
            Some(path) => {
                let message = format!("This property cannot be expanded ({path}).");
                Err(Refusal::invalid(message).param("expand"))
            }
            None => Ok(Self(asked)),
        }
    }

    pub(super) fn has(&self, property: &str) -> bool {
        let below = |path: &String| {
            path.strip_prefix(property).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.0.iter().any(below)
    }

    /// What is to be expanded below a property.
    pub(super) fn below(&self, property: &str) -> Self {
        let below = self
            .0
            .iter()
            .filter_map(|path| path.strip_prefix(property)?.strip_prefix('.').map(str::to_owned));
        Self(below.collect())
    }
}

/// An id of 66 characters; the running number keeps it unique.
pub(super) fn session_id(number: u64, random: &mut Random) -> String {
    format!("cs_test_a1{}{number:010x}", random.alphanumerics(SESSION_RANDOM_LEN))
}

/// The id of a PaymentIntent, which is also the transaction.
pub(crate) fn intent_id(number: u64, random: &mut Random) -> String {
    id("pi_3", number, random)
}

/// An id of any other object; the running number keeps it unique.
pub(super) fn id(prefix: &str, number: u64, random: &mut Random) -> String {
    format!("{prefix}{}{number:010x}", random.alphanumerics(RANDOM_LEN))
}

/// A Checkout Session; the PaymentIntent is the one that it shows, once there is any.
///
/// <https://docs.stripe.com/api/checkout/sessions/object> (read 2026-11-24).
pub(super) fn session(session: &Session, intent: Option<&Intent>) -> Value {
    let amount = intent.map_or(&session.amount, |intent| &intent.amount);
    let paid = intent.is_some_and(|intent| intent.charge.is_some());
    json!({
        "id": session.id,
        "object": "checkout.session",
        "amount_subtotal": amount.amount,
        "amount_total": amount.amount,
        "automatic_tax": { "enabled": false, "liability": null, "status": null },
        "cancel_url": session.cancel_url,
        "client_reference_id": session.client_reference_id,
        "created": session.created_at.as_second(),
        "currency": currency::wire(&amount.currency),
        "customer": null,
        "customer_email": null,
        "expires_at": session.expires_at.as_second(),
        "livemode": false,
        "locale": null,
        "metadata": session.metadata,
        "mode": "payment",
        "payment_intent": intent.map(|intent| &intent.id),
        "payment_method_collection": "if_required",
        "payment_method_types": session.payment_method_types,
        "payment_status": if paid { "paid" } else { "unpaid" },
        "recovered_from": null,
        "setup_intent": null,
        "status": session_status(session),
        "submit_type": null,
        "subscription": null,
        "success_url": session.success_url,
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted",
        "url": session.is_open().then_some(&session.url),
    })
}

pub(super) fn session_status(session: &Session) -> &'static str {
    match (session.intents.is_empty(), session.expired) {
        (false, _) => "complete",
        (true, Some(_)) => "expired",
        (true, None) => "open",
    }
}

/// A PaymentIntent.
///
/// <https://docs.stripe.com/api/payment_intents/object> (read 2026-11-24).
pub(super) fn intent(intent: &Intent) -> Value {
    let received = intent.charge.as_ref().map_or(0, |charge| charge.amount.amount);
    let canceled = intent.canceled.as_ref().filter(|_| intent.status == IntentStatus::Canceled);
    json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount.amount,
        "amount_capturable": 0,
        "amount_received": received,
        "automatic_payment_methods": null,
        "canceled_at": canceled.map(|canceled| canceled.at.as_second()),
        "cancellation_reason": canceled.and_then(|canceled| canceled.reason.as_ref()),
        "capture_method": "automatic",
        "client_secret": format!("{}_secret_simulated", intent.id),
        "confirmation_method": "automatic",
        "created": intent.created_at.as_second(),
        "currency": currency::wire(&intent.amount.currency),
        "customer": null,
        "description": intent.description,
        "last_payment_error": intent.declined.map(last_payment_error),
        "latest_charge": intent.charge.as_ref().map(|charge| &charge.id),
        "livemode": false,
        "metadata": intent.metadata,
        "next_action": next_action(intent),
        "payment_method_options": {},
        "payment_method_types": intent.payment_method_types,
        "processing": null,
        "receipt_email": null,
        "status": intent_status(intent.status),
    })
}

/// Why the last try came to nothing.
///
/// <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/error-codes> (read 2026-11-25).
fn last_payment_error(decline: Decline) -> Value {
    match decline {
        Decline::Card => json!({
            "code": "card_declined",
            "decline_code": "generic_decline",
            "message": "Your card was declined.",
            "type": "card_error",
        }),
        Decline::Wallet => json!({
            "code": "payment_intent_payment_attempt_failed",
            "message": "The payment failed.",
            "type": "invalid_request_error",
        }),
    }
}

pub(super) fn intent_status(status: IntentStatus) -> &'static str {
    match status {
        IntentStatus::RequiresPaymentMethod => "requires_payment_method",
        IntentStatus::RequiresConfirmation => "requires_confirmation",
        IntentStatus::RequiresAction => "requires_action",
        IntentStatus::Processing => "processing",
        IntentStatus::Succeeded => "succeeded",
        IntentStatus::Canceled => "canceled",
    }
}

/// <https://docs.stripe.com/payments/wechat-pay/accept-a-payment> (read 2026-11-24).
fn next_action(intent: &Intent) -> Value {
    let waiting = intent.status == IntentStatus::RequiresAction;
    let Some(code) = intent.code.as_ref().filter(|_| waiting) else {
        return Value::Null;
    };
    let image = |kind: &str| format!("https://qr.stripe.com/{}.{kind}", intent.id);
    json!({
        "type": "wechat_pay_display_qr_code",
        "wechat_pay_display_qr_code": {
            "data": code,
            "hosted_instructions_url":
                format!("https://payments.stripe.com/wechat_pay/instructions/{}", intent.id),
            "image_data_url": format!("data:text/plain,{code}"),
            "image_url_png": image("png"),
            "image_url_svg": image("svg"),
        },
    })
}

/// A charge, of which so much is on its way back or gone.
///
/// <https://docs.stripe.com/api/charges/object> (read 2026-11-24).
pub(super) fn charge(intent: &Intent, charge: &Charge, refunded: i64) -> Value {
    let dispute = charge.dispute.as_ref();
    json!({
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount.amount,
        "amount_captured": charge.amount.amount,
        "amount_refunded": refunded,
        "captured": true,
        "created": charge.paid_at.as_second(),
        "currency": currency::wire(&charge.amount.currency),
        "customer": null,
        "description": intent.description,
        "disputed": dispute.is_some(),
        "failure_code": null,
        "failure_message": null,
        "livemode": false,
        "metadata": intent.metadata,
        "paid": true,
        "payment_intent": intent.id,
        "refunded": refunded >= charge.amount.amount,
        "status": "succeeded",
    })
}

/// A refund of a charge.
///
/// <https://docs.stripe.com/api/refunds/object> (read 2026-11-24).
pub(super) fn refund(refund: &Refund, charge_id: &str) -> Value {
    let status = refund_status(refund);
    let mut object = json!({
        "id": refund.refund_id,
        "object": "refund",
        "amount": refund.amount.amount,
        "balance_transaction": null,
        "charge": charge_id,
        "created": refund.created_at.as_second(),
        "currency": currency::wire(&refund.amount.currency),
        "metadata": refund.request.get("metadata").unwrap_or(&json!({})),
        "payment_intent": refund.transaction_id,
        "reason": refund.request.get("reason").unwrap_or(&Value::Null),
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": status,
        "transfer_reversal": null,
    });
    let further = match status {
        "pending" => Some(("pending_reason", Value::from("processing"))),
        "failed" => Some(("failure_reason", Value::from("unknown"))),
        _ => None,
    };
    if let Some(object) = object.as_object_mut() {
        object.extend(further.map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

pub(super) fn refund_status(refund: &Refund) -> &'static str {
    match refund.settled.as_ref().map(|settled| settled.outcome) {
        None => "pending",
        Some(RefundOutcome::Success | RefundOutcome::FailedLater) => "succeeded",
        Some(RefundOutcome::Abnormal | RefundOutcome::Closed) => "failed",
    }
}

/// A dispute about a charge.
///
/// <https://docs.stripe.com/api/disputes/object> (read 2026-11-24).
pub(super) fn dispute(intent: &Intent, charge: &Charge, dispute: &Dispute) -> Value {
    let status = match dispute.status {
        DisputeStatus::NeedsResponse => "needs_response",
        DisputeStatus::Won => "won",
        DisputeStatus::Lost => "lost",
    };
    json!({
        "id": dispute.id,
        "object": "dispute",
        "amount": charge.amount.amount,
        "charge": charge.id,
        "created": dispute.created_at.as_second(),
        "currency": currency::wire(&charge.amount.currency),
        "is_charge_refundable": false,
        "livemode": false,
        "metadata": {},
        "payment_intent": intent.id,
        "reason": dispute.reason,
        "status": status,
    })
}

/// What of a transaction is on its way back or gone, in minor units.
pub(super) fn refunded(payment: Option<&Payment>, transaction_id: &str) -> i64 {
    let refunds = payment.into_iter().flat_map(|payment| payment.refunds_of(transaction_id));
    let counting = refunds.filter(|refund| refund.counts());
    counting.fold(0, |sum: i64, refund| sum.saturating_add(refund.amount.amount))
}

/// A session with what is to be expanded in it.
pub(super) fn expanded_session(ledger: &Ledger, it: &Session, expansion: &Expansion) -> Value {
    let shown = it.shown_intent().and_then(|id| ledger.stripe().intent(id));
    let mut object = session(it, shown);
    if let Some(shown) = shown.filter(|_| expansion.has("payment_intent")) {
        let below = expansion.below("payment_intent");
        set(&mut object, "payment_intent", expanded_intent(ledger, shown, &below));
    }
    object
}

/// A PaymentIntent with what is to be expanded in it.
pub(super) fn expanded_intent(ledger: &Ledger, it: &Intent, expansion: &Expansion) -> Value {
    let mut object = intent(it);
    if let Some(captured) = it.charge.as_ref().filter(|_| expansion.has("latest_charge")) {
        set(&mut object, "latest_charge", known_charge(ledger, it, captured));
    }
    object
}

/// A refund with what is to be expanded in it.
pub(super) fn expanded_refund(ledger: &Ledger, it: &Refund, expansion: &Expansion) -> Value {
    let owner = ledger.stripe().intent(&it.transaction_id);
    let Some((owner, captured)) = owner.and_then(|owner| Some((owner, owner.charge.as_ref()?)))
    else {
        return refund(it, "");
    };
    let mut object = refund(it, &captured.id);
    if expansion.has("payment_intent") {
        let below = expansion.below("payment_intent");
        set(&mut object, "payment_intent", expanded_intent(ledger, owner, &below));
    }
    if expansion.has("charge") {
        set(&mut object, "charge", known_charge(ledger, owner, captured));
    }
    object
}

/// A charge as it is now.
pub(super) fn known_charge(ledger: &Ledger, owner: &Intent, captured: &Charge) -> Value {
    charge(owner, captured, refunded(ledger.payment(&owner.payment), &owner.id))
}

/// Puts a property in, or another value in its place.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}
