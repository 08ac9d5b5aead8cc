//! Reading the whole table: all that is recorded of captured money, for a comparison with gateways'
//! bills, and all bookings and orders, for the figures of a day.
//!
//! Nothing else scans. The comparison reads segments side by side, each page 1 MB of what the table
//! holds; the figures are read one page a request. It costs half a read unit for each 4 KB,
//! whatever is left out of the answers. It is eventually consistent, and nothing is decided on it
//! alone.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::booking::{Booking, Order, Unmatched};

use crate::batch::key_of;
use crate::error::StoreError;
use crate::items::{self, Item, text};
use crate::schema::{Key, ORDER, PK, SK, SUMMARY, UNMATCHED};
use crate::{Store, strings};

/// How many items a page of the table has at most, those that are left out among them; 1 MB is the
/// other bound. A request for figures reads one page, and somebody waits for it.
pub const RECORDS_MAX: u32 = 500;
/// How many segments the table is read in.
pub const SEGMENTS: u32 = 4;

/// Orders that have a payment, live or ended, and money without one.
const WITH_PAYMENTS: &str = "begins_with(sk, :order) AND attribute_exists(payments) \
     OR sk = :summary AND attribute_exists(live_order.payments) \
     OR begins_with(sk, :unmatched)";

/// Bookings, orders, and money without a payment.
const RECORDS: &str = "sk = :summary OR begins_with(sk, :order) OR begins_with(sk, :unmatched)";

/// One page of a segment.
#[derive(Clone, PartialEq, Debug)]
pub struct CapturesPage {
    /// Orders with their payments and refunds, each with the digits that name its booking.
    pub orders: Vec<(String, Order)>,
    /// Money without a stored payment.
    pub unmatched: Vec<Unmatched>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<CapturesStart>,
}

/// Where a page of a segment starts: behind this.
#[derive(Clone, PartialEq, Debug)]
pub struct CapturesStart(HashMap<String, AttributeValue>);

/// One page of the table.
#[derive(Clone, PartialEq, Debug)]
pub struct RecordsPage {
    /// Bookings, each with its live order.
    pub bookings: Vec<Booking>,
    /// Ended orders.
    pub orders: Vec<Order>,
    /// Money without a stored payment.
    pub unmatched: Vec<Unmatched>,
    /// Behind which record the next page starts; `None` on the last one.
    pub next: Option<Key>,
}

impl Store {
    /// Reads a page of one of [`SEGMENTS`], from where an earlier page ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn captures_page(
        &self,
        segment: u32,
        from: Option<CapturesStart>,
    ) -> Result<CapturesPage, StoreError> {
        let reply = self
            .scan(WITH_PAYMENTS)
            .segment(i32::try_from(segment).unwrap_or(i32::MAX))
            .total_segments(i32::try_from(SEGMENTS).unwrap_or(i32::MAX))
            .set_exclusive_start_key(from.map(|start| start.0))
            .send()
            .await?;
        let next = reply.last_evaluated_key.map(CapturesStart);
        let mut page = CapturesPage { orders: vec![], unmatched: vec![], next };
        for item in reply.items.unwrap_or_default() {
            add(&mut page, item)?;
        }
        Ok(page)
    }

    /// Reads a page of the table, from where an earlier page ended: any key that could be one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn records_page(&self, from: Option<Key>) -> Result<RecordsPage, StoreError> {
        let reply = self
            .scan(RECORDS)
            .limit(i32::try_from(RECORDS_MAX).unwrap_or(i32::MAX))
            .set_exclusive_start_key(from.map(items::key))
            .send()
            .await?;
        let next = reply.last_evaluated_key.as_ref().and_then(key_of);
        let mut page = RecordsPage { bookings: vec![], orders: vec![], unmatched: vec![], next };
        for item in reply.items.unwrap_or_default() {
            match text(&item, SK).unwrap_or_default() {
                SUMMARY => page.bookings.push(items::decode(item)?),
                sk if sk.starts_with(ORDER) => page.orders.push(items::decode(item)?),
                _ => page.unmatched.push(items::decode(item)?),
            }
        }
        Ok(page)
    }

    fn scan(&self, filter: &str) -> ScanFluentBuilder {
        let values = [(":order", ORDER), (":summary", SUMMARY), (":unmatched", UNMATCHED)];
        self.client
            .scan()
            .table_name(&self.table)
            .filter_expression(filter)
            .set_expression_attribute_values(Some(strings(&values)))
    }
}

fn add(page: &mut CapturesPage, item: Item) -> Result<(), StoreError> {
    let sk = text(&item, SK).unwrap_or_default();
    if sk.starts_with(UNMATCHED) {
        page.unmatched.push(items::decode(item)?);
        return Ok(());
    }
    let booking_key = text(&item, PK).and_then(|pk| pk.split_once('#'));
    let booking_key = booking_key.map(|(_, key)| key.to_owned()).unwrap_or_default();
    let order = if sk == SUMMARY {
        items::decode::<Booking>(item)?.live_order
    } else {
        Some(items::decode::<Order>(item)?)
    };
    page.orders.extend(order.map(|order| (booking_key, order)));
    Ok(())
}
