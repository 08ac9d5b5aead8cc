//! Checking the books: what the gateways captured and gave back, against what is stored.

use std::collections::HashMap;
use std::time::Duration;

use domain::booking::{Booking, BookingStatus, Order, OrderStatus, Payment, Refund, RefundStatus};
use domain::change::close_task;
use domain::decide::record_refund::refund_task_id;
use domain::ids::BookingId;
use domain::product::Kind;
use domain::task::{Task, TaskId, TaskKind};
use domain::term;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::error::StoreError;
use store::load::{Want, WantOrder};
use store::schema::DUE_SHARDS;
use store::tasks::DueTask;

use crate::{Window, World};

/// How often [`World::until_settled`] looks: it reads every order.
const LOOK: Duration = Duration::from_millis(100);
/// How long it waits: fifty windows on a busy machine lose many races.
const SETTLING: Duration = Duration::from_secs(90);
/// How far the clock is turned between two rounds of [`World::drive`], in seconds.
const ROUND_S: i64 = 61;
/// How many tasks of a shard are read at once.
const PAGE_LEN: u32 = 1_000;
/// How many rounds there are at most.
const ROUNDS_MAX: u32 = 200;

/// What the gateways hold, by payment id.
pub type Ledger = HashMap<String, Value>;

impl Window {
    /// The booking's id.
    #[must_use]
    pub fn booking_id(&self) -> BookingId {
        BookingId::parse(self.path.rsplit('/').next().unwrap()).unwrap()
    }
}

impl World {
    /// A booking and all its orders as they are stored, oldest first.
    pub async fn stored(&self, window: &Window) -> (Booking, Vec<Order>) {
        let booking_id = window.booking_id();
        let load = async |order| {
            let want = Want { booking_id: &booking_id, product: false, order };
            self.stack.deps.store.load(want).await.unwrap().unwrap()
        };
        let booking = load(WantOrder::Live).await.booking;
        let mut orders = vec![];
        for seq in 0..booking.orders_made {
            let loaded = load(WantOrder::Ended(seq)).await;
            let live = loaded.booking.live_order.filter(|order| order.seq == seq);
            orders.push(live.or(loaded.ended).expect("every order is stored"));
        }
        (booking, orders)
    }

    /// Why the books of a booking are not settled; `None` if every fen is accounted for.
    pub async fn unsettled(&self, window: &Window) -> Option<String> {
        self.unsettled_by(window, &self.ledger_by_payment().await).await
    }

    async fn unsettled_by(&self, window: &Window, ledger: &Ledger) -> Option<String> {
        let (booking, orders) = self.stored(window).await;
        Books { booking: &booking, orders: &orders, ledger }.check(Owed::IsPaidBack).err()
    }

    async fn ledger_by_payment(&self) -> Ledger {
        let ledger = self.ledger().await.into_iter();
        ledger.map(|entry| (crate::text(&entry["payment_id"]), entry)).collect()
    }

    /// What a booking came to, without the ids and times that differ between two alike.
    pub async fn outline(&self, window: &Window) -> Value {
        let (booking, orders) = self.stored(window).await;
        let ledger = self.ledger_by_payment().await;
        json!({
            "status": booking.status,
            "renewals": booking.renewals,
            "quantity": booking.quantity_paid,
            "orders": orders.iter().map(|order| outline(order, &ledger)).collect::<Vec<_>>(),
        })
    }

    /// Waits until everything has settled by itself: with the worker running, in real time.
    pub async fn until_settled(&self, windows: &[Window]) {
        for window in windows {
            let mut why = None;
            for _ in 0..SETTLING.as_millis().checked_div(LOOK.as_millis()).unwrap() {
                why = self.unsettled(window).await;
                if why.is_none() {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
            assert_eq!(why, None, "{:?}", self.stored(window).await);
        }
    }

    /// Runs the worker and turns the clock until everything has settled.
    pub async fn drive(&self, windows: &[Window]) {
        for round in 0..ROUNDS_MAX {
            self.settle().await;
            let ledger = self.ledger_by_payment().await;
            let mut why = None;
            for window in windows {
                why = self.unsettled_by(window, &ledger).await;
                if why.is_some() {
                    break;
                }
            }
            match why {
                None => return,
                Some(why) => assert!(round + 1 < ROUNDS_MAX, "never settled: {why}"),
            }
            // The gateway's refunds take a moment of real time.
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.clock.advance_s(ROUND_S);
        }
    }

    /// The tasks that are due by then, by their keys: in the same order whatever their shards.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_by(&self, then: Timestamp) -> Result<Vec<DueTask>, StoreError> {
        let mut due = vec![];
        for shard in 0..DUE_SHARDS {
            due.extend(self.stack.deps.store.due_tasks(shard, then, PAGE_LEN).await?);
        }
        due.sort_by(|one, other| one.key.sk.cmp(&other.key.sk));
        Ok(due)
    }

    /// Whether a task is left, whenever it is due.
    pub async fn has_work(&self) -> bool {
        !self.due_by(Timestamp::MAX).await.unwrap().is_empty()
    }

    /// Turns the clock to when the next task is due, and answers what is due then.
    pub async fn turn_to_next_task(&self) -> Vec<DueTask> {
        let mut due = self.due_by(Timestamp::MAX).await.unwrap();
        if let Some(next_ms) = due.iter().map(|task| task.due_at_ms).min() {
            let next = Timestamp::from_millisecond(next_ms + 1).unwrap();
            self.clock.set(self.clock.now().max(next));
            due.retain(|task| task.due_at_ms <= self.clock.now().as_millisecond());
        }
        due
    }
}

/// An order, with what the gateways hold of its payments.
fn outline(order: &Order, ledger: &Ledger) -> Value {
    let payments = order.payments.iter().map(|payment| {
        let known = ledger.get(payment.payment_id.as_str()).unwrap_or(&Value::Null);
        json!({
            "status": payment.status,
            "captured": known["captured"],
            "refunded": known["refunded"],
            "closed": known["closed"],
            "refunds": known["refunds"].as_array().map(Vec::len),
        })
    });
    let refunds = order.refunds.iter();
    let refunds = refunds.map(|it| json!([it.reason, it.status, it.attempt, it.attention]));
    json!({
        "kind": order.kind,
        "status": order.status,
        "reason": order.reason,
        "quantity": order.quantity,
        "amount": order.amount,
        "payments": payments.collect::<Vec<_>>(),
        "refunds": refunds.collect::<Vec<_>>(),
    })
}

/// What is stored of one booking, and what the gateways say.
pub struct Books<'a> {
    /// The booking.
    pub booking: &'a Booking,
    /// All its orders, oldest first.
    pub orders: &'a [Order],
    /// The ledger's entries, by payment id.
    pub ledger: &'a Ledger,
}

/// What may have become of money that is owed back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owed {
    /// All of it is back.
    IsPaidBack,
    /// It is back, or none of it is and a person is called.
    MayWaitForAPerson,
}

impl Books<'_> {
    /// Whether every fen is accounted for and nothing is left open.
    ///
    /// # Errors
    /// What does not agree, or is not settled yet.
    pub fn check(&self, owed: Owed) -> Result<(), String> {
        let (mut applied, mut kept_fen) = (0, 0);
        for order in self.orders {
            self.check_place(order)?;
            let mut bought = 0;
            for payment in &order.payments {
                let Some(entry) = self.ledger.get(payment.payment_id.as_str()) else { continue };
                kept_fen += fen(&entry["captured"]) - fen(&entry["refunded"]);
                kept_fen -= waiting_fen(order, payment);
                bought += check_payment(order, payment, entry, owed)?;
                self.check_open(order, payment, entry)?;
            }
            let expected = usize::from(order.status == OrderStatus::Paid);
            if bought != expected {
                return Err(format!("{} payments bought order {order:?}", bought));
            }
            applied += bought;
        }
        let paid = || self.orders.iter().filter(|order| order.status == OrderStatus::Paid);
        let paid_fen: i64 = paid().map(|order| order.amount.amount).sum();
        if paid_fen != kept_fen {
            return Err(format!("{kept_fen} fen are kept, and {paid_fen} fen were owed"));
        }
        let firsts = paid().filter(|order| order.kind == Kind::First).count();
        let renewals = applied - firsts;
        let booking = self.booking;
        let quantity: u32 = paid().map(|order| order.quantity).sum();
        let until =
            booking.term.and_then(|it| term::valid_until(it.starts_at, quantity, &booking.pins));
        let adds_up = firsts == usize::from(booking.status == BookingStatus::Active)
            && renewals == usize::try_from(booking.renewals).unwrap()
            && booking.renewals <= booking.pins.max_renewals
            && booking.quantity_paid == quantity
            && booking.valid_until() == until;
        ensure(adds_up, || format!("{firsts} + {renewals} orders are paid: {booking:?}"))
    }

    /// An order's own words: only the booking's live order is pending, and a superseded one names
    /// a later one.
    fn check_place(&self, order: &Order) -> Result<(), String> {
        let is_live = self.booking.live(&order.order_id).is_some();
        let is_pending = order.status == OrderStatus::Pending;
        ensure(is_pending == is_live, || format!("not the live order: {order:?}"))?;
        let successor =
            self.orders.iter().find(|it| Some(&it.order_id) == order.superseded_by.as_ref());
        let is_next = match (order.status, successor) {
            (OrderStatus::Superseded, Some(next)) => next.seq == order.seq + 1,
            (status, next) => status != OrderStatus::Superseded && next.is_none(),
        };
        ensure(is_next, || format!("{successor:?} does not replace {order:?}"))
    }

    /// Every open code except the current payment of the live order is closed.
    fn check_open(&self, order: &Order, payment: &Payment, entry: &Value) -> Result<(), String> {
        let live = self.booking.live(&order.order_id).and_then(Order::current_payment);
        let is_current = live.is_some_and(|current| current.payment_id == payment.payment_id);
        let is_open = entry["closed"] == false && fen(&entry["captured"]) == 0;
        if is_open && !is_current {
            return Err(format!("the code of {payment:?} can still be paid"));
        }
        if !is_current && (payment.is_open() || payment.is_closing()) {
            return Err(format!("{payment:?} is not ended"));
        }
        Ok(())
    }
}

/// Each captured transaction is applied, or has gone back in full: exactly one of the two.
/// Answers how many were applied.
fn check_payment(
    order: &Order,
    payment: &Payment,
    entry: &Value,
    owed: Owed,
) -> Result<usize, String> {
    let mut applied = 0;
    for transaction in entry["transactions"].as_array().unwrap() {
        let id = transaction["transaction_id"].as_str().unwrap();
        let refunds = entry["refunds"].as_array().unwrap().iter();
        let refunds: Vec<_> = refunds.filter(|refund| refund["transaction_id"] == id).collect();
        let back: i64 = refunds
            .iter()
            .filter(|refund| refund["status"] == "success")
            .map(|refund| fen(&refund["amount"]))
            .sum();
        match order.refund_of(&payment.payment_id, id) {
            Some(refund) if owed == Owed::MayWaitForAPerson && waits_for_a_person(refund) => {
                ensure(back == 0, || format!("{refund:?} waits, and {back} is back"))?;
            }
            Some(refund) => {
                if refund.status != RefundStatus::Succeeded || back != fen(&transaction["amount"]) {
                    return Err(format!("{refund:?} is not done: {refunds:?}"));
                }
            }
            None if payment.transaction_id.as_deref() == Some(id) => {
                let is_bought = refunds.is_empty() && order.status == OrderStatus::Paid;
                ensure(is_bought, || format!("{payment:?} is not applied: {entry:#}"))?;
                applied += 1;
            }
            None => return Err(format!("nobody has heard of {transaction}")),
        }
    }
    Ok(applied)
}

fn waits_for_a_person(refund: &Refund) -> bool {
    refund.is_of(&refund.payment_id, &refund.transaction_id)
        && refund.attention.is_some()
        && refund.status != RefundStatus::Succeeded
}

/// What a payment's gateway still holds although it is owed back.
fn waiting_fen(order: &Order, payment: &Payment) -> i64 {
    let refunds = order.refunds.iter().filter(|it| it.payment_id == payment.payment_id);
    refunds.filter(|refund| waits_for_a_person(refund)).map(|refund| refund.amount.amount).sum()
}

fn ensure(holds: bool, why: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// The minor units of money in a view.
#[must_use]
pub fn fen(money: &Value) -> i64 {
    money["amount"].as_i64().unwrap_or_else(|| panic!("{money} is no money"))
}

impl World {
    /// The stored request that creates the newest order's first payment at its gateway.
    pub async fn create_body(&self, window: &Window) -> String {
        let (_, orders) = self.stored(window).await;
        let task = TaskId::query(&orders.last().unwrap().payments[0].payment_id);
        let task = self.stack.deps.store.task(&window.booking_id(), &task).await.unwrap();
        match task.unwrap().kind {
            TaskKind::QueryPayment { create_body, .. } => create_body,
            other => panic!("{other:?} creates nothing"),
        }
    }

    /// The next task of a booking, whenever it is due; `None` if nothing is left to do.
    pub async fn next_task(&self, window: &Window) -> Option<Task> {
        let (deps, booking_id) = (&self.stack.deps, window.booking_id());
        let partition = format!("booking#{}", booking_id.key());
        let tasks = self.due_by(Timestamp::MAX).await.unwrap();
        let tasks = tasks.into_iter().filter(|due| due.key.pk == partition);
        let next = tasks.min_by_key(|due| due.due_at_ms)?;
        let (booking, orders) = self.stored(window).await;
        let mut ids = vec![];
        for order in &orders {
            ids.extend(order.refunds.iter().map(|refund| refund_task_id(refund, deps.env())));
            for Payment { payment_id, .. } in &order.payments {
                ids.push(TaskId::query(payment_id));
                ids.push(close_task(&booking, order, payment_id, deps.now()).id());
            }
        }
        for id in ids {
            if next.key.sk == format!("task#{}", id.as_str()) {
                return deps.store.task(&booking_id, &id).await.unwrap();
            }
        }
        panic!("a task that belongs to nothing: {next:?}");
    }
}
