//! Items: every record comes back whole, and each says of which release its shape is.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, PaymentStatus, RefundReason,
    RefundStatus,
};
use domain::change::{Change, UnmatchedChange};
use domain::product::{Flow, LatePayment, PriceCheck, Product, Unit};
use domain::task::{Task, TaskKind};
use store::error::StoreError;
use store::load::{Want, WantOrder};
use store::schema::{AUDIT_KEPT_S, Key, SHAPE, SHAPE_ATTRIBUTE, VANISHES_AT};
use store::tasks::DueTask;

use crate::attention::{raise, release, waiting};
use crate::place::{Place, on_every_place};
use crate::records::{
    IDS, close_task, cny, commit, full_booking, full_order, next_order, opened, order, payment,
    payment_id, product, refund, stored, t, token, unmatched,
};

async fn check_booking(place: &Place, booking: &Booking) {
    place.store.open_booking(booking, &token()).await.unwrap();
    let read = place.store.booking(&booking.booking_id).await.unwrap();
    assert_eq!(read.as_ref(), Some(booking));
}

#[tokio::test]
async fn bookings_come_back_whole() {
    on_every_place(async |place| {
        let plain = crate::records::booking("alice", "plain");
        check_booking(place, &plain).await;
        check_booking(place, &full_booking(&crate::records::booking("ålice \"#\" 爱", "full")))
            .await;
        for (key, status) in [
            ("pending", BookingStatus::PendingPayment),
            ("active", BookingStatus::Active),
            ("cancelled", BookingStatus::Cancelled),
        ] {
            let booking = crate::records::booking("alice", key);
            check_booking(place, &Booking { status, version: u64::MAX, ..booking }).await;
        }
        for (key, unit) in [("hour", Unit::Hour), ("day", Unit::Day), ("month", Unit::Month)] {
            let mut booking = crate::records::booking("alice", key);
            booking.pins.unit = unit;
            check_booking(place, &booking).await;
        }
    })
    .await;
}

/// Orders that between them have every status, reason, flow, payment and refund status.
fn orders(booking: &Booking) -> Vec<Order> {
    let plain = order(booking, 0, 1);
    let id = payment_id(&plain.order_id);
    let mut orders = vec![plain.clone(), full_order(booking, 0)];
    for status in [
        OrderStatus::Paid,
        OrderStatus::Superseded,
        OrderStatus::Stale,
        OrderStatus::Expired,
        OrderStatus::Cancelled,
    ] {
        orders.push(Order { status, amount: cny(i64::MIN), ..plain.clone() });
    }
    for reason in [
        EndReason::Unpaid,
        EndReason::LatePayment,
        EndReason::OrderCancelled,
        EndReason::BookingCancelled,
    ] {
        orders.push(Order { reason: Some(reason), ..plain.clone() });
    }
    for (flow, late_payment) in [
        (Flow::SubmitOnce, LatePayment::Accept),
        (Flow::OrderFirst, LatePayment::Refund),
        (Flow::Instant, LatePayment::Accept),
    ] {
        orders.push(Order { flow, late_payment, ..plain.clone() });
    }
    for status in [
        PaymentStatus::Creating,
        PaymentStatus::Payable,
        PaymentStatus::Closing,
        PaymentStatus::Paid,
        PaymentStatus::Closed,
        PaymentStatus::Failed,
    ] {
        let payments = vec![payment(&plain.order_id, status)];
        orders.push(Order { payments, ..plain.clone() });
    }
    for status in [
        RefundStatus::Due,
        RefundStatus::Submitted,
        RefundStatus::Succeeded,
        RefundStatus::NeedsAttention,
    ] {
        let refunds = vec![refund(&id, RefundReason::ForeignRefund, status)];
        orders.push(Order { refunds, ..plain.clone() });
    }
    orders
}

#[tokio::test]
async fn orders_with_their_payments_and_refunds_come_back_whole() {
    on_every_place(async |place| {
        let mut booking = opened(&place.store, "alice", "k").await;
        booking.orders_made = 1;
        let mut revision = 0;
        for order in orders(&booking) {
            let written = Order { revision, ..order.clone() };
            let change = Change { ended: vec![written], ..Change::of(&booking) };
            booking = commit(&place.store, change).await;
            revision = booking.version;
            let order_seq = WantOrder::Ended(0);
            let want = Want { booking_id: &booking.booking_id, product: false, order: order_seq };
            let read = place.store.load(want).await.unwrap().unwrap();
            assert_eq!(read.ended, Some(stored(&order, &booking)));
        }
    })
    .await;
}

#[tokio::test]
async fn every_reason_of_a_refund_comes_back() {
    on_every_place(async |place| {
        let booking_id = crate::records::booking("nobody", "k").booking_id;
        let (mut stored, task) = unmatched(&booking_id);
        place.store.commit_unmatched(&stored, &task, &token()).await.unwrap();
        for reason in [
            RefundReason::AmountMismatch,
            RefundReason::DuplicatePayment,
            RefundReason::Superseded,
            RefundReason::Stale,
            RefundReason::Expired,
            RefundReason::Cancelled,
            RefundReason::BookingNotPayable,
            RefundReason::LatePayment,
            RefundReason::Unmatched,
            RefundReason::ForeignRefund,
        ] {
            let mut change = UnmatchedChange::of(&stored);
            change.unmatched.refund.reason = reason;
            change.unmatched.refund.attention = None;
            place.store.update_unmatched(&change, &token()).await.unwrap();
            stored = change.unmatched;
            let payment = stored.refund.payment_id.as_str();
            let read = place.store.unmatched(booking_id.key(), payment, "4200").await.unwrap();
            assert_eq!(read.as_ref(), Some(&stored));
        }
    })
    .await;
}

#[tokio::test]
async fn tasks_come_back_whole() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "k").await;
        let id = &booking.booking_id;
        let plain = close_task(id, 1, 0);
        let payment_id = payment_id(&order(&booking, 0, 1).order_id);
        let query = TaskKind::QueryPayment {
            payment_id,
            create_body: "{\"out_trade_no\":\"é\\n\"}".to_owned(),
        };
        let (_, refund) = unmatched(id);
        let tasks = vec![
            plain.clone(),
            Task { kind: query, tries: u32::MAX, ..plain.clone() },
            Task { attention: Some("many_tries".to_owned()), due_at: t(-1), ..refund },
        ];
        commit(&place.store, Change { tasks: tasks.clone(), ..Change::of(&booking) }).await;
        for task in tasks {
            assert_eq!(place.store.task(id, &task.id()).await.unwrap(), Some(task));
        }
    })
    .await;
}

#[tokio::test]
async fn products_come_back_whole() {
    on_every_place(async |place| {
        let plain = product("desk");
        for product in [
            plain.clone(),
            Product { tiers: vec![], gateways: vec![], ..plain.clone() },
            Product { flow: Flow::SubmitOnce, unit: Unit::Hour, ..plain.clone() },
            Product { flow: Flow::Instant, unit: Unit::Month, ..plain.clone() },
            Product { price_check: PriceCheck::On, late_payment: LatePayment::Accept, ..plain },
        ] {
            let tag = IDS.product_tag("desk");
            place.store.put_product(&product, &tag).await.unwrap();
            assert_eq!(place.store.product("desk", &tag).await.unwrap(), Some(product));
        }
    })
    .await;
}

/// A table with one item of each kind.
async fn one_of_each(place: &Place) -> Booking {
    let store = &place.store;
    store.put_product(&product("desk"), &IDS.product_tag("desk")).await.unwrap();
    let booking = opened(store, "alice", "k").await;
    let booking = commit(store, next_order(&booking, 1)).await;
    let mut change = next_order(&booking, 2);
    change.tasks = vec![close_task(&booking.booking_id, 1, 0)];
    let booking = commit(store, change).await;
    let (unmatched, task) = unmatched(&booking.booking_id);
    store.commit_unmatched(&unmatched, &task, &token()).await.unwrap();
    let waiting = waiting(&booking, 1, 100);
    let booking = commit(store, raise(&booking, vec![waiting.clone()])).await;
    let booking = commit(store, release(&booking, &waiting, 200)).await;
    commit(store, raise(&booking, vec![waiting])).await
}

async fn all_items(place: &Place) -> Vec<HashMap<String, AttributeValue>> {
    let scan = place.client.scan().table_name(place.table()).consistent_read(true);
    scan.send().await.unwrap().items.unwrap()
}

#[tokio::test]
async fn every_item_carries_the_release_of_its_shape() {
    on_every_place(async |place| {
        one_of_each(place).await;
        let items = all_items(place).await;
        let kinds: Vec<&str> = items
            .iter()
            .map(|item| item["sk"].as_s().unwrap().split('#').next().unwrap())
            .collect();
        for kind in [
            "product",
            "summary",
            "order",
            "made",
            "task",
            "unmatched",
            "attention",
            "audit",
            "booking",
        ] {
            assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
        }
        for item in items {
            assert_eq!(item[SHAPE_ATTRIBUTE], AttributeValue::N(SHAPE.to_string()), "{item:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_but_an_audit_record_may_vanish_and_that_ten_years_later() {
    on_every_place(async |place| {
        one_of_each(place).await;
        for item in all_items(place).await {
            let vanishes_at = item.get(VANISHES_AT).map(|value| value.as_n().unwrap().clone());
            let is_audit = item["sk"].as_s().unwrap().starts_with("audit#");
            let kept_until = is_audit.then(|| {
                let at_ms: i64 = item["at"].as_n().unwrap().parse().unwrap();
                at_ms.strict_div(1_000).strict_add(AUDIT_KEPT_S).to_string()
            });
            assert_eq!(vanishes_at, kept_until, "{item:?}");
        }
    })
    .await;
}

/// Gives every item another shape, or none.
async fn reshape(place: &Place, shape: Option<&AttributeValue>) {
    for mut item in all_items(place).await {
        match shape {
            Some(shape) => item.insert(SHAPE_ATTRIBUTE.to_owned(), shape.clone()),
            None => item.remove(SHAPE_ATTRIBUTE),
        };
        let put = place.client.put_item().table_name(place.table()).set_item(Some(item));
        put.send().await.unwrap();
    }
}

#[tokio::test]
async fn an_item_of_a_later_shape_or_of_none_is_refused_by_every_reader() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = one_of_each(place).await;
        let id = &booking.booking_id;
        let later = AttributeValue::N(SHAPE.strict_add(1).to_string());
        for shape in [Some(later), Some(AttributeValue::S("1".to_owned())), None] {
            reshape(place, shape.as_ref()).await;
            let number = shape.as_ref().and_then(|shape| shape.as_n().ok()).cloned();
            let refused = |reader: &str, result: Result<(), StoreError>| match result {
                Err(StoreError::UnknownShape { found }) => assert_eq!(found, number, "{reader}"),
                other => panic!("{reader}: {other:?}"),
            };
            refused("booking", store.booking(id).await.map(drop));
            refused("whole", store.booking_with_orders(id).await.map(drop));
            refused("list", store.bookings_of("alice", None).await.map(drop));
            let product = store.product("desk", &IDS.product_tag("desk")).await;
            refused("product", product.map(drop));
            let want = Want { booking_id: id, product: true, order: WantOrder::Ended(0) };
            refused("load", store.load(want).await.map(drop));
            let (unmatched, _) = unmatched(id);
            let payment = unmatched.refund.payment_id.as_str();
            refused("unmatched", store.unmatched(id.key(), payment, "4200").await.map(drop));
            let task = close_task(id, 1, 0);
            refused("task", store.task(id, &task.id()).await.map(drop));
            let waiting = waiting(&booking, 1, 100);
            refused("attention", store.attention(id, &waiting.attention_id).await.map(drop));
            refused("attention of", store.attention_of(id).await.map(drop));
            refused("attention page", store.attention_page(None).await.map(drop));
            refused("audits", store.audits_of(id).await.map(drop));
            refused("orders", store.orders_from(id, 0).await.map(drop));
            refused("tasks", store.tasks_of(id).await.map(drop));
            refused("unmatched of", store.unmatched_of(id.key()).await.map(drop));
            refused("records", store.records_page(None).await.map(drop));
            let pk = format!("booking#{}", id.key());
            let key = Key { pk, sk: format!("task#{}", task.id().as_str()) };
            let due = DueTask { key, due_at_ms: task.due_at.as_millisecond() };
            refused("claim", store.claim_task(&due, task.due_at).await.map(drop));
        }
    })
    .await;
}

#[tokio::test]
async fn an_item_that_does_not_fit_its_record_is_corrupt_and_not_guessed() {
    on_every_place(async |place| {
        let booking = one_of_each(place).await;
        for item in all_items(place).await {
            let mut item = item;
            item.remove("status");
            let put = place.client.put_item().table_name(place.table()).set_item(Some(item));
            put.send().await.unwrap();
        }
        let read = place.store.booking(&booking.booking_id).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    })
    .await;
}
