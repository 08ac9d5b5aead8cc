//! What runs came to, in numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use tests::faults::{Fate, Side};

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident: $label:literal,)*) => {
        /// Counted while a run goes on.
        #[derive(Debug, Default)]
        pub struct Figures {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Figures {
            /// Adds what another has counted.
            pub fn add(&self, other: &Self) {
                $(self.$name.fetch_add(other.$name.load(Ordering::Relaxed), Ordering::Relaxed);)*
            }

            /// Every figure with its name.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$(($label, self.$name.load(Ordering::Relaxed)),)*]
            }
        }

    };
}

/// Rows of a table.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all().iter().try_for_each(|(what, n)| writeln!(f, "| {what} | {} |", grouped(*n)))
    }
}

figures! {
    /// Runs.
    seeds: "seeds",
    /// Requests of customers and of the operator.
    requests: "requests of customers and the operator",
    /// Calls that reached for the store.
    store_calls: "calls to the store",
    /// Calls that reached for a gateway.
    gateway_calls: "calls to gateways",
    /// Notifications that reached the callback.
    notifications: "notifications delivered",
    /// Runs of a worker.
    worker_runs: "runs of the worker",
    /// Writes to a booking, each followed by a check of all rules.
    checked_writes: "writes checked against the rules",
    /// Bookings.
    bookings: "bookings",
    /// Orders.
    orders: "orders",
    /// Transactions that wallets paid.
    captured: "transactions captured",
    /// Of these, at Alipay.
    captured_alipay: "of these at Alipay",
    /// Of these, at Stripe.
    captured_stripe: "of these at Stripe",
    /// Of these, at WeChat Pay.
    captured_wechat_pay: "of these at WeChat Pay",
    /// Transactions that bought an order.
    applied: "transactions applied",
    /// Transactions that went back.
    refunded: "transactions refunded",
    /// Transactions that wait for a person, because a gateway cannot give them back.
    waiting: "transactions in needs_attention",
    /// Codes that a wallet scanned before it paid, or without ever paying.
    scans: "codes scanned by themselves",
    /// Refunds that a person made at a gateway.
    refunds_by_hand: "refunds made by hand at a gateway",
    /// Disputes that began or ended.
    disputes: "disputes begun or ended",
    /// Calls to the store that went wrong.
    store_faults: "faults: calls to the store",
    /// Calls to gateways that went wrong.
    gateway_faults: "faults: calls to gateways",
    /// Transactions whose notification was never delivered.
    lost_notifications: "faults: notifications lost",
    /// Handlers and workers that were dropped between two steps.
    kills: "faults: requests, notifications and workers killed",
    /// Stream records that the worker never saw.
    lost_records: "faults: stream records lost",
    /// Simulated time.
    simulated_s: "simulated seconds",
}

impl Figures {
    /// Counts one.
    pub fn count(&self, figure: impl FnOnce(&Self) -> &AtomicU64) {
        figure(self).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call and what became of it.
    pub fn count_call(&self, side: Side, fate: Fate) {
        let (calls, faults) = match side {
            Side::Store => (&self.store_calls, &self.store_faults),
            Side::Gateway => (&self.gateway_calls, &self.gateway_faults),
        };
        calls.fetch_add(1, Ordering::Relaxed);
        faults.fetch_add(u64::from(fate != Fate::Works), Ordering::Relaxed);
    }

    /// Everything that was done: requests, calls, notifications and runs of the worker.
    #[must_use]
    pub fn operations(&self) -> u64 {
        let all = [
            &self.requests,
            &self.store_calls,
            &self.gateway_calls,
            &self.notifications,
            &self.worker_runs,
        ];
        all.iter().map(|one| one.load(Ordering::Relaxed)).sum()
    }
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
