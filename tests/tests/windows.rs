//! Many windows on one booking at once: whatever they do, money is applied once or goes back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::booking::OrderStatus;
use local::client::Reply;
use serde_json::{Value, json};
use tests::{Window, World, expect, gateway, open_booking, order_in, text};

const WINDOWS: u32 = 50;
/// How often a client repeats what it is told to repeat.
const REPEATS_MAX: u32 = 50;

/// Sends a request, and again for as long as the answer says that this is safe and helps.
macro_rules! persist {
    ($request:expr) => {{
        let mut repeats = 0;
        loop {
            let reply: Reply = $request;
            if !is_lost_race(&reply) {
                break reply;
            }
            repeats += 1;
            assert!(repeats < REPEATS_MAX, "the race is lost for ever");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }};
}

fn is_lost_race(reply: &Reply) -> bool {
    let lost = reply.status == 409 && reply.body["code"] == "version_conflict";
    assert!(!lost || reply.headers["retry-after"] == "1", "{reply:?}");
    lost
}

/// What a window may be told while others are at work; anything else is a bug.
#[track_caller]
fn check_told(reply: &Reply) {
    let known = ["order_superseded", "order_closed", "order_already_paid", "quote_stale"];
    let told = reply.body["code"].as_str().unwrap_or_default();
    let is_fine =
        matches!(reply.status, 200 | 201) || (reply.status == 409 && known.contains(&told));
    assert!(is_fine, "{} {:#}", reply.status, reply.body);
}

/// One window's whole life: a quote, its code, and in some windows second thoughts.
async fn visit(window: Window, flow: &'static str, number: u32) {
    let quantity = number % 5 + 1;
    let key = format!("window-{number}");
    let body = match flow {
        "desk-instant" => json!({ "quantity": quantity, "gateway": gateway() }),
        _ => json!({ "quantity": quantity }),
    };
    let quoted = persist!(window.quote_keyed(&body, &key).await);
    check_told(&quoted);
    let quoted = quoted.body;
    let made = match flow {
        "desk-submit" => persist!(window.order(&quoted["quote"]["token"]).await).body,
        "desk-order" if !quoted["order"].is_null() && !number.is_multiple_of(4) => {
            let reply = persist!(window.generate(&quoted).await);
            check_told(&reply);
            reply.body
        }
        _ => quoted.clone(),
    };
    let order = if made["order"].is_null() { &quoted["order"] } else { &made["order"] };
    if number.is_multiple_of(7) && !order.is_null() {
        check_told(&persist!(window.cancel_order(&order["order_id"]).await));
    }
}

/// Looks at a booking for as long as others work on it: what is true of every version?
async fn watch(window: Window, done: Arc<AtomicBool>) -> usize {
    let mut live_at: HashMap<u64, Value> = HashMap::new();
    while !done.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(4)).await;
        let seen = window.look().await;
        let version = seen["version"].as_u64().unwrap();
        let live = seen["live_order"]["order_id"].clone();
        let known = live_at.entry(version).or_insert_with(|| live.clone());
        assert_eq!(*known, live, "one live order at every version");
        let orders = seen["orders"].as_array().unwrap();
        for order in orders {
            let is_live = !live.is_null() && order["order_id"] == live;
            assert_eq!(order["status"] == "pending", is_live, "{order:#}");
            let next = &order["superseded_by"];
            assert_eq!(order["status"] == "superseded", !next.is_null(), "{order:#}");
            assert!(next.is_null() || order_in(&seen, next).is_some(), "{order:#}");
        }
    }
    live_at.len()
}

async fn all_at_once<F: Future<Output = ()> + Send + 'static>(visits: impl Iterator<Item = F>) {
    let visits: Vec<_> = visits.map(tokio::spawn).collect();
    for visit in visits {
        visit.await.unwrap();
    }
}

/// Pays every code that a gateway has ever issued: ten customers' phones, one after the other.
async fn pay_all(world: &World) {
    let nobody = world.nobody();
    let ledger = world.ledger().await;
    let unpaid = ledger.iter().filter(|payment| payment["captured"]["amount"] == 0);
    let codes: Vec<Value> = unpaid.map(|payment| payment["code_urls"][0].clone()).collect();
    all_at_once(codes.chunks(codes.len().div_ceil(10).max(1)).map(|codes| {
        let (nobody, codes) = (nobody.clone(), codes.to_vec());
        async move {
            for code in codes {
                let body = json!({ "code_url": code, "force": true });
                expect(200, nobody.post("/simulator/pay", &body).await.unwrap());
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }))
    .await;
}

async fn fifty_windows_buy_once(product: &'static str) {
    let world = World::start().await;
    let window = world.booking_of("alice", product).await;
    let done = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn(watch(window.clone(), Arc::clone(&done)));
    all_at_once((1..=WINDOWS).map(|number| visit(window.clone(), product, number))).await;
    if window.look().await["live_order"]["payment"].is_null() {
        window.code_for(1).await;
    }
    let live = window.look().await["live_order"].clone();
    pay_all(&world).await;
    world.until_settled(std::slice::from_ref(&window)).await;
    done.store(true, Ordering::SeqCst);
    assert!(watching.await.unwrap() > 10, "many versions were seen");

    let booking = window.look().await;
    assert_eq!((&booking["status"], &booking["renewals"]), (&json!("active"), &json!(0)));
    let (_, orders) = world.stored(&window).await;
    assert!(orders.len() >= 30, "{product}: {} orders", orders.len());
    let paid: Vec<_> = orders.iter().filter(|it| it.status == OrderStatus::Paid).collect();
    assert_eq!(paid.len(), 1);
    assert_eq!(json!(paid[0].order_id), live["order_id"], "the live order and no other");
    assert_eq!(json!(paid[0].amount), live["amount"]);
    let ledger = world.ledger().await;
    assert!(ledger.iter().all(|payment| payment["captured"]["amount"] != 0));
    let mut returned = 0;
    for order in orders.iter().filter(|it| it.status != OrderStatus::Paid) {
        let payments = order.payments.len();
        assert_eq!(order.refunds.len(), payments, "{order:?}");
        for refund in &order.refunds {
            assert_eq!(json!(refund.reason), json!(order.status), "{order:?}");
            returned += 1;
        }
    }
    assert_eq!(returned + 1, ledger.len());
    assert!(ledger.len() > 3, "{product}: {} codes", ledger.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_windows_submit_at_once_and_one_payment_is_applied() {
    fifty_windows_buy_once("desk-submit").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_windows_order_at_once_and_one_payment_is_applied() {
    fifty_windows_buy_once("desk-order").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_windows_ask_for_codes_at_once_and_one_payment_is_applied() {
    fifty_windows_buy_once("desk-instant").await;
}

/// A window that pays whatever it is shown, at once.
async fn visit_and_pay(world: Arc<World>, window: Window, product: &'static str, number: u32) {
    visit(window.clone(), product, number).await;
    let code = window.look().await["live_order"]["payment"]["code_url"].clone();
    if code.is_string() {
        let body = json!({ "code_url": code, "force": true });
        expect(200, world.nobody().post("/simulator/pay", &body).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_quote_pay_and_cancel_at_once_never_lose_a_fen() {
    let world = Arc::new(World::start().await);
    let mut windows = vec![];
    let mut watching = vec![];
    let done = Arc::new(AtomicBool::new(false));
    let mut visits = vec![];
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        watching.push(tokio::spawn(watch(window.clone(), Arc::clone(&done))));
        for number in 1..=16 {
            visits.push(visit_and_pay(Arc::clone(&world), window.clone(), product, number));
        }
        windows.push(window);
    }
    all_at_once(visits.into_iter()).await;
    pay_all(&world).await;
    world.until_settled(&windows).await;
    done.store(true, Ordering::SeqCst);
    for watch in watching {
        watch.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_cancelled_among_its_windows_keeps_no_money() {
    let world = World::start().await;
    let window = world.booking_of("alice", "desk-instant").await;
    let cancelling = window.clone();
    let cancel = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        persist!(cancelling.cancel().await)
    });
    let visits = (1..=16).map(|number| {
        let window = window.clone();
        async move {
            let body = json!({ "quantity": number, "gateway": gateway() });
            let key = number.to_string();
            let reply = persist!(window.quote_keyed(&body, &key).await);
            let told = reply.body["code"].as_str().unwrap_or_default();
            let known = ["booking_not_payable", "order_closed", "order_superseded"];
            assert!(matches!(reply.status, 200 | 201) || known.contains(&told), "{reply:?}");
        }
    });
    all_at_once(visits).await;
    expect(200, cancel.await.unwrap());
    pay_all(&world).await;
    world.until_settled(std::slice::from_ref(&window)).await;
    let booking = window.look().await;
    assert_eq!((&booking["status"], &booking["term"]), (&json!("cancelled"), &json!(null)));
    let (_, orders) = world.stored(&window).await;
    assert!(orders.iter().all(|order| order.status != OrderStatus::Paid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_that_race_at_the_limit_never_pass_it() {
    let world = Arc::new(World::start().await);
    for (product, seeded) in [
        ("few-submit", "desk-submit"),
        ("few-order", "desk-order"),
        ("few-instant", "desk-instant"),
    ] {
        let mut definition = world.definition(seeded).await;
        definition["max_renewals"] = json!(2);
        world.define(product, &definition).await;
        let window = world.booking_of("alice", product).await;
        window.buy(&world, 1).await;
        let visits = (1..=10).map(|_| {
            let (world, window) = (Arc::clone(&world), window.clone());
            async move {
                for _ in 0..3 {
                    renew(&world, &window, seeded).await;
                }
            }
        });
        all_at_once(visits).await;
        pay_all(&world).await;
        // The last live order may have been replaced before its code was paid: until the limit.
        for _ in 0..3 {
            world.until_settled(std::slice::from_ref(&window)).await;
            if window.look().await["renewals"] == 2 {
                break;
            }
            renew(&world, &window, seeded).await;
        }
        world.until_settled(std::slice::from_ref(&window)).await;
        let booking = window.look().await;
        assert_eq!(booking["renewals"], 2, "{product}");
        let over = window.quote_at(1, gateway()).await;
        tests::expect_problem(409, "renewal_limit_reached", over);
    }
}

/// Asks for a renewal's code by the product's flow and pays it, wherever the race leaves it.
async fn renew(world: &World, window: &Window, flow: &str) {
    let quoted = persist!(window.quote_at(1, gateway()).await);
    let made = match (quoted.status, flow) {
        (409, _) => quoted,
        (_, "desk-submit") => {
            persist!(window.order(&quoted.body["quote"]["token"]).await)
        }
        (_, "desk-order") => persist!(window.generate(&quoted.body).await),
        _ => quoted,
    };
    let code = &made.body["payment"]["code_url"];
    if code.is_string() {
        let body = json!({ "code_url": code, "force": true });
        expect(200, world.nobody().post("/simulator/pay", &body).await.unwrap());
        return;
    }
    if made.status < 300 {
        // A request that was repeated shows its order as it has become meanwhile.
        assert_ne!(made.body["order"]["status"], "pending", "{made:?}");
        return;
    }
    let told = text(&made.body["code"]);
    let known = [
        "order_superseded",
        "order_closed",
        "order_already_paid",
        "quote_stale",
        "renewal_limit_reached",
    ];
    assert!(known.contains(&told.as_str()), "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_ask_for_the_same_thing_at_once_get_the_same_thing() {
    let world = World::start().await;
    world.faults(json!({ "call_delay_ms": 60 })).await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let quoted = match product {
            "desk-instant" => Value::Null,
            _ => expect(201, window.quote(2).await),
        };
        let asking = (0..8).map(|_| {
            let (window, quoted) = (window.clone(), quoted.clone());
            tokio::spawn(async move {
                persist!(match product {
                    "desk-submit" => window.order(&quoted["quote"]["token"]).await,
                    "desk-order" => window.generate(&quoted).await,
                    _ => {
                        let body = json!({ "quantity": 2, "gateway": gateway() });
                        window.quote_keyed(&body, "same").await
                    }
                })
            })
        });
        let mut shown = vec![];
        for reply in asking.collect::<Vec<_>>() {
            let reply = reply.await.unwrap();
            assert!(matches!(reply.status, 200 | 201), "{reply:?}");
            assert!(reply.body["payment"]["code_url"].is_string(), "{reply:?}");
            shown.push((reply.body["order"]["order_id"].clone(), reply.body["payment"].clone()));
        }
        shown.dedup();
        assert_eq!(shown.len(), 1, "{product}: the same order, payment and code for everybody");
        let (_, orders) = world.stored(&window).await;
        assert_eq!((orders.len(), orders[0].payments.len()), (1, 1));
    }
    assert_eq!(world.ledger().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_opened_in_many_windows_at_once_is_one_booking() {
    let world = World::start().await;
    let client = world.nobody().as_customer("alice");
    let opening = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { persist!(open_booking(&client, "desk-order", "once").await) })
    });
    let mut new = 0;
    let mut ids = vec![];
    for reply in opening.collect::<Vec<_>>() {
        let reply = reply.await.unwrap();
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        new += u32::from(reply.status == 201);
        ids.push(reply.body["booking_id"].clone());
    }
    ids.dedup();
    assert_eq!((new, ids.len()), (1, 1));
    let listed = expect(200, client.get("/v1/bookings").await.unwrap());
    assert_eq!(listed["bookings"].as_array().unwrap().len(), 1);
}
