//! What replies are believed for.

use std::time::Duration;

use bytes::Bytes;
use domain::gateway::Capture;
use gateways::{
    CODE_URL_LEN_MAX, CloseOutcome, CreateOutcome, Gateway, ID_LEN_MAX, Owner, PaymentRef,
    QueryOutcome, RefundOutcome, Refusal, TooOften,
};
use http::Response;
use serde_json::{Value, json};

use crate::peer::{
    ECHO, INTENT_ID, NOW_S, PAID_S, PAYMENT_ID, REFUND_NUMBER, SESSION_ID, adapter, at, cny,
    declined, found, intent, listed, lost, made, money, problem, qr_intent, refund, reply, session,
    settings, stored,
};

fn refusal(status: u16, code: &str, message: &str) -> Refusal {
    Refusal { status, code: code.to_owned(), message: message.to_owned() }
}

fn read_create(reply: &Response<Bytes>) -> CreateOutcome {
    adapter(settings()).read_create(reply, at(NOW_S))
}

fn read_query(payment: &PaymentRef<'_>, reply: &Response<Bytes>) -> QueryOutcome {
    adapter(settings()).read_query(payment, reply, at(NOW_S))
}

fn read_close(reply: &Response<Bytes>) -> CloseOutcome {
    adapter(settings()).read_close(reply, at(NOW_S))
}

fn read_owner(reply: &Response<Bytes>) -> Result<Option<Owner>, Refusal> {
    adapter(settings()).read_owner(reply, at(NOW_S))
}

fn read_refund(reply: &Response<Bytes>) -> RefundOutcome {
    adapter(settings()).read_refund(&refund(), reply, at(NOW_S))
}

fn read_query_refund(reply: &Response<Bytes>) -> RefundOutcome {
    adapter(settings()).read_query_refund(&refund(), reply, at(NOW_S))
}

fn paid() -> QueryOutcome {
    QueryOutcome::Paid(Capture {
        transaction_id: INTENT_ID.to_owned(),
        captured: cny(1280),
        paid_at: at(PAID_S),
    })
}

/// What is no answer of Stripe's, or none about what was asked.
fn answers_of_others() -> Vec<Response<Bytes>> {
    let mut live = session("expired", "unpaid", json!(null));
    live["livemode"] = json!(true);
    vec![
        reply(200, ""),
        reply(200, "{}"),
        reply(200, "<html>"),
        reply(200, json!({ "object": "balance" })),
        reply(200, live),
        reply(302, session("expired", "unpaid", json!(null))),
        reply(400, ""),
        reply(400, "<html>"),
        reply(404, r#"{"message":"Not Found"}"#),
        reply(404, r#"{"error":"Not Found"}"#),
        reply(502, "<html>"),
        reply(500, problem("invalid_request_error", Some("resource_missing"))),
        reply(503, session("expired", "unpaid", json!(null))),
    ]
}

#[test]
fn an_open_session_and_an_intent_with_its_code_are_payable() {
    let payable = |code_url: &str, gateway_ref: &str| CreateOutcome::Payable {
        code_url: code_url.to_owned(),
        gateway_ref: Some(gateway_ref.to_owned()),
    };
    let created = session("open", "unpaid", json!(null));
    let url = "https://checkout.stripe.com/c/pay/peer";
    assert_eq!(read_create(&reply(200, created)), payable(url, SESSION_ID));
    let data = "weixin://wxpay/bizpayurl?pr=Peer";
    let created = qr_intent("requires_action");
    assert_eq!(read_create(&reply(200, created)), payable(data, INTENT_ID));
}

#[test]
fn a_create_that_says_less_is_not_known() {
    let open = |field: &str, value: Value| {
        let mut session = session("open", "unpaid", json!(null));
        session[field] = value;
        session
    };
    let code = |value: Value| {
        let mut intent = qr_intent("requires_action");
        intent["next_action"] = value;
        intent
    };
    let others = answers_of_others().into_iter();
    let halves = [
        open("url", json!(null)),
        open("url", json!("")),
        open("id", json!("")),
        open("status", json!(null)),
        open("status", json!("new")),
        code(json!(null)),
        code(json!({ "type": "redirect_to_url" })),
        code(json!({ "wechat_pay_display_qr_code": { "data": "" } })),
        qr_intent("requires_payment_method"),
        qr_intent("processing"),
        found(&[], false),
    ];
    for reply in others.chain(halves.into_iter().map(|half| reply(200, half))) {
        let outcome = read_create(&reply);
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{reply:?}: {outcome:?}");
    }
}

#[test]
fn a_code_and_its_id_are_taken_up_to_their_longest() {
    for (code_len, id_len, is_taken) in [
        (CODE_URL_LEN_MAX, ID_LEN_MAX, true),
        (CODE_URL_LEN_MAX + 1, ID_LEN_MAX, false),
        (CODE_URL_LEN_MAX, ID_LEN_MAX + 1, false),
    ] {
        let (code, id) = ("u".repeat(code_len), "i".repeat(id_len));
        let mut page = session("open", "unpaid", json!(null));
        page["url"] = json!(code);
        page["id"] = json!(id);
        let mut picture = qr_intent("requires_action");
        picture["next_action"]["wechat_pay_display_qr_code"]["data"] = json!(code);
        picture["id"] = json!(id);
        for answer in [page, picture] {
            let outcome = read_create(&reply(200, answer));
            let payable = matches!(outcome, CreateOutcome::Payable { .. });
            assert_eq!(payable, is_taken, "{code_len}, {id_len}: {outcome:?}");
            assert_eq!(matches!(outcome, CreateOutcome::Unknown(_)), !is_taken, "{outcome:?}");
        }
    }
}

#[test]
fn a_create_that_was_answered_before_may_tell_that_it_is_over() {
    for (answer, expected) in [
        (session("complete", "paid", intent("succeeded")), CreateOutcome::AlreadyPaid),
        (session("expired", "unpaid", json!(null)), CreateOutcome::Closed),
        (qr_intent("succeeded"), CreateOutcome::AlreadyPaid),
        (qr_intent("canceled"), CreateOutcome::Closed),
    ] {
        assert_eq!(read_create(&reply(200, answer)), expected);
    }
}

#[test]
fn create_errors_follow_the_table() {
    for (status, kind, code, is_refused) in [
        (400, "invalid_request_error", Some("amount_too_small"), true),
        (400, "invalid_request_error", Some("parameter_invalid_integer"), true),
        (400, "invalid_request_error", Some("url_invalid"), true),
        (400, "invalid_request_error", None, true),
        (402, "card_error", Some("card_declined"), true),
        // The body of our earlier sending under this key was another.
        (400, "idempotency_error", None, false),
        (400, "api_error", None, false),
        (401, "invalid_request_error", None, false),
        (403, "invalid_request_error", Some("secret_key_required"), false),
        (404, "invalid_request_error", Some("resource_missing"), false),
        (409, "invalid_request_error", Some("idempotency_key_in_use"), false),
        (424, "api_error", None, false),
        (429, "invalid_request_error", Some("lock_timeout"), false),
        (429, "invalid_request_error", Some("rate_limit"), false),
        (500, "api_error", None, false),
        (500, "invalid_request_error", None, false),
    ] {
        let told = refusal(status, code.unwrap_or(kind), "m");
        let expected = match is_refused {
            true => CreateOutcome::Refused(told),
            false => CreateOutcome::Unknown(told),
        };
        assert_eq!(read_create(&reply(status, problem(kind, code))), expected, "{status} {kind}");
    }
}

#[test]
fn every_status_of_an_intent_is_read() {
    let unknown = refusal(200, "new_status", "an unknown status of an intent");
    for (status, expected) in [
        ("requires_payment_method", QueryOutcome::Unpaid),
        ("requires_confirmation", QueryOutcome::Unpaid),
        ("requires_action", QueryOutcome::Unpaid),
        ("processing", QueryOutcome::Unpaid),
        ("requires_capture", QueryOutcome::Unpaid),
        ("succeeded", paid()),
        ("canceled", QueryOutcome::Closed),
        ("new_status", QueryOutcome::Unknown(unknown)),
    ] {
        let asked = read_query(&stored(INTENT_ID), &reply(200, intent(status)));
        assert_eq!(asked, expected, "{status}");
        let answer = found(&[intent(status)], false);
        assert_eq!(read_query(&lost(), &reply(200, answer)), expected, "{status}, searched");
    }
}

#[test]
fn a_charge_of_which_anything_was_refunded_has_gone_back() {
    for (refunded, expected) in [
        (json!(null), "unknown"),
        (json!(0), "paid"),
        (json!(1), "returned"),
        (json!(1280), "returned"),
    ] {
        let mut intent = intent("succeeded");
        intent["latest_charge"]["amount_refunded"] = refunded.clone();
        let told = read_query(&stored(INTENT_ID), &reply(200, &intent));
        assert_eq!(query_name(&told), expected, "{refunded}");
        let answer = session("complete", "paid", intent);
        let told = read_query(&stored(SESSION_ID), &reply(200, &answer));
        assert_eq!(query_name(&told), expected, "{refunded}");
    }
}

#[test]
fn money_decides_before_the_session_does() {
    let id_only = json!(INTENT_ID);
    for (status, payment_status, intent, expected) in [
        ("open", "unpaid", json!(null), "unpaid"),
        ("open", "unpaid", intent("requires_action"), "unpaid"),
        ("open", "unpaid", intent("canceled"), "unpaid"),
        ("open", "unpaid", intent("succeeded"), "paid"),
        ("complete", "paid", intent("succeeded"), "paid"),
        ("complete", "paid", json!(null), "unknown"),
        ("complete", "paid", intent("requires_payment_method"), "unknown"),
        ("complete", "no_payment_required", json!(null), "unknown"),
        // Money that is still on its way, and money that did not come.
        ("complete", "unpaid", intent("processing"), "unpaid"),
        ("complete", "unpaid", intent("requires_action"), "unpaid"),
        ("complete", "unpaid", intent("requires_payment_method"), "closed"),
        ("complete", "unpaid", intent("canceled"), "closed"),
        ("expired", "unpaid", json!(null), "closed"),
        ("expired", "unpaid", intent("canceled"), "closed"),
        ("expired", "unpaid", intent("requires_payment_method"), "closed"),
        ("expired", "unpaid", intent("requires_action"), "closed"),
        ("expired", "unpaid", intent("processing"), "unpaid"),
        ("expired", "unpaid", intent("succeeded"), "paid"),
        ("expired", "unpaid", intent("new_status"), "unknown"),
        ("new_status", "unpaid", json!(null), "unknown"),
        // Without the intent, nothing is known of the money.
        ("open", "unpaid", id_only.clone(), "unknown"),
        ("expired", "unpaid", id_only.clone(), "unknown"),
        ("complete", "paid", id_only, "unknown"),
    ] {
        let answer = session(status, payment_status, intent);
        let outcome = read_query(&stored(SESSION_ID), &reply(200, &answer));
        assert_eq!(query_name(&outcome), expected, "{answer}");
        assert!(expected != "paid" || outcome == paid());
    }
}

#[test]
fn half_a_capture_is_not_known() {
    for (field, value) in [
        ("latest_charge", json!(null)),
        ("latest_charge", json!("ch_3Peer")),
        ("latest_charge", json!({ "id": "ch_3Peer" })),
        ("latest_charge", json!({ "created": i64::MAX })),
        ("amount_received", json!(null)),
        ("amount_received", json!(0)),
        ("amount_received", json!(-1)),
        ("amount_received", json!(12.5)),
        ("currency", json!(null)),
        ("currency", json!("yuan")),
    ] {
        let mut answer = intent("succeeded");
        answer[field] = value;
        let told = reply(200, &answer);
        assert_eq!(query_name(&read_query(&stored(INTENT_ID), &told)), "unknown", "{answer}");
        let told = reply(200, session("complete", "paid", answer.clone()));
        assert_eq!(query_name(&read_query(&stored(SESSION_ID), &told)), "unknown", "{answer}");
        let told = reply(200, found(std::slice::from_ref(&answer), false));
        assert_eq!(query_name(&read_query(&lost(), &told)), "unknown", "{answer}");
    }
}

#[test]
fn what_was_captured_is_told_in_the_currency_that_was_charged() {
    for (amount, currency, expected) in [
        (1280, "cny", cny(1280)),
        (1280, "usd", money(1280, "USD")),
        (500, "jpy", money(500, "JPY")),
        (5120, "kwd", money(5120, "KWD")),
    ] {
        let mut answer = intent("succeeded");
        answer["amount_received"] = json!(amount);
        answer["currency"] = json!(currency);
        let outcome = read_query(&stored(INTENT_ID), &reply(200, answer));
        assert!(matches!(outcome, QueryOutcome::Paid(c) if c.captured == expected), "{currency}");
    }
}

#[test]
fn an_answer_about_something_else_is_not_known() {
    let spoilt = |mut answer: Value, field: &str, value: Value| {
        answer[field] = value;
        answer
    };
    let closed = || session("expired", "unpaid", json!(null));
    let another = json!({ "payment_id": "another" });
    for (payment, answer) in [
        (stored(SESSION_ID), spoilt(closed(), "id", json!("cs_test_another"))),
        (stored(SESSION_ID), spoilt(closed(), "client_reference_id", json!("another"))),
        (stored(SESSION_ID), spoilt(closed(), "client_reference_id", json!(null))),
        (stored(SESSION_ID), spoilt(closed(), "livemode", json!(true))),
        (stored(SESSION_ID), intent("canceled")),
        (stored(SESSION_ID), found(&[], false)),
        (stored(INTENT_ID), spoilt(intent("canceled"), "id", json!("pi_another"))),
        (stored(INTENT_ID), spoilt(intent("canceled"), "metadata", another.clone())),
        (stored(INTENT_ID), spoilt(intent("canceled"), "metadata", json!({}))),
        (stored(INTENT_ID), spoilt(intent("canceled"), "metadata", json!(null))),
        (stored(INTENT_ID), spoilt(intent("canceled"), "livemode", json!(true))),
        (stored(INTENT_ID), closed()),
        (lost(), closed()),
        (lost(), intent("canceled")),
        (lost(), found(&[spoilt(intent("succeeded"), "metadata", another)], false)),
        (lost(), found(&[spoilt(intent("canceled"), "livemode", json!(true))], false)),
    ] {
        let outcome = read_query(&payment, &reply(200, &answer));
        let mismatch = refusal(200, "mismatch", "the reply is about something else");
        assert_eq!(outcome, QueryOutcome::Unknown(mismatch), "{answer}");
    }
    for payment in [stored(SESSION_ID), stored(INTENT_ID), lost()] {
        for reply in answers_of_others() {
            let outcome = read_query(&payment, &reply);
            assert_eq!(query_name(&outcome), "unknown", "{reply:?}");
        }
    }
}

#[test]
fn of_what_a_search_finds_that_counts_which_says_most() {
    for (intents, has_more, expected) in [
        (vec![], false, "not_found"),
        (vec![], true, "unknown"),
        (vec![intent("succeeded")], true, "unknown"),
        (vec![intent("canceled"), intent("succeeded")], false, "paid"),
        (vec![intent("new_status"), intent("succeeded")], false, "paid"),
        (vec![intent("canceled"), intent("new_status"), intent("processing")], false, "unknown"),
        (vec![intent("canceled"), intent("requires_action")], false, "unpaid"),
        (vec![intent("canceled"), intent("canceled")], false, "closed"),
    ] {
        let outcome = read_query(&lost(), &reply(200, found(&intents, has_more)));
        assert_eq!(query_name(&outcome), expected, "{intents:?} {has_more}");
    }
}

#[test]
fn no_error_says_anything_about_a_payment() {
    for (status, code) in [
        (400, "payment_intent_unexpected_state"),
        (401, "api_key_expired"),
        (403, "secret_key_required"),
        // An id that Stripe gave us: our key is of another account.
        (404, "resource_missing"),
        (429, "lock_timeout"),
        (500, "resource_missing"),
    ] {
        for payment in [stored(SESSION_ID), stored(INTENT_ID), lost()] {
            let outcome = read_query(&payment, &declined(status, code));
            assert_eq!(outcome, QueryOutcome::Unknown(refusal(status, code, "m")));
        }
    }
}

#[test]
fn the_owner_is_read_from_an_intent_of_our_mode_only() {
    let expected = Owner { payment_id: PAYMENT_ID.to_owned(), echo: ECHO.to_owned() };
    for status in ["succeeded", "requires_action", "new_status"] {
        assert_eq!(read_owner(&reply(200, intent(status))), Ok(Some(expected.clone())));
    }
    for metadata in [
        json!({}),
        json!(null),
        json!({ "echo": ECHO }),
        json!({ "payment_id": PAYMENT_ID }),
        json!({ "payment_id": PAYMENT_ID, "echo": "" }),
    ] {
        let mut answer = intent("succeeded");
        answer["metadata"] = metadata;
        assert_eq!(read_owner(&reply(200, &answer)), Ok(None), "{answer}");
    }
    assert_eq!(read_owner(&declined(404, "resource_missing")), Ok(None));
    // What is not known is no word that the payment is not ours.
    let mut live = intent("succeeded");
    live["livemode"] = json!(true);
    let about_another = [reply(200, live), reply(200, found(&[], false))];
    let errors = [
        declined(400, "resource_missing"),
        declined(404, "account_invalid"),
        declined(401, "api_key_expired"),
        declined(429, "rate_limit"),
        declined(500, "resource_missing"),
    ];
    for reply in answers_of_others().into_iter().chain(about_another).chain(errors) {
        assert!(read_owner(&reply).is_err(), "{reply:?}");
    }
}

#[test]
fn only_expired_or_canceled_is_a_confirmed_close() {
    let not_closed = |state| CloseOutcome::Ask(refusal(200, state, "it is not closed"));
    for (answer, expected) in [
        (session("expired", "unpaid", json!(null)), CloseOutcome::Closed),
        (session("open", "unpaid", json!(null)), not_closed("open")),
        (session("complete", "paid", json!(INTENT_ID)), not_closed("complete")),
        (qr_intent("canceled"), CloseOutcome::Closed),
        (qr_intent("succeeded"), not_closed("succeeded")),
        (qr_intent("requires_action"), not_closed("requires_action")),
    ] {
        assert_eq!(read_close(&reply(200, &answer)), expected, "{answer}");
    }
}

#[test]
fn a_close_that_only_searched_names_what_has_a_code_of_its_own() {
    let not_closed = |state| CloseOutcome::Ask(refusal(200, state, "it is not closed"));
    let named = || CloseOutcome::Named(INTENT_ID.to_owned());
    for (intents, expected) in [
        (vec![], CloseOutcome::NotFound),
        (vec![qr_intent("canceled")], CloseOutcome::Closed),
        (vec![intent("canceled")], CloseOutcome::Closed),
        (vec![qr_intent("requires_action")], named()),
        (vec![qr_intent("requires_payment_method")], named()),
        (vec![qr_intent("canceled"), qr_intent("requires_action")], named()),
        // What the search saw may be old: the cancel asks the intent itself.
        (vec![qr_intent("succeeded")], named()),
        // Only a session's expiry closes its intent, and the session's id is lost.
        (vec![intent("requires_action")], not_closed("requires_action")),
        (vec![intent("succeeded")], not_closed("succeeded")),
    ] {
        let outcome = read_close(&reply(200, found(&intents, false)));
        assert_eq!(outcome, expected, "{intents:?}");
        let outcome = read_close(&reply(200, found(&intents, true)));
        assert!(matches!(outcome, CloseOutcome::Unknown(r) if r.code == "more_pages"));
    }
}

#[test]
fn close_errors_ask_where_they_speak_of_the_payment() {
    for (status, code, is_asking) in [
        (400, "payment_intent_unexpected_state", true),
        (400, "invalid_request_error", true),
        (404, "resource_missing", true),
        (401, "api_key_expired", false),
        (403, "secret_key_required", false),
        (409, "idempotency_key_in_use", false),
        (429, "lock_timeout", false),
        (500, "payment_intent_unexpected_state", false),
    ] {
        let told = refusal(status, code, "m");
        let expected = match is_asking {
            true => CloseOutcome::Ask(told),
            false => CloseOutcome::Unknown(told),
        };
        assert_eq!(read_close(&declined(status, code)), expected, "{status} {code}");
    }
    for reply in answers_of_others() {
        let outcome = read_close(&reply);
        assert!(matches!(outcome, CloseOutcome::Unknown(_)), "{reply:?}: {outcome:?}");
    }
}

#[test]
fn every_refund_status_is_read_alike_from_both_calls() {
    for (status, name) in [
        ("succeeded", "succeeded"),
        ("pending", "processing"),
        ("requires_action", "processing"),
        ("failed", "failed"),
        ("canceled", "failed"),
        ("new_status", "unknown"),
    ] {
        let outcome = read_refund(&reply(200, made(status)));
        assert_eq!(refund_name(&outcome), name, "{status}");
        let listed = listed(&[made(status)], false);
        assert_eq!(read_query_refund(&reply(200, listed)), outcome, "{status}");
    }
    let failed = refusal(200, "lost_or_stolen_card", "not paid; a new refund is needed");
    assert_eq!(read_refund(&reply(200, made("failed"))), RefundOutcome::Failed(failed));
    let canceled = refusal(200, "canceled", "not paid; a new refund is needed");
    assert_eq!(read_refund(&reply(200, made("canceled"))), RefundOutcome::Failed(canceled));
}

#[test]
fn a_refund_reply_about_something_else_is_not_known() {
    let unknown =
        RefundOutcome::Unknown(refusal(200, "mismatch", "the reply is about something else"));
    let another = json!({ "refund_number": REFUND_NUMBER, "payment_id": "another" });
    for (field, value) in [
        ("payment_intent", json!("pi_another")),
        ("payment_intent", json!(null)),
        ("amount", json!(1279)),
        ("amount", json!(null)),
        ("currency", json!("usd")),
        ("metadata", another),
        ("metadata", json!({ "refund_number": REFUND_NUMBER })),
    ] {
        let mut answer = made("succeeded");
        answer[field] = value;
        assert_eq!(read_refund(&reply(200, &answer)), unknown, "{answer}");
        let listed = listed(std::slice::from_ref(&answer), false);
        assert_eq!(read_query_refund(&reply(200, listed)), unknown, "{answer}");
    }
    let mut unnumbered = made("succeeded");
    unnumbered["metadata"] = json!({});
    assert_eq!(read_refund(&reply(200, unnumbered)), unknown);
    for reply in answers_of_others() {
        assert_eq!(refund_name(&read_refund(&reply)), "unknown", "{reply:?}");
        assert_eq!(refund_name(&read_query_refund(&reply)), "unknown", "{reply:?}");
    }
}

#[test]
fn a_refund_is_not_found_only_on_the_last_page() {
    let foreign = || {
        let mut refund = made("succeeded");
        refund["metadata"] = json!({ "refund_number": "another" });
        refund
    };
    for (refunds, has_more, name) in [
        (vec![], false, "not_found"),
        (vec![], true, "unknown"),
        (vec![foreign()], false, "not_found"),
        (vec![foreign()], true, "unknown"),
        (vec![foreign(), made("succeeded")], true, "succeeded"),
        (vec![foreign(), made("pending")], false, "processing"),
        // Of two sendings that met, the one that did not fail counts.
        (vec![made("failed"), made("pending")], false, "processing"),
        (vec![made("succeeded"), made("failed")], false, "succeeded"),
        (vec![made("failed"), made("failed")], false, "failed"),
    ] {
        let outcome = read_query_refund(&reply(200, listed(&refunds, has_more)));
        assert_eq!(refund_name(&outcome), name, "{refunds:?} {has_more}");
    }
}

#[test]
fn refund_errors_follow_the_table() {
    for (status, code, name) in [
        (400, "balance_insufficient", "later"),
        (400, "insufficient_funds", "later"),
        (400, "lock_timeout", "later"),
        (429, "lock_timeout", "later"),
        (401, "api_key_expired", "later"),
        (403, "secret_key_required", "later"),
        (404, "resource_missing", "later"),
        (400, "resource_missing", "later"),
        (400, "charge_disputed", "refused"),
        (400, "refund_disputed_payment", "refused"),
        // Perhaps through this very refund: only asking tells.
        (400, "charge_already_refunded", "unknown"),
        (400, "amount_too_large", "unknown"),
        (400, "payment_intent_unexpected_state", "unknown"),
        (400, "idempotency_error", "unknown"),
        (400, "something_new", "unknown"),
        (402, "something_new", "unknown"),
        (409, "idempotency_key_in_use", "unknown"),
        (424, "something_new", "unknown"),
        (500, "charge_disputed", "unknown"),
        (503, "balance_insufficient", "unknown"),
    ] {
        let outcome = read_refund(&declined(status, code));
        assert_eq!(refund_name(&outcome), name, "{status} {code}");
        let asked = read_query_refund(&declined(status, code));
        assert_eq!(asked, RefundOutcome::Unknown(refusal(status, code, "m")), "{status} {code}");
    }
}

/// Every call but create reads a refusal of how often it is called, and of nothing else, so.
#[test]
fn a_gateway_that_is_called_too_often_says_so_and_a_lock_is_another_thing() {
    for (status, code, is_too_often) in [
        (429, "rate_limit", true),
        (429, "rate_limit_error", true),
        (429, "anything", true),
        (429, "lock_timeout", false),
        (428, "rate_limit", false),
        (400, "lock_timeout", false),
        (503, "rate_limit", false),
    ] {
        let reply = declined(status, code);
        let told = TooOften { refusal: refusal(status, code, "m"), retry_after: None };
        let queried = read_query(&lost(), &reply) == QueryOutcome::TooOften(told.clone());
        let closed = read_close(&reply) == CloseOutcome::TooOften(told.clone());
        let too_often = RefundOutcome::TooOften(told);
        let refunded = read_refund(&reply) == too_often;
        let asked = read_query_refund(&reply) == too_often;
        let all = [queried, closed, refunded, asked];
        assert_eq!(all, [is_too_often; 4], "{status} {code}");
        let created = read_create(&reply);
        assert!(matches!(created, CreateOutcome::Unknown(_)) || !is_too_often, "{created:?}");
    }
    let mut patient = declined(429, "rate_limit");
    patient.headers_mut().insert("retry-after", "7".parse().unwrap());
    let CloseOutcome::TooOften(told) = read_close(&patient) else { panic!("{patient:?}") };
    assert_eq!(told.retry_after, Some(Duration::from_secs(7)));
    // Something on the way says it: that is not Stripe's word.
    assert!(matches!(read_close(&reply(429, "<html>")), CloseOutcome::Unknown(_)));
}

#[test]
fn the_gateway_s_words_are_kept_short() {
    let body = json!({ "error": {
        "type": "invalid_request_error", "code": "c".repeat(1000), "message": "长".repeat(1000),
    } });
    let CreateOutcome::Refused(refusal) = read_create(&reply(400, body)) else {
        panic!("not refused");
    };
    assert_eq!(refusal.code.len(), 64);
    assert_eq!(refusal.message, "长".repeat(85));
}

fn query_name(outcome: &QueryOutcome) -> &'static str {
    match outcome {
        QueryOutcome::Paid(_) => "paid",
        QueryOutcome::Returned(_) => "returned",
        QueryOutcome::Unpaid => "unpaid",
        QueryOutcome::Closed => "closed",
        QueryOutcome::NotFound => "not_found",
        QueryOutcome::TooOften(_) => "too_often",
        QueryOutcome::Unknown(_) => "unknown",
    }
}

fn refund_name(outcome: &RefundOutcome) -> &'static str {
    match outcome {
        RefundOutcome::Succeeded => "succeeded",
        RefundOutcome::Processing => "processing",
        RefundOutcome::Failed(_) => "failed",
        RefundOutcome::Refused(_) => "refused",
        RefundOutcome::NotFound => "not_found",
        RefundOutcome::Later(_) => "later",
        RefundOutcome::TooOften(_) => "too_often",
        RefundOutcome::Stuck(_) => "stuck",
        RefundOutcome::Unknown(_) => "unknown",
    }
}
