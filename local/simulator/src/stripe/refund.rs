//! Refunds of captured charges: pending at first, settled later.

use serde_json::{Value, json};

use super::book::{Change, Charge, DisputeStatus, Intent, Metadata, refund_key};
use super::currency;
use super::execution::{Execution, Told};
use super::form::Form;
use super::list::{Created, Page};
use super::objects::{self, Expansion};
use super::refusal::Refusal;
use crate::delivery::Job;
use crate::error::JournalError;
use crate::ledger::{
    Deliveries, Event, Ledger, Money, Refund, RefundKey, RefundOutcome, Settled, Subject,
};
use crate::state::Shared;

const EXPANDABLE: [&str; 3] = ["charge", "payment_intent", "payment_intent.latest_charge"];
const EXPANDABLE_IN_LIST: [&str; 2] = ["data.charge", "data.payment_intent"];

const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

/// How long after its payment WeChat Pay gives money back, in seconds.
///
/// <https://docs.stripe.com/payments/wechat-pay> (read 2026-11-24).
const WECHAT_PAY_REFUNDABLE_S: i64 = 180 * 24 * 60 * 60;

/// A checked request to give money back.
///
/// <https://docs.stripe.com/api/refunds/create> (read 2026-11-24).
pub(super) struct NewRefund {
    pub(super) payment_intent: Option<String>,
    pub(super) charge: Option<String>,
    /// In minor units; all that is left unless given.
    pub(super) amount: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) expansion: Expansion,
}

/// What a list of refunds is asked for.
///
/// <https://docs.stripe.com/api/refunds/list> (read 2026-11-24).
pub(super) struct ListRefunds {
    payment_intent: Option<String>,
    charge: Option<String>,
    created: Created,
    page: Page,
    expansion: Expansion,
}

impl NewRefund {
    pub(super) fn read(mut form: Form) -> Result<Self, Refusal> {
        let request = Self {
            payment_intent: form.text("payment_intent")?,
            charge: form.text("charge")?,
            amount: form.positive("amount")?,
            reason: form.choice("reason", &REASONS)?,
            metadata: form.metadata()?,
            expansion: Expansion::take(&mut form, &EXPANDABLE)?,
        };
        form.finish()?;
        if request.payment_intent.is_none() && request.charge.is_none() {
            let message = "One of the following params should be provided for this request: \
                           payment_intent or charge.";
            return Err(Refusal::invalid(message).code("parameter_missing"));
        }
        Ok(request)
    }
}

/// Accepts a refund, and shows it.
pub(super) fn create(execution: &mut Execution<'_>, request: NewRefund) -> Result<Value, Refusal> {
    let expansion = request.expansion.clone();
    let refund = accept(execution, request)?;
    Ok(objects::expanded_refund(&execution.state.ledger, &refund, &expansion))
}

/// Accepts a refund of what is left of a charge.
pub(super) fn accept(execution: &mut Execution<'_>, request: NewRefund) -> Result<Refund, Refusal> {
    let (intent, charge) = captured(&execution.state.ledger, &request)?;
    check_method(&intent, &charge, execution.now.as_second())?;
    let payment = execution.state.ledger.payment(&intent.payment);
    let before = objects::refunded(payment, &intent.id);
    let amount = refundable(&charge, before, request.amount)?;
    let refund = refund(execution, request, &intent, amount)?;
    let subject = Subject::Refund(refund.refund_no.clone());
    let now = execution.now;
    let after = before.saturating_add(refund.amount.amount);
    let told = vec![
        Told::new("refund.created", now, objects::refund(&refund, &charge.id)),
        Told {
            previous: Some(json!({ "amount_refunded": before, "refunded": false })),
            ..Told::new("charge.refunded", now, objects::charge(&intent, &charge, after))
        },
    ];
    let payment = intent.payment.clone();
    execution.keep(Event::RefundAccepted { payment: payment.clone(), refund: refund.clone() });
    let key = refund_key(&refund.refund_no);
    execution.change(Change::Refund { refund_id: refund.refund_id.clone(), key: key.clone() });
    execution.tell(&payment, &subject, told);
    execution.settle_later(key);
    Ok(refund)
}

/// One refund.
///
/// <https://docs.stripe.com/api/refunds/retrieve> (read 2026-11-24).
pub(super) fn retrieve(ledger: &Ledger, id: &str, mut form: Form) -> Result<Value, Refusal> {
    let expansion = Expansion::take(&mut form, &EXPANDABLE)?;
    form.finish()?;
    let refund = ledger.stripe().refund_key(id).and_then(|key| by_key(ledger, key));
    let refund = refund.ok_or_else(|| Refusal::no_such("refund", id, "id"))?;
    Ok(objects::expanded_refund(ledger, refund, &expansion))
}

impl ListRefunds {
    pub(super) fn read(mut form: Form) -> Result<Self, Refusal> {
        let request = Self {
            payment_intent: form.text("payment_intent")?,
            charge: form.text("charge")?,
            created: Created::take(&mut form)?,
            page: Page::take(&mut form)?,
            expansion: Expansion::take(&mut form, &EXPANDABLE_IN_LIST)?.below("data"),
        };
        form.finish()?;
        Ok(request)
    }

    /// The refunds, the newest first.
    pub(super) fn answer(&self, ledger: &Ledger) -> Result<Value, Refusal> {
        let mut found = self.found(ledger)?;
        found.retain(|refund| self.created.holds(refund.created_at));
        found.sort_by_key(|refund| std::cmp::Reverse(refund.number));
        let shown = found
            .into_iter()
            .map(|refund| objects::expanded_refund(ledger, refund, &self.expansion));
        self.page.cut("/v1/refunds", "refund", shown.collect())
    }

    fn found<'a>(&self, ledger: &'a Ledger) -> Result<Vec<&'a Refund>, Refusal> {
        let Some(intent) = named(ledger, self.payment_intent.as_ref(), self.charge.as_ref())?
        else {
            let keys = ledger.stripe().refund_keys();
            return Ok(keys.filter_map(|key| by_key(ledger, key)).collect());
        };
        let payment = ledger.payment(&intent.payment);
        let refunds = payment.into_iter().flat_map(|payment| payment.refunds_of(&intent.id));
        Ok(refunds.collect())
    }
}

/// Brings a refund to its next end, and says so.
pub(crate) fn settle(shared: &Shared, key: &RefundKey) -> Result<(), JournalError> {
    let mut state = shared.lock();
    let Some(refund) = by_key(&state.ledger, key).cloned() else {
        return Ok(());
    };
    let Some(outcome) = refund.next_end() else {
        return Ok(());
    };
    let mut execution = Execution::new(shared, &mut state);
    let settled = Settled { outcome, at: execution.now };
    execution.keep(Event::RefundSettled { refund: key.clone(), settled: settled.clone() });
    let after = Refund { settled: Some(settled), ..refund.clone() };
    tell_settled(&mut execution, &refund, &after);
    if after.next_end().is_some() {
        execution.settle_later(key.clone());
    }
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    Ok(())
}

fn tell_settled(execution: &mut Execution<'_>, before: &Refund, after: &Refund) {
    let owner = execution.state.ledger.stripe().intent(&after.transaction_id).cloned();
    let Some((owner, charge)) = owner.and_then(|it| it.charge.clone().map(|charge| (it, charge)))
    else {
        return;
    };
    let object = objects::refund(after, &charge.id);
    let told = |kind| {
        let status = objects::refund_status(before);
        Told::new(kind, execution.now, object.clone()).changed(status)
    };
    let mut all = vec![told("refund.updated")];
    if objects::refund_status(after) == "failed" {
        all.push(told("refund.failed"));
    }
    execution.tell(&owner.payment, &Subject::Refund(after.refund_no.clone()), all);
}

/// The refund under a key of the ledger.
pub(super) fn by_key<'a>(ledger: &'a Ledger, key: &RefundKey) -> Option<&'a Refund> {
    ledger.payment_by_refund(key)?.refund(&key.refund_no)
}

/// The PaymentIntent that one or both parameters name; none where neither is given.
fn named<'a>(
    ledger: &'a Ledger,
    payment_intent: Option<&String>,
    charge: Option<&String>,
) -> Result<Option<&'a Intent>, Refusal> {
    let by_id = |id: &String| {
        let intent = ledger.stripe().intent(id);
        intent.ok_or_else(|| Refusal::no_such_parameter("payment_intent", id, "payment_intent"))
    };
    let by_charge = |id: &String| {
        let intent = ledger.stripe().intent_by_charge(id);
        intent.ok_or_else(|| Refusal::no_such_parameter("charge", id, "charge"))
    };
    let of_charge = charge.map(by_charge).transpose()?;
    let of_intent = payment_intent.map(by_id).transpose()?;
    match (of_intent, of_charge) {
        (Some(one), Some(other)) if one.id != other.id => {
            Err(Refusal::invalid("The charge is not one of the payment_intent").param("charge"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

fn captured(ledger: &Ledger, request: &NewRefund) -> Result<(Intent, Charge), Refusal> {
    let intent = named(ledger, request.payment_intent.as_ref(), request.charge.as_ref())?;
    let intent = intent.ok_or_else(|| Refusal::missing("payment_intent"))?.clone();
    let Some(charge) = intent.charge.clone() else {
        let message = format!(
            "This PaymentIntent ({}) does not have a successful charge to refund.",
            intent.id
        );
        return Err(Refusal::invalid(message)
            .code("payment_intent_unexpected_state")
            .param("payment_intent"));
    };
    let lost = charge.dispute.as_ref().is_some_and(|it| it.status != DisputeStatus::Won);
    if lost {
        let message = format!("Charge {} has been charged back; cannot issue a refund.", charge.id);
        return Err(Refusal::invalid(message).code("charge_disputed"));
    }
    Ok((intent, charge))
}

fn check_method(intent: &Intent, charge: &Charge, now_s: i64) -> Result<(), Refusal> {
    let age_s = now_s.saturating_sub(charge.paid_at.as_second());
    if intent.code.is_some() && age_s > WECHAT_PAY_REFUNDABLE_S {
        return Err(Refusal::invalid("WeChat Pay refunds within 180 days of the payment only"));
    }
    Ok(())
}

/// What goes back: what is asked for, at most what is left.
fn refundable(charge: &Charge, before: i64, asked: Option<i64>) -> Result<Money, Refusal> {
    let left = charge.amount.amount.saturating_sub(before);
    if left <= 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(Refusal::invalid(message).code("charge_already_refunded"));
    }
    let amount = asked.unwrap_or(left);
    let currency = currency::wire(&charge.amount.currency);
    currency::check_step(amount, &currency, "amount")?;
    if amount > left {
        let (asked, left) = (currency::shown(amount, &currency), currency::shown(left, &currency));
        let message =
            format!("Refund amount ({asked}) is greater than unrefunded amount on charge ({left})");
        return Err(Refusal::invalid(message).param("amount"));
    }
    Ok(Money { amount, currency: charge.amount.currency.clone() })
}

fn refund(
    execution: &mut Execution<'_>,
    request: NewRefund,
    intent: &Intent,
    amount: Money,
) -> Result<Refund, Refusal> {
    let state = &mut *execution.state;
    let outcome = state.faults.refund_outcome;
    if outcome == RefundOutcome::Abnormal {
        let message = "Insufficient funds in your Stripe balance to refund this amount.";
        return Err(Refusal::invalid(message).code("balance_insufficient"));
    }
    let number = state.ledger.next_number();
    let refund_id = objects::id("re_3", number, &mut state.random);
    // A number that was used before does not stop a second refund here; the ledger knows it by id.
    let merchants = request.metadata.get("refund_number").cloned();
    let refund_no = merchants
        .filter(|refund_no| state.ledger.payment_by_refund(&refund_key(refund_no)).is_none())
        .unwrap_or_else(|| refund_id.clone());
    Ok(Refund {
        number,
        refund_no,
        refund_id,
        transaction_id: intent.id.clone(),
        request: json!({ "metadata": request.metadata, "reason": request.reason }),
        amount,
        notify_url: None,
        created_at: execution.now,
        outcome,
        settled: None,
        notifications: Deliveries::default(),
    })
}

impl Execution<'_> {
    /// Brings a refund to its next end after the time that the plan gives it.
    fn settle_later(&mut self, refund: RefundKey) {
        let wait = self.state.faults.refund_delay(self.settling);
        self.start(Job::SettleRefund { refund, wait });
    }
}
