//! PaymentIntents that a QR of WeChat Pay pays.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::book::{Canceled, Change, Intent, IntentStatus, Metadata, payment_key};
use super::currency;
use super::execution::{Execution, Payable, Told};
use super::form::Form;
use super::objects::{self, Expansion};
use super::refusal::Refusal;
use super::session::wechat_pay_client;
use crate::ledger::{Code, Ledger, Money, Subject};
use crate::state::State;

const EXPANDABLE: [&str; 1] = ["latest_charge"];

const CANCELLATION_REASONS: [&str; 4] =
    ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];

/// How long a new PaymentIntent takes to be found by a search, unless the plan says otherwise.
///
/// "Usually under a minute": <https://docs.stripe.com/search> (read 2026-11-24).
const SEARCH_LAG: std::time::Duration = std::time::Duration::from_secs(5);

/// A checked request for a PaymentIntent.
///
/// <https://docs.stripe.com/api/payment_intents/create> (read 2026-11-24).
pub(super) struct NewIntent {
    amount: Money,
    payment_method_types: Vec<String>,
    status: IntentStatus,
    metadata: Metadata,
    description: Option<String>,
    expansion: Expansion,
}

/// A checked request to give up a PaymentIntent.
///
/// <https://docs.stripe.com/api/payment_intents/cancel> (read 2026-11-24).
pub(super) struct Cancel {
    reason: Option<String>,
    expansion: Expansion,
}

impl NewIntent {
    /// Unknown parameters are refused first, then missing ones, then wrong ones.
    pub(super) fn read(mut form: Form) -> Result<Self, Refusal> {
        let amount = form.positive("amount")?;
        let currency = form.text("currency")?;
        let confirm = form.choice("confirm", &["true", "false"])?;
        let types = form.texts("payment_method_types")?;
        let mut method = form.nested("payment_method_data")?;
        let method_type = method.text("type")?;
        method.finish()?;
        let client = wechat_pay_client(&mut form)?;
        let metadata = form.metadata()?;
        let description = form.text("description")?;
        form.text("return_url")?;
        let expansion = Expansion::take(&mut form, &EXPANDABLE)?;
        form.finish()?;
        let amount = amount.ok_or_else(|| Refusal::missing("amount"))?;
        let currency = currency.ok_or_else(|| Refusal::missing("currency"))?;
        currency::check_name(&currency, "currency")?;
        let money = Money { amount, currency: currency::ledger(&currency) };
        currency::check_charge(&money, "amount")?;
        let types = if types.is_empty() { vec!["card".to_owned()] } else { types };
        for one in &types {
            currency::check_method(one, &currency)?;
        }
        let status = match (confirm.as_deref() == Some("true"), method_type.as_deref()) {
            (true, method) => confirmed(method, &types, client.as_deref())?,
            (false, Some(_)) => IntentStatus::RequiresConfirmation,
            (false, None) => IntentStatus::RequiresPaymentMethod,
        };
        let payment_method_types = types;
        Ok(Self { amount: money, payment_method_types, status, metadata, description, expansion })
    }
}

impl Cancel {
    pub(super) fn read(mut form: Form) -> Result<Self, Refusal> {
        let reason = form.choice("cancellation_reason", &CANCELLATION_REASONS)?;
        let expansion = Expansion::take(&mut form, &EXPANDABLE)?;
        form.finish()?;
        Ok(Self { reason, expansion })
    }
}

/// Makes a PaymentIntent; a confirmed one has a QR to pay.
pub(super) fn create(execution: &mut Execution<'_>, request: NewIntent) -> Result<Value, Refusal> {
    let number = execution.state.ledger.next_number();
    let id = objects::intent_id(number, &mut execution.state.random);
    let payable = request.status == IntentStatus::RequiresAction;
    let pr = execution.state.random.alphanumerics(8);
    let code = payable.then(|| format!("weixin://wxpay/bizpayurl?pr={pr}s{number:x}"));
    let intent = Intent {
        number,
        payment: payment_key(request.metadata.get("payment_id").unwrap_or(&id)),
        id,
        session: None,
        amount: request.amount,
        metadata: request.metadata,
        description: request.description,
        payment_method_types: request.payment_method_types,
        created_at: execution.now,
        searchable_at: searchable_at(execution.state, execution.now),
        status: request.status,
        code,
        canceled: None,
        declined: None,
        charge: None,
    };
    // A PaymentIntent does not expire by itself, and neither does its QR here.
    let valid_until = Timestamp::MAX;
    execution.open(Payable {
        payment: &intent.payment,
        amount: &intent.amount,
        echo: intent.metadata.get("echo"),
        expires_at: valid_until,
        code: intent.code.clone().map(|url| Code { number, url, valid_until }),
    });
    execution.change(Change::Intent(intent.clone()));
    Ok(objects::expanded_intent(&execution.state.ledger, &intent, &request.expansion))
}

/// Gives up a PaymentIntent that nobody has paid.
pub(super) fn cancel(
    execution: &mut Execution<'_>,
    id: &str,
    request: Cancel,
) -> Result<Value, Refusal> {
    let mut intent = known(&execution.state.ledger, id)?.clone();
    check_cancelable(&intent)?;
    let now = execution.now;
    intent.status = IntentStatus::Canceled;
    intent.canceled = Some(Canceled { at: now, reason: request.reason });
    let told = Told::new("payment_intent.canceled", now, objects::intent(&intent));
    execution.change(Change::Intent(intent.clone()));
    let subject = Subject::Transaction(intent.id.clone());
    execution.tell(&intent.payment, &subject, vec![told]);
    Ok(objects::expanded_intent(&execution.state.ledger, &intent, &request.expansion))
}

/// One PaymentIntent.
///
/// <https://docs.stripe.com/api/payment_intents/retrieve> (read 2026-11-24).
pub(super) fn retrieve(ledger: &Ledger, id: &str, mut form: Form) -> Result<Value, Refusal> {
    let expansion = Expansion::take(&mut form, &EXPANDABLE)?;
    form.finish()?;
    Ok(objects::expanded_intent(ledger, known(ledger, id)?, &expansion))
}

/// When a search finds what is made now.
pub(super) fn searchable_at(state: &State, now: Timestamp) -> Timestamp {
    let lag = SignedDuration::try_from(state.faults.search_lag(SEARCH_LAG));
    now.checked_add(lag.unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
}

/// What a confirmed PaymentIntent waits for: somebody who scans its QR.
fn confirmed(
    method: Option<&str>,
    types: &[String],
    client: Option<&str>,
) -> Result<IntentStatus, Refusal> {
    let Some(method) = method else {
        return Err(Refusal::missing("payment_method_data[type]"));
    };
    if !types.iter().any(|one| one == method) {
        let message = format!(
            "The PaymentMethod provided ({method}) is not allowed for this PaymentIntent. Please \
             attach a PaymentMethod of one of the following types: {}.",
            types.join(", ")
        );
        return Err(Refusal::invalid(message).param("payment_method_data[type]"));
    }
    if method != "wechat_pay" {
        let message = format!("Confirming a payment by {method} is not simulated");
        return Err(Refusal::invalid(message).param("payment_method_data[type]"));
    }
    if client != Some("web") {
        return Err(Refusal::missing("payment_method_options[wechat_pay][client]"));
    }
    Ok(IntentStatus::RequiresAction)
}

fn check_cancelable(intent: &Intent) -> Result<(), Refusal> {
    let unexpected = |message: String| {
        Err(Refusal::invalid(message)
            .code("payment_intent_unexpected_state")
            .payment_intent(objects::intent(intent)))
    };
    let status = objects::intent_status(intent.status);
    match intent.status {
        IntentStatus::RequiresPaymentMethod
        | IntentStatus::RequiresConfirmation
        | IntentStatus::RequiresAction
            if intent.session.is_none() =>
        {
            Ok(())
        }
        IntentStatus::RequiresPaymentMethod
        | IntentStatus::RequiresConfirmation
        | IntentStatus::RequiresAction
        | IntentStatus::Processing
            if intent.session.is_some() =>
        {
            unexpected(
                "You cannot cancel the PaymentIntent for a Checkout Session. Expire the Checkout \
                 Session instead."
                    .to_owned(),
            )
        }
        IntentStatus::RequiresPaymentMethod
        | IntentStatus::RequiresConfirmation
        | IntentStatus::RequiresAction
        | IntentStatus::Processing
        | IntentStatus::Succeeded
        | IntentStatus::Canceled => unexpected(format!(
            "You cannot cancel this PaymentIntent because it has a status of {status}. Only a \
             PaymentIntent with one of the following statuses may be canceled: \
             requires_payment_method, requires_capture, requires_confirmation, requires_action, \
             processing."
        )),
    }
}

fn known<'a>(ledger: &'a Ledger, id: &str) -> Result<&'a Intent, Refusal> {
    let intent = ledger.stripe().intent(id);
    intent.ok_or_else(|| Refusal::no_such("payment_intent", id, "intent"))
}
