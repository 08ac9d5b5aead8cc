//! API Gateway's events (HTTP API, payload format 2.0) as requests.

use api::page::Unchanging;
use api::problem::Problem;
use api::request::{Caller, Request, SCOPE_PRODUCTS_WRITE};
use api::route::{ROUTES, Route};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use lambda_http::request::LambdaRequest;
use runtime::api_gateway::Keeper;
use runtime::lambda::request;
use serde_json::{Value, json};

/// An event as API Gateway sends it, changed as told.
fn event(change: impl FnOnce(&mut Value)) -> Request {
    let mut event = json!({
        "version": "2.0",
        "routeKey": "POST /v1/bookings",
        "rawPath": "/v1/bookings",
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "host": "id.execute-api.eu-central-1.amazonaws.com",
            "x-forwarded-proto": "https"
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "id",
            "domainName": "id.execute-api.eu-central-1.amazonaws.com",
            "http": {
                "method": "POST",
                "path": "/v1/bookings",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.1",
                "userAgent": "agent"
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /v1/bookings",
            "stage": "$default",
            "time": "23/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1_795_392_000_000_i64
        },
        "isBase64Encoded": false
    });
    change(&mut event);
    let LambdaRequest::ApiGatewayV2(event) = serde_json::from_value(event).unwrap() else {
        panic!("read as another kind of event");
    };
    request(LambdaRequest::ApiGatewayV2(event).into())
}

fn claims(claims: &Value) -> Option<Caller> {
    event(|event| {
        event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims } });
    })
    .caller
}

#[test]
fn a_text_body_comes_as_it_was_sent() {
    let request = event(|event| event["body"] = json!("{\"product_id\": \"désk\"}"));
    assert_eq!(request.body, "{\"product_id\": \"désk\"}");
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.request_id, "JKJaXmPLvHcESHA=");
}

#[test]
fn a_base64_body_comes_as_the_raw_bytes_that_signatures_are_over() {
    for (encoded, bytes) in [
        ("eyJpZCI6IvCfkrAifQ==", "{\"id\":\"💰\"}".as_bytes()),
        ("/wD+Cg==", &[0xff, 0, 0xfe, b'\n']),
        ("", &[]),
    ] {
        let request = event(|event| {
            event["body"] = json!(encoded);
            event["isBase64Encoded"] = json!(true);
        });
        assert_eq!(request.body, bytes, "{encoded}");
    }
}

#[test]
fn an_answer_that_is_no_text_goes_out_as_base64_and_text_as_it_is() {
    for (bytes, written, is_base64) in [
        (&b"{\"name\":\"d\xc3\xa9sk\"}"[..], "{\"name\":\"désk\"}", false),
        (&[], "", false),
        (&[0x1f, 0x8b, 8, 0], "H4sIAA==", true),
        (&[0xff], "/w==", true),
    ] {
        let keeper = Keeper::default();
        let mut answer = Response::new(Bytes::from_static(bytes));
        *answer.status_mut() = StatusCode::CREATED;
        answer.headers_mut().insert("etag", HeaderValue::from_static("\"1\""));
        let told = json!({
            "statusCode": 201,
            "headers": { "etag": "\"1\"" },
            "body": written,
            "isBase64Encoded": is_base64,
        });
        assert_eq!(serde_json::to_value(keeper.answer(answer.clone())).unwrap(), told);
        // What never changes goes out the same, when it is first asked for and when it is kept.
        answer.extensions_mut().insert(Unchanging(bytes));
        for _ in 0..2 {
            let text = serde_json::to_string(&keeper.answer(answer.clone())).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), told);
        }
    }
}

#[test]
fn each_of_two_bodies_that_never_change_goes_out_as_itself() {
    let keeper = Keeper::default();
    for bytes in [&b"one"[..], &b"two"[..], &b"one"[..], &[0xff], &b"two"[..]] {
        let mut answer = Response::new(Bytes::from_static(bytes));
        let plain = serde_json::to_string(&keeper.answer(answer.clone())).unwrap();
        answer.extensions_mut().insert(Unchanging(bytes));
        assert_eq!(serde_json::to_string(&keeper.answer(answer)).unwrap(), plain);
    }
}

#[test]
fn an_event_without_a_body_has_an_empty_one() {
    assert!(event(|_| {}).body.is_empty());
    assert!(event(|event| event["body"] = Value::Null).body.is_empty());
}

#[test]
fn the_callers_name_and_scopes_are_the_jwts_own() {
    let scopes = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
    for (token, subject, held) in [
        (json!({ "sub": "alice" }), "alice", scopes(&[])),
        (json!({ "sub": "alice", "scope": "" }), "alice", scopes(&[])),
        (json!({ "sub": "ops", "scope": "products:write" }), "ops", scopes(&["products:write"])),
        (json!({ "sub": "ops", "scope": " a  b " }), "ops", scopes(&["a", "b"])),
    ] {
        let caller = Caller::Customer { subject: subject.to_owned(), scopes: held };
        assert_eq!(claims(&token), Some(caller), "{token}");
    }
}

#[test]
fn without_an_authorizer_that_names_somebody_there_is_no_caller() {
    assert_eq!(event(|_| {}).caller, None);
    for authorizer in [json!(null), json!({}), json!({ "jwt": null }), json!({ "lambda": {} })] {
        let caller = event(|event| event["requestContext"]["authorizer"] = authorizer).caller;
        assert_eq!(caller, None);
    }
    assert_eq!(claims(&json!({})), None);
    assert_eq!(claims(&json!({ "scope": SCOPE_PRODUCTS_WRITE })), None);
    let nobody = event(|_| {}).customer().map(str::to_owned);
    assert!(matches!(nobody, Err(Problem::Unauthenticated)), "{nobody:?}");
}

#[test]
fn no_header_makes_a_caller() {
    let caller = event(|event| {
        event["headers"]["authorization"] = json!("Bearer dev:alice");
        event["headers"]["x-amzn-oidc-identity"] = json!("alice");
        event["headers"]["x-user"] = json!("alice");
    })
    .caller;
    assert_eq!(caller, None);
}

#[test]
fn a_scope_counts_only_as_a_whole_word() {
    for (scope, writes) in [
        ("products:write", true),
        ("openid products:write", true),
        ("products:writer", false),
        ("products", false),
        ("PRODUCTS:WRITE", false),
    ] {
        let caller = claims(&json!({ "sub": "ops", "scope": scope }));
        let request = Request { caller, ..event(|_| {}) };
        assert_eq!(request.require_scope(SCOPE_PRODUCTS_WRITE).is_ok(), writes, "{scope}");
    }
}

#[test]
fn a_query_is_read_as_it_was_sent() {
    for (raw, expected) in [
        ("", None),
        ("cursor=", Some("")),
        ("cursor=booking%23001%23ab", Some("booking#001#ab")),
        ("limit=1&cursor=a%2Bb+c", Some("a+b c")),
    ] {
        let request = event(|event| event["rawQueryString"] = json!(raw));
        let cursor = request.query_parameter("cursor").unwrap();
        assert_eq!(cursor.as_deref(), expected, "{raw}");
    }
    let twice = event(|event| event["rawQueryString"] = json!("cursor=a&cursor=b"));
    assert!(matches!(twice.query_parameter("cursor"), Err(Problem::InvalidRequest { .. })));
}

#[test]
fn headers_are_found_however_they_are_spelt() {
    for name in ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"] {
        let request = event(|event| event["headers"][name] = json!("one"));
        assert_eq!(request.idempotency_key().unwrap(), Some("one"), "{name}");
    }
    let request = event(|event| {
        event["headers"] = json!({ "Wechatpay-Signature": "c2ln", "CONTENT-TYPE": "text/plain" });
    });
    assert_eq!(request.headers["wechatpay-signature"], "c2ln");
    assert!(matches!(request.json::<Value>(), Err(Problem::NotJson)));
}

#[test]
fn every_route_is_read_from_its_event() {
    for spec in ROUTES {
        let path = spec
            .path
            .replace("{product_id}", "desk-order")
            .replace("{booking_id}", &"a".repeat(32))
            .replace("{reference}", &"a".repeat(32))
            .replace("{order_id}", &"b".repeat(32))
            .replace("{attention_id}", &format!("close-{}", "c".repeat(32)))
            .replace("{gateway}", "wechat_pay");
        let request = event(|event| {
            event["rawPath"] = json!(path);
            event["requestContext"]["http"]["method"] = json!(spec.method);
            event["requestContext"]["http"]["path"] = json!(path);
        });
        assert_eq!(request.path, path);
        let route = Route::parse(&request.method, &request.path).unwrap();
        assert_eq!(route.function(), spec.function, "{spec:?}");
    }
}

#[test]
fn a_named_stage_is_no_part_of_the_route() {
    for raw_path in ["/v1/bookings", "/prod/v1/bookings"] {
        let request = event(|event| {
            event["rawPath"] = json!(raw_path);
            event["requestContext"]["stage"] = json!("prod");
        });
        assert_eq!(request.path, "/v1/bookings", "{raw_path}");
    }
}
