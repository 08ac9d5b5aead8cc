//! A customer who buys once, in each of the flows.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Window, expect};
use tokio::time::timeout;

use crate::checkouts::tape::Tape;

/// What each customer buys, in the product's unit.
const QUANTITY: u32 = 30;
/// How long a notification may be on its way before the measurement fails.
const NOTIFICATION_MAX: Duration = Duration::from_secs(20);

/// A flow, by the laptop's product that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// `submit_once`.
    SubmitOnce,
    /// `order_first`.
    OrderFirst,
    /// `instant`.
    Instant,
}

impl Flow {
    /// All of them.
    pub const EVERY: [Self; 3] = [Self::SubmitOnce, Self::OrderFirst, Self::Instant];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SubmitOnce => "submit_once",
            Self::OrderFirst => "order_first",
            Self::Instant => "instant",
        }
    }

    /// The product.
    #[must_use]
    pub const fn product(self) -> &'static str {
        match self {
            Self::SubmitOnce => "desk-submit",
            Self::OrderFirst => "desk-order",
            Self::Instant => "desk-instant",
        }
    }

    /// What a checkout of this flow is made of, in order.
    #[must_use]
    pub const fn steps(self) -> &'static [Step] {
        match self {
            Self::SubmitOnce => &[Step::Quote, Step::Order, Step::Wallet, Step::Notification],
            Self::OrderFirst => &[Step::Quote, Step::Payment, Step::Wallet, Step::Notification],
            Self::Instant => &[Step::Quote, Step::Wallet, Step::Notification],
        }
    }

    /// How many requests the functions answer in a checkout, the notification included.
    #[must_use]
    pub const fn requests(self) -> u32 {
        match self {
            Self::SubmitOnce | Self::OrderFirst => 3,
            Self::Instant => 2,
        }
    }
}

/// A step of a checkout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `POST …/quotes`.
    Quote,
    /// `POST …/orders`.
    Order,
    /// `POST …/payments`.
    Payment,
    /// The customer's wallet pays at the gateway.
    Wallet,
    /// From the wallet's answer until what the gateway sends is applied.
    Notification,
}

impl Step {
    /// What the table calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quote => "`quote`",
            Self::Order => "`create-order`",
            Self::Payment => "`generate-payment`",
            Self::Wallet => "the wallet pays",
            Self::Notification => "until it is applied",
        }
    }
}

/// How long a checkout took.
#[derive(Clone, PartialEq, Debug)]
pub struct CheckedOut {
    /// Each of the flow's steps, in order.
    pub steps: Vec<Duration>,
    /// From the quote's request until the payment was applied.
    pub whole: Duration,
}

/// The partition of a window's booking.
#[must_use]
pub fn partition(window: &Window) -> String {
    format!("booking#{}", window.booking_id().key())
}

/// Buys in one window.
///
/// # Panics
/// If anything is refused, or no notification is applied in time.
pub async fn check_out(flow: Flow, window: &Window, tape: &Tape) -> CheckedOut {
    let mut laps = vec![Instant::now()];
    let quoted = match flow {
        Flow::SubmitOnce | Flow::OrderFirst => window.quote(QUANTITY).await,
        Flow::Instant => window.quote_at(QUANTITY, window.gateway).await,
    };
    let quoted = expect(201, quoted);
    laps.push(Instant::now());
    let made = match flow {
        Flow::SubmitOnce => expect(201, window.order(&quoted["quote"]["token"]).await),
        Flow::OrderFirst => expect(201, window.generate(&quoted).await),
        Flow::Instant => quoted,
    };
    match flow {
        Flow::SubmitOnce | Flow::OrderFirst => laps.push(Instant::now()),
        Flow::Instant => {}
    }
    let applied = tape.applied(partition(window));
    let wallet = json!({ "code_url": made["payment"]["code_url"] });
    expect(200, window.client.post("/simulator/pay", &wallet).await.expect("the wallet pays"));
    let paid = Instant::now();
    let applied = timeout(NOTIFICATION_MAX, applied).await.expect("the notification arrives");
    // It may be applied before the wallet's own answer has arrived.
    laps.extend([paid, applied.expect("the stack runs").max(paid)]);
    let steps: Vec<_> = laps.windows(2).map(|lap| lap[1] - lap[0]).collect();
    CheckedOut { whole: steps.iter().sum(), steps }
}
