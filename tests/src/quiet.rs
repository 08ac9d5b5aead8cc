//! A world in which a gateway says nothing by itself, and money that it owes back there.

use domain::ids::Echo;
use gateways::{CreateOutcome, NewPayment};
use jiff::SignedDuration;
use runtime::gateway_calls;
use serde_json::{Value, json};

use crate::faults::Faults;
use crate::gateway::ways_of;
use crate::{
    GLANCE, PATIENCE, Window, World, acknowledged, expect, gateway, gateway_name, order_in,
};

/// Faults under which a gateway says nothing by itself, and refunds as soon as it has answered.
pub async fn faults(world: &World, more: Value) {
    let mut faults = json!({ "notifications_dropped": 1.0, "refund_delay_ms": 1 });
    faults.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.faults(faults).await;
}

/// A world under these faults, in which only the test runs tasks.
pub async fn quiet_world() -> World {
    let world = World::start_unsettled().await;
    faults(&world, json!({})).await;
    world
}

/// The same, with faults between the handlers and the store.
pub async fn quiet_world_over(store: &Faults) -> World {
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(store.wrap_store());
    })
    .await;
    faults(&world, json!({})).await;
    world
}

/// A superseded code that was paid, the money known and owed.
pub async fn owed(world: &World, customer: &str) -> (Window, Value) {
    owed_at(world, customer, gateway()).await
}

/// The same at one gateway, whatever the run's is.
pub async fn owed_at(world: &World, customer: &str, gateway: &'static str) -> (Window, Value) {
    let window = world.booking_of(customer, "desk-order").await.paying_at(gateway);
    let old = window.code_for(1).await;
    window.code_for(2).await;
    let body = json!({ "code_url": old["payment"]["code_url"], "force": true });
    let paid = world.pay_with(body).await;
    let told = replay(world, &json!({ "transaction_id": paid["transaction_id"] })).await;
    assert_eq!(told, ways_of(gateway).acknowledgement.0);
    (window, old)
}

/// Has the run's gateway tell of a transaction, whatever it was told to drop.
pub async fn tell(world: &World, transaction_id: &Value) {
    let told = replay(world, &json!({ "transaction_id": transaction_id })).await;
    assert_eq!(told, ways_of(gateway()).acknowledgement.0);
}

/// Pays a code with more than its address, and has the gateway tell of it.
pub async fn pay_and_tell(world: &World, made: &Value, more: Value) -> Value {
    let mut body = json!({ "code_url": made["payment"]["code_url"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let paid = world.pay_with(body).await;
    tell(world, &paid["transaction_id"]).await;
    paid
}

/// Has a gateway tell of a transaction or of a refund's end; answers the callback's status.
pub async fn replay(world: &World, what: &Value) -> Value {
    let told = expect(200, world.nobody().post("/simulator/replay", what).await.unwrap());
    told["status"].clone()
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

/// Looks until no refund of what was made is under way at its gateway.
pub async fn until_refunds_ended(world: &World, made: &Value) {
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        let refunds = at_gateway(world, made).await;
        if refunds.iter().all(|refund| refund["status"] != "processing") {
            return;
        }
        tokio::time::sleep(GLANCE).await;
    }
    panic!("a refund is still under way: {:#?}", at_gateway(world, made).await);
}

/// The transaction of [`tell_of_nothing_stored`].
pub const NOWHERE_STORED: &str = "42000001";

/// Has the run's gateway tell of money that is provably ours and of a booking that is not stored.
/// Answers what the money's echo says.
pub async fn tell_of_nothing_stored(world: &World) -> Echo {
    let ids = &world.stack.deps.ids;
    let booking_id = ids.booking("nobody", "k", &ids.product_tag("desk-order"));
    let order_id = ids.order(&ids.fresh_token([1; 16]));
    let payment_id = ids.payment(&order_id, &gateway_name(), 1);
    let echo = Echo { booking_id, order_id, order_seq: 0, attempt: 1 };
    let told = json!({
        "gateway": gateway(),
        "out_trade_no": payment_id.as_str(),
        "transaction_id": NOWHERE_STORED,
        "attach": ids.seal_echo(&echo),
        "amount": { "amount": 1280, "currency": "CNY" },
        "success_time": world.clock.now(),
    });
    let told = expect(200, world.nobody().post("/simulator/notify", &told).await.unwrap());
    assert_eq!(told["status"], acknowledged());
    echo
}

/// Creates a payment at the gateway with our own credentials and answers its code.
pub async fn create_at_gateway(world: &World, payment_id: &str, echo: &str) -> Value {
    let deps = &world.stack.deps;
    let gateway = deps.gateway(&gateway_name()).unwrap();
    let body = gateway.create_body(&NewPayment {
        payment_id,
        description: "Desk",
        amount: serde_json::from_value(json!({ "amount": 1280, "currency": "CNY" })).unwrap(),
        expires_at: deps.now().checked_add(SignedDuration::from_mins(10)).unwrap(),
        echo,
    });
    match gateway_calls::create(deps, gateway.as_ref(), payment_id, &body).await {
        CreateOutcome::Payable { code_url, .. } => json!(code_url),
        other => panic!("{other:?}"),
    }
}
