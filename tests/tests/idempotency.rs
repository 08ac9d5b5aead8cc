//! The same request again, one after the other and at once: one effect, and the same answer.

use std::collections::BTreeSet;

use http::Method;
use local::client::{Call, Client, Reply};
use serde_json::{Value, json};
use tests::{
    Window, World, expect, expect_problem, gateway, open_booking, order_in, refused_unchanged, text,
};

/// How many windows send the same request at once.
const WINDOWS: usize = 6;
/// How long a gateway takes that lets other windows meet a payment which is still being created.
const SLOW_MS: u32 = 30;

/// Sends the same request from several windows at once; the replies are in no particular order.
async fn at_once<F>(request: impl Fn() -> F) -> Vec<Reply>
where
    F: Future<Output = Reply> + Send + 'static,
{
    let sent: Vec<_> = (0..WINDOWS).map(|_| tokio::spawn(request())).collect();
    let mut replies = vec![];
    for reply in sent {
        replies.push(reply.await.unwrap());
    }
    replies
}

/// The one body of replies that all say the same; one of them made it, and the others repeat it.
#[track_caller]
fn the_one(replies: &[Reply], first_status: u16) -> Value {
    let firsts = replies.iter().filter(|reply| reply.status == first_status).count();
    let repeats = replies.iter().filter(|reply| reply.status == 200).count();
    if first_status == 200 {
        assert_eq!(repeats, replies.len(), "{replies:#?}");
    } else {
        assert_eq!((firsts, repeats), (1, replies.len() - 1), "{replies:#?}");
    }
    for reply in replies {
        assert_eq!(reply.body, replies[0].body);
    }
    replies[0].body.clone()
}

async fn quote_keyed(window: Window, quantity: u32, key: &'static str) -> Reply {
    let body = json!({ "quantity": quantity, "gateway": gateway() });
    window.quote_keyed(&body, key).await
}

// Bookings.

async fn listed(client: &Client) -> Vec<Value> {
    let page = expect(200, client.get("/v1/bookings").await.unwrap());
    page["bookings"].as_array().unwrap().clone()
}

#[tokio::test]
async fn one_key_opens_one_booking_however_often_and_from_however_many_windows() {
    let world = World::start_unsettled().await;
    let alice = world.nobody().as_customer("alice");
    let first = expect(201, open_booking(&alice, "desk-order", "key").await);
    for _ in 0..2 {
        let again = expect(200, open_booking(&alice, "desk-order", "key").await);
        assert_eq!(again, first);
    }
    let replies = at_once(|| {
        let alice = alice.clone();
        async move { open_booking(&alice, "desk-order", "other-key").await }
    });
    let second = the_one(&replies.await, 201);
    assert_ne!(second["booking_id"], first["booking_id"]);
    assert_eq!(listed(&alice).await.len(), 2);
}

#[tokio::test]
async fn a_key_is_its_customers_own_and_for_one_product_only() {
    let world = World::start_unsettled().await;
    let alice = world.nobody().as_customer("alice");
    let opened = expect(201, open_booking(&alice, "desk-order", "key").await);
    let other = open_booking(&alice, "desk-instant", "key").await;
    expect_problem(422, "idempotency_mismatch", other);
    assert_eq!(listed(&alice).await.len(), 1);
    let bob = world.nobody().as_customer("bob");
    let of_bob = expect(201, open_booking(&bob, "desk-order", "key").await);
    assert_ne!(of_bob["booking_id"], opened["booking_id"]);
    // Neither case nor length makes two keys the same.
    for key in ["Key", "ke", "key-", &"k".repeat(64)] {
        expect(201, open_booking(&alice, "desk-order", key).await);
    }
    assert_eq!(listed(&alice).await.len(), 5);
}

#[tokio::test]
async fn one_key_at_once_for_two_products_opens_one_of_them() {
    let world = World::start_unsettled().await;
    let alice = world.nobody().as_customer("alice");
    let (one, other) = tokio::join!(
        open_booking(&alice, "desk-order", "key"),
        open_booking(&alice, "desk-instant", "key"),
    );
    let (won, lost) = if one.status == 201 { (one, other) } else { (other, one) };
    expect(201, won);
    expect_problem(422, "idempotency_mismatch", lost);
    assert_eq!(listed(&alice).await.len(), 1);
}

#[tokio::test]
async fn opening_again_shows_what_has_become_of_the_booking() {
    let world = World::start_unsettled().await;
    let window = world.booking_under("alice", "desk-order", "key").await;
    let bought = window.buy(&world, 1).await;
    let again = open_booking(&window.client, "desk-order", "key").await;
    assert_eq!(expect(200, again), bought);
}

// Quotes.

#[tokio::test]
async fn a_keyed_quote_makes_one_order_however_often_it_is_asked_for() {
    let world = World::start_unsettled().await;
    for product in ["desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        for (kind, call_delay_ms) in [("first", 0), ("renewal", SLOW_MS)] {
            world.faults(json!({ "call_delay_ms": call_delay_ms })).await;
            let made = expect(201, quote_keyed(window.clone(), 2, "key").await);
            assert_eq!(made["order"]["kind"], kind, "{product}");
            let state = window.state(&world).await;
            for _ in 0..2 {
                let again = expect(200, quote_keyed(window.clone(), 2, "key").await);
                assert_eq!(again, made, "{product}");
            }
            assert_eq!(window.state(&world).await, state, "a repeat changes nothing");
            let replies = at_once(|| quote_keyed(window.clone(), 2, "at-once"));
            let newer = the_one(&replies.await, 201);
            assert_ne!(newer["order"]["order_id"], made["order"]["order_id"]);
            let payments = usize::from(product == "desk-instant");
            let booking = window.look().await;
            assert_eq!(booking["live_order"]["order_id"], newer["order"]["order_id"]);
            assert_eq!(booking["live_order"]["payments"].as_array().unwrap().len(), payments);
            let mine = order_in(&booking, &made["order"]["order_id"]).unwrap();
            assert_eq!(mine["superseded_by"], newer["order"]["order_id"]);
            window.buy(&world, 1).await;
        }
    }
}

#[tokio::test]
async fn a_keyed_quote_that_stores_nothing_makes_one_order_all_the_same() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    let before = window.state(&world).await;
    let mut tokens = vec![];
    for reply in at_once(|| quote_keyed(window.clone(), 2, "key")).await {
        // Nothing is stored: there is no telling whether it was asked for before.
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        tokens.push(reply.body["quote"]["token"].clone());
        world.clock.advance_s(1);
    }
    assert_eq!(window.state(&world).await, before);
    let mut made = expect(201, window.order(&tokens[0]).await);
    for token in &tokens {
        let again = expect(200, window.order(token).await);
        assert_eq!(again["order"]["order_id"], made["order"]["order_id"]);
        made = again;
    }
    assert_eq!(world.ledger().await.len(), 1);
}

#[tokio::test]
async fn without_a_key_asking_again_is_asking_for_a_new_offer() {
    let world = World::start_unsettled().await;
    for product in ["desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let ids = [
            expect(201, window.quote_at(1, gateway()).await)["order"]["order_id"].clone(),
            expect(201, window.quote_at(1, gateway()).await)["order"]["order_id"].clone(),
        ];
        assert_ne!(ids[0], ids[1], "{product}");
        assert_eq!(window.look().await["live_order"]["order_id"], ids[1]);
    }
}

#[tokio::test]
async fn a_keyed_quote_repeated_after_its_order_has_ended_shows_the_end_and_makes_nothing() {
    let world = World::start_unsettled().await;
    for product in ["desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let older = expect(201, quote_keyed(window.clone(), 1, "older").await);
        let newer = expect(201, quote_keyed(window.clone(), 2, "newer").await);
        check_ended(&world, &window, 1, "older", &older, "superseded").await;
        expect(200, window.cancel_order(&newer["order"]["order_id"]).await);
        check_ended(&world, &window, 2, "newer", &newer, "cancelled").await;
        check_ended(&world, &window, 1, "older", &older, "superseded").await;
    }
}

/// Repeats a keyed quote, once and at once: its order is shown as it ended.
async fn check_ended(
    world: &World,
    window: &Window,
    quantity: u32,
    key: &'static str,
    made: &Value,
    status: &str,
) {
    let before = window.state(world).await;
    let replies = at_once(|| quote_keyed(window.clone(), quantity, key)).await;
    let again = the_one(&replies, 200);
    assert_eq!(again["order"]["order_id"], made["order"]["order_id"]);
    assert_eq!(again["order"]["status"], status);
    assert_eq!(again["payment"], Value::Null);
    assert_eq!(window.state(world).await, before, "a repeat brings nothing back");
}

#[tokio::test]
async fn a_keyed_quote_repeated_after_it_was_paid_is_the_offer_of_a_renewal() {
    let world = World::start_unsettled().await;
    for product in ["desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let made = expect(201, quote_keyed(window.clone(), 1, "key").await);
        let code = match product {
            "desk-order" => expect(201, window.generate(&made).await)["payment"].clone(),
            _ => made["payment"].clone(),
        };
        world.pay(&code["code_url"]).await;
        let paid = window.until("it is bought", |booking| booking["status"] == "active").await;
        // What a first booking was quoted under a key, a renewal is not: the key has moved on.
        let replies = at_once(|| quote_keyed(window.clone(), 1, "key")).await;
        let renewal = the_one(&replies, 201);
        assert_eq!(renewal["order"]["kind"], "renewal");
        let booking = window.look().await;
        assert_eq!(booking["term"], paid["term"], "nobody has paid for the renewal");
        let first = order_in(&booking, &made["order"]["order_id"]).unwrap();
        assert_eq!(first["status"], "paid", "{product}");
    }
}

#[tokio::test]
async fn one_key_for_another_quantity_or_price_is_another_order() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let mut ids = BTreeSet::new();
    for quantity in [1, 2] {
        let made = expect(201, quote_keyed(window.clone(), quantity, "key").await);
        ids.insert(text(&made["order"]["order_id"]));
    }
    let price = json!({ "amount": 400, "currency": "CNY" });
    world.change_product("desk-order", "first_unit_price", price).await;
    let made = expect(201, quote_keyed(window.clone(), 2, "key").await);
    assert_eq!(made["order"]["amount"]["amount"], 800);
    ids.insert(text(&made["order"]["order_id"]));
    assert_eq!(ids.len(), 3);
}

// Orders.

#[tokio::test]
async fn one_token_creates_one_order_and_one_payment() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    for (payments, call_delay_ms) in [(1, 0), (2, SLOW_MS)] {
        world.faults(json!({ "call_delay_ms": call_delay_ms })).await;
        let token = expect(201, window.quote(2).await)["quote"]["token"].clone();
        let before = window.look().await["version"].as_u64().unwrap();
        let made = the_one(&at_once(|| submit(window.clone(), token.clone())).await, 201);
        assert_eq!(made["payment"]["status"], "payable");
        let state = window.state(&world).await;
        assert_eq!(state["booking"]["live_order"], made["order"]);
        // The order with its payment, and the payment's code: nothing else was written.
        assert_eq!(state["booking"]["version"], before + 2);
        assert_eq!(world.ledger().await.len(), payments);
        for _ in 0..2 {
            let again = expect(200, submit(window.clone(), token.clone()).await);
            assert_eq!(again, made);
        }
        assert_eq!(window.state(&world).await, state, "a repeat changes nothing");
    }
}

async fn submit(window: Window, token: Value) -> Reply {
    window.order(&token).await
}

#[tokio::test]
async fn a_token_used_before_shows_its_order_whatever_has_become_of_it() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    let mut tokens = vec![];
    for quantity in 1..=3 {
        let token = expect(201, window.quote(quantity).await)["quote"]["token"].clone();
        let made = expect(201, window.order(&token).await);
        tokens.push((token, made));
        if quantity == 2 {
            let dropped = &tokens[1].1["order"]["order_id"];
            expect(200, window.cancel_order(dropped).await);
        }
    }
    world.pay(&tokens[2].1["payment"]["code_url"]).await;
    window.until("it is bought", |booking| booking["status"] == "active").await;
    world.clock.advance_s(100_000);
    let before = window.state(&world).await;
    for ((token, made), status) in tokens.iter().zip(["superseded", "cancelled", "paid"]) {
        let again = expect(200, window.order(token).await);
        assert_eq!(again["order"]["order_id"], made["order"]["order_id"]);
        assert_eq!(again["order"]["status"], status);
        assert_eq!(again["order"]["payments"][0]["code_url"], Value::Null, "{status}");
    }
    assert_eq!(window.state(&world).await, before);
}

#[tokio::test]
async fn a_token_sent_with_a_gateway_that_is_not_accepted_creates_nothing() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    let token = expect(201, window.quote(2).await)["quote"]["token"].clone();
    let refused = (422, "gateway_not_accepted");
    let body = json!({ "quote_token": token, "gateway": "carrier_pigeon" });
    refused_unchanged(&world, &window, refused, window.post("orders", &body)).await;
    let made = expect(201, window.order(&token).await);
    refused_unchanged(&world, &window, refused, window.post("orders", &body)).await;
    let order_id = &made["order"]["order_id"];
    let generate = window.pay_order(order_id, &token, "carrier_pigeon");
    refused_unchanged(&world, &window, refused, generate).await;
}

// Payments.

#[tokio::test]
async fn windows_that_generate_at_once_get_the_same_payment() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    for (payments, call_delay_ms) in [(1, 0), (2, SLOW_MS)] {
        world.faults(json!({ "call_delay_ms": call_delay_ms })).await;
        let quoted = expect(201, window.quote(2).await);
        let before = window.look().await["version"].as_u64().unwrap();
        let generate = || {
            let (window, quoted) = (window.clone(), quoted.clone());
            async move { window.generate(&quoted).await }
        };
        let made = the_one(&at_once(generate).await, 201);
        let state = window.state(&world).await;
        assert_eq!(state["booking"]["live_order"], made["order"]);
        assert_eq!(state["booking"]["live_order"]["payments"], json!([made["payment"]]));
        assert_eq!(state["booking"]["version"], before + 2);
        assert_eq!(world.ledger().await.len(), payments);
        let again = the_one(&at_once(generate).await, 200);
        assert_eq!(again, made);
        assert_eq!(window.state(&world).await, state, "a repeat changes nothing");
    }
}

// Cancelling.

#[tokio::test]
async fn an_order_is_dropped_once() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let made = window.code_for(1).await;
        let before = window.look().await["version"].as_u64().unwrap();
        let order_id = made["order"]["order_id"].clone();
        let drop_it = || {
            let (window, order_id) = (window.clone(), order_id.clone());
            async move { window.cancel_order(&order_id).await }
        };
        let dropped = the_one(&at_once(drop_it).await, 200);
        let booking = window.look().await;
        assert_eq!(booking["version"], before + 1, "{product}");
        assert_eq!(*order_in(&booking, &order_id).unwrap(), dropped);
        assert_eq!(the_one(&at_once(drop_it).await, 200), dropped);
        assert_eq!(window.look().await, booking);
    }
}

#[tokio::test]
async fn a_booking_is_cancelled_once() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        window.code_for(1).await;
        let before = window.look().await["version"].as_u64().unwrap();
        let cancel = || {
            let window = window.clone();
            async move { window.cancel().await }
        };
        let cancelled = the_one(&at_once(cancel).await, 200);
        assert_eq!(cancelled["version"], before + 1, "{product}");
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(the_one(&at_once(cancel).await, 200), cancelled);
        assert_eq!(window.look().await, cancelled);
    }
}

#[tokio::test]
async fn defining_a_product_again_as_it_is_leaves_its_quotes_good() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    let token = expect(201, window.quote(1).await)["quote"]["token"].clone();
    let definition = world.definition("desk-submit").await;
    let admin = world.admin();
    let define = || {
        let (admin, definition) = (admin.clone(), definition.clone());
        async move {
            let call = Call::new(Method::PUT, "/v1/products/desk-submit");
            admin.send(call.json(&definition)).await.unwrap()
        }
    };
    let defined = the_one(&at_once(define).await, 200);
    let read = admin.get("/v1/products/desk-submit").await.unwrap();
    assert_eq!(expect(200, read), defined);
    expect(201, window.order(&token).await);
}
