//! A world in which a gateway says nothing by itself, and money that it owes back there.

use serde_json::{Value, json};

use crate::{Window, World, acknowledged, expect, order_in};

/// Faults under which a gateway says nothing by itself and refunds at once.
pub async fn faults(world: &World, more: Value) {
    let mut faults = json!({ "notifications_dropped": 1.0, "refund_delay_ms": 0 });
    faults.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.faults(faults).await;
}

/// A world under these faults, in which only the test runs tasks.
pub async fn quiet_world() -> World {
    let world = World::start_unsettled().await;
    faults(&world, json!({})).await;
    world
}

/// A superseded code that was paid, the money known and owed.
pub async fn owed(world: &World, customer: &str) -> (Window, Value) {
    let window = world.booking_of(customer, "desk-order").await;
    let old = window.code_for(1).await;
    window.code_for(2).await;
    let body = json!({ "code_url": old["payment"]["code_url"], "force": true });
    let paid = world.pay_with(body).await;
    tell(world, &paid["transaction_id"]).await;
    (window, old)
}

/// Has the gateway tell of a transaction, whatever it was told to drop.
pub async fn tell(world: &World, transaction_id: &Value) {
    let replay = json!({ "transaction_id": transaction_id });
    let told = expect(200, world.nobody().post("/simulator/replay", &replay).await.unwrap());
    assert_eq!(told["status"], acknowledged());
}

/// The first refund of what was made, as its customer sees it.
pub async fn refund_of(window: &Window, made: &Value) -> Value {
    let booking = window.look().await;
    order_in(&booking, &made["order"]["order_id"]).unwrap()["refunds"][0].clone()
}

/// The refunds of a payment as the gateway has them.
pub async fn at_gateway(world: &World, made: &Value) -> Vec<Value> {
    let ledger = world.ledger_of(&made["payment"]["payment_id"]).await;
    ledger["refunds"].as_array().unwrap().clone()
}
