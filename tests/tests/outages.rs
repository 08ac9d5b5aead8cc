//! Stores and gateways that fail: the client repeats its request, and the end is the same.

use std::time::{Duration, Instant};

use domain::task::FUNCTION_TIMEOUT_S_MAX;
use http::Method;
use local::client::{Call, Reply};
use serde_json::{Value, json};
use settle::LEASE_S;
use tests::faults::{Failure, Fate, Faults};
use tests::{Window, World, expect, expect_problem, open_booking, text};

/// How often a client repeats a request.
const REPEATS_MAX: u32 = 10;
/// The last call of a request that fails first; most make five at most.
const FIRST_MAX: u32 = 5;
/// How many calls later the second one fails at the latest: perhaps in what repeats the request.
const APART_MAX: u32 = 4;

/// What goes wrong in each request of a journey, and in each run of the worker: two calls, to the
/// store or to the gateway, counted on through the request's repeats.
type Trouble = [(u32, Fate); 2];

/// One customer's way through a flow, with trouble in every step.
struct Journey<'a> {
    world: &'a World,
    faults: &'a Faults,
    trouble: Option<Trouble>,
    hits: u32,
}

impl Journey<'_> {
    fn arm(&self) {
        let trouble = self.trouble;
        self.faults.follow(move |call| {
            let hit = trouble.iter().flatten().find(|(number, _)| *number == call.number);
            hit.map_or(Fate::Works, |(_, fate)| *fate)
        });
    }

    /// Sends a request under the trouble, and the same request again until it is answered.
    async fn send(&mut self, what: &str, request: impl AsyncFn() -> Reply) -> Value {
        self.arm();
        for _ in 0..REPEATS_MAX {
            let reply = request().await;
            let code = reply.body["code"].as_str().unwrap_or_default();
            match (reply.status, code) {
                (200 | 201, _) => {
                    self.hits += self.faults.heal();
                    return reply.body;
                }
                (503, "store_unavailable" | "gateway_unavailable") => {
                    assert_eq!(reply.headers["retry-after"], "2");
                }
                _ => panic!("{what} under {:?}: {} {:#}", self.trouble, reply.status, reply.body),
            }
        }
        panic!("{what} under {:?} is never answered", self.trouble);
    }

    /// A quote and its code, by whatever the flow asks for.
    async fn code(&mut self, window: &Window, quantity: u32, key: &str) -> Value {
        let body = json!({ "quantity": quantity, "gateway": "wechat_pay" });
        let quoted = self.send("quote", async || window.quote_keyed(&body, key).await).await;
        if quoted["order"].is_null() {
            let token = &quoted["quote"]["token"];
            self.send("order", async || window.order(token).await).await
        } else if quoted["payment"].is_null() {
            self.send("generate", async || window.generate(&quoted).await).await
        } else {
            quoted
        }
    }

    /// Pays a code, and has its notification told until it is acknowledged.
    async fn pay(&mut self, made: &Value) {
        let body = json!({ "code_url": made["payment"]["code_url"], "force": true });
        let paid = self.world.pay_with(body).await;
        let replay = json!({ "transaction_id": paid["transaction_id"] });
        self.arm();
        for _ in 0..REPEATS_MAX {
            let told = self.world.nobody().post("/simulator/replay", &replay).await.unwrap();
            match expect(200, told)["status"].as_u64() {
                Some(204) => {
                    self.hits += self.faults.heal();
                    return;
                }
                status => assert_eq!(status, Some(500), "{:?}", self.trouble),
            }
        }
        panic!("a notification under {:?} is never acknowledged", self.trouble);
    }

    /// Runs the worker; what it leaves behind comes back after its lease.
    async fn work(&mut self) {
        self.arm();
        let _ = settle::run_due(&self.world.stack.deps).await;
        self.hits += self.faults.heal();
        self.world.clock.advance_s(i64::from(LEASE_S) + 1);
        self.world.settle().await;
    }

    /// Everything once: bought with a second thought, both codes paid, renewed, dropped.
    async fn travel(&mut self, customer: &str, product: &str) -> Value {
        let client = self.world.nobody().as_customer(customer);
        let open = async || open_booking(&client, product, "trip").await;
        let booking_id = text(&self.send("open", open).await["booking_id"]);
        let path = format!("/v1/bookings/{booking_id}");
        let window = Window { client, path, gateway: "wechat_pay" };
        let old = self.code(&window, 1, "a").await;
        let live = self.code(&window, 2, "b").await;
        self.pay(&live).await;
        self.pay(&old).await;
        let renewal = self.code(&window, 3, "c").await;
        self.pay(&renewal).await;
        let dropped = self.code(&window, 4, "d").await;
        let order_id = &dropped["order"]["order_id"];
        self.send("cancel", async || window.cancel_order(order_id).await).await;
        let look = async || window.client.get(&window.path).await.unwrap();
        let version = self.send("look", look).await["version"].clone();
        self.work().await;
        self.work().await;
        self.world.drive(std::slice::from_ref(&window)).await;
        let mut end = self.world.outline(&window).await;
        end["version"] = version;
        end
    }
}

/// Fails two calls of every request and of the worker, each pair that is near enough.
async fn any_two_calls_fail(product: &'static str) {
    let (before, after) =
        (Fate::FailsBefore(Failure::NoAnswer), Fate::FailsAfter(Failure::NoAnswer));
    let (world, faults) = faulty_world().await;
    world.faults(json!({ "notifications_dropped": 1.0, "refund_delay_ms": 0 })).await;
    let journey = |trouble| Journey { world: &world, faults: &faults, trouble, hits: 0 };
    let undisturbed = journey(None).travel("nobody", product).await;
    let orders = undisturbed["orders"].as_array().unwrap();
    let statuses: Vec<_> = orders.iter().map(|order| text(&order["status"])).collect();
    assert_eq!(statuses, ["superseded", "paid", "paid", "cancelled"]);
    let mut failed = 0;
    for first in 1..=FIRST_MAX {
        for apart in 1..=APART_MAX {
            // Over the pairs, each fate follows each.
            let fates = match apart {
                1 => [before, before],
                2 => [before, after],
                3 => [after, before],
                _ => [after, after],
            };
            let mut journey = journey(Some([(first, fates[0]), (first + apart, fates[1])]));
            let end = journey.travel(&format!("{first}-{apart}"), product).await;
            assert_eq!(end, undisturbed, "{:?}", journey.trouble);
            failed += journey.hits;
        }
    }
    assert!(failed > 8 * FIRST_MAX * APART_MAX, "{failed} calls failed");
}

#[tokio::test]
async fn submit_once_ends_the_same_whichever_two_calls_of_each_request_fail() {
    any_two_calls_fail("desk-submit").await;
}

#[tokio::test]
async fn order_first_ends_the_same_whichever_two_calls_of_each_request_fail() {
    any_two_calls_fail("desk-order").await;
}

#[tokio::test]
async fn instant_ends_the_same_whichever_two_calls_of_each_request_fail() {
    any_two_calls_fail("desk-instant").await;
}

async fn faulty_world() -> (World, Faults) {
    let faults = Faults::default();
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(faults.wrap_store());
        options.wrap_gateways = Some(faults.wrap_gateways());
    })
    .await;
    (world, faults)
}

#[tokio::test]
async fn a_write_that_fails_in_any_way_is_repeated_and_happens_once() {
    let all = [
        Fate::FailsBefore(Failure::InternalServerError),
        Fate::FailsAfter(Failure::InternalServerError),
        Fate::FailsBefore(Failure::TransactionInProgress),
        Fate::FailsAfter(Failure::TransactionInProgress),
        Fate::FailsBefore(Failure::TransactionConflict),
        Fate::FailsBefore(Failure::Hang),
        Fate::FailsAfter(Failure::Hang),
    ];
    let trials: Vec<_> = all.into_iter().map(|fate| tokio::spawn(write_under(fate))).collect();
    for trial in trials {
        trial.await.unwrap();
    }
}

/// The first sending of each transaction of a click has that fate.
async fn write_under(fate: Fate) {
    let (world, store) = faulty_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    store.follow(move |call| {
        let hit = call.operation == "TransactWriteItems" && call.number <= 2 && call.attempt == 1;
        if hit { fate } else { Fate::Works }
    });
    let made = expect(201, window.generate(&quoted).await);
    assert!(store.heal() > 0, "{fate:?}");
    let booking = window.look().await;
    assert_eq!(booking["version"], 4, "{fate:?}: opened, ordered, written, shown");
    assert_eq!(booking["live_order"]["payment"], made["payment"]);
    assert_eq!(world.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_throttled_write_is_refused_as_unavailable_and_changes_nothing() {
    let (world, store) = faulty_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let before = window.state(&world).await;
    store.follow(|call| {
        let throttled = Fate::FailsBefore(Failure::Throttled);
        if call.operation == "TransactWriteItems" { throttled } else { Fate::Works }
    });
    let refused = window.generate(&quoted).await;
    store.heal();
    assert_eq!(refused.headers["retry-after"], "2");
    expect_problem(503, "store_unavailable", refused);
    assert_eq!(window.state(&world).await, before);
    expect(201, window.generate(&quoted).await);
}

#[tokio::test]
async fn a_race_that_is_always_lost_is_told_and_changes_nothing() {
    let (world, store) = faulty_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let before = window.state(&world).await;
    store.follow(|call| {
        let conflict = Fate::FailsBefore(Failure::TransactionConflict);
        if call.operation == "TransactWriteItems" { conflict } else { Fate::Works }
    });
    let refused = window.generate(&quoted).await;
    assert_eq!(store.heal(), 8, "bounded tries");
    assert_eq!(refused.headers["retry-after"], "1");
    expect_problem(409, "version_conflict", refused);
    assert_eq!(window.state(&world).await, before);
    expect(201, window.generate(&quoted).await);
}

#[tokio::test]
async fn every_call_says_that_the_store_is_down_and_works_again_when_it_is_not() {
    let (world, store) = faulty_world().await;
    let (admin, definition) = (world.admin(), world.definition("desk-order").await);
    let submit = world.booking_of("alice", "desk-submit").await;
    let priced = expect(201, submit.quote(1).await);
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let order_id = &quoted["order"]["order_id"];
    let instant = world.booking_of("alice", "desk-instant").await;
    let spare = world.booking_of("bob", "desk-order").await;
    let get = async |path: &str| window.client.get(path).await.unwrap();
    for round in 1..=2 {
        let down = round == 1;
        store.follow(
            move |_| {
                if down { Fate::FailsBefore(Failure::NoAnswer) } else { Fate::Works }
            },
        );
        let replies = [
            ("product", get("/v1/products/desk-order").await),
            ("define", admin.put("/v1/products/desk-order", &definition).await.unwrap()),
            ("open", open_booking(&window.client, "desk-order", "another").await),
            ("list", get("/v1/bookings").await),
            ("look", get(&window.path).await),
            ("look unless", window.look_unless("W/\"0-p00\"").await),
            ("quote", submit.quote(1).await),
            ("instant", instant.quote_at(1, "wechat_pay").await),
            ("order", submit.order(&priced["quote"]["token"]).await),
            ("generate", window.generate(&quoted).await),
            ("cancel order", window.cancel_order(order_id).await),
            ("cancel", spare.cancel().await),
        ];
        for (what, reply) in replies {
            if down {
                assert_eq!(reply.headers["retry-after"], "2", "{what}");
                let problem = expect_problem(503, "store_unavailable", reply);
                assert!(!problem.to_string().contains("connection broke"), "{problem:#}");
            } else {
                assert!(matches!(reply.status, 200 | 201), "{what}: {reply:?}");
            }
        }
        store.heal();
    }
    world.drive(&[submit, window, instant, spare]).await;
}

#[tokio::test]
async fn a_store_that_hangs_is_given_up_before_the_function_is() {
    let (world, store) = faulty_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    store.follow(|_| Fate::FailsBefore(Failure::Hang));
    let started = Instant::now();
    let path = window.path.clone();
    expect_problem(503, "store_unavailable", window.client.get(path).await.unwrap());
    let longest = Duration::from_secs(u64::from(FUNCTION_TIMEOUT_S_MAX));
    assert!(started.elapsed() < longest);
    store.heal();
    window.look().await;
}

#[tokio::test]
async fn a_gateway_that_is_down_is_told_and_the_same_request_then_gets_the_same_payment() {
    let world = World::start_unsettled().await;
    let mut windows = vec![];
    for (share, reached) in [("calls_failed_before", false), ("calls_failed_after", true)] {
        for product in ["desk-submit", "desk-order", "desk-instant"] {
            let window = world.booking_of(share, product).await;
            let quoted = match product {
                "desk-instant" => Value::Null,
                _ => expect(201, window.quote(1).await),
            };
            let body = json!({ "quantity": 1, "gateway": "wechat_pay" });
            let ask = async || match product {
                "desk-submit" => window.order(&quoted["quote"]["token"]).await,
                "desk-order" => window.generate(&quoted).await,
                _ => window.quote_keyed(&body, "same").await,
            };
            let known = world.ledger().await.len();
            world.faults(json!({ share: 1.0, "notifications_dropped": 1.0 })).await;
            let mut seen = vec![];
            for _ in 0..3 {
                let refused = ask().await;
                assert_eq!(refused.headers["retry-after"], "2");
                expect_problem(503, "gateway_unavailable", refused);
                let booking = window.look().await;
                let order = &booking["live_order"];
                assert_eq!(order["payments"][0]["status"], "creating");
                assert_eq!(order["payments"][0]["code_url"], json!(null));
                seen.push((order["order_id"].clone(), order["payments"][0]["payment_id"].clone()));
            }
            assert_eq!(world.ledger().await.len(), known + usize::from(reached));
            world.faults(json!({ "notifications_dropped": 1.0 })).await;
            let made = ask().await;
            assert!(matches!(made.status, 200 | 201), "{made:?}");
            let (order, payment) = (&made.body["order"], &made.body["payment"]);
            seen.push((order["order_id"].clone(), payment["payment_id"].clone()));
            seen.dedup();
            assert_eq!(seen.len(), 1, "{product}: one order and one payment all along");
            assert_eq!(window.look().await["orders"].as_array().unwrap().len(), 1);
            assert_eq!(world.ledger().await.len(), known + 1);
            world.pay(&payment["code_url"]).await;
            windows.push(window);
        }
    }
    world.drive(&windows).await;
    for window in windows {
        assert_eq!(window.look().await["status"], "active");
    }
}

#[tokio::test]
async fn a_gateway_that_is_down_does_not_keep_a_shown_code_from_its_customer() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let made = expect(201, window.generate(&quoted).await);
    world.faults(json!({ "calls_failed_before": 1.0 })).await;
    let again = expect(200, window.generate(&quoted).await);
    assert_eq!(again["payment"], made["payment"]);
}

#[tokio::test]
async fn no_code_is_created_after_pay_by_even_if_the_gateway_comes_back() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    world.faults(json!({ "calls_failed_before": 1.0 })).await;
    expect_problem(503, "gateway_unavailable", window.generate(&quoted).await);
    let pay_by = tests::time(&window.look().await["live_order"]["pay_by"]);
    world.faults(json!({})).await;
    world.clock.set(pay_by);
    expect_problem(409, "order_closed", window.generate(&quoted).await);
    assert!(world.ledger().await.is_empty());
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_request_that_is_no_request_is_answered_without_the_store() {
    let (world, store) = faulty_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    store.follow(|_| Fate::FailsBefore(Failure::NoAnswer));
    let nobody = world.nobody();
    expect_problem(401, "unauthenticated", nobody.get(&window.path).await.unwrap());
    let quotes = format!("{}/quotes", window.path);
    let garbled = Call::new(Method::POST, &quotes).header("content-type", "application/json");
    expect_problem(400, "invalid_request", window.client.send(garbled.raw("{")).await.unwrap());
    expect_problem(404, "not_found", window.client.get("/v1/nothing").await.unwrap());
    assert_eq!(store.heal(), 0);
}
