//! Notifications on their way, and refunds in progress: whatever happens by itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::Courier;
use crate::error::JournalError;
use crate::ledger::{
    Delivery, Event, Gateway, Ledger, PaymentKey, Refund, RefundKey, RefundOutcome, Settled,
    Subject,
};
use crate::state::{Shared, State};
use crate::{alipay, stripe, wechat_pay};

/// How long a gateway waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long a reordered notification waits to be overtaken.
const HELD_MAX: Duration = Duration::from_secs(2);

/// Work for the delivery worker.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Deliver {
        number: u64,
        wait: Duration,
        pace: Pace,
    },
    SettleRefund {
        refund: RefundKey,
        wait: Duration,
    },
    /// A Checkout Session has reached its end.
    ExpireSessions {
        wait: Duration,
    },
    /// Money that was on its way to a PaymentIntent has arrived.
    SettleIntent {
        intent_id: String,
        wait: Duration,
    },
}

/// Whether a notification goes in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    InTurn,
    Overtaken,
}

/// A notification as it goes out: signed, for one delivery.
pub(crate) struct Outgoing {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What the callback answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// What announces one subject: the change to keep, then the work to start.
#[derive(Default)]
pub(crate) struct Announcement {
    pub(crate) events: Vec<Event>,
    pub(crate) jobs: Vec<Job>,
}

/// Brings notifications to their callbacks.
pub(crate) enum Client {
    /// Plain HTTP: the callbacks are on this machine.
    Http(Box<HttpClient<HttpConnector, Full<Bytes>>>),
    /// Whoever the configuration names.
    Courier(Courier),
}

impl Client {
    pub(crate) fn new(courier: Option<Courier>) -> Self {
        courier.map_or_else(Self::over_http, Self::Courier)
    }

    fn over_http() -> Self {
        Self::Http(Box::new(HttpClient::builder(TokioExecutor::new()).build_http()))
    }

    /// The answer, or nothing where there was none in time.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Option<Answer> {
        timeout(ANSWER_TIMEOUT, self.exchange(outgoing)).await.ok().flatten()
    }

    async fn exchange(&self, outgoing: Outgoing) -> Option<Answer> {
        let mut request = Request::new(Bytes::from(outgoing.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = outgoing.url.parse().ok()?;
        *request.headers_mut() = outgoing.headers;
        let http = match self {
            Self::Http(http) => http,
            Self::Courier(courier) => {
                let response = courier(request).await?;
                return Some(Answer { status: response.status(), body: response.into_body() });
            }
        };
        let response = http.request(request.map(Full::new)).await.ok()?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.ok()?;
        Some(Answer { status, body: body.to_bytes() })
    }
}

/// Does all work until it is aborted, which ends the work with it.
pub(crate) async fn work(shared: Arc<Shared>, mut queue: UnboundedReceiver<Job>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            // A fixed order, so that a seed fixes the run.
            biased;
            job = queue.recv() => match job {
                Some(job) => { running.spawn(run(Arc::clone(&shared), job)); }
                None => return,
            },
            Some(_) = running.join_next() => {}
        }
    }
}

/// Starts what a restart interrupted: pending refunds, and deliveries.
pub(crate) fn resume(shared: &Shared) {
    // The callback comes up together with the simulator: it gets a moment to listen.
    let wait = shared.config.retry_schedule.first().copied().unwrap_or_default();
    let state = shared.lock();
    let deliveries = state.ledger.deliveries().map(|delivery| Job::Deliver {
        number: delivery.number,
        wait,
        pace: Pace::InTurn,
    });
    let pending = state.ledger.payments().flat_map(|payment| {
        let open = payment.refunds.iter().filter(|refund| {
            refund.settled.is_none()
                || payment.key.gateway == Gateway::Stripe && refund.next_end().is_some()
        });
        open.map(|refund| Job::SettleRefund {
            refund: RefundKey { gateway: payment.key.gateway, refund_no: refund.refund_no.clone() },
            wait: shared.config.refund_delay,
        })
    });
    let stripe = stripe::resumed(&state.ledger, shared.now(), shared.config.refund_delay);
    let jobs = deliveries.chain(pending).chain(stripe).collect();
    drop(state);
    shared.start(jobs);
}

/// Decides how a subject is announced: once, twice, late, or not at all.
pub(crate) fn announce(
    state: &mut State,
    payment: &PaymentKey,
    subject: Subject,
    now: Timestamp,
) -> Announcement {
    announce_as(state, payment, subject, now, |ledger| format!("EV-{:020}", ledger.next_number()))
}

/// The same for a gateway that names its notifications itself.
pub(crate) fn announce_as(
    state: &mut State,
    payment: &PaymentKey,
    subject: Subject,
    now: Timestamp,
    name: impl FnOnce(&mut Ledger) -> String,
) -> Announcement {
    let mut announcement = Announcement::default();
    let State { ledger, random, faults, .. } = state;
    let dropped = random.hits(faults.notifications_dropped);
    let twice = random.hits(faults.notifications_duplicated);
    let held = random.hits(faults.notifications_reordered);
    // Stripe's webhooks have an address of the account's.
    let told = payment.gateway == Gateway::Stripe
        || ledger.payment(payment).is_some_and(|payment| !payment.notify_url.is_empty());
    if dropped || !told {
        return announcement;
    }
    let notification_id = name(ledger);
    for _ in 0..=usize::from(twice) {
        let number = ledger.next_number();
        announcement.events.push(Event::NotificationQueued(Delivery {
            number,
            notification_id: notification_id.clone(),
            payment: payment.clone(),
            subject: subject.clone(),
            created_at: now,
            attempts: 0,
        }));
        let pace = if held { Pace::Overtaken } else { Pace::InTurn };
        announcement.jobs.push(Job::Deliver { number, wait: faults.notification_delay(), pace });
    }
    announcement
}

/// What ends a refund: its outcome, and the notification where one was asked for.
pub(crate) fn settlement(
    state: &mut State,
    payment: &PaymentKey,
    refund: &Refund,
    now: Timestamp,
) -> Announcement {
    let mut announcement = Announcement::default();
    let outcome = refund.next_end().unwrap_or(RefundOutcome::Success);
    if refund.notify_url.is_some() && is_told(payment.gateway, outcome) {
        let subject = Subject::Refund(refund.refund_no.clone());
        announcement = announce(state, payment, subject, now);
    }
    let key = RefundKey { gateway: payment.gateway, refund_no: refund.refund_no.clone() };
    let settled = Settled { outcome, at: now };
    announcement.events.insert(0, Event::RefundSettled { refund: key, settled });
    announcement
}

/// Whether the gateway tells of refunds that end so.
fn is_told(gateway: Gateway, outcome: RefundOutcome) -> bool {
    match gateway {
        Gateway::WechatPay | Gateway::Stripe => true,
        Gateway::Alipay => alipay::notification::tells(outcome),
    }
}

/// Signs a notification for one delivery, as its gateway does; nothing if it is not known.
pub(crate) fn compose(shared: &Shared, delivery: &Delivery) -> Option<Outgoing> {
    match delivery.payment.gateway {
        Gateway::WechatPay => wechat_pay::notification::compose(shared, delivery),
        Gateway::Alipay => alipay::notification::compose(shared, delivery),
        Gateway::Stripe => stripe::notification::compose(shared, delivery),
    }
}

/// Whether the gateway takes this answer for an acknowledgement.
pub(crate) fn acknowledges(gateway: Gateway, answer: &Answer) -> bool {
    match gateway {
        Gateway::WechatPay => wechat_pay::notification::acknowledges(answer.status),
        Gateway::Alipay => alipay::notification::acknowledges(answer),
        Gateway::Stripe => stripe::notification::acknowledges(answer.status),
    }
}

async fn run(shared: Arc<Shared>, job: Job) {
    let kept = match job {
        Job::Deliver { number, wait, pace } => {
            sleep(wait).await;
            if pace == Pace::Overtaken {
                hold(&shared).await;
            }
            deliver(&shared, number).await
        }
        Job::SettleRefund { refund, wait } => {
            sleep(wait).await;
            match refund.gateway {
                Gateway::WechatPay | Gateway::Alipay => settle_refund(&shared, &refund),
                Gateway::Stripe => stripe::refund::settle(&shared, &refund),
            }
        }
        Job::ExpireSessions { wait } => {
            sleep(wait).await;
            stripe::expiry::expire_due(&shared)
        }
        Job::SettleIntent { intent_id, wait } => {
            sleep(wait).await;
            stripe::wallet::settle(&shared, &intent_id)
        }
    };
    if let Err(error) = kept {
        tracing::error!(error = ?error, "a change cannot be kept");
    }
}

async fn hold(shared: &Shared) {
    let mut overtaken = shared.overtaken.subscribe();
    // Overtaken or not within the bound, it goes on.
    let _ = timeout(HELD_MAX, overtaken.changed()).await;
}

/// Delivers until it is acknowledged or the schedule ends.
async fn deliver(shared: &Shared, number: u64) -> Result<(), JournalError> {
    loop {
        let Some(delivery) = shared.lock().ledger.delivery(number).cloned() else {
            return Ok(());
        };
        let Some(outgoing) = compose(shared, &delivery) else {
            return Ok(());
        };
        let answer = shared.client.send(outgoing).await;
        let gateway = delivery.payment.gateway;
        let acknowledged = answer.is_some_and(|answer| acknowledges(gateway, &answer));
        shared.overtaken.send_modify(|count| *count = count.wrapping_add(1));
        match after_attempt(shared, delivery, acknowledged)? {
            Some(wait) => sleep(wait).await,
            None => return Ok(()),
        }
    }
}

/// Counts one delivery; answers the wait before the next one, if there is one.
fn after_attempt(
    shared: &Shared,
    delivery: Delivery,
    acknowledged: bool,
) -> Result<Option<Duration>, JournalError> {
    let scheduled = shared.config.retry_schedule.get(delivery.attempts).copied();
    let wait = scheduled.filter(|_| !acknowledged);
    let Delivery { number, payment, subject, .. } = delivery;
    let next = match wait {
        Some(_) => Event::DeliveryTried { number },
        None => Event::DeliveryOver { number },
    };
    let sent = Event::NotificationSent { payment, subject, acknowledged };
    shared.lock().record(vec![sent, next])?;
    Ok(wait)
}

fn settle_refund(shared: &Shared, key: &RefundKey) -> Result<(), JournalError> {
    let now = shared.now();
    let mut state = shared.lock();
    let Some(payment) = state.ledger.payment_by_refund(key).cloned() else {
        return Ok(());
    };
    let Some(refund) = payment.refund(&key.refund_no) else {
        return Ok(());
    };
    let Announcement { events, jobs } = settlement(&mut state, &payment.key, refund, now);
    state.record(events)?;
    drop(state);
    shared.start(jobs);
    Ok(())
}
