//! The end of a run: faults have stopped, and everything has to settle by itself.

use std::collections::HashMap;
use std::time::Duration;

use domain::booking::{Order, RefundStatus};
use domain::decide::record_refund::refund_task_id;
use domain::task::TaskId;
use http::Method;
use serde_json::{Value, json};
use tests::books::{Books, Owed, fen};

use crate::check::{Checked, Violation};
use crate::clock;
use crate::snapshot::{Recorded, Snapshot};
use crate::worker::{next_due_ms, run};
use crate::world::World;

/// How long everything may take to settle once faults have stopped, in simulated time. The longest
/// waits are a term's code (two hours), the gateway's grace and the worker's hour between tries.
const SETTLING: Duration = Duration::from_secs(24 * 3_600);
/// How often the worker may have to be called in that time.
const RUNS_MAX: u32 = 2_000;
/// How long gateways take to finish what they have begun: their last notification comes after an
/// hour.
const GATEWAYS: Duration = Duration::from_secs(2 * 3_600);

/// Stops all faults and waits until everything has settled.
///
/// # Errors
/// A [`Violation`] of rule 9 if it has not in time, and of rule 2 if the books do not agree.
pub async fn settle(world: &World) -> Checked {
    world.sky.clear();
    let (status, _) = world.control(Method::PUT, "/simulator/faults", &json!({})).await;
    assert_eq!(status, 200, "no faults are a plan too");
    tokio::time::sleep(GATEWAYS).await;
    repeat_unheard(world).await;
    let limit = clock::elapsed() + SETTLING;
    for _ in 0..RUNS_MAX {
        if clock::elapsed() > limit {
            break;
        }
        let waiting = unsettled(world);
        let Some(due_ms) = next_due_ms(world) else { break };
        if waiting.is_none() {
            break;
        }
        let now_ms = clock::now().as_millisecond();
        let wait_ms = u64::try_from(due_ms.saturating_sub(now_ms)).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(wait_ms + 1)).await;
        run(world, json!({})).await;
        // A refund that was just accepted is finished in a moment.
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    world.watch.audit();
    match unsettled(world) {
        Some(what) => Err(Violation { rule: 9, what }),
        None => Ok(()),
    }
}

/// Repeats what asking cannot find.
///
/// - A gateway that took money twice for one payment shows one transaction only.
/// - What it takes for a code that it had closed, or that nobody had scanned in its time, is asked
///   for by nobody.
/// - A refund that failed after it had succeeded, as Stripe's may, is asked for by nobody either.
///
/// When such a notification is lost, the money stands in the gateway's bill alone.
async fn repeat_unheard(world: &World) {
    for entry in world.simulator.payments() {
        let is_paid_twice = entry["transactions"].as_array().unwrap().len() > 1;
        for transaction in entry["transactions"].as_array().unwrap() {
            let id = transaction["transaction_id"].as_str().unwrap();
            let nobody_asks = is_paid_twice || world.watch.is_unexpected(id);
            if nobody_asks && !is_stored(world, &entry, id, |one| !matches!(one, Recorded::Not)) {
                repeat(world, json!({ "transaction_id": id })).await;
            }
        }
        for refund in entry["refunds"].as_array().unwrap() {
            let has_failed = refund["status"] == "closed" && !is_by_hand(world, refund);
            let id = refund["transaction_id"].as_str().unwrap();
            if has_failed && is_stored(world, &entry, id, is_believed_back) {
                repeat(world, json!({ "refund_no": refund["refund_no"] })).await;
            }
        }
    }
}

fn is_stored(
    world: &World,
    entry: &Value,
    transaction_id: &str,
    so: impl Fn(Recorded<'_>) -> bool,
) -> bool {
    let payment_id = entry["payment_id"].as_str().unwrap();
    let bookings = world.watch.bookings();
    bookings.iter().any(|booking| so(booking.recorded(payment_id, transaction_id)))
}

fn is_believed_back(recorded: Recorded<'_>) -> bool {
    match recorded {
        Recorded::Refunded(refund) => refund.status == RefundStatus::Succeeded,
        Recorded::Not | Recorded::Applied(_) => false,
    }
}

async fn repeat(world: &World, what: Value) {
    let (status, answer) = world.control(Method::POST, "/simulator/replay", &what).await;
    world.trace.tell(&format!("told once more: {what}: {status} {answer}"));
}

fn is_by_hand(world: &World, refund: &Value) -> bool {
    world.watch.is_by_hand(refund["refund_no"].as_str().unwrap())
}

/// A ledger's entry without what people gave back at the gateway: that is recorded beside the
/// books, and moves nothing in them.
fn without_hands(world: &World, mut entry: Value) -> Value {
    let refunds = entry["refunds"].take();
    let (by_hand, ours): (Vec<Value>, Vec<Value>) =
        refunds.as_array().unwrap().iter().cloned().partition(|it| is_by_hand(world, it));
    let returned = by_hand.iter().filter(|refund| refund["status"] == "success");
    let returned: i64 = returned.map(|refund| fen(&refund["amount"])).sum();
    entry["refunded"]["amount"] = json!(fen(&entry["refunded"]) - returned);
    entry["refunds"] = json!(ours);
    entry
}

/// What has not settled; `None` if every fen is accounted for and nothing is left to do.
fn unsettled(world: &World) -> Option<String> {
    let ledger = world.simulator.payments().into_iter().map(|entry| without_hands(world, entry));
    let ledger: HashMap<_, _> =
        ledger.map(|entry| (entry["payment_id"].as_str().unwrap().to_owned(), entry)).collect();
    let mut stored = 0;
    for booking in world.watch.bookings() {
        let orders: Vec<Order> = booking.orders().cloned().collect();
        stored += orders.iter().map(|order| order.payments.len()).sum::<usize>();
        let books = Books { booking: &booking.booking, orders: &orders, ledger: &ledger };
        if let Err(why) = books.check(Owed::MayWaitForAPerson) {
            return Some(why);
        }
        if let Some(task) = unfinished(world, &booking) {
            return Some(task);
        }
    }
    (ledger.len() > stored).then(|| "a gateway has a payment that is not stored".to_owned())
}

/// A task that still has something to do. What waits for a person is asked for now and then, and
/// that is all.
fn unfinished(world: &World, booking: &Snapshot) -> Option<String> {
    let refunds = booking.orders().flat_map(|order| &order.refunds);
    let waiting = refunds
        .filter(|refund| refund.status != RefundStatus::Succeeded && refund.attention.is_some())
        .map(|refund| refund_task_id(refund, world.deps.env()));
    let waiting: Vec<TaskId> = waiting.collect();
    let mut tasks = booking.tasks.values();
    let task = tasks.find(|task| !waiting.contains(&task.id()));
    task.map(|task| format!("still to do: {task:?}"))
}
