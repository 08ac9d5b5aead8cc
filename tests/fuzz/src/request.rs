//! API requests: headers, query, and JSON bodies read into types.
//!
//! An input is a message; the mark `query` is its query string and `caller` its customer. Nothing
//! reads a form body: where a form is read, it is the query string's.
//!
//! - What is read keeps every documented bound: sizes, characters, the content type, a product's
//!   ranges. The amounts of a product's orders lie in the range that its gateways were checked for.
//! - What is refused is refused by a problem for that, with a field where there is one, and its
//!   answer is JSON with the same code in each language.
//! - A product's answer, sent back, defines the same product.

use std::fmt::Debug;

use api::problem::Problem;
use api::request::{
    AskQuote, BODY_LEN_MAX, CUSTOMER_ID_LEN_MAX, Caller, CreateOrder, GeneratePayment,
    IDEMPOTENCY_KEY_LEN_MAX, OpenBooking, Request, gateway_name,
};
use api::respond;
use api::texts::Language;
use api::view::ProductView;
use bytes::Bytes;
use domain::product::{
    GATEWAYS_MAX, Kind, MAX_RENEWALS_MAX, NAME_LEN_MAX, Product, ProductDefinition, QUANTITY_MAX,
    TIERS_MAX, TTL_S_MAX, UNIT_PRICE_MAX,
};
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::message::Message;

/// The parameter of the query that is read.
const PARAMETER: &str = "cursor";

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let message = Message::read(bytes);
    let caller = message.mark("caller");
    check_request(&Request {
        method: Method::POST,
        path: "/".to_owned(),
        query: message.mark("query").map(str::to_owned),
        body: Bytes::copy_from_slice(message.body),
        caller: caller
            .map(|subject| Caller::Customer { subject: subject.to_owned(), scopes: vec![] }),
        request_id: String::new(),
        headers: message.headers,
    });
}

/// The same for a request that was read from something else.
pub(crate) fn check_request(request: &Request) {
    check_headers(request);
    check_query(request);
    read::<OpenBooking>(request);
    read::<GeneratePayment>(request);
    let gateways = [
        read::<AskQuote>(request).and_then(|asked| asked.gateway),
        read::<CreateOrder>(request).map(|asked| asked.gateway),
    ];
    for text in gateways.iter().flatten() {
        match gateway_name(text) {
            Ok(name) => assert_eq!(name.as_str(), text),
            Err(problem) => assert!(matches!(problem, Problem::GatewayNotAccepted)),
        }
    }
    if let Some(definition) = read::<ProductDefinition>(request)
        && let Ok(product) = Product::define("desk", definition)
    {
        check_product(&product);
    }
}

fn check_headers(request: &Request) {
    match request.idempotency_key() {
        Ok(Some(key)) => {
            assert!((1..=IDEMPOTENCY_KEY_LEN_MAX).contains(&key.len()));
            assert!(key.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Ok(None) => assert!(!request.headers.contains_key("idempotency-key")),
        Err(problem) => check_refusal(request, &problem),
    }
    if let Ok(customer) = request.customer() {
        assert!((1..=CUSTOMER_ID_LEN_MAX).contains(&customer.len()));
    }
}

/// A parameter that is read, written plainly, is read again.
fn check_query(request: &Request) {
    match request.query_parameter(PARAMETER) {
        Ok(Some(value)) => {
            let plain: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let query = Some(format!("{PARAMETER}={plain}"));
            let again = Request { query, ..request.clone() };
            assert_eq!(again.query_parameter(PARAMETER).expect("one parameter"), Some(value));
        }
        Ok(None) => {}
        Err(problem) => check_refusal(request, &problem),
    }
}

fn read<T: DeserializeOwned + Debug>(request: &Request) -> Option<T> {
    match request.json::<T>() {
        Ok(value) => {
            assert!(request.body.len() <= BODY_LEN_MAX);
            assert_eq!(request.body.trim_ascii_start().first(), Some(&b'{'));
            let content_type = request.headers["content-type"].to_str().expect("text");
            assert!(content_type.to_ascii_lowercase().contains("application/json"));
            Some(value)
        }
        Err(problem) => {
            check_refusal(request, &problem);
            None
        }
    }
}

fn check_refusal(request: &Request, problem: &Problem) {
    if let Problem::InvalidRequest { field, rule } = problem {
        assert!(!field.is_empty() && !rule.is_empty());
    } else if matches!(problem, Problem::TooLarge) {
        assert!(request.body.len() > BODY_LEN_MAX);
    } else {
        assert!(matches!(problem, Problem::NotJson), "a request is refused by {problem:?}");
    }
    let (status, code) = problem.spec();
    assert!(status.is_client_error());
    for language in [Language::of(&request.headers), Language::English, Language::Chinese] {
        let answer = respond::problem(problem, language, &request.request_id);
        assert_eq!(answer.status(), status);
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert_eq!(body["code"], code);
    }
}

fn check_product(product: &Product) {
    assert!((1..=NAME_LEN_MAX).contains(&product.name.chars().count()));
    assert!(1 <= product.min_quantity && product.min_quantity <= product.max_quantity);
    assert!(product.max_quantity <= QUANTITY_MAX && product.max_renewals <= MAX_RENEWALS_MAX);
    assert!(product.tiers.len() <= TIERS_MAX && product.gateways.len() <= GATEWAYS_MAX);
    assert!(product.quote_ttl_s <= TTL_S_MAX && product.payment_ttl_s <= TTL_S_MAX);
    let (smallest, largest) = product.amount_range();
    let starts = product.tiers.iter().map(|tier| tier.min_quantity);
    let around = starts.flat_map(|start| [start.saturating_sub(1), start, start + 1]);
    let ends = [product.min_quantity, product.max_quantity];
    let sold = product.min_quantity..=product.max_quantity;
    for quantity in around.chain(ends).filter(|quantity| sold.contains(quantity)) {
        for kind in [Kind::First, Kind::Renewal] {
            let unit_price = product.unit_price(kind, quantity);
            assert!((1..=UNIT_PRICE_MAX).contains(&unit_price.amount));
            assert_eq!(unit_price.currency, product.currency);
            let amount = unit_price.times(quantity).expect("no overflow").amount;
            assert!((smallest..=largest).contains(&amount), "{quantity} for {amount}");
        }
    }
    let mut answer = serde_json::to_value(ProductView::of(product)).expect("JSON");
    let fields = answer.as_object_mut().expect("an object");
    fields.remove("product_id");
    fields.remove("price_version");
    let definition = serde_json::from_value(answer).expect("a definition");
    assert_eq!(Product::define(&product.product_id, definition).as_ref(), Ok(product));
}
