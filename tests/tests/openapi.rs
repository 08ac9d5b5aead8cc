//! The check against the OpenAPI description, and the description itself.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};
use tests::contract::{Exchange, check, check_examples};
use tests::{World, expect, expect_problem};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

fn exchange(method: Method, uri: &'static str, status: u16, body: &Value) -> Exchange {
    let answered = match status {
        ..400 => headers(&[(header::CONTENT_TYPE, JSON)]),
        _ => headers(&[(header::CONTENT_TYPE, PROBLEM), (header::CONTENT_LANGUAGE, "en")]),
    };
    Exchange {
        method,
        uri: uri.parse().unwrap(),
        sent_headers: headers(&[]),
        sent: vec![].into(),
        status: status.try_into().unwrap(),
        headers: answered,
        body: body.to_string().into(),
    }
}

fn problem(status: u16, code: &str) -> Value {
    json!({
        "type": format!("urn:latchpay:problem:{code}"), "title": "t", "status": status,
        "detail": "d", "instance": "urn:latchpay:request:r", "code": code,
    })
}

/// Nothing was ever done about a booking.
fn nothing_waits() -> Exchange {
    let body = json!({ "attention": [], "next_cursor": null });
    exchange(Method::GET, "/v1/attention", 200, &body)
}

/// A quote of `submit_once` that was asked for with a body.
fn asked(body: &Value) -> Exchange {
    let quote = json!({
        "token": "lp1.k.c.s", "kind": "first", "quantity": 1,
        "unit_price": { "amount": 1, "currency": "CNY" },
        "amount": { "amount": 1, "currency": "CNY" },
        "price_version": "0123456789abcdef", "expires_at": "2026-11-24T22:29:21.564Z",
    });
    let answer = json!({ "quote": quote, "order": null, "payment": null });
    let path = "/v1/bookings/4bcb0bc526a81af9c2408abe9fe59ba2/quotes";
    Exchange {
        sent_headers: headers(&[(header::CONTENT_TYPE, JSON)]),
        sent: body.to_string().into(),
        ..exchange(Method::POST, path, 201, &answer)
    }
}

#[track_caller]
fn fails(exchange: &Exchange, because: &str) {
    let complaint = check(exchange).unwrap_err();
    assert!(complaint.contains(because), "{complaint}");
}

#[test]
fn an_answer_must_be_described_to_the_last_field() {
    assert_eq!(check(&nothing_waits()), Ok(()));
    let body = json!({ "attention": [], "next_cursor": null, "more": 1 });
    fails(&exchange(Method::GET, "/v1/attention", 200, &body), "more");
    let body = json!({ "attention": [] });
    fails(&exchange(Method::GET, "/v1/attention", 200, &body), "next_cursor");
    fails(&Exchange { status: 206.try_into().unwrap(), ..nothing_waits() }, "206");
    let other = headers(&[(header::CONTENT_TYPE, "text/plain")]);
    fails(&Exchange { headers: other, ..nothing_waits() }, "text/plain");
    let more = headers(&[(header::CONTENT_TYPE, JSON), (header::LOCATION, "/")]);
    fails(&Exchange { headers: more, ..nothing_waits() }, "location");
    fails(&Exchange { body: "{".into(), ..nothing_waits() }, "no JSON");
}

#[test]
fn a_problem_must_be_one_that_the_route_may_answer() {
    let forbidden = exchange(Method::GET, "/v1/attention", 403, &problem(403, "forbidden"));
    assert_eq!(check(&forbidden), Ok(()));
    let other = problem(403, "quote_tampered");
    fails(&exchange(Method::GET, "/v1/attention", 403, &other), "code");
    let elsewhere = problem(403, "forbidden");
    fails(&exchange(Method::GET, "/v1/bookings", 403, &elsewhere), "403");
    let mut busy = exchange(Method::GET, "/v1/bookings", 503, &problem(503, "store_unavailable"));
    fails(&busy, "retry-after");
    busy.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("soon"));
    fails(&busy, "retry-after");
    busy.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    assert_eq!(check(&busy), Ok(()));
}

#[test]
fn what_is_no_route_may_only_say_so() {
    let nowhere = exchange(Method::GET, "/v1/nowhere", 404, &problem(404, "not_found"));
    assert_eq!(check(&nowhere), Ok(()));
    fails(&exchange(Method::GET, "/v1/nowhere", 200, &json!({})), "no route");
    fails(&exchange(Method::DELETE, "/v1/attention", 401, &json!({})), "no route");
    assert_eq!(check(&exchange(Method::GET, "/simulator/ledger", 200, &json!(1))), Ok(()));
}

#[test]
fn an_accepted_request_must_be_described_too() {
    let quoted = asked(&json!({ "quantity": 1 }));
    assert_eq!(check(&quoted), Ok(()));
    fails(&asked(&json!({ "quantity": 0 })), "the accepted body");
    fails(&asked(&json!({ "quantity": 1, "colour": 2 })), "colour");
    let key = HeaderName::from_static("idempotency-key");
    let sent = |key_value| headers(&[(header::CONTENT_TYPE, JSON), (key.clone(), key_value)]);
    assert_eq!(check(&Exchange { sent_headers: sent("k"), ..quoted.clone() }), Ok(()));
    fails(&Exchange { sent_headers: sent("a b"), ..quoted.clone() }, "Idempotency-Key");
    let shouted = "/v1/bookings/4BCB0BC526A81AF9C2408ABE9FE59BA2/quotes".parse().unwrap();
    fails(&Exchange { uri: shouted, ..quoted.clone() }, "booking_id");
    fails(&Exchange { sent_headers: headers(&[]), ..quoted }, "media type");
    let page = Exchange { uri: "/v1/attention?cursor=x".parse().unwrap(), ..nothing_waits() };
    fails(&page, "cursor");
}

#[test]
fn every_example_fits_its_schema() {
    let examples = check_examples().unwrap();
    assert!(examples > 40, "{examples}");
}

#[tokio::test]
async fn everybody_may_read_the_description() {
    let world = World::start_unsettled().await;
    for client in [world.nobody(), world.admin(), world.nobody().with_token("nonsense")] {
        let reply = client.get("/v1/openapi.json").await.unwrap();
        assert_eq!(reply.headers["cache-control"], "public, max-age=3600");
        let described = expect(200, reply);
        assert_eq!(described, serde_json::from_str::<Value>(products::DESCRIPTION).unwrap());
        let operations: BTreeSet<&str> = described["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|methods| methods.as_object().unwrap().values())
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        assert_eq!(operations.len(), api::route::ROUTES.len());
    }
    let put = world.admin().put("/v1/openapi.json", &json!({})).await.unwrap();
    expect_problem(404, "not_found", put);
}
