//! What happens without a call: the merchant refunds in the dashboard, a customer disputes.

use serde::{Deserialize, Serialize};

use super::book::{Change, Dispute, DisputeStatus, Intent, Metadata};
use super::execution::{Execution, Told};
use super::objects::{self, Expansion};
use super::refund::{NewRefund, accept};
use super::refusal::Refusal;
use crate::ledger::{Money, Refund, Subject};
use crate::problem::Problem;
use crate::state::Shared;

/// Why a customer may dispute.
///
/// <https://docs.stripe.com/api/disputes/object#dispute_object-reason> (read 2026-11-24).
const REASONS: [&str; 8] = [
    "credit_not_processed",
    "duplicate",
    "fraudulent",
    "general",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
];

/// A dispute that begins, or how the open one ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisputeRequest {
    pub(crate) transaction_id: String,
    /// Why it begins; `fraudulent` unless told otherwise.
    reason: Option<String>,
    /// Given, the open dispute ends so.
    outcome: Option<Outcome>,
}

/// How the bank decides.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Won,
    Lost,
}

/// A dispute as it stands.
#[derive(Serialize)]
pub(crate) struct Disputed {
    dispute_id: String,
    transaction_id: String,
    reason: String,
    status: DisputeStatus,
}

/// The merchant gives money back in the dashboard.
pub(crate) fn refund(
    shared: &Shared,
    transaction_id: &str,
    amount: Option<&Money>,
) -> Result<Refund, Problem> {
    let mut state = shared.lock();
    let captured = state.ledger.payment_by_transaction(transaction_id);
    let captured = captured.and_then(|payment| payment.transaction(transaction_id));
    let currency = captured.map(|transaction| &transaction.amount.currency);
    if amount.is_some_and(|amount| amount.amount < 1 || Some(&amount.currency) != currency) {
        let detail = "`amount` is at least 1 minor unit of the payment's currency";
        return Err(Problem::InvalidRequest(detail.to_owned()));
    }
    let request = NewRefund {
        payment_intent: Some(transaction_id.to_owned()),
        charge: None,
        amount: amount.map(|amount| amount.amount),
        reason: Some("requested_by_customer".to_owned()),
        metadata: Metadata::new(),
        expansion: Expansion::default(),
    };
    let mut execution = Execution::new(shared, &mut state);
    let refund = accept(&mut execution, request).map_err(no)?;
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    Ok(refund)
}

/// Opens a dispute about a transaction, or closes the open one.
pub(crate) fn dispute(shared: &Shared, request: DisputeRequest) -> Result<Disputed, Problem> {
    let mut state = shared.lock();
    let intent = state.ledger.stripe().intent(&request.transaction_id).cloned();
    let mut intent = intent.ok_or(Problem::UnknownTransaction)?;
    let mut execution = Execution::new(shared, &mut state);
    let (dispute, kind) = match request.outcome {
        None => (opened(&mut execution, &intent, request.reason)?, "charge.dispute.created"),
        Some(outcome) => (closed(&intent, outcome)?, "charge.dispute.closed"),
    };
    let charge = intent.charge.as_mut().ok_or(Problem::UnknownTransaction)?;
    charge.dispute = Some(dispute.clone());
    let charge = charge.clone();
    let object = objects::dispute(&intent, &charge, &dispute);
    let told = Told::new(kind, execution.now, object);
    let subject = Subject::Transaction(intent.id.clone());
    execution.change(Change::Intent(intent.clone()));
    execution.tell(&intent.payment, &subject, vec![told]);
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    let Dispute { id: dispute_id, reason, status, .. } = dispute;
    Ok(Disputed { dispute_id, transaction_id: intent.id, reason, status })
}

fn opened(
    execution: &mut Execution<'_>,
    intent: &Intent,
    reason: Option<String>,
) -> Result<Dispute, Problem> {
    let reason = reason.unwrap_or_else(|| "fraudulent".to_owned());
    if !REASONS.contains(&reason.as_str()) {
        let detail = format!("`reason` is one of {}", REASONS.join(", "));
        return Err(Problem::InvalidRequest(detail));
    }
    let charge = intent.charge.as_ref().ok_or(Problem::UnknownTransaction)?;
    if charge.dispute.is_some() {
        return Err(Problem::Refused("the charge was disputed already".to_owned()));
    }
    let number = execution.state.ledger.next_number();
    Ok(Dispute {
        id: objects::id("du_1", number, &mut execution.state.random),
        reason,
        status: DisputeStatus::NeedsResponse,
        created_at: execution.now,
    })
}

fn closed(intent: &Intent, outcome: Outcome) -> Result<Dispute, Problem> {
    let dispute = intent.charge.as_ref().and_then(|charge| charge.dispute.as_ref());
    let open = dispute.filter(|dispute| dispute.status == DisputeStatus::NeedsResponse);
    let open = open.ok_or_else(|| Problem::Refused("no dispute is open".to_owned()))?;
    let status = match outcome {
        Outcome::Won => DisputeStatus::Won,
        Outcome::Lost => DisputeStatus::Lost,
    };
    Ok(Dispute { status, ..open.clone() })
}

fn no(refusal: Refusal) -> Problem {
    Problem::Refused(refusal.message().to_owned())
}
