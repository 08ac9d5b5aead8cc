//! Checkout links: one booking in the hands of whoever has the link, and nothing else.

use api::link::{LINK_TTL_S, LINK_TTL_S_MAX, LINK_TTL_S_MIN};
use api::route::Access;
use api::token::Keyring;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use local::client::{Call, Reply};
use serde_json::{Value, json};
use tests::routes::{body_for, routes};
use tests::{Window, World, expect, expect_problem, order_in, text, time};

/// The claims of a link's token.
fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(2).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

async fn ask_link(window: &Window, body: &Value) -> Reply {
    window.post("checkout-link", body).await
}

/// A booking in its customer's window, and in one that a link opened.
async fn both(world: &World, product_id: &str) -> (Window, Window) {
    let window = world.booking_of("alice", product_id).await;
    let linked = window.by_link(&window.link().await);
    (window, linked)
}

/// Every route that a link opens.
fn link_routes(linked: &Window, order_id: &str) -> Vec<(Method, String)> {
    routes(Access::Link, linked.path.rsplit('/').next().unwrap(), order_id)
}

/// Calls every route of links with credentials; all must answer with this problem, and none may
/// change anything.
async fn all_refuse(
    world: &World,
    window: &Window,
    credentials: Option<&str>,
    (status, code): (u16, &str),
) {
    let order_id = "b".repeat(32);
    let before = window.state(world).await;
    for (method, path) in link_routes(window, &order_id) {
        let call = Call::new(method.clone(), &path).json(&body_for(&path, &order_id));
        let call = match credentials {
            Some(credentials) => call.header("authorization", credentials),
            None => call,
        };
        let reply = world.nobody().send(call.header("if-none-match", "*")).await.unwrap();
        assert_eq!(reply.status, status, "{method} {path} {credentials:?}: {:#}", reply.body);
        expect_problem(status, code, reply);
    }
    assert_eq!(window.state(world).await, before);
}

// Making links.

#[tokio::test]
async fn a_link_leads_to_the_page_and_names_its_booking_and_not_whose_it_is() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let return_url = "http://localhost:3000/desk?from=checkout";
    let made = ask_link(&window, &json!({ "return_url": return_url })).await;
    assert_eq!(made.headers["cache-control"], "no-store");
    let made = expect(201, made);
    let url = text(&made["url"]);
    let (page, token) = url.split_once('#').unwrap();
    assert_eq!(page, format!("{}/checkout", world.stack.base_url));
    assert!(token.starts_with("lpl1."), "{token}");
    let claims = claims(token);
    assert_eq!(claims["booking"], window.look().await["booking_id"]);
    assert_eq!(claims["return_url"], return_url);
    let lifetime_ms = claims["expires"].as_i64().unwrap() - claims["issued"].as_i64().unwrap();
    assert_eq!(lifetime_ms, i64::from(LINK_TTL_S) * 1_000);
    assert_eq!(claims["expires"], time(&made["expires_at"]).as_millisecond());
    assert_eq!(claims.as_object().unwrap().len(), 4, "{claims:#}");
    let page = world.nobody().get("/checkout").await.unwrap();
    assert_eq!(page.status, 200);
}

#[tokio::test]
async fn a_link_may_be_asked_for_without_a_body_and_each_call_makes_another() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let call = || Call::new(Method::POST, format!("{}/checkout-link", window.path));
    let first = expect(201, window.client.send(call()).await.unwrap());
    world.clock.advance_s(1);
    let second = expect(201, window.client.send(call()).await.unwrap());
    assert_ne!(first["url"], second["url"]);
    for made in [first, second] {
        let (_, token) = text(&made["url"]).split_once('#').map(own).unwrap();
        assert_eq!(claims(&token).get("return_url"), None);
        window.by_link(&token).look().await;
    }
}

fn own((before, behind): (&str, &str)) -> (String, String) {
    (before.to_owned(), behind.to_owned())
}

#[tokio::test]
async fn a_link_that_breaks_a_rule_names_the_field() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    for (body, field) in [
        (json!({ "expires_in_s": LINK_TTL_S_MIN - 1 }), "expires_in_s"),
        (json!({ "expires_in_s": LINK_TTL_S_MAX + 1 }), "expires_in_s"),
        (json!({ "expires_in_s": -1 }), "expires_in_s"),
        (json!({ "expires_in_s": "900" }), "expires_in_s"),
        (json!({ "return_url": "https://good.example.com.evil.test/" }), "return_url"),
        (json!({ "return_url": "http://localhost.evil.test/" }), "return_url"),
        (json!({ "return_url": "http://localhost@evil.test/" }), "return_url"),
        (json!({ "return_url": "javascript:alert(1)" }), "return_url"),
        (json!({ "return_url": "" }), "return_url"),
        (json!({ "return_url": 1 }), "return_url"),
        (json!({ "customer": "bob" }), "customer"),
    ] {
        let problem = expect_problem(400, "invalid_request", ask_link(&window, &body).await);
        assert_eq!(problem["field"], field, "{body}");
    }
    for expires_in_s in [LINK_TTL_S_MIN, LINK_TTL_S_MAX] {
        expect(201, ask_link(&window, &json!({ "expires_in_s": expires_in_s })).await);
    }
}

#[tokio::test]
async fn nobody_makes_a_link_of_a_booking_that_is_not_theirs() {
    let world = World::start_unsettled().await;
    let (window, linked) = both(&world, "desk-order").await;
    for customer in ["bob", "admin"] {
        let strangers = window.in_hands_of(customer);
        expect_problem(404, "not_found", ask_link(&strangers, &json!({})).await);
    }
    let path = format!("/v1/bookings/{}/checkout-link", "0".repeat(32));
    let unknown = window.client.post(path, &json!({})).await.unwrap();
    expect_problem(404, "not_found", unknown);
    // Not even whoever holds a link: it would outlive the first.
    let with_token = Window { path: window.path.clone(), ..linked.clone() };
    expect_problem(401, "unauthenticated", ask_link(&with_token, &json!({})).await);
    expect_problem(404, "not_found", ask_link(&linked, &json!({})).await);
}

// Who is let in.

#[tokio::test]
async fn without_a_link_that_verifies_nothing_is_served() {
    let world = World::start_unsettled().await;
    let (window, _) = both(&world, "desk-order").await;
    let token = window.link().await;
    for nothing in [None, Some("Bearer"), Some("Basic ZGV2OmFsaWNl"), Some("")] {
        all_refuse(&world, &window, nothing, (401, "unauthenticated")).await;
    }
    let quoted = expect(201, window.quote(1).await);
    let claims_of_another = token.replacen("eyJ", "eyK", 1);
    for invalid in [
        "Bearer dev:alice".to_owned(),
        "Bearer dev:admin".to_owned(),
        "Bearer lpl1".to_owned(),
        format!("Bearer {}", text(&quoted["quote"]["token"])),
        format!("Bearer {}", text(&quoted["quote"]["token"]).replacen("lp1", "lpl1", 1)),
        format!("Bearer {}", token.replacen("lpl1", "lp1", 1)),
        format!("Bearer {token}A"),
        format!("Bearer {claims_of_another}"),
        format!("Bearer {}", token.replacen("laptop", "other", 1)),
    ] {
        all_refuse(&world, &window, Some(&invalid), (401, "link_invalid")).await;
    }
}

#[tokio::test]
async fn a_link_of_another_booking_finds_nothing() {
    let world = World::start_unsettled().await;
    let mine = world.booking_of("alice", "desk-order").await;
    for other in [
        world.booking_of("alice", "desk-submit").await,
        world.booking_of("bob", "desk-order").await,
    ] {
        let token = format!("Bearer {}", other.link().await);
        all_refuse(&world, &mine, Some(&token), (404, "not_found")).await;
    }
}

#[tokio::test]
async fn a_link_holds_until_its_time_is_over_and_says_so_in_both_languages() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = expect(201, ask_link(&window, &json!({ "expires_in_s": 900 })).await);
    let (_, token) = text(&made["url"]).split_once('#').map(own).unwrap();
    let linked = window.by_link(&token);
    world.clock.advance_s(890);
    linked.look().await;
    world.clock.advance_s(11);
    let expired = format!("Bearer {token}");
    all_refuse(&world, &window, Some(&expired), (401, "link_expired")).await;
    for (language, title) in [("en", "The link has expired"), ("zh-CN", "链接已过期")] {
        let call = Call::new(Method::GET, &linked.path).header("accept-language", language);
        let told = linked.client.send(call).await.unwrap();
        assert_eq!(told.headers["content-language"], language);
        assert_eq!(expect_problem(401, "link_expired", told)["title"], title);
    }
    // The booking is none the worse for it.
    let again = window.link().await;
    window.by_link(&again).look().await;
}

#[tokio::test]
async fn a_link_of_another_deployment_is_invalid_and_a_rotated_key_holds_until_it_is_gone() {
    let (world, other) = (World::start_unsettled().await, World::start_unsettled().await);
    let window = world.booking_of("alice", "desk-order").await;
    let theirs = other.booking_of("alice", "desk-order").await.link().await;
    let theirs = format!("Bearer {theirs}");
    all_refuse(&world, &window, Some(&theirs), (401, "link_invalid")).await;
    let keys = |ids: &[&str]| {
        let keys = ids.iter().map(|id| ((*id).to_owned(), format!("{id:_<32}").into_bytes()));
        Keyring::new(&keys.collect::<Vec<_>>()).unwrap()
    };
    let booking = window.booking_id();
    let now = world.clock.now();
    let old = api::link::Link::new(booking, None, None, now).unwrap().sign(&keys(&["old"]));
    for (ids, holds) in [(&["new", "old"][..], true), (&["old"], true), (&["new"], false)] {
        let verified = api::link::Link::verify(&old, &keys(ids), now);
        assert_eq!(verified.is_ok(), holds, "{ids:?}");
    }
}

#[tokio::test]
async fn a_link_opens_no_route_that_a_jwt_opens() {
    let world = World::start_unsettled().await;
    let (window, linked) = both(&world, "desk-order").await;
    let order_id = "b".repeat(32);
    let before = window.state(&world).await;
    let (_, booking_id) = window.path.rsplit_once('/').unwrap();
    for (method, path) in routes(Access::Jwt, booking_id, &order_id) {
        let call = Call::new(method, &path);
        let call = call.json(&body_for(&path, &order_id)).header("idempotency-key", "k");
        let reply = linked.client.send(call).await.unwrap();
        assert_eq!(reply.status, 401, "{path}");
        expect_problem(401, "unauthenticated", reply);
    }
    assert_eq!(window.state(&world).await, before);
}

// What is served.

/// What both windows read of the booking is the same to the byte of its tag.
async fn look_alike(window: &Window, linked: &Window) -> Value {
    let owned = window.client.get(&window.path).await.unwrap();
    let read = linked.client.get(&linked.path).await.unwrap();
    assert_eq!(owned.headers["etag"], read.headers["etag"]);
    let tag = read.headers["etag"].to_str().unwrap();
    assert_eq!(linked.look_unless(tag).await.status, 304);
    let (owned, read) = (expect(200, owned), expect(200, read));
    assert_eq!(owned, read);
    read
}

#[tokio::test]
async fn every_route_answers_by_a_link_as_it_does_by_a_jwt() {
    let world = World::start_unsettled().await;
    let (window, linked) = both(&world, "desk-order").await;
    look_alike(&window, &linked).await;
    let owned = window.client.get("/v1/products/desk-order").await.unwrap();
    let read = linked.client.get(format!("{}/product", linked.path)).await.unwrap();
    assert_eq!(expect(200, owned), expect(200, read));

    let ask = json!({ "quantity": 2 });
    let quoted = expect(201, linked.quote_keyed(&ask, "key").await);
    let again = expect(200, window.quote_keyed(&ask, "key").await);
    assert_eq!(quoted["order"]["order_id"], again["order"]["order_id"]);
    let made = expect(201, linked.generate(&quoted).await);
    assert_eq!(expect(200, window.generate(&quoted).await), made);
    let dropped = expect(200, linked.cancel_order(&made["order"]["order_id"]).await);
    assert_eq!(expect(200, window.cancel_order(&made["order"]["order_id"]).await), dropped);
    let cancelled = expect(200, linked.cancel().await);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(expect(200, window.cancel().await), cancelled);
    look_alike(&window, &linked).await;

    let (window, linked) = both(&world, "desk-submit").await;
    let quoted = expect(201, linked.quote(3).await);
    let made = expect(201, linked.order(&quoted["quote"]["token"]).await);
    assert_eq!(expect(200, window.order(&quoted["quote"]["token"]).await), made);
    look_alike(&window, &linked).await;
}

#[tokio::test]
async fn what_a_jwt_is_refused_a_link_is_refused_in_the_same_words() {
    let world = World::start_unsettled().await;
    let (window, linked) = both(&world, "desk-order").await;
    let order_id = "b".repeat(32);
    let bodies = ["[]", "{", r#"{"colour":1}"#, r#"{"quantity":91}"#, r#"{"quantity":0}"#];
    let refused = bodies.into_iter().map(str::to_owned);
    for below in ["quotes", "orders", "payments"] {
        let fits = body_for(below, &order_id).to_string();
        for body in refused.clone().chain([fits.replace("wechat_pay", "nobody"), fits]) {
            for kind in ["application/json", "text/plain"] {
                let ask = async |of: &Window| {
                    let call = Call::new(Method::POST, format!("{}/{below}", of.path));
                    let call = call.header("content-type", kind).raw(body.clone());
                    let mut reply = of.client.send(call).await.unwrap();
                    if reply.status < 300 {
                        return Value::Null;
                    }
                    reply.body.as_object_mut().unwrap().remove("instance");
                    reply.body
                };
                assert_eq!(ask(&window).await, ask(&linked).await, "{below} {kind} {body}");
            }
        }
    }
    let unknown = json!(order_id);
    let (owned, read) = (window.cancel_order(&unknown).await, linked.cancel_order(&unknown).await);
    expect_problem(404, "not_found", owned);
    expect_problem(404, "not_found", read);
}

#[tokio::test]
async fn two_windows_of_one_link_pay_twice_and_the_money_is_applied_once() {
    let world = World::start_unsettled().await;
    world.refund_at_once().await;
    let (window, linked) = both(&world, "desk-order").await;
    let other = window.by_link(&window.link().await);
    let old = expect(201, linked.quote(1).await);
    let old_code = expect(201, linked.generate(&old).await);
    let new = expect(201, other.quote(3).await);
    let new_code = expect(201, other.generate(&new).await);
    let told = expect_problem(409, "order_superseded", linked.generate(&old).await);
    assert_eq!(told["live_order"]["order_id"], new["order"]["order_id"]);
    for made in [&old_code, &new_code] {
        world.pay(&made["payment"]["code_url"]).await;
    }
    let is_settled = |booking: &Value| {
        let order = |made: &Value| order_in(booking, &made["order"]["order_id"]).cloned().unwrap();
        order(&new)["status"] == "paid" && order(&old)["refunds"][0]["status"] == "succeeded"
    };
    world.settle_until(&linked, "one is applied and one is back", is_settled).await;
    let renewal = expect(201, linked.quote(2).await);
    assert_eq!(renewal["quote"]["kind"], "renewal");
    assert_eq!(look_alike(&window, &linked).await["status"], "active");
    assert_eq!(world.unsettled(&window).await, None);
}

#[tokio::test]
async fn each_flow_is_bought_and_renewed_by_a_link_alone() {
    let world = World::start().await;
    for product_id in ["desk-submit", "desk-order", "desk-instant"] {
        let (window, linked) = both(&world, product_id).await;
        assert_eq!(linked.buy(&world, 2).await["status"], "active", "{product_id}");
        assert_eq!(linked.buy(&world, 1).await["renewals"], 1, "{product_id}");
        assert_eq!(world.unsettled(&window).await, None, "{product_id}");
    }
}

// The page, and the picture of a code.

#[tokio::test]
async fn the_page_is_served_to_everybody_whole_and_with_its_policy() {
    let world = World::start_unsettled().await;
    for credentials in [None, Some("dev:alice"), Some("nonsense")] {
        let client = match credentials {
            Some(credentials) => world.nobody().with_token(credentials),
            None => world.nobody(),
        };
        for accepted in ["", "gzip", "br", "br, gzip"] {
            let call = Call::new(Method::GET, "/checkout").header("accept-encoding", accepted);
            let page = client.send(call).await.unwrap();
            assert_eq!(page.status, 200);
            let encoding = page.headers.get("content-encoding").map(|it| it.to_str().unwrap());
            let expected = accepted.split(',').next().filter(|name| !name.is_empty());
            assert_eq!(encoding, expected, "{accepted}");
            let policy = page.headers["content-security-policy"].to_str().unwrap();
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            let call = Call::new(Method::GET, "/checkout")
                .header("if-none-match", page.headers["etag"].to_str().unwrap())
                .header("accept-encoding", accepted);
            assert_eq!(client.send(call).await.unwrap().status, 304);
        }
    }
}

#[tokio::test]
async fn a_code_is_drawn_for_whoever_holds_a_link_and_has_its_bounds() {
    let world = World::start_unsettled().await;
    let (_, linked) = both(&world, "desk-order").await;
    let drawn = linked.post("qr", &json!({ "code": "weixin://wxpay/bizpayurl?pr=x" })).await;
    assert_eq!(drawn.status, 200, "{:#}", drawn.body);
    assert_eq!(drawn.headers["content-type"], "image/svg+xml");
    assert_eq!(drawn.headers["cache-control"], "no-store");
    for (code, fits) in [
        (String::new(), false),
        ("a".to_owned(), true),
        ("a".repeat(1_024), true),
        ("a".repeat(1_025), false),
        ("码".repeat(341), true),
        ("码".repeat(342), false),
    ] {
        let reply = linked.post("qr", &json!({ "code": code })).await;
        if fits {
            assert_eq!(reply.status, 200, "{code}");
        } else {
            let problem = expect_problem(400, "invalid_request", reply);
            assert_eq!(problem["field"], "code");
        }
    }
}
