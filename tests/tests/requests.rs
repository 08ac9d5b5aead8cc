//! Requests that cannot be served as they are: each gets its documented problem and changes
//! nothing. And the answers themselves: exactly the documented fields, of the documented types.

use api::request::BODY_LEN_MAX;
use api::route::Access;
use http::Method;
use local::client::{Call, Client, Reply};
use serde_json::{Value, json};
use tests::routes::body_for;
use tests::{Window, World, expect, expect_problem, open_booking, text};

/// A problem with everything that every problem has, in English.
#[track_caller]
fn problem(status: u16, code: &str, reply: Reply) -> Value {
    let headers = reply.headers.clone();
    assert_eq!(headers["content-language"], "en", "{:#}", reply.body);
    assert_eq!(headers["cache-control"], "no-store");
    assert!(headers.contains_key("date"));
    let retry = matches!(status, 503) || code == "version_conflict";
    assert_eq!(headers.contains_key("retry-after"), retry, "{:#}", reply.body);
    let body = expect_problem(status, code, reply);
    assert_eq!(body["type"], format!("urn:latchpay:problem:{code}"));
    for field in ["title", "detail", "instance"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {body:#}");
    }
    body
}

#[track_caller]
fn invalid(field: &str, case: &str, reply: Reply) {
    assert_eq!(reply.body["code"], "invalid_request", "{case}: {:#}", reply.body);
    let body = problem(400, "invalid_request", reply);
    assert_eq!(body["field"], field, "{case}: {body:#}");
    assert!(text(&body["detail"]).contains(field), "{body:#}");
}

/// The calls with a body that customers can make, with a body that would be served.
async fn calls(world: &World) -> Vec<(Window, String, Value)> {
    let submit = world.booking_of("alice", "desk-submit").await;
    let order = world.booking_of("alice", "desk-order").await;
    let instant = world.booking_of("alice", "desk-instant").await;
    let quoted = expect(201, submit.quote(1).await);
    let to_submit = json!({
        "quote_token": quoted["quote"]["token"], "gateway": "wechat_pay",
    });
    let quoted = expect(201, order.quote(1).await);
    let to_pay = json!({
        "order_id": quoted["order"]["order_id"],
        "quote_token": quoted["quote"]["token"],
        "gateway": "wechat_pay",
    });
    let quotes = format!("{}/quotes", order.path);
    let quotes_at_once = format!("{}/quotes", instant.path);
    let orders = format!("{}/orders", submit.path);
    let payments = format!("{}/payments", order.path);
    vec![
        (order.clone(), payments, to_pay),
        (order.clone(), "/v1/bookings".to_owned(), json!({ "product_id": "desk-order" })),
        (order, quotes, json!({ "quantity": 2, "gateway": "wechat_pay" })),
        (instant, quotes_at_once, json!({ "quantity": 2, "gateway": "wechat_pay" })),
        (submit, orders, to_submit),
    ]
}

async fn send(client: &Client, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    let call = Call::new(Method::POST, path).header("content-type", content_type);
    let call = call.header("idempotency-key", "never-used-before").raw(body.into());
    client.send(call).await.unwrap()
}

/// Everything that alice has, and all money.
async fn all(world: &World) -> Value {
    let alice = world.nobody().as_customer("alice");
    let bookings = expect(200, alice.get("/v1/bookings").await.unwrap());
    json!({ "bookings": bookings, "money": world.money().await })
}

// Bodies.

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let world = World::start_unsettled().await;
    let calls = calls(&world).await;
    let before = all(&world).await;
    for (window, path, body) in &calls {
        let good = body.to_string();
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let deep_field = format!("{{\"x\":{}", "[".repeat(30_000));
        let whole: &[&[u8]] = &[
            b"",
            b" ",
            b"{",
            b"[",
            b"[]",
            b"null",
            b"true",
            b"1",
            b"\"text\"",
            b"not json",
            b"{'quantity':1}",
            b"\xff\xfe{\x00}\x00",
            deep.as_bytes(),
        ];
        for body in whole {
            let reply = send(&window.client, path, "application/json", *body).await;
            invalid("body", &String::from_utf8_lossy(&body[..body.len().min(40)]), reply);
        }
        for trailing in ["{}", ",", "x", "\0"] {
            let body = format!("{good}{trailing}");
            let reply = send(&window.client, path, "application/json", body).await;
            invalid("body", trailing, reply);
        }
        let reply = send(&window.client, path, "application/json", deep_field).await;
        problem(400, "invalid_request", reply);
        // Its values alone, without their names, are not the object.
        let values = body.as_object().unwrap().values().cloned().collect::<Vec<_>>();
        for values in [values.clone(), values.into_iter().rev().collect()] {
            let values = json!(values).to_string();
            let reply = send(&window.client, path, "application/json", values.clone()).await;
            invalid("body", &values, reply);
        }
    }
    assert_eq!(all(&world).await, before);
}

#[tokio::test]
async fn a_field_that_is_missing_unknown_twice_or_of_another_type_is_named() {
    let world = World::start_unsettled().await;
    let calls = calls(&world).await;
    let before = all(&world).await;
    for (window, path, body) in &calls {
        for (field, value) in body.as_object().unwrap() {
            let is_optional = field == "gateway" && path.ends_with("quotes");
            let mut missing = body.clone();
            missing.as_object_mut().unwrap().remove(field);
            let mut bad = vec![json!({}), json!([]), json!(true), json!(1.5), json!(-1)];
            if !is_optional {
                bad.push(Value::Null);
                let reply = window.client.post_as(path, &missing).await;
                invalid(field, "missing", reply);
            }
            bad.push(if value.is_string() { json!(1) } else { json!("1") });
            if field == "quantity" {
                bad.extend([json!(4_294_967_296_u64), json!(1e300), json!(1.0)]);
            }
            for value in bad {
                let mut wrong = body.clone();
                wrong[field] = value;
                let reply = window.client.post_as(path, &wrong).await;
                invalid(field, &wrong.to_string(), reply);
            }
            let twice = format!("{{\"{field}\":{value},{}", &body.to_string()[1..]);
            let reply = send(&window.client, path, "application/json", twice.clone()).await;
            invalid(field, &twice, reply);
        }
        for unknown in ["price", "amount", "customer_id", ""] {
            let mut more = body.clone();
            more[unknown] = json!(1);
            let reply = window.client.post_as(path, &more).await;
            problem(400, "invalid_request", reply);
        }
    }
    assert_eq!(all(&world).await, before);
}

trait PostAs {
    async fn post_as(&self, path: &str, body: &Value) -> Reply;
}

impl PostAs for Client {
    /// Posts JSON under an idempotency key.
    async fn post_as(&self, path: &str, body: &Value) -> Reply {
        send(self, path, "application/json", body.to_string()).await
    }
}

#[tokio::test]
async fn only_json_is_taken() {
    let world = World::start_unsettled().await;
    let calls = calls(&world).await;
    let before = all(&world).await;
    for (window, path, body) in &calls {
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "application/problem+json",
            "text/json",
            "*/*",
            "",
        ] {
            let reply = send(&window.client, path, other, body.to_string()).await;
            problem(415, "not_json", reply);
        }
        let untyped = Call::new(Method::POST, path).header("idempotency-key", "k");
        let reply = window.client.send(untyped.raw(body.to_string())).await.unwrap();
        problem(415, "not_json", reply);
    }
    assert_eq!(all(&world).await, before);
    for (window, path, body) in &calls {
        let reply = send(&window.client, path, "Application/JSON;charset=UTF-8", body.to_string());
        expect(201, reply.await);
    }
}

/// A body with blanks behind it, so many bytes together.
fn padded(body: &Value, len: usize) -> String {
    let body = body.to_string();
    let blanks = " ".repeat(len - body.len());
    body + &blanks
}

#[tokio::test]
async fn a_body_has_at_most_64_kib() {
    let world = World::start_unsettled().await;
    let calls = calls(&world).await;
    let before = all(&world).await;
    for (window, path, body) in &calls {
        for over in [BODY_LEN_MAX + 1, BODY_LEN_MAX * 2] {
            let body = padded(body, over);
            for client in [&window.client, &world.nobody()] {
                let reply = send(client, path, "application/json", body.clone()).await;
                problem(413, "too_large", reply);
            }
        }
    }
    let over = vec![b' '; BODY_LEN_MAX + 1];
    let reply = send(&world.nobody(), "/v1/callbacks/wechat_pay", "application/json", over).await;
    problem(413, "too_large", reply);
    assert_eq!(all(&world).await, before);
    for (window, path, body) in &calls {
        let full = padded(body, BODY_LEN_MAX);
        expect(201, send(&window.client, path, "application/json", full).await);
    }
}

// Headers.

#[tokio::test]
async fn an_idempotency_key_is_up_to_64_visible_characters_and_opening_needs_one() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let before = all(&world).await;
    let open = json!({ "product_id": "desk-order" });
    let quotes = format!("{}/quotes", window.path);
    let missing = window.client.post("/v1/bookings", &open).await.unwrap();
    invalid("Idempotency-Key", "missing", missing);
    for key in ["", " ", "a b", "é", "a\tb", &"a".repeat(65), &"a".repeat(1_000)] {
        for (path, body) in [("/v1/bookings", &open), (&quotes, &json!({ "quantity": 1 }))] {
            let call = Call::new(Method::POST, path).json(body).header("idempotency-key", key);
            let reply = window.client.send(call).await.unwrap();
            invalid("Idempotency-Key", key, reply);
        }
    }
    assert_eq!(all(&world).await, before);
    for key in ["!", "~", &"a".repeat(64)] {
        expect(201, open_booking(&window.client, "desk-order", key).await);
    }
}

/// Every route that needs a JWT.
fn routes(window: &Window, order_id: &str) -> Vec<(Method, String)> {
    tests::routes::routes(Access::Jwt, window.path.rsplit('/').next().unwrap(), order_id)
}

#[tokio::test]
async fn without_credentials_nothing_is_served() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = expect(201, window.quote(1).await);
    let order_id = text(&made["order"]["order_id"]);
    let before = window.state(&world).await;
    let nobody = world.nobody();
    for (method, path) in routes(&window, &order_id) {
        for credentials in [
            None,
            Some(""),
            Some("alice"),
            Some("Bearer alice"),
            Some("Bearer dev:"),
            Some("Bearer dev: "),
            Some("Bearer"),
            Some("Basic dev:alice"),
            Some("Basic ZGV2OmFsaWNl"),
        ] {
            let call = Call::new(method.clone(), &path).json(&body_for(&path, &order_id));
            let call = match credentials {
                Some(credentials) => call.header("authorization", credentials),
                None => call,
            };
            let reply = nobody.send(call.header("idempotency-key", "k")).await.unwrap();
            assert_eq!(reply.status, 401, "{method} {path} {credentials:?}");
            problem(401, "unauthenticated", reply);
        }
    }
    assert_eq!(window.state(&world).await, before);
}

#[tokio::test]
async fn somebody_elses_booking_is_not_there_on_any_route() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = expect(201, window.quote(1).await);
    let order_id = text(&made["order"]["order_id"]);
    let before = window.state(&world).await;
    let tag = window.client.get(&window.path).await.unwrap().headers["etag"].clone();
    for customer in ["bob", "admin", "Alice", "alice ", "alice/x", "%61lice"] {
        let client = world.nobody().as_customer(customer);
        let of_booking = routes(&window, &order_id);
        for (method, path) in of_booking.into_iter().filter(|(_, p)| p.starts_with(&window.path)) {
            if customer == "alice " {
                // Blanks around credentials are no part of them.
                continue;
            }
            let call = Call::new(method.clone(), &path).json(&body_for(&path, &order_id));
            let call = call.header("if-none-match", tag.to_str().unwrap());
            let reply = client.send(call).await.unwrap();
            assert_eq!(reply.status, 404, "{method} {path} as {customer}");
            problem(404, "not_found", reply);
        }
    }
    assert_eq!(window.state(&world).await, before);
}

#[tokio::test]
async fn only_the_scope_may_write_products() {
    let world = World::start_unsettled().await;
    let definition = world.definition("desk-order").await;
    let before = expect(200, world.admin().get("/v1/products/desk-order").await.unwrap());
    for customer in ["alice", "administrator", "Admin", "admin2"] {
        let client = world.nobody().as_customer(customer);
        for product in ["desk-order", "brand-new"] {
            for body in [&definition, &json!({})] {
                let reply = client.put(format!("/v1/products/{product}"), body).await.unwrap();
                problem(403, "forbidden", reply);
            }
        }
    }
    let after = expect(200, world.admin().get("/v1/products/desk-order").await.unwrap());
    assert_eq!(after, before);
    let unmade = world.admin().get("/v1/products/brand-new").await.unwrap();
    problem(404, "not_found", unmade);
}

// Paths.

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = expect(201, window.quote(1).await);
    let order_id = text(&made["order"]["order_id"]);
    let before = window.state(&world).await;
    let real = window.path.rsplit('/').next().unwrap().to_owned();
    let nearly = format!("{}{}", &real[..31], if real.ends_with('0') { '1' } else { '0' });
    let shorter = &real[..31];
    let longer = format!("{real}0");
    let upper = real.to_uppercase();
    let zeros = "0".repeat(32);
    for id in
        [&nearly, shorter, &longer, &upper, &zeros, "1", "%00", "..", "a b", &"9".repeat(2_000)]
    {
        if id == real {
            continue;
        }
        for (method, path) in routes(&window, &order_id) {
            let Some(rest) = path.strip_prefix(&window.path) else { continue };
            let path = format!("/v1/bookings/{}{rest}", id.replace(' ', "%20"));
            let call = Call::new(method.clone(), &path).json(&body_for(&path, &order_id));
            let reply = window.client.send(call).await.unwrap();
            assert_eq!(reply.status, 404, "{method} {path}");
            problem(404, "not_found", reply);
        }
    }
    for product in ["nothing", "Desk-Order", "desk-order%20", "%", "desk.order", &"a".repeat(500)] {
        let reply = window.client.get(format!("/v1/products/{product}")).await.unwrap();
        problem(404, "not_found", reply);
        let reply = open_booking(&window.client, product, "k").await;
        problem(404, "not_found", reply);
    }
    for product in ["", "\u{0}", "é", &"x".repeat(60_000)] {
        let reply = open_booking(&window.client, product, "k").await;
        problem(404, "not_found", reply);
    }
    assert_eq!(window.state(&world).await, before);
    assert_eq!(all(&world).await["bookings"]["bookings"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_route_is_not_found() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let path = &window.path;
    for (method, path) in [
        ("GET", "/index.html".to_owned()),
        ("GET", "/v1".to_owned()),
        ("GET", "/v1/products".to_owned()),
        ("GET", "/v1/bookings/".to_owned()),
        ("GET", "/v2/bookings".to_owned()),
        ("GET", "//v1/bookings".to_owned()),
        ("DELETE", path.clone()),
        ("PATCH", path.clone()),
        ("PUT", path.clone()),
        ("POST", path.clone()),
        ("HEAD", path.clone()),
        ("OPTIONS", path.clone()),
        ("GET", format!("{path}/")),
        ("GET", format!("{path}/quotes")),
        ("GET", format!("{path}/orders")),
        ("GET", format!("{path}/cancel")),
        ("POST", format!("{path}/quotes/")),
        ("POST", format!("{path}/refunds")),
        ("POST", format!("{path}/orders/123/cancel")),
        ("POST", format!("{path}/orders/cancel")),
        ("POST", "/v1/callbacks".to_owned()),
        ("POST", "/v1/callbacks/WeChat".to_owned()),
        ("POST", "/v1/callbacks/carrier_pigeon".to_owned()),
        ("GET", "/v1/callbacks/wechat_pay".to_owned()),
        ("POST", "/v1/products/desk-order".to_owned()),
        ("DELETE", "/v1/products/desk-order".to_owned()),
    ] {
        for client in [&window.client, &world.nobody()] {
            let call = Call::new(method.parse().unwrap(), &path);
            let reply = client.send(call.json(&json!({}))).await.unwrap();
            assert_eq!(reply.status, 404, "{method} {path}");
            if method != "HEAD" {
                problem(404, "not_found", reply);
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_is_refused() {
    let world = World::start_unsettled().await;
    let alice = world.nobody().as_customer("alice");
    let id = "0".repeat(32);
    for cursor in [
        String::new(),
        "1".to_owned(),
        "booking%23".to_owned(),
        "booking%23%23".to_owned(),
        format!("booking%23{id}"),
        format!("booking%231%23{}", &id[1..]),
        format!("booking%23x%23{id}"),
        format!("booking%23-1%23{id}"),
        format!("BOOKING%231%23{id}"),
        format!("booking%23{}%23{id}", "1".repeat(2_000)),
        "%ff".to_owned(),
        "a&cursor=b".to_owned(),
    ] {
        let reply = alice.get(format!("/v1/bookings?cursor={cursor}")).await.unwrap();
        invalid("cursor", &cursor, reply);
    }
    let reply = alice.get("/v1/bookings?page=2").await.unwrap();
    expect(200, reply);
}

// Values.

#[tokio::test]
async fn a_quantity_outside_the_products_range_is_refused_and_voids_nothing() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        window.code_for(1).await;
        let before = window.state(&world).await;
        for quantity in [0, 91, 10_001, u32::MAX] {
            let body = problem(
                422,
                "quantity_out_of_range",
                window.quote_at(quantity, "wechat_pay").await,
            );
            assert_eq!((&body["min"], &body["max"]), (&json!(1), &json!(90)));
        }
        assert_eq!(window.state(&world).await, before, "{product}");
        for quantity in [1, 90] {
            expect(201, window.quote_at(quantity, "wechat_pay").await);
        }
    }
}

#[tokio::test]
async fn a_gateway_that_the_product_does_not_accept_is_refused_and_voids_nothing() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let made = window.code_for(1).await;
        let before = window.state(&world).await;
        let long = "w".repeat(10_000);
        for gateway in ["carrier_pigeon", "", "WeChat Pay", "wechat_pay ", "微信", &long] {
            let token = json!("any");
            for reply in [
                window.quote_at(2, gateway).await,
                window.pay_order(&made["order"]["order_id"], &token, gateway).await,
                window.post("orders", &json!({ "quote_token": token, "gateway": gateway })).await,
            ] {
                problem(422, "gateway_not_accepted", reply);
            }
        }
        assert_eq!(window.state(&world).await, before, "{product}");
        let unnamed = window.quote(2).await;
        match product {
            "desk-instant" => invalid("gateway", product, unnamed),
            _ => _ = expect(201, unnamed),
        }
    }
    // One that is configured, of a product that does not take it.
    world.change_product("desk-order", "gateways", json!([])).await;
    let window = world.booking_of("alice", "desk-order").await;
    problem(422, "gateway_not_accepted", window.quote_at(1, "wechat_pay").await);
}

// Products.

#[tokio::test]
async fn a_product_that_cannot_be_sold_is_refused_by_its_field() {
    let world = World::start_unsettled().await;
    let admin = world.admin();
    let good = world.definition("desk-order").await;
    let before = expect(200, admin.get("/v1/products/desk-order").await.unwrap());
    let money = |amount: i64, currency: &str| json!({ "amount": amount, "currency": currency });
    let tier = |from: i64, amount: i64, currency: &str| {
        json!({
            "min_quantity": from,
            "first_unit_price": money(amount, currency),
            "renewal_unit_price": money(amount, currency),
        })
    };
    let cases = [
        ("name", json!("")),
        ("name", json!(" ")),
        ("name", json!("x".repeat(81))),
        ("name", json!("a\u{7}b")),
        ("flow", json!("ask_nicely")),
        ("flow", json!(1)),
        ("unit", json!("fortnight")),
        ("time_zone", json!("Asia/Shangri-La")),
        ("time_zone", json!("")),
        ("time_zone", json!("../../etc/passwd")),
        ("first_unit_price", money(0, "CNY")),
        ("first_unit_price", money(-1, "CNY")),
        ("first_unit_price", money(100_000_000_001, "CNY")),
        ("first_unit_price", money(1280, "USD")),
        ("renewal_unit_price", money(0, "CNY")),
        ("renewal_unit_price", money(990, "EUR")),
        ("tiers", json!([tier(0, 1, "CNY")])),
        ("tiers", json!([tier(91, 1, "CNY")])),
        ("tiers", json!([tier(5, 1, "CNY"), tier(5, 2, "CNY")])),
        ("tiers", json!([tier(6, 1, "CNY"), tier(5, 2, "CNY")])),
        ("tiers", json!([tier(5, 0, "CNY")])),
        ("tiers", json!([tier(5, 1, "USD")])),
        ("tiers", json!((5..16).map(|from| tier(from, 1, "CNY")).collect::<Vec<_>>())),
        ("min_quantity", json!(0)),
        ("min_quantity", json!(91)),
        ("min_quantity", json!(-1)),
        ("max_quantity", json!(10_001)),
        ("max_renewals", json!(1_001)),
        ("max_renewals", json!(-1)),
        ("max_renewals", json!(1.5)),
        ("currency", json!("cny")),
        ("currency", json!("CNYX")),
        ("currency", json!("")),
        ("quote_ttl_s", json!(299)),
        ("quote_ttl_s", json!(7_201)),
        ("payment_ttl_s", json!(299)),
        ("payment_ttl_s", json!(7_201)),
        ("price_check", json!("sometimes")),
        ("price_check", json!(true)),
        ("late_payment", json!("shrug")),
        ("gateways", json!(["wechat_pay", "wechat_pay"])),
        ("gateways", json!(["carrier_pigeon"])),
        ("gateways", json!("wechat_pay")),
        ("gateways", Value::Null),
        // What the gateway could not take: up to 90 of them in one order.
        ("first_unit_price", money(i64::MAX, "CNY")),
        ("product_id", json!("other")),
        ("price_version", json!("0123456789abcdef")),
        ("colour", json!("red")),
    ];
    for (field, value) in cases {
        let mut bad = good.clone();
        bad[field] = value.clone();
        let reply = admin.put("/v1/products/desk-order", &bad).await.unwrap();
        invalid(field, &value.to_string(), reply);
    }
    for field in good.as_object().unwrap().keys() {
        let mut less = good.clone();
        less.as_object_mut().unwrap().remove(field);
        let reply = admin.put("/v1/products/less", &less).await.unwrap();
        let defaults = ["tiers", "quote_ttl_s", "payment_ttl_s", "price_check", "late_payment"];
        if defaults.contains(&field.as_str()) {
            assert_eq!(expect(200, reply)[field], good[field], "the default of {field}");
        } else {
            invalid(field, "missing", reply);
        }
    }
    for id in ["Desk", "a.b", "a%20b", "%C3%A9", &"a".repeat(41)] {
        let reply = admin.put(format!("/v1/products/{id}"), &good).await.unwrap();
        invalid("product_id", id, reply);
    }
    let after = expect(200, admin.get("/v1/products/desk-order").await.unwrap());
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_product_is_refused_where_its_gateway_could_not_take_the_money() {
    let world = World::start_unsettled().await;
    let admin = world.admin();
    let good = world.definition("desk-order").await;
    let priced = |amount: i64, currency: &str| {
        let mut product = good.clone();
        product["gateways"] = json!(["wechat_pay"]);
        product["currency"] = json!(currency);
        for field in ["first_unit_price", "renewal_unit_price"] {
            product[field] = json!({ "amount": amount, "currency": currency });
        }
        product
    };
    let reply = admin.put("/v1/products/dollars", &priced(100, "USD")).await.unwrap();
    invalid("currency", "USD", reply);
    // WeChat Pay takes up to 2,147,483,647 fen in one payment; an order has up to 90 units.
    let largest = 2_147_483_647 / 90;
    let reply = admin.put("/v1/products/dear", &priced(largest + 1, "CNY")).await.unwrap();
    invalid("gateways", "too dear", reply);
    let unmade = admin.get("/v1/products/dear").await.unwrap();
    problem(404, "not_found", unmade);
    world.define("dear", &priced(largest, "CNY")).await;
    // A currency that no gateway has to take is free.
    let mut retired = priced(100, "USD");
    retired["gateways"] = json!([]);
    world.define("dollars", &retired).await;
    // The dearest order of a product can be paid.
    let window = world.booking_of("alice", "dear").await.paying_at("wechat_pay");
    let made = window.code_for(90).await;
    assert_eq!(made["order"]["amount"]["amount"], largest * 90);
}

#[tokio::test]
async fn a_product_is_sold_in_the_currencies_and_steps_that_its_gateway_takes() {
    let world = World::start_unsettled().await;
    let admin = world.admin();
    let good = world.definition("desk-order").await;
    let priced = |amount: i64, currency: &str| {
        let mut product = good.clone();
        product["gateways"] = json!(["stripe"]);
        product["currency"] = json!(currency);
        for field in ["first_unit_price", "renewal_unit_price"] {
            product[field] = json!({ "amount": amount, "currency": currency });
        }
        product
    };
    // Of a currency with three decimals Stripe takes tens of its smallest unit only.
    let uneven = admin.put("/v1/products/dinars", &priced(5_125, "KWD")).await.unwrap();
    invalid("gateways", "an amount between two steps", uneven);
    for (product, amount, currency) in
        [("dinars", 5_120, "KWD"), ("yen", 500, "JPY"), ("dollars", 1_280, "USD")]
    {
        world.define(product, &priced(amount, currency)).await;
        let window = world.booking_of("alice", product).await.paying_at("stripe");
        let booking = window.buy(&world, 3).await;
        let money = json!({ "amount": 3 * amount, "currency": currency });
        assert_eq!(booking["orders"][0]["amount"], money);
        let payment_id = &booking["orders"][0]["payment"]["payment_id"];
        assert_eq!(world.ledger_of(payment_id).await["captured"], money);
    }
}

#[tokio::test]
async fn the_longest_names_can_be_paid() {
    let world = World::start_unsettled().await;
    let product_id = "a".repeat(40);
    let name = "微".repeat(80);
    world.sell(&product_id, json!({ "name": name, "max_quantity": 10_000 })).await;
    let customer = "c".repeat(128);
    let window = world.booking_under(&customer, &product_id, &"k".repeat(64)).await;
    let bought = window.buy(&world, 10_000).await;
    assert_eq!((&bought["status"], &bought["product_id"]), (&json!("active"), &json!(product_id)));
    let longer = world.nobody().as_customer(&"c".repeat(129));
    problem(401, "unauthenticated", longer.get("/v1/bookings").await.unwrap());
}

// Languages.

#[tokio::test]
async fn problems_are_told_in_the_callers_language_under_the_same_code() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    expect(201, window.quote(2).await);
    let superseded = json!({
        "order_id": quoted["order"]["order_id"],
        "quote_token": quoted["quote"]["token"],
        "gateway": "wechat_pay",
    });
    let quotes = format!("{}/quotes", window.path);
    let payments = format!("{}/payments", window.path);
    for (path, body) in [
        (&quotes, json!({})),
        (&quotes, json!({ "quantity": 91 })),
        (&quotes, json!({ "quantity": 1, "gateway": "x" })),
        (&payments, superseded),
        (&"/v1/nowhere".to_owned(), json!({})),
    ] {
        let ask = async |language: &str| {
            let call = Call::new(Method::POST, path).json(&body);
            window.client.send(call.header("accept-language", language)).await.unwrap()
        };
        let english = ask("en-GB").await;
        let plain = window.client.post(path, &body).await.unwrap();
        for language in ["zh", "zh-CN", "zh-Hans-CN;q=0.9, en;q=0.1", "fr, zh;q=0.5"] {
            let chinese = ask(language).await;
            assert_eq!(chinese.headers["content-language"], "zh-CN", "{language}");
            assert_eq!(english.headers["content-language"], "en");
            assert_eq!(chinese.status, english.status);
            for field in ["title", "detail"] {
                let words = text(&chinese.body[field]);
                assert!(words.chars().any(|c| ('一'..='鿿').contains(&c)), "{words}");
                assert!(text(&english.body[field]).is_ascii());
                assert_eq!(plain.body[field], english.body[field]);
            }
            for (field, value) in english.body.as_object().unwrap() {
                if !["title", "detail", "instance"].contains(&field.as_str()) {
                    assert_eq!(chinese.body[field], *value, "{field}");
                }
            }
        }
        for language in ["", "*", "fr", ";;;", "zh;q=0, en"] {
            assert_eq!(ask(language).await.headers["content-language"], "en", "{language}");
        }
    }
}

// Answers.

/// Whether a value is of a type.
type Check = fn(&Value) -> bool;
type Fields<'a> = &'a [(&'a str, Check)];

/// Exactly these fields, all of them of their types; a `?` behind a name makes it optional.
#[track_caller]
fn shape(value: &Value, fields: Fields<'_>) -> bool {
    let Some(object) = value.as_object() else { return false };
    for (name, is_fit) in fields {
        let optional = name.strip_suffix('?');
        match object.get(optional.unwrap_or(name)) {
            Some(value) => assert!(is_fit(value), "{name} in {object:#?}"),
            None => assert!(optional.is_some(), "{name} in {object:#?}"),
        }
    }
    for name in object.keys() {
        let known = fields.iter().any(|(known, _)| known.trim_end_matches('?') == name);
        assert!(known, "{name} is not documented: {object:#?}");
    }
    true
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_count(value: &Value) -> bool {
    value.is_u64()
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|id| {
        id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_time(value: &Value) -> bool {
    let time = value.as_str().filter(|time| time.ends_with('Z'));
    time.is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok())
}

fn is_money(value: &Value) -> bool {
    shape(
        value,
        &[
            ("amount", Value::is_i64),
            ("currency", |currency| {
                currency.as_str().is_some_and(|code| {
                    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
                })
            }),
        ],
    )
}

fn is_null_or(value: &Value, is_fit: Check) -> bool {
    value.is_null() || is_fit(value)
}

fn all_are(value: &Value, is_fit: Check) -> bool {
    value.as_array().is_some_and(|values| values.iter().all(is_fit))
}

fn is_kind(value: &Value) -> bool {
    ["first", "renewal"].contains(&value.as_str().unwrap_or_default())
}

fn is_product(value: &Value) -> bool {
    shape(
        value,
        &[
            ("product_id", is_text),
            ("name", is_text),
            ("flow", |flow| {
                ["submit_once", "order_first", "instant"]
                    .contains(&flow.as_str().unwrap_or_default())
            }),
            ("unit", |unit| ["hour", "day", "month"].contains(&unit.as_str().unwrap_or_default())),
            ("time_zone", is_text),
            ("first_unit_price", is_money),
            ("renewal_unit_price", is_money),
            ("tiers", |tiers| {
                all_are(tiers, |tier| {
                    shape(
                        tier,
                        &[
                            ("min_quantity", is_count),
                            ("first_unit_price", is_money),
                            ("renewal_unit_price", is_money),
                        ],
                    )
                })
            }),
            ("min_quantity", is_count),
            ("max_quantity", is_count),
            ("max_renewals", is_count),
            ("currency", is_text),
            ("price_version", is_text),
            ("quote_ttl_s", is_count),
            ("payment_ttl_s", is_count),
            ("price_check", |check| ["on", "off"].contains(&check.as_str().unwrap_or_default())),
            ("late_payment", |late| {
                ["accept", "refund"].contains(&late.as_str().unwrap_or_default())
            }),
            ("gateways", |gateways| all_are(gateways, is_text)),
        ],
    )
}

fn is_quote(value: &Value) -> bool {
    shape(
        value,
        &[
            ("token", |token| is_null_or(token, is_text)),
            ("kind", is_kind),
            ("quantity", is_count),
            ("unit_price", is_money),
            ("amount", is_money),
            ("price_version", is_text),
            ("expires_at", is_time),
        ],
    )
}

fn is_payment(value: &Value) -> bool {
    let statuses = |status: &Value| {
        ["creating", "payable", "closing", "paid", "closed", "failed"]
            .contains(&status.as_str().unwrap_or_default())
    };
    shape(
        value,
        &[
            ("payment_id", is_id),
            ("gateway", is_text),
            ("status", statuses),
            ("code_url", |code| is_null_or(code, is_text)),
            ("expires_at", is_time),
        ],
    )
}

fn is_refund(value: &Value) -> bool {
    shape(
        value,
        &[
            ("refund_id", is_id),
            ("payment_id", is_id),
            ("status", |status| {
                ["due", "submitted", "succeeded", "needs_attention"]
                    .contains(&status.as_str().unwrap_or_default())
            }),
            ("amount", is_money),
            ("reason", is_text),
            ("updated_at", is_time),
        ],
    )
}

fn is_order(value: &Value) -> bool {
    let statuses = |status: &Value| {
        ["pending", "paid", "superseded", "stale", "expired", "cancelled"]
            .contains(&status.as_str().unwrap_or_default())
    };
    shape(
        value,
        &[
            ("order_id", is_id),
            ("kind", is_kind),
            ("status", statuses),
            ("reason?", is_text),
            ("quantity", is_count),
            ("amount", is_money),
            ("created_at", is_time),
            ("pay_by", |pay_by| is_null_or(pay_by, is_time)),
            ("superseded_by?", is_id),
            ("quote?", is_quote),
            ("payment", |payment| is_null_or(payment, is_payment)),
            ("payments", |payments| all_are(payments, is_payment)),
            ("refunds", |refunds| all_are(refunds, is_refund)),
        ],
    )
}

fn is_listed_booking(value: &Value) -> bool {
    let mut booking = value.clone();
    booking["orders"] = json!([]);
    value.get("orders").is_none() && is_booking(&booking)
}

fn is_booking(value: &Value) -> bool {
    let statuses = |status: &Value| {
        ["pending_payment", "active", "expired", "cancelled"]
            .contains(&status.as_str().unwrap_or_default())
    };
    shape(
        value,
        &[
            ("booking_id", is_id),
            ("product_id", is_text),
            ("status", statuses),
            ("version", is_count),
            ("term", |term| {
                is_null_or(term, |term| {
                    shape(term, &[("starts_at", is_time), ("valid_until", is_time)])
                })
            }),
            ("renewals", is_count),
            ("live_order", |order| is_null_or(order, is_order)),
            ("orders", |orders| all_are(orders, is_order)),
        ],
    )
}

/// The body of a reply with the headers that every answer has.
#[track_caller]
fn answer(status: u16, reply: Reply) -> Value {
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert!(reply.headers.contains_key("date"));
    expect(status, reply)
}

fn is_quoted(value: &Value) -> bool {
    shape(
        value,
        &[
            ("quote", is_quote),
            ("order", |order| is_null_or(order, is_order)),
            ("payment", |payment| is_null_or(payment, is_payment)),
        ],
    )
}

fn is_order_and_payment(value: &Value) -> bool {
    shape(value, &[("order", is_order), ("payment", |payment| is_null_or(payment, is_payment))])
}

#[tokio::test]
async fn every_answer_has_exactly_the_documented_fields() {
    let world = World::start_unsettled().await;
    world.refund_at_once().await;
    let alice = world.nobody().as_customer("alice");
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let read = alice.get(format!("/v1/products/{product}")).await.unwrap();
        assert!(is_product(&answer(200, read)));
        let opened = open_booking(&alice, product, product).await;
        assert!(opened.headers.contains_key("etag"));
        assert!(is_booking(&answer(201, opened)));
        let window = world.booking_of("alice", product).await;
        for kind in ["first", "renewal"] {
            let quoted = answer(201, window.quote_at(2, "wechat_pay").await);
            assert!(is_quoted(&quoted));
            assert_eq!(quoted["quote"]["kind"], kind);
            assert_eq!(quoted["order"].is_null(), product == "desk-submit");
            assert_eq!(quoted["payment"].is_null(), product != "desk-instant");
            let made = match product {
                "desk-submit" => answer(201, window.order(&quoted["quote"]["token"]).await),
                "desk-order" => answer(201, window.generate(&quoted).await),
                _ => answer(200, window.generate(&quoted).await),
            };
            assert!(is_order_and_payment(&made));
            assert_eq!(made["order"]["payment"], made["payment"]);
            let booking = answer(200, alice.get(&window.path).await.unwrap());
            assert!(is_booking(&booking));
            let code = made["payment"]["code_url"].clone();
            world.pay(&code).await;
            world.pay_with(json!({ "code_url": code, "force": true })).await;
            let settled = |booking: &Value| {
                booking["orders"][0]["status"] == "paid"
                    && booking["orders"][0]["refunds"][0]["status"] == "succeeded"
            };
            let booking = world.settle_until(&window, "paid and refunded", settled).await;
            assert!(is_booking(&booking));
        }
        let made = window.code_for(1).await;
        let dropped = answer(200, window.cancel_order(&made["order"]["order_id"]).await);
        assert!(is_order(&dropped));
        let other = world.booking_under("alice", product, &format!("cancel-{product}")).await;
        let cancelled = other.cancel().await;
        assert!(cancelled.headers.contains_key("etag"));
        assert!(is_booking(&answer(200, cancelled)));
    }
    let page = answer(200, alice.get("/v1/bookings").await.unwrap());
    let is_page = shape(
        &page,
        &[
            ("bookings", |bookings| all_are(bookings, is_listed_booking)),
            ("next_cursor", |cursor| is_null_or(cursor, is_text)),
        ],
    );
    assert!(is_page);
}

#[tokio::test]
async fn a_product_with_everything_reads_as_it_was_defined() {
    let world = World::start_unsettled().await;
    let money = |amount: i64| json!({ "amount": amount, "currency": "CNY" });
    let tier = json!({
        "min_quantity": 3, "first_unit_price": money(7), "renewal_unit_price": money(5),
    });
    let definition = json!({
        "name": "Büro 书桌", "flow": "instant", "unit": "month", "time_zone": "Europe/Berlin",
        "first_unit_price": money(9), "renewal_unit_price": money(8), "tiers": [tier],
        "min_quantity": 2, "max_quantity": 4, "max_renewals": 0, "currency": "CNY",
        "quote_ttl_s": 60, "payment_ttl_s": 7200, "price_check": "off", "late_payment": "refund",
        "gateways": ["wechat_pay"],
    });
    let mut defined = world.define("all-of-it", &definition).await;
    assert!(is_product(&defined));
    let read = world.nobody().as_customer("alice").get("/v1/products/all-of-it").await.unwrap();
    assert_eq!(expect(200, read), defined);
    let fields = defined.as_object_mut().unwrap();
    fields.remove("product_id");
    fields.remove("price_version");
    assert_eq!(defined, definition);
}

#[tokio::test]
async fn a_problem_brings_what_the_page_needs_and_nothing_else() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let older = expect(201, window.quote(1).await);
    let newer = expect(201, window.quote(2).await);
    let superseded = problem(409, "order_superseded", window.generate(&older).await);
    world.change_product("desk-order", "max_renewals", json!(1)).await;
    let stale = problem(409, "quote_stale", window.generate(&newer).await);
    let range = problem(422, "quantity_out_of_range", window.quote(91).await);
    let newer = expect(201, window.quote(2).await);
    world.clock.advance_s(901);
    let expired = problem(409, "quote_expired", window.generate(&newer).await);
    let field = problem(400, "invalid_request", window.post("quotes", &json!({})).await);
    let plain = problem(404, "not_found", window.in_hands_of("bob").quote(1).await);
    let extras: [(&Value, &str, Check); 6] = [
        (&superseded, "live_order", is_order),
        (&stale, "offer", is_quote),
        (&expired, "offer", is_quote),
        (&range, "min", is_count),
        (&field, "field", is_text),
        (&plain, "code", is_text),
    ];
    for (body, extra, is_fit) in extras {
        let mut fields: Vec<(&str, Check)> = vec![
            ("type", is_text),
            ("title", is_text),
            ("status", is_count),
            ("detail", is_text),
            ("instance", is_text),
            ("code", is_text),
            (extra, is_fit),
        ];
        if extra == "min" {
            fields.push(("max", is_count));
        }
        assert!(shape(body, &fields));
    }
}
