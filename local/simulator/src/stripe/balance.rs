//! What moved the balance: captures, refunds, and refunds that came back.
//!
//! <https://docs.stripe.com/api/balance_transactions/object> and
//! <https://docs.stripe.com/reports/balance-transaction-types> (read 2026-11-24). Payouts and fees
//! are not simulated: the account is free, and nobody pays it out.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::book::{Charge, Intent};
use super::currency;
use super::form::Form;
use super::list::{Created, Page};
use super::objects::{self, Expansion};
use super::refund::by_key;
use super::refusal::Refusal;
use crate::ledger::{Ledger, Money, Refund};

const EXPANDABLE_IN_LIST: [&str; 3] =
    ["data.source", "data.source.charge", "data.source.payment_intent"];

/// The kinds that are simulated, and what they are reported as.
const KINDS: [(&str, &str); 5] = [
    ("charge", "charge"),
    ("payment", "charge"),
    ("refund", "refund"),
    ("payment_refund", "refund"),
    ("refund_failure", "refund_failure"),
];

/// What a list of movements is asked for.
///
/// <https://docs.stripe.com/api/balance_transactions/list> (read 2026-11-24).
pub(super) struct ListMovements {
    kind: Option<String>,
    source: Option<String>,
    created: Created,
    page: Page,
    expansion: Expansion,
}

/// One movement.
struct Movement<'a> {
    number: u64,
    id: String,
    kind: &'static str,
    /// Less than nothing where the balance shrinks.
    amount: Money,
    created_at: Timestamp,
    source: Source<'a>,
}

/// What moved it.
#[derive(Clone, Copy)]
enum Source<'a> {
    Charge(&'a Intent, &'a Charge),
    Refund(&'a Refund),
}

impl ListMovements {
    pub(super) fn read(mut form: Form) -> Result<Self, Refusal> {
        let kinds = KINDS.map(|(kind, _)| kind);
        let request = Self {
            kind: form.choice("type", &kinds)?,
            source: form.text("source")?,
            created: Created::take(&mut form)?,
            page: Page::take(&mut form)?,
            expansion: Expansion::take(&mut form, &EXPANDABLE_IN_LIST)?.below("data"),
        };
        form.finish()?;
        Ok(request)
    }

    /// The movements, the newest first.
    pub(super) fn answer(&self, ledger: &Ledger) -> Result<Value, Refusal> {
        let mut found = movements(ledger);
        found.retain(|one| {
            self.created.holds(one.created_at)
                && self.kind.as_ref().is_none_or(|kind| kind == one.kind)
                && self.source.as_ref().is_none_or(|source| *source == one.source.id())
        });
        found.sort_by_key(|one| std::cmp::Reverse((one.created_at.as_second(), one.number)));
        let shown = found.iter().map(|one| one.shown(ledger, &self.expansion));
        self.page.cut("/v1/balance_transactions", "balance transaction", shown.collect())
    }
}

fn movements(ledger: &Ledger) -> Vec<Movement<'_>> {
    let book = ledger.stripe();
    let mut movements = vec![];
    for intent in book.intents() {
        if let Some(charge) = &intent.charge {
            movements.push(captured(intent, charge));
        }
    }
    for refund in book.refund_keys().filter_map(|key| by_key(ledger, key)) {
        let intent = book.intent(&refund.transaction_id);
        movements.push(given_back(intent, refund));
        movements.extend(come_back(refund));
    }
    movements
}

fn captured<'a>(intent: &'a Intent, charge: &'a Charge) -> Movement<'a> {
    Movement {
        number: intent.number,
        id: movement_id("txn_3", &charge.id),
        kind: if is_by_card(intent) { "charge" } else { "payment" },
        amount: charge.amount.clone(),
        created_at: charge.paid_at,
        source: Source::Charge(intent, charge),
    }
}

/// The balance shrinks when a refund is accepted.
fn given_back<'a>(intent: Option<&Intent>, refund: &'a Refund) -> Movement<'a> {
    let amount = Money { amount: refund.amount.amount.saturating_neg(), ..refund.amount.clone() };
    Movement {
        number: refund.number,
        id: movement_id("txn_3", &refund.refund_id),
        kind: if intent.is_some_and(is_by_card) { "refund" } else { "payment_refund" },
        amount,
        created_at: refund.created_at,
        source: Source::Refund(refund),
    }
}

/// Money of a refund that the payer's bank did not take.
fn come_back(refund: &Refund) -> Option<Movement<'_>> {
    let settled = refund.settled.as_ref()?;
    (objects::refund_status(refund) == "failed").then(|| Movement {
        number: refund.number,
        id: movement_id("txn_1", &refund.refund_id),
        kind: "refund_failure",
        amount: refund.amount.clone(),
        created_at: settled.at,
        source: Source::Refund(refund),
    })
}

/// What is not paid by card is a `payment`, and goes back as a `payment_refund`.
fn is_by_card(intent: &Intent) -> bool {
    intent.payment_method_types.iter().any(|method| method == "card")
}

/// An id that is the same whenever it is asked for.
fn movement_id(prefix: &str, source: &str) -> String {
    let (_, own) = source.split_once('_').unwrap_or(("", source));
    format!("{prefix}{own}")
}

impl Source<'_> {
    fn id(self) -> String {
        match self {
            Self::Charge(_, charge) => charge.id.clone(),
            Self::Refund(refund) => refund.refund_id.clone(),
        }
    }

    fn shown(self, ledger: &Ledger, expansion: &Expansion) -> Value {
        match self {
            Self::Charge(intent, charge) => {
                let mut object = objects::known_charge(ledger, intent, charge);
                if expansion.has("payment_intent") {
                    let below = expansion.below("payment_intent");
                    let intent = objects::expanded_intent(ledger, intent, &below);
                    objects::set(&mut object, "payment_intent", intent);
                }
                object
            }
            Self::Refund(refund) => objects::expanded_refund(ledger, refund, expansion),
        }
    }
}

impl Movement<'_> {
    fn shown(&self, ledger: &Ledger, expansion: &Expansion) -> Value {
        let source = match expansion.has("source") {
            true => self.source.shown(ledger, &expansion.below("source")),
            false => Value::from(self.source.id()),
        };
        let category = KINDS.iter().find(|(kind, _)| *kind == self.kind).map(|(_, name)| name);
        json!({
            "id": self.id,
            "object": "balance_transaction",
            "amount": self.amount.amount,
            "available_on": self.created_at.as_second(),
            "created": self.created_at.as_second(),
            "currency": currency::wire(&self.amount.currency),
            "description": null,
            "exchange_rate": null,
            "fee": 0,
            "fee_details": [],
            "net": self.amount.amount,
            "reporting_category": category,
            "source": source,
            "status": "available",
            "type": self.kind,
        })
    }
}
