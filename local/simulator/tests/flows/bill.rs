//! WeChat Pay's trade bill.

use http::{Method, Request};
use http_body_util::Full;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use crate::support::{START_S, Stack, authorize, set_clock};

/// Ten o'clock of the next day in Beijing; the tests begin at eight.
const READY_S: i64 = START_S + 26 * 3_600;

async fn place(stack: &Stack, day: &str) -> (u16, Value) {
    let path = format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL");
    let answer = stack.call(Method::GET, &path, None).await;
    (answer.status, answer.body)
}

async fn download(stack: &Stack, url: &str) -> (u16, String) {
    let (_, path) = url.split_once("/v3/").unwrap();
    let signing = stack.signing(&format!("/v3/{path}"), None);
    let request = Request::builder()
        .uri(url)
        .header("accept", "application/json")
        .header("user-agent", "merchant/1")
        .header("authorization", authorize(&signing, &Method::GET));
    let (status, bytes) = stack.file(request.body(Full::default()).unwrap()).await;
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_bill_has_the_days_payments_and_refunds_and_is_what_its_hash_says() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    stack.created("order-2").await;
    stack.refund(&stack.refund_of(&transaction_id, "refund-1")).await;
    stack.ledger_says("order-1", "/refunds/0/status", json!("success")).await;
    set_clock(READY_S);
    let (status, told) = place(&stack, "2026-01-01").await;
    assert_eq!(status, 200, "{told}");
    let (status, text) = download(&stack, told["download_url"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let sha1: String = sha1.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&told["hash_type"], &told["hash_value"]), (&json!("SHA1"), &json!(sha1)));
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 5, "columns, two rows, the summary's columns, the summary");
    assert!(
        lines[1].contains(&format!("`{transaction_id},`order-1,")) && lines[1].contains("SUCC")
    );
    assert!(lines[2].contains("`REFUND,") && lines[2].contains("`refund-1,"), "{}", lines[2]);
    assert!(lines[4].starts_with("`2,`12.80,`12.80,"), "{}", lines[4]);
}

#[tokio::test]
async fn a_bill_is_there_from_ten_and_only_of_a_day_with_trades() {
    let stack = Stack::start().await;
    stack.paid("order-1").await;
    for (now_s, day, status, code) in [
        (START_S, "2026-01-01", 400, json!("INVALID_REQUEST")),
        (READY_S - 1, "2026-01-01", 400, json!("STATEMENT_CREATING")),
        (READY_S, "2026-01-01", 200, Value::Null),
        (READY_S, "2025-12-31", 400, json!("NO_STATEMENT_EXIST")),
        (READY_S, "2026-1-01", 400, json!("PARAM_ERROR")),
        (READY_S, "2025-01-01", 400, json!("INVALID_REQUEST")),
    ] {
        set_clock(now_s);
        let (told, body) = place(&stack, day).await;
        assert_eq!((told, &body["code"]), (status, &code), "{day} at {now_s}");
    }
}

#[tokio::test]
async fn an_address_is_good_for_five_minutes() {
    let stack = Stack::start().await;
    stack.paid("order-1").await;
    set_clock(READY_S);
    let (_, told) = place(&stack, "2026-01-01").await;
    let url = told["download_url"].as_str().unwrap();
    for (age_s, status) in [(0, 200), (300, 200), (301, 400)] {
        set_clock(READY_S + age_s);
        assert_eq!(download(&stack, url).await.0, status, "{age_s}");
    }
    set_clock(READY_S);
    let other_day = url.replace("2026-01-01", "2025-12-31");
    assert_eq!(download(&stack, &other_day).await.0, 400);
}
