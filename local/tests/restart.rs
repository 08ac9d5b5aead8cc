//! The real program, killed at any moment and started again on what it left behind.

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Customers, Folder, Program, send};
use tests::{GLANCE, PATIENCE, Window, text};

#[tokio::test]
async fn killed_at_any_moment_it_goes_on_and_every_fen_is_accounted_for() {
    let folder = Folder::new("kills");
    let customers = Customers::new(6, 1, Duration::ZERO);
    let mut port = 0;
    // Lives are counted in requests: a slow machine is killed as far into its work as a fast one.
    for (round, requests) in (0..).zip([40, 6, 90, 20, 60]) {
        let program = Program::start(&folder, port).await;
        port = program.port();
        let client = program.client();
        customers.check_remembered(&client).await;
        let faults = json!({
            "notifications_dropped": 0.2,
            "notifications_duplicated": 0.2,
            "calls_failed_before": 0.1,
            "calls_failed_after": 0.1,
        });
        client.put("/simulator/faults", &faults).await.unwrap();
        let end = until_sent(&customers, requests);
        customers.shop_until_killed(program, round, end).await;
    }
    let (settled, sums) = customers.settle_and_check(&folder, port).await;
    assert!(sums.captured > 10, "much was paid: {sums}");

    let program = Program::start(&folder, port).await;
    let again = program.client().get("/simulator/ledger").await.unwrap().body;
    assert_eq!(again["payments"], json!(settled), "and nothing happens any more");
    program.kill().await;
}

/// Waits until so many requests more were sent, or nobody sends any.
#[expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test ends here")]
async fn until_sent(customers: &Customers, requests: u32) {
    let sent = || customers.answered.lock().unwrap().requests;
    let enough = sent() + requests;
    let look = async {
        while sent() < enough {
            tokio::time::sleep(GLANCE).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, look).await;
}

#[tokio::test]
async fn killed_while_it_starts_for_the_first_time_it_starts_all_the_same() {
    for (at, life_ms) in [0, 2, 5, 10, 15, 20, 30, 40, 60, 80].into_iter().enumerate() {
        let folder = Folder::new(&format!("first-{at}"));
        let mut child = Program::spawn(&folder, 0);
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        let program = Program::start(&folder, 0).await;
        let alice = program.client().as_customer("alice");
        let product = alice.get("/v1/products/desk-instant").await.unwrap();
        assert_eq!(product.status, 200, "killed after {life_ms} ms");
        program.kill().await;
    }
}

#[tokio::test]
async fn a_booking_and_its_quote_outlive_a_restart() {
    let folder = Folder::new("outlive");
    let program = Program::start(&folder, 0).await;
    let port = program.port();
    let world = |program: &Program| program.client().as_customer("alice");
    let alice = world(&program);
    let body = json!({ "product_id": "desk-order" });
    let opened = send(&alice, "/v1/bookings", &body, Some("once")).await.unwrap();
    let window = Window {
        client: alice,
        path: format!("/v1/bookings/{}", text(&opened.body["booking_id"])),
        gateway: tests::gateway(),
    };
    let quoted = tests::expect(201, window.quote(2).await);
    let before = window.look().await;
    program.kill().await;

    let program = Program::start(&folder, port).await;
    assert_eq!(window.look().await, before);
    // The keys and the id secret are the old ones: the token still counts, the key is known.
    let made = tests::expect(201, window.generate(&quoted).await);
    let again = send(&world(&program), "/v1/bookings", &body, Some("once")).await.unwrap();
    assert_eq!((again.status, &again.body["booking_id"]), (200, &opened.body["booking_id"]));
    let pay = json!({ "code_url": made["payment"]["code_url"] });
    program.client().post("/simulator/pay", &pay).await.unwrap();
    program.kill().await;

    // Killed with the notification on its way: it is sent again.
    let program = Program::start(&folder, port).await;
    window.until("the payment is applied", |booking| booking["status"] == "active").await;
    program.kill().await;
}
