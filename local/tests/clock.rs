//! The laptop's clock, turned over HTTP.

use jiff::fmt::rfc2822;
use serde_json::json;
use tests::{World, expect, expect_problem, time};

#[tokio::test]
async fn turning_the_clock_turns_the_date_and_ends_what_has_run_out() {
    let world = World::start().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let date = async || {
        let read = world.nobody().get("/simulator/clock").await.unwrap();
        let date = read.headers["date"].to_str().unwrap();
        rfc2822::parse(date).unwrap().timestamp()
    };
    let before = date().await;
    let turned = world.nobody().post("/simulator/clock", &json!({ "advance_s": 901 })).await;
    let now = time(&expect(200, turned.unwrap())["now"]);
    assert!(now.duration_since(before).as_secs() >= 901);
    assert!(date().await.duration_since(before).as_secs() >= 901);
    let ended =
        window.until("the order runs out", |booking| booking["orders"][0]["status"] == "expired");
    assert_eq!(ended.await["orders"][0]["order_id"], made["order"]["order_id"]);
}

#[tokio::test]
async fn the_clock_is_turned_forward_and_by_a_year_at_most() {
    let world = World::start().await;
    let turned = async |body| world.nobody().post("/simulator/clock", &body).await.unwrap();
    for body in [
        json!({ "advance_s": 0 }),
        json!({ "advance_s": -1 }),
        json!({ "advance_s": 31_622_401 }),
        json!({ "advance_s": 1.5 }),
        json!({}),
    ] {
        expect_problem(400, "invalid_request", turned(body).await);
    }
    let before = world.clock.now();
    for seconds in [1, 31_622_400] {
        expect(200, turned(json!({ "advance_s": seconds })).await);
    }
    assert!(world.clock.now().duration_since(before).as_secs() >= 31_622_401);
}
