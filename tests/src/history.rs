//! Bookings with a long history, made beneath the API, because a thousand orders by requests take a
//! while; and what is stored of them.

use domain::booking::{EndReason, OrderStatus};
use domain::change::{Change, Ending};
use domain::decide::Env;
use domain::decide::make_order::add_order;
use domain::ids::BookingId;
use domain::product::Product;
use domain::quote::{Quote, price};
use local::stack::TABLE;
use runtime::deps::Deps;
use serde_json::{Value, json};
use store::Store;
use store::schema::PK;

use crate::{Window, World};

/// How many orders one transaction can end: it holds 100 items.
const ORDERS_PER_COMMIT: u32 = 50;

/// A booking that has had so many orders, none of which is live.
pub async fn booking_after(world: &World, customer: &str, product: &str, orders: u32) -> Window {
    let window = world.booking_under(customer, product, product.get(..8).unwrap()).await;
    let id = BookingId::parse(window.path.rsplit('/').next().unwrap()).unwrap();
    let deps: &Deps = &world.stack.deps;
    let store = Store::new(world.table_client(), TABLE);
    let product = store.product(product, &id.product_tag()).await.unwrap().unwrap();
    let mut booking = store.booking(&id).await.unwrap().unwrap();
    while booking.orders_made < orders {
        let mut change = Change::of(&booking);
        for _ in booking.orders_made..orders.min(booking.orders_made + ORDERS_PER_COMMIT) {
            add_next_order(&mut change, &product, deps.env());
        }
        let ending = Ending::because(OrderStatus::Cancelled, EndReason::OrderCancelled);
        change.end_live_order(ending, deps.now());
        store.commit(&change, &deps.request_token()).await.unwrap();
        booking = change.booking;
    }
    window
}

/// Everything in one partition of the table, in DynamoDB's JSON, in the order of the sort keys.
#[must_use]
pub fn stored_in(world: &World, partition: &str) -> Vec<Value> {
    let request = json!({
        "TableName": TABLE,
        "KeyConditionExpression": format!("{PK} = :pk"),
        "ExpressionAttributeValues": { ":pk": { "S": partition } },
    });
    world.stack.embedded.query(&request).unwrap().into_iter().map(Value::Object).collect()
}

fn add_next_order(change: &mut Change, product: &Product, env: Env<'_>) {
    let booking = &change.booking;
    let mut fresh = [0; 16];
    fresh[..4].copy_from_slice(&booking.orders_made.to_be_bytes());
    fresh[4..].copy_from_slice(&booking.booking_id.as_str().as_bytes()[..12]);
    let quote = Quote {
        token_id: env.ids.fresh_token(fresh),
        booking_id: booking.booking_id.clone(),
        customer_id: booking.customer_id.clone(),
        order_id: None,
        offer: price(booking, product, 1, env.now).unwrap(),
    };
    add_order(change, &quote, product, env).unwrap();
}
