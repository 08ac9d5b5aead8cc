//! Watches a run: holds every write, every call to a gateway and every answer against the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use domain::booking::{Order, OrderStatus, Payment, RefundStatus};
use domain::ids::{Ids, OrderId, PaymentId};
use domain::money::Money;
use domain::task::FUNCTION_TIMEOUT_S_MAX;
use embedded::EmbeddedStore;
use jiff::{SignedDuration, Timestamp};
use local::stack::TABLE;
use rules::is_ours;
use serde_json::Value;
use simulator::Simulator;
use tokio::sync::Notify;

use crate::check::{Checked, Outside, Step, Violation, ensure};
use crate::clock;
use crate::snapshot::{Recorded, Snapshot};
use crate::wires::{self, Told, told};

tokio::task_local! {
    /// Who makes the calls of a task: one request, one notification, or one run of a worker.
    pub static ACTOR: u64;
}

/// The actor of every run of a worker.
pub const WORKER: u64 = 0;
/// More calls to the store than any one request makes, however often it loses a race.
const CALLS_MAX: u32 = 64;
/// More keys than any read names at once: a page of what waits for a person.
const KEYS_MAX: usize = 20;

/// Everything that the rules ask for, as it is seen from outside.
pub struct Watch {
    store: EmbeddedStore,
    ids: Ids,
    simulator: OnceLock<Arc<Simulator>>,
    seen: Mutex<Seen>,
    broken: Notify,
}

#[derive(Default)]
struct Seen {
    bookings: BTreeMap<String, Snapshot>,
    captured: BTreeMap<String, (Money, Timestamp)>,
    /// The payments of transactions whose money was still on its way when the wallet paid.
    promised: BTreeMap<String, String>,
    /// Transactions that were paid although their gateway had the code closed.
    unexpected: BTreeSet<String>,
    /// The numbers of refunds that a person made at a gateway.
    by_hand: BTreeSet<String>,
    /// Disputes that payers have begun.
    disputes: BTreeSet<String>,
    /// Payments whose code was asked for.
    created: BTreeSet<String>,
    /// Transactions that were asked back.
    asked_back: BTreeSet<String>,
    /// What acknowledged notifications named, where the ledger cannot say it.
    heard: BTreeSet<String>,
    shown: BTreeMap<OrderId, Money>,
    /// Until when a payment was the current one of a live order; `None` while it is.
    current: BTreeMap<PaymentId, Option<Duration>>,
    deeds: BTreeMap<u64, Deeds>,
    acknowledged: bool,
    violation: Option<Violation>,
    steps: u64,
}

/// What one actor has done.
#[derive(Default)]
struct Deeds {
    calls: u32,
    /// Orders that it made, and orders that it voided or dropped.
    orders: Vec<OrderId>,
}

/// What a run came to, as the table has it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sums {
    /// Transactions that bought an order.
    pub applied: u64,
    /// Transactions that went back.
    pub refunded: u64,
    /// Refunds that wait for a person.
    pub waiting: u64,
}

impl Watch {
    /// Watches a store that is still empty.
    #[must_use]
    pub fn new(store: EmbeddedStore, ids: Ids) -> Self {
        Self {
            store,
            ids,
            simulator: OnceLock::new(),
            seen: Mutex::default(),
            broken: Notify::new(),
        }
    }

    /// Has the gateways' own word from now on.
    pub fn believe(&self, simulator: Arc<Simulator>) {
        assert!(self.simulator.set(simulator).is_ok(), "told once");
    }

    /// The first rule that was broken.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.seen().violation.clone()
    }

    /// Waits until a rule is broken.
    pub async fn until_broken(&self) {
        loop {
            let broken = self.broken.notified();
            if self.violation().is_some() {
                return;
            }
            broken.await;
        }
    }

    /// Keeps the first rule that is broken.
    pub fn hold(&self, checked: Checked) {
        if let Err(violation) = checked {
            self.seen().violation.get_or_insert(violation);
            self.broken.notify_waiters();
        }
    }

    /// How many writes and calls were checked.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.seen().steps
    }

    /// Every booking as it now stands.
    #[must_use]
    pub fn bookings(&self) -> Vec<Snapshot> {
        self.seen().bookings.values().cloned().collect()
    }

    /// A call to the store is sent. Rule 10: nothing scans, every query has a limit, and no actor
    /// makes more calls because there is more in the table.
    pub fn store_is_called(&self, operation: &str, body: &Value) {
        let keys = body["RequestItems"][TABLE]["Keys"].as_array().map_or(0, Vec::len);
        self.hold(ensure(10, operation != "Scan", || "something scans".to_owned()));
        self.hold(ensure(10, operation != "Query" || body["Limit"].is_u64(), || {
            format!("a query without a limit: {body}")
        }));
        self.hold(ensure(10, keys <= KEYS_MAX, || format!("{keys} keys at once")));
    }

    /// Counts a call by whoever makes it, unless it is a worker, who serves many bookings.
    pub fn count_call(&self) {
        let Some(actor) = ACTOR.try_get().ok().filter(|actor| *actor != WORKER) else { return };
        let calls = {
            let mut seen = self.seen();
            let deeds = seen.deeds.entry(actor).or_default();
            deeds.calls += 1;
            deeds.calls
        };
        self.hold(ensure(10, calls <= CALLS_MAX, || format!("{calls} calls by one actor")));
    }

    /// A call to the store has taken effect.
    pub fn store_was_written(&self, operation: &str, body: &Value) {
        for partition in partitions(operation, body) {
            self.booking_was_written(&partition);
        }
    }

    fn booking_was_written(&self, partition: &str) {
        let Some(after) = Snapshot::of(&self.store, TABLE, partition) else { return };
        let before = self.seen().bookings.get(partition).cloned();
        let step = Step { before: before.as_ref(), after: &after, outside: self, ids: &self.ids };
        self.hold(step.check());
        let mut seen = self.seen();
        seen.steps += 1;
        seen.note_deeds(before.as_ref(), &after);
        seen.note_current(before.as_ref(), &after);
        seen.bookings.insert(partition.to_owned(), after);
    }

    /// A wallet paid.
    pub fn wallet_paid(&self, transaction_id: &str, amount: Money, paid_at: Timestamp) {
        self.seen().captured.insert(transaction_id.to_owned(), (amount, paid_at));
    }

    /// A wallet paid, and the money is on its way.
    pub fn wallet_promised(&self, transaction_id: &str, payment_id: &str) {
        self.seen().promised.insert(transaction_id.to_owned(), payment_id.to_owned());
    }

    /// A wallet could pay a code that its gateway had closed.
    pub fn was_unexpected(&self, transaction_id: &str) {
        self.seen().unexpected.insert(transaction_id.to_owned());
    }

    /// Whether a transaction was paid although its gateway had the code closed.
    #[must_use]
    pub fn is_unexpected(&self, transaction_id: &str) -> bool {
        self.seen().unexpected.contains(transaction_id)
    }

    /// The transactions that wallets paid, whether their money has arrived or not.
    #[must_use]
    pub fn transactions(&self) -> Vec<String> {
        let seen = self.seen();
        seen.captured.keys().chain(seen.promised.keys()).cloned().collect()
    }

    /// A person gave money back at a gateway.
    pub fn refunded_by_hand(&self, refund_no: &str) {
        self.seen().by_hand.insert(refund_no.to_owned());
    }

    /// A payer's bank takes a payment into question.
    pub fn disputed(&self, dispute_id: &str) {
        self.seen().disputes.insert(dispute_id.to_owned());
    }

    /// Whether a person made the refund of that number.
    #[must_use]
    pub fn is_by_hand(&self, refund_no: &str) -> bool {
        self.seen().by_hand.contains(refund_no)
    }

    /// A page was shown an amount for an order.
    pub fn page_shows(&self, order_id: OrderId, amount: Money) {
        let shown = *self.seen().shown.entry(order_id.clone()).or_insert(amount);
        self.hold(ensure(4, shown == amount, || {
            format!("{order_id} was shown for {shown:?}, and now for {amount:?}")
        }));
    }

    /// A page was shown a code: at some moment since it asked, the payment was current and its
    /// order live.
    pub fn page_shows_code(&self, payment_id: &PaymentId, asked: Duration) {
        let was = {
            let seen = self.seen();
            let until = seen.current.get(payment_id);
            until.is_some_and(|until| until.is_none_or(|until| until >= asked))
        };
        self.hold(ensure(1, was, || format!("the code of {payment_id} is shown and void")));
    }

    /// Rule 11: whoever was refused has made no order and voided none. That an order has ended may
    /// also be said to whoever made it, when somebody else ended it before its code was there.
    pub fn was_refused(&self, actor: u64, code: &str) {
        let orders = self.seen().deeds.get(&actor).map(|deeds| deeds.orders.clone());
        let mut changed = orders.unwrap_or_default();
        if matches!(code, "order_superseded" | "order_closed" | "order_already_paid") {
            changed.retain(|order_id| self.is_live(order_id));
        }
        self.hold(ensure(11, changed.is_empty(), || format!("{code}, but changed {changed:?}")));
    }

    fn is_live(&self, order_id: &OrderId) -> bool {
        self.seen().bookings.values().any(|booking| booking.booking.live(order_id).is_some())
    }

    /// A gateway's notification was acknowledged.
    pub fn acknowledged(&self, gateway: &str, body: &[u8]) {
        let named = match told(gateway) {
            Told::Everything => None,
            Told::Named(name) => name(body),
        };
        let mut seen = self.seen();
        seen.heard.extend(named);
        seen.acknowledged = true;
    }

    /// Holds the gateways' ledger against the table, where a notification was acknowledged since
    /// the last time.
    pub fn audit_acknowledged(&self) {
        if std::mem::take(&mut self.seen().acknowledged) {
            self.audit();
        }
    }

    /// Holds the gateways' ledger against the table. Rule 5: what a gateway heard acknowledged is
    /// stored. Rules 2 and 8: applied money is not touched, and no more goes back than came.
    pub fn audit(&self) {
        let Some(simulator) = self.simulator.get() else { return };
        let seen = self.seen();
        let mut checked = Ok(());
        for entry in simulator.payments() {
            checked = checked.and_then(|()| seen.check_entry(&entry));
        }
        for dispute in &seen.disputes {
            checked = checked.and_then(|()| seen.check_dispute(dispute));
        }
        drop(seen);
        self.hold(checked);
    }

    /// A create is on its way: none is sent after `pay_by`.
    pub fn create_is_sent(&self, payment_id: &str) {
        let now = clock::now();
        let pay_by = {
            let mut seen = self.seen();
            seen.created.insert(payment_id.to_owned());
            let mut orders = seen.bookings.values().flat_map(Snapshot::orders);
            let order = orders
                .find(|order| order.payments.iter().any(|p| p.payment_id.as_str() == payment_id));
            order.map(|order| order.pay_by)
        };
        self.hold(ensure(9, pay_by.is_some(), || format!("{payment_id} is not written yet")));
        let in_time = pay_by.flatten().is_none_or(|pay_by| now < pay_by);
        self.hold(ensure(9, in_time, || format!("{payment_id} is created after {pay_by:?}")));
    }

    /// A refund is on its way: what it gives back is owed back.
    pub fn refund_is_sent(&self, transaction_id: &str) {
        let owed = {
            let mut seen = self.seen();
            seen.asked_back.insert(transaction_id.to_owned());
            let mut bookings = seen.bookings.values();
            bookings.any(|booking| booking.owes(transaction_id))
        };
        self.hold(ensure(8, owed, || format!("{transaction_id} goes back and is not owed")));
    }

    /// Something is on its way that nobody may ask for.
    pub fn forbidden_is_sent(&self, what: &str) {
        self.hold(ensure(8, false, || format!("{what} is asked for")));
    }

    /// What the run came to.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let seen = self.seen();
        let mut sums = Sums::default();
        for booking in seen.bookings.values() {
            for order in booking.orders() {
                sums.applied += u64::from(order.status == OrderStatus::Paid);
                for refund in order.refunds.iter().filter(|refund| is_ours(refund)) {
                    match refund.status {
                        RefundStatus::Succeeded => sums.refunded += 1,
                        RefundStatus::Due
                        | RefundStatus::Submitted
                        | RefundStatus::NeedsAttention => sums.waiting += 1,
                    }
                }
            }
        }
        sums
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outside for Watch {
    fn captured(&self, transaction_id: &str) -> Option<(Money, Timestamp)> {
        let payment_id = {
            let seen = self.seen();
            if let Some(captured) = seen.captured.get(transaction_id) {
                return Some(*captured);
            }
            seen.promised.get(transaction_id)?.clone()
        };
        let entry = self.simulator.get()?.payment(&payment_id)?;
        let mut transactions = entry["transactions"].as_array()?.iter();
        let arrived = transactions.find(|one| one["transaction_id"] == transaction_id)?;
        let amount = serde_json::from_value(arrived["amount"].clone()).ok()?;
        Some((amount, arrived["paid_at"].as_str()?.parse().ok()?))
    }

    fn shown(&self, order: &Order) -> Option<Money> {
        self.seen().shown.get(&order.order_id).copied()
    }

    /// The gateway has closed it, or does not know it although no create can arrive and no code be
    /// scanned any more.
    fn is_closed(&self, order: &Order, payment: &Payment) -> bool {
        let simulator = self.simulator.get().expect("the gateways are known");
        let entry = simulator.payment(payment.payment_id.as_str());
        if let Some(entry) = entry.filter(is_begun) {
            return entry["closed"] == true;
        }
        let wait_s = FUNCTION_TIMEOUT_S_MAX + wires::outlives_s(payment.gateway.as_str());
        let wait = SignedDuration::from_secs(i64::from(wait_s));
        order.pay_by.is_some_and(|pay_by| clock::now() > pay_by + wait)
    }
}

/// Whether a gateway could close a payment that it knows: at Alipay only from its scan on.
fn is_begun(entry: &Value) -> bool {
    entry["gateway"] != "alipay" || !entry["trade"].is_null()
}

/// Whether a gateway has said, or would say, that a code cannot be paid any more.
#[must_use]
pub fn is_over(entry: &Value) -> bool {
    if is_begun(entry) {
        return entry["closed"] == true;
    }
    let outlives_s = wires::outlives_s(entry["gateway"].as_str().unwrap());
    let expires_at: Timestamp = entry["expires_at"].as_str().unwrap().parse().unwrap();
    clock::now() > expires_at + SignedDuration::from_secs(i64::from(outlives_s))
}

impl Seen {
    fn note_deeds(&mut self, before: Option<&Snapshot>, after: &Snapshot) {
        let Ok(actor) = ACTOR.try_get() else { return };
        let live = |snapshot: Option<&Snapshot>| {
            let live = snapshot.and_then(|it| it.booking.live_order.as_ref());
            live.map(|order| order.order_id.clone())
        };
        let (was, is) = (live(before), live(Some(after)));
        if was == is {
            return;
        }
        let ended =
            was.and_then(|id| after.order(&id)).map(|order| (&order.order_id, order.status));
        let voided = ended.filter(|(_, status)| match status {
            OrderStatus::Superseded | OrderStatus::Cancelled | OrderStatus::Stale => true,
            OrderStatus::Pending | OrderStatus::Paid | OrderStatus::Expired => false,
        });
        let orders = voided.map(|(id, _)| id.clone()).into_iter().chain(is);
        self.deeds.entry(actor).or_default().orders.extend(orders);
    }

    fn note_current(&mut self, before: Option<&Snapshot>, after: &Snapshot) {
        let current = |snapshot: &Snapshot| {
            let live = snapshot.booking.live_order.as_ref();
            live.and_then(Order::current_payment).map(|payment| payment.payment_id.clone())
        };
        let (was, is) = (before.and_then(current), current(after));
        if was == is {
            return;
        }
        self.current.extend(was.map(|was| (was, Some(clock::elapsed()))));
        self.current.extend(is.map(|is| (is, None)));
    }

    fn check_entry(&self, entry: &Value) -> Checked {
        let payment_id = entry["payment_id"].as_str().unwrap();
        let created = self.created.contains(payment_id);
        ensure(0, created, || format!("nobody was heard asking for the code of {payment_id}"))?;
        for transaction in entry["transactions"].as_array().unwrap() {
            self.check_transaction(entry, transaction)?;
        }
        let refunds = entry["refunds"].as_array().unwrap();
        refunds.iter().try_for_each(|refund| self.check_refund(entry, refund))
    }

    fn check_transaction(&self, entry: &Value, transaction: &Value) -> Checked {
        let payment_id = entry["payment_id"].as_str().unwrap();
        let id = transaction["transaction_id"].as_str().unwrap();
        let amount = transaction["amount"]["amount"].as_i64().unwrap();
        let recorded = self.bookings.values().map(|booking| booking.recorded(payment_id, id));
        let recorded: Vec<_> = recorded.filter(|one| !matches!(one, Recorded::Not)).collect();
        let acknowledged = self.is_acknowledged(entry, id, transaction);
        ensure(5, !acknowledged || !recorded.is_empty(), || {
            format!("acknowledged and not stored: {transaction}")
        })?;
        let (mut back, mut by_us) = (0, 0);
        for refund in entry["refunds"].as_array().unwrap() {
            if refund["transaction_id"] == id && refund["status"] != "closed" {
                let fen = refund["amount"]["amount"].as_i64().unwrap();
                back += fen;
                by_us += if self.is_ours(refund) { fen } else { 0 };
            }
        }
        ensure(8, back <= amount, || format!("{back} of {transaction} goes back"))?;
        let applied = recorded.iter().any(|one| matches!(one, Recorded::Applied(_)));
        ensure(8, !applied || by_us == 0, || format!("applied, and goes back: {transaction}"))
    }

    /// What goes back was asked back, or is stored as somebody else's doing.
    fn check_refund(&self, entry: &Value, refund: &Value) -> Checked {
        let number = refund["refund_no"].as_str().unwrap();
        if self.is_ours(refund) {
            let asked = self.asked_back.contains(refund["transaction_id"].as_str().unwrap());
            return ensure(0, asked, || format!("nobody was heard asking for {refund}"));
        }
        let stored = self.bookings.values().any(|booking| booking.foreign(number).is_some());
        let acknowledged = self.is_acknowledged(entry, number, refund);
        ensure(5, !acknowledged || stored, || format!("acknowledged and not stored: {refund}"))
    }

    fn check_dispute(&self, dispute_id: &str) -> Checked {
        let stored = self.bookings.values().any(|booking| booking.foreign(dispute_id).is_some());
        let heard = self.heard.contains(dispute_id);
        ensure(5, !heard || stored, || format!("acknowledged and not stored: {dispute_id}"))
    }

    fn is_ours(&self, refund: &Value) -> bool {
        !self.by_hand.contains(refund["refund_no"].as_str().unwrap())
    }

    /// Whether a gateway heard that what it told of a transaction or of a refund is stored.
    fn is_acknowledged(&self, entry: &Value, id: &str, subject: &Value) -> bool {
        match told(entry["gateway"].as_str().unwrap()) {
            Told::Everything => subject["notifications"]["acknowledged"] != 0,
            Told::Named(_) => self.heard.contains(id),
        }
    }
}

/// The bookings' partitions that a call wrote.
fn partitions(operation: &str, body: &Value) -> BTreeSet<String> {
    let actions = match operation {
        "TransactWriteItems" => {
            let actions = body["TransactItems"].as_array().unwrap().iter();
            actions.flat_map(|action| action.as_object().unwrap().values()).collect()
        }
        "PutItem" | "UpdateItem" | "DeleteItem" => vec![body],
        _ => vec![],
    };
    let keys = actions.into_iter().map(|action| {
        let pk = action["Item"]["pk"]["S"].as_str().or(action["Key"]["pk"]["S"].as_str());
        pk.expect("every write names its partition").to_owned()
    });
    keys.filter(|pk| pk.starts_with("booking#")).collect()
}
