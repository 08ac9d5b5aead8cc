//! One run: windows that all want an order of one booking at the same moment.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::request::{Caller, Request};
use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use domain::booking::OrderStatus;
use embedded::meter::Totals;
use http::{HeaderMap, HeaderValue, Method};
use local::dispatch::dispatch;
use local::stack::{Options, Stack, TABLE};
use runtime::config::sdk_behaviour;
use serde_json::{Value, json};
use tests::metering::metered;
use tests::{Window, World};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::hot_booking::lease::Lease;
use crate::hot_booking::slow::{Slow, Waits};

/// Whose booking it is.
const CUSTOMER: &str = "customer";
/// How many units a window asks for at most.
const QUANTITY_MAX: usize = 90;

/// What guards the booking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    /// The product's: each commit under the version that it was decided on.
    Version,
    /// A lease around the same function.
    Lease,
}

impl Lock {
    /// Both.
    pub const EVERY: [Self; 2] = [Self::Version, Self::Lease];

    /// What the table calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Lease => "lease",
        }
    }
}

/// What is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rush {
    /// What guards the booking.
    pub lock: Lock,
    /// How many windows there are.
    pub windows: usize,
    /// How long things take.
    pub waits: Waits,
}

/// What a run came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// What was run.
    pub rush: Rush,
    /// Until all windows had an answer.
    pub took: Duration,
    /// How many windows were answered so; 0 where the lease could not be had in time.
    pub statuses: BTreeMap<u16, u64>,
    /// Commits that came too late.
    pub races_lost: u64,
    /// Times that somebody else had the lease.
    pub leases_refused: u64,
    /// What DynamoDB would bill.
    pub billed: Totals,
}

impl Run {
    /// How many windows have made an order.
    #[must_use]
    pub fn orders(&self) -> u64 {
        self.answered(201)
    }

    /// How many windows were answered with a status.
    #[must_use]
    pub fn answered(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or_default()
    }
}

/// A stack with one booking.
struct Hot {
    world: World,
    window: Window,
    slow: Slow,
    lease: Lease,
}

/// Lets the windows rush, and checks that no update was lost.
///
/// # Panics
/// If one was, or anything else is not as it must be.
pub async fn run(rush: Rush) -> Run {
    let (meter, metered) = metered();
    let hot = Hot::open(metered).await;
    let meter = meter.get().expect("the stack is metered");
    let version = hot.world.stored(&hot.window).await.0.version;
    let before = meter.totals();
    hot.slow.take(rush.waits);
    let begun = Instant::now();
    let answers = hot.rush(rush).await;
    let took = begun.elapsed();
    hot.slow.take(Waits::default());
    let billed = between(before, meter.totals());
    hot.check(version, &answers).await;
    let mut statuses = BTreeMap::new();
    for (status, _) in answers {
        *statuses.entry(status).or_default() += 1;
    }
    let (races_lost, leases_refused) = (hot.slow.commits_refused(), hot.slow.updates_refused());
    Run { rush, took, statuses, races_lost, leases_refused, billed }
}

fn between(before: Totals, after: Totals) -> Totals {
    Totals {
        calls: after.calls - before.calls,
        read_half_units: after.read_half_units - before.read_half_units,
        write_units: after.write_units - before.write_units,
    }
}

impl Hot {
    async fn open(metered: local::stack::WrapStore) -> Self {
        let slow = Slow::default();
        let mut options = Options::in_memory();
        options.settle = false;
        options.wrap_store = Some(slow.wrap_store(metered));
        let stack = Stack::start(options).await.expect("the stack starts");
        let config = stack.embedded.sdk_config().http_client(slow.client());
        let client = Client::from_conf(sdk_behaviour(config));
        let world = World::around(stack);
        let window = world.booking_of(CUSTOMER, "desk-order").await;
        let lease = Lease::of(client, TABLE, window.booking_id().key());
        Self { world, window, slow, lease }
    }

    /// All windows at once; answers the status and the body of each.
    async fn rush(&self, rush: Rush) -> Vec<(u16, Value)> {
        let ready = Arc::new(Barrier::new(rush.windows));
        let mut windows = JoinSet::new();
        for number in 0..rush.windows {
            let (deps, lease) = (Arc::clone(&self.world.stack.deps), self.lease.clone());
            let (request, ready) = (self.request(number), Arc::clone(&ready));
            windows.spawn(async move {
                ready.wait().await;
                let asking = dispatch(&deps, &request);
                let answer = match rush.lock {
                    Lock::Version => Some(asking.await),
                    Lock::Lease => lease.held(&deps, &request.request_id, asking).await,
                };
                answer.map_or((0, Value::Null), |answer| {
                    let body = serde_json::from_slice(answer.body()).unwrap_or_default();
                    (answer.status().as_u16(), body)
                })
            });
        }
        windows.join_all().await
    }

    /// A quote of a quantity of the window's own, which makes an order.
    fn request(&self, window: usize) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let body = json!({ "quantity": window % QUANTITY_MAX + 1 });
        Request {
            method: Method::POST,
            path: format!("{}/quotes", self.window.path),
            query: None,
            headers,
            body: Bytes::from(body.to_string()),
            caller: Some(Caller::Customer { subject: CUSTOMER.to_owned(), scopes: vec![] }),
            request_id: format!("window-{window}"),
        }
    }

    /// Each order that was answered is stored, one after the other; the last one is live, and each
    /// other one was voided by the next.
    async fn check(&self, version: u64, answers: &[(u16, Value)]) {
        let made = answers.iter().filter(|(status, _)| *status == 201);
        let made: HashSet<_> =
            made.map(|(_, body)| tests::text(&body["order"]["order_id"])).collect();
        let (booking, orders) = self.world.stored(&self.window).await;
        let stored: HashSet<_> = orders.iter().map(|order| order.order_id.to_string()).collect();
        assert!(made.is_subset(&stored), "no order is lost");
        // Whoever was answered 5xx may have made one without knowing.
        let unsure = answers.iter().filter(|(status, _)| *status >= 500).count();
        assert!(stored.len() <= made.len() + unsure, "no order is there that nobody made");
        assert_eq!(orders.len(), stored.len(), "each order has its own place");
        let orders_made = u64::try_from(orders.len()).expect("few orders");
        assert_eq!(booking.version, version + orders_made, "each order is one version");
        let (live, voided) = orders.split_last().expect("somebody won");
        assert_eq!(live.status, OrderStatus::Pending, "{live:?}");
        for (order, next) in voided.iter().zip(&orders[1..]) {
            assert_eq!(order.status, OrderStatus::Superseded, "{order:?}");
            assert_eq!(order.superseded_by.as_ref(), Some(&next.order_id), "{order:?}");
        }
    }
}
