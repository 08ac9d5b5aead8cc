//! The three flows over HTTP, from the first quote to the last renewal.

use serde_json::json;
use tests::{World, expect};

#[tokio::test]
async fn each_flow_sells_a_booking_and_renews_it() {
    let world = World::start().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let bought = window.buy(&world, 2).await;
        assert_eq!(bought["status"], "active", "{product}");
        assert_eq!(bought["renewals"], 0);
        let renewed = window.buy(&world, 1).await;
        assert_eq!(renewed["renewals"], 1, "{product}");
        assert_eq!(renewed["live_order"], json!(null));
        assert_eq!(renewed["orders"].as_array().unwrap().len(), 2);
    }
    expect(200, world.nobody().get("/simulator/ledger").await.unwrap());
}
