//! The table is restored from a backup while the gateways have gone on: docs/restoring.md.

use domain::booking::{RefundStatus, Unmatched};
use jiff::Timestamp;
use local::client::Reply;
use local::lambda::invocation_path;
use serde_json::{Value, json};
use tests::backup::Item;
use tests::books::fen;
use tests::gateway::{refund_by_hand, refuse_refund};
use tests::quiet::{
    at_gateway, faults, owed, quiet_world, refund_of, replay, tell, until_refunds_ended,
};
use tests::{Window, World, acknowledged, expect, gateway, order_in, text};

const DAY_S: i64 = 86_400;
/// How often the worker may have to be called until nothing is left to do.
const ROUNDS_MAX: u32 = 40;

/// Pays a code, whatever became of it, and has its notification arrive.
async fn pay_and_tell(world: &World, made: &Value) -> Value {
    tests::quiet::pay_and_tell(world, made, json!({ "force": true })).await
}

/// How much of a payment its gateway still holds, in minor units.
async fn held(world: &World, made: &Value) -> i64 {
    let entry = world.ledger_of(&made["payment"]["payment_id"]).await;
    fen(&entry["captured"]) - fen(&entry["refunded"])
}

/// A quote in `instant` that is the same whenever it is asked for: its code is made with it.
async fn keyed(window: &Window) -> Reply {
    let body = json!({ "quantity": 2, "gateway": gateway() });
    let reply = window.quote_keyed(&body, "same-request").await;
    tests::gateway::scanned(&window.client, reply).await
}

/// Runs the worker until nothing is left to do.
async fn until_nothing_is_left(world: &World, made: &Value) {
    for _ in 0..ROUNDS_MAX {
        world.settle().await;
        until_refunds_ended(world, made).await;
        if !world.has_work().await {
            return;
        }
        world.clock.advance_s(3_600);
    }
    panic!("still to do: {:?}", world.due_by(Timestamp::MAX).await);
}

/// What is stored of a paid code's money as matching no payment.
async fn unmatched(world: &World, window: &Window, made: &Value, paid: &Value) -> Unmatched {
    let (booking_id, payment) = (window.booking_id(), text(&made["payment"]["payment_id"]));
    let transaction = text(&paid["transaction_id"]);
    let store = &world.stack.deps.store;
    store.unmatched(booking_id.key(), &payment, &transaction).await.unwrap().unwrap()
}

/// The money bought nothing and has gone back once, and every record of it says so.
async fn check_gone_back_once(world: &World, window: &Window, made: &Value, paid: &Value) {
    until_nothing_is_left(world, made).await;
    assert_eq!(window.look().await["status"], "pending_payment");
    let refunds = at_gateway(world, made).await;
    assert_eq!((refunds.len(), held(world, made).await), (1, 0), "{refunds:#?}");
    let beside = unmatched(world, window, made, paid).await.refund;
    assert_eq!((beside.status, beside.attention), (RefundStatus::Succeeded, None));
    let of_order = refund_of(window, made).await;
    assert_eq!(of_order["status"], "succeeded", "{of_order:#}");
    let told = world.events();
    let told = told.iter().filter(|event| event["type"] == "payment.refunded");
    assert_eq!(told.count(), 1, "the merchant hears of it once");
    let waiting = world.stack.deps.store.attention_of(&window.booking_id()).await.unwrap();
    assert_eq!(waiting, vec![]);
}

#[tokio::test]
async fn a_payment_applied_after_the_backup_is_found_by_asking_and_applied_once() {
    let world = quiet_world().await;
    let first = world.booking_of("alice", "desk-order").await;
    let first_code = first.code_for(1).await;
    let renewed = world.booking_of("bob", "desk-order").await;
    let bought = renewed.code_for(2).await;
    pay_and_tell(&world, &bought).await;
    let renewal = renewed.code_for(3).await;
    let backup = world.back_up().await;
    let first_paid = pay_and_tell(&world, &first_code).await;
    let renewal_paid = pay_and_tell(&world, &renewal).await;
    let (orders, term) =
        (first.look().await["orders"].clone(), renewed.look().await["term"].clone());
    world.restore(backup).await;
    assert_eq!(first.look().await["status"], "pending_payment", "the backup is older");
    let windows = [first.clone(), renewed.clone()];
    world.clock.advance_s(60);
    world.drive(&windows).await;
    let after = first.look().await;
    assert_eq!((&after["status"], &after["orders"]), (&json!("active"), &orders));
    assert_eq!(renewed.look().await["term"], term);
    // What the gateway has told before it may tell once more.
    for paid in [&first_paid, &renewal_paid] {
        tell(&world, &paid["transaction_id"]).await;
    }
    world.drive(&windows).await;
    assert_eq!((&renewed.look().await["term"], held(&world, &renewal).await), (&term, 2970));
}

#[tokio::test]
async fn a_refund_made_after_the_backup_is_found_and_not_made_again() {
    let world = quiet_world().await;
    // One is owed when the backup is made; the other is paid, and owed, only afterwards.
    let (alice, owed_before) = owed(&world, "alice").await;
    let bob = world.booking_of("bob", "desk-order").await;
    let owed_after = bob.code_for(1).await;
    bob.code_for(2).await;
    let backup = world.back_up().await;
    pay_and_tell(&world, &owed_after).await;
    let windows = [alice.clone(), bob.clone()];
    world.drive(&windows).await;
    world.restore(backup).await;
    // Longer than any gateway's memory of a request.
    world.clock.advance_s(2 * DAY_S);
    world.drive(&windows).await;
    for (window, made) in [(&alice, &owed_before), (&bob, &owed_after)] {
        assert_eq!(refund_of(window, made).await["status"], "succeeded");
        let refunds = at_gateway(&world, made).await;
        assert_eq!((refunds.len(), held(&world, made).await), (1, 0), "{refunds:#?}");
    }
}

#[tokio::test]
async fn a_payment_that_was_live_in_the_backup_and_went_back_since_buys_nothing() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let voided = window.code_for(1).await;
    let backup = world.back_up().await;
    window.code_for(2).await;
    pay_and_tell(&world, &voided).await;
    world.drive(std::slice::from_ref(&window)).await;
    assert_eq!(held(&world, &voided).await, 0);
    world.restore(backup).await;
    world.clock.advance_s(60);
    world.drive(std::slice::from_ref(&window)).await;
    let booking = window.look().await;
    assert_eq!(booking["status"], "pending_payment");
    let order = order_in(&booking, &voided["order"]["order_id"]).unwrap();
    assert_eq!(order["refunds"][0]["reason"], "booking_not_payable");
    assert_eq!(at_gateway(&world, &voided).await.len(), 1);
}

#[tokio::test]
async fn a_request_repeated_after_the_restore_finds_its_payment_which_is_applied_once() {
    let world = quiet_world().await;
    let (window, made, backup) = moved_up(&world).await;
    let paid = pay_and_tell(&world, &made).await;
    world.restore(backup).await;
    keyed(&window).await;
    assert_eq!(window.look().await["orders"][0]["order_id"], made["order"]["order_id"]);
    world.clock.advance_s(60);
    world.drive(std::slice::from_ref(&window)).await;
    assert_eq!(window.look().await["status"], "active");
    tell(&world, &paid["transaction_id"]).await;
    world.drive(std::slice::from_ref(&window)).await;
    assert_eq!(at_gateway(&world, &made).await, Vec::<Value>::new());
    assert_eq!(held(&world, &made).await, 2560);
}

#[tokio::test]
async fn money_told_of_before_the_request_is_repeated_goes_back_and_buys_nothing() {
    let world = quiet_world().await;
    let (window, made, paid) = lost_order(&world).await;
    tell(&world, &paid["transaction_id"]).await;
    keyed(&window).await;
    check_gone_back_once(&world, &window, &made, &paid).await;
}

#[tokio::test]
async fn money_that_went_back_before_the_request_is_repeated_is_not_given_back_again() {
    let world = quiet_world().await;
    let (window, made, paid) = lost_order(&world).await;
    world.clock.advance_s(600);
    tell(&world, &paid["transaction_id"]).await;
    until_nothing_is_left(&world, &made).await;
    assert_eq!(held(&world, &made).await, 0);
    keyed(&window).await;
    check_gone_back_once(&world, &window, &made, &paid).await;
}

#[tokio::test]
async fn money_told_of_again_while_its_gateway_cannot_be_asked_goes_back_and_buys_nothing() {
    let world = quiet_world().await;
    let (window, made, paid) = lost_order(&world).await;
    world.clock.advance_s(600);
    tell(&world, &paid["transaction_id"]).await;
    faults(&world, json!({ "calls_failed_before": 1.0 })).await;
    assert_eq!(keyed(&window).await.status, 503);
    faults(&world, json!({})).await;
    tell(&world, &paid["transaction_id"]).await;
    check_gone_back_once(&world, &window, &made, &paid).await;
}

#[tokio::test]
async fn money_that_we_had_given_back_buys_nothing_when_it_is_told_of_again() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-instant").await;
    let backup = world.back_up().await;
    let made = keyed(&window).await.body;
    expect(201, window.quote_at(3, gateway()).await);
    let paid = pay_and_tell(&world, &made).await;
    world.settle().await;
    until_refunds_ended(&world, &made).await;
    assert_eq!(held(&world, &made).await, 0);
    world.restore(backup).await;
    world.clock.advance_s(600);
    faults(&world, json!({ "calls_failed_before": 1.0 })).await;
    assert_eq!(keyed(&window).await.status, 503);
    let again = json!({ "transaction_id": paid["transaction_id"] });
    assert_ne!(replay(&world, &again).await, acknowledged(), "nobody can say what became of it");
    faults(&world, json!({})).await;
    tell(&world, &paid["transaction_id"]).await;
    until_nothing_is_left(&world, &made).await;
    assert_eq!(window.look().await["status"], "pending_payment");
    assert_eq!(refund_of(&window, &made).await["status"], "succeeded");
    assert_eq!(at_gateway(&world, &made).await.len(), 1);
}

#[tokio::test]
async fn money_beside_an_order_that_waits_for_a_person_goes_back_under_no_other_number() {
    let world = quiet_world().await;
    let (window, made, paid) = lost_order(&world).await;
    tell(&world, &paid["transaction_id"]).await;
    refuse_refund(&world, &made["payment"]["payment_id"]).await;
    keyed(&window).await;
    for _ in 0..3 {
        world.clock.advance_s(3_601);
        world.settle().await;
    }
    assert_eq!(held(&world, &made).await, 2560);
    let beside = unmatched(&world, &window, &made, &paid).await.refund;
    assert_eq!(beside.status, RefundStatus::NeedsAttention);
    assert_eq!(refund_of(&window, &made).await["status"], "due");
    let waiting = world.stack.deps.store.attention_of(&window.booking_id()).await.unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
}

/// A booking, and an order of it that was made and paid after the backup which is in its place now.
async fn lost_order(world: &World) -> (Window, Value, Value) {
    let window = world.booking_of("alice", "desk-instant").await;
    let backup = world.back_up().await;
    let made = keyed(&window).await.body;
    let paid = pay_and_tell(world, &made).await;
    world.restore(backup).await;
    (window, made, paid)
}

/// An order that the backup does not have and that was the booking's second one: made again, it is
/// the first.
async fn moved_up(world: &World) -> (Window, Value, Vec<Item>) {
    let window = world.booking_of("alice", "desk-instant").await;
    let backup = world.back_up().await;
    expect(201, window.quote_at(1, gateway()).await);
    let made = keyed(&window).await.body;
    (window, made, backup)
}

#[tokio::test]
async fn what_others_did_about_an_order_that_moved_up_is_raised_once() {
    let world = quiet_world().await;
    let (window, made, backup) = moved_up(&world).await;
    let paid = pay_and_tell(&world, &made).await;
    world.restore(backup).await;
    keyed(&window).await;
    world.clock.advance_s(60);
    world.settle().await;
    assert_eq!(window.look().await["status"], "active");
    let refund_no = refund_by_hand(&world, &paid["transaction_id"]).await;
    until_refunds_ended(&world, &made).await;
    for _ in 0..2 {
        let told = replay(&world, &json!({ "refund_no": refund_no })).await;
        assert_eq!(told, acknowledged());
    }
    let flagged = refund_of(&window, &made).await;
    assert_eq!(
        (&flagged["reason"], &flagged["status"]),
        (&json!("foreign_refund"), &json!("needs_attention"))
    );
    let waiting = world.stack.deps.store.attention_of(&window.booking_id()).await.unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
}

#[tokio::test]
async fn a_refund_made_for_an_order_that_moved_up_is_known_by_its_number() {
    let world = quiet_world().await;
    let (window, made, backup) = moved_up(&world).await;
    expect(201, window.quote_at(3, gateway()).await);
    pay_and_tell(&world, &made).await;
    world.settle().await;
    until_refunds_ended(&world, &made).await;
    let refund_no = at_gateway(&world, &made).await[0]["refund_no"].clone();
    world.restore(backup).await;
    keyed(&window).await;
    world.clock.advance_s(60);
    world.settle().await;
    assert_ne!(refund_of(&window, &made).await["status"], "succeeded");
    for _ in 0..2 {
        let told = replay(&world, &json!({ "refund_no": refund_no })).await;
        assert_eq!(told, acknowledged());
    }
    assert_eq!(refund_of(&window, &made).await["status"], "succeeded");
    until_nothing_is_left(&world, &made).await;
    assert_eq!((at_gateway(&world, &made).await.len(), held(&world, &made).await), (1, 0));
    let waiting = world.stack.deps.store.attention_of(&window.booking_id()).await.unwrap();
    assert_eq!(waiting, vec![]);
}

/// A booking that the backup does not have, and one whose order it does not have: both paid and
/// applied after it.
async fn lost(world: &World) -> (Vec<Value>, Vec<Value>) {
    let known = world.booking_of("alice", "desk-order").await;
    let backup = world.back_up().await;
    let unknown = world.booking_of("bob", "desk-submit").await;
    let (mut made, mut paid) = (vec![], vec![]);
    for window in [&known, &unknown] {
        let code = window.code_for(1).await;
        paid.push(pay_and_tell(world, &code).await);
        made.push(code);
        assert_eq!(window.look().await["status"], "active");
    }
    world.restore(backup).await;
    assert_eq!(known.look().await["orders"], json!([]));
    assert_eq!(unknown.client.get(&unknown.path).await.unwrap().status, 404);
    (made, paid)
}

#[tokio::test]
async fn a_lost_payment_that_is_told_again_goes_back_in_full() {
    let world = quiet_world().await;
    let (made, paid) = lost(&world).await;
    for one in &paid {
        tell(&world, &one["transaction_id"]).await;
    }
    for _ in 0..4 {
        world.settle().await;
        world.clock.advance_s(3_600);
    }
    for (code, one) in made.iter().zip(&paid) {
        assert_eq!(held(&world, code).await, 0);
        tell(&world, &one["transaction_id"]).await;
        assert_eq!(at_gateway(&world, code).await.len(), 1, "once");
    }
}

#[tokio::test]
async fn a_lost_payment_is_found_in_its_days_bill() {
    let world = quiet_world().await;
    let deps = &world.stack.deps;
    let bills = deps.gateway(&tests::gateway_name()).unwrap();
    let offset = bills.bills().unwrap().offset();
    let day = offset.to_datetime(world.clock.now()).date().tomorrow().unwrap();
    world.clock.set(offset.to_timestamp(day.at(12, 0, 0, 0)).unwrap());
    let (_, paid) = lost(&world).await;
    world.clock.advance_s(DAY_S);
    let ask = json!({ "day": day, "gateway": gateway() });
    let report = expect(200, world.admin().post(invocation_path("reconcile"), &ask).await.unwrap());
    let rows = report["gateways"][0]["rows"].as_array().unwrap().clone();
    // A bill without the echo cannot prove money ours whose payment is stored nowhere.
    let difference = if gateway() == "alipay" { "foreign" } else { "not_recorded" };
    for one in &paid {
        let row = rows.iter().find(|row| row["transaction_id"] == one["transaction_id"]);
        let row = row.unwrap_or_else(|| panic!("{} is in no row", text(&one["transaction_id"])));
        assert_eq!(row["difference"], difference, "{row:#}");
    }
}
