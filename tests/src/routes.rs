//! Every route, as a request for one booking.

use api::route::{Access, ROUTES};
use http::Method;
use serde_json::{Value, json};

/// The methods and paths of all routes of an access, with the ids filled in.
#[must_use]
pub fn routes(access: Access, booking_id: &str, order_id: &str) -> Vec<(Method, String)> {
    let filled = |path: &str| {
        path.replace("{product_id}", "desk-order")
            .replace("{booking_id}", booking_id)
            .replace("{reference}", booking_id)
            .replace("{order_id}", order_id)
            .replace("{attention_id}", &format!("refund-{order_id}"))
    };
    let routes = ROUTES.iter().filter(|route| route.access == access);
    routes.map(|route| (route.method.parse().unwrap(), filled(route.path))).collect()
}

/// A body that is well-formed for the route of a path.
#[must_use]
pub fn body_for(path: &str, order_id: &str) -> Value {
    match path.rsplit('/').next().unwrap() {
        "quotes" => json!({ "quantity": 1, "gateway": "wechat_pay" }),
        "orders" => json!({ "quote_token": "t", "gateway": "wechat_pay" }),
        "payments" => {
            json!({ "order_id": order_id, "quote_token": "t", "gateway": "wechat_pay" })
        }
        "bookings" => json!({ "product_id": "desk-order" }),
        "qr" => json!({ "code": "c" }),
        _ => json!({}),
    }
}
