//! A state of the world: what is stored, what gateways know, and which functions are running.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::booking::{Booking, Order, Payment, Refund};
use domain::change::Change;
use domain::decide::Env;
use domain::decide::open_booking::open_booking;
use domain::gateway::Capture;
use domain::ids::PaymentId;
use domain::money::Money;
use domain::quote::Quote;
use domain::task::{Task, TaskKind};
use rules::{Captured, Checked, Stored, check_change, check_successor, check_voided};
use serde::Serialize;

use crate::world::{Gateway, IDS, World, fixed, moment};

/// Something stored, with a digest that stands for it: most steps leave most things as they are.
#[derive(Debug)]
pub struct Kept<T> {
    value: T,
    digest: u64,
}

impl<T: Serialize> Kept<T> {
    /// Keeps a value.
    pub fn new(value: T) -> Arc<Self> {
        let mut hasher = DefaultHasher::new();
        fixed(serde_json::to_vec(&value).ok()).hash(&mut hasher);
        Arc::new(Self { value, digest: hasher.finish() })
    }
}

impl<T> Kept<T> {
    /// What is kept.
    pub const fn get(&self) -> &T {
        &self.value
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

/// Which code: its order's position, its gateway, its attempt there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CodeKey {
    /// The order's position, from 0.
    pub order: u32,
    /// Where it is paid.
    pub gateway: Gateway,
    /// The attempt at that gateway, from 1.
    pub attempt: u32,
}

impl fmt::Display for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}{}", self.order, self.gateway, self.attempt)
    }
}

/// Which capture of a code, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CaptureKey {
    /// The code.
    pub code: CodeKey,
    /// Which of its captures.
    pub nth: u8,
}

impl fmt::Display for CaptureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tx-{}-{}", self.code, self.nth)
    }
}

/// Which task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TaskKey {
    /// Ask for a payment.
    Query(CodeKey),
    /// Close a code.
    Close(CodeKey),
    /// Give a capture back.
    Refund(CaptureKey),
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(code) => write!(f, "query {code}"),
            Self::Close(code) => write!(f, "close {code}"),
            Self::Refund(of) => write!(f, "refund {of}"),
        }
    }
}

/// How a refund attempt stands at its gateway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Attempt {
    /// Taken, and neither paid nor failed yet.
    Accepted,
    /// The money is back.
    Paid,
    /// It will never be paid.
    Failed,
    /// The gateway finally refuses to give the money back.
    Refused,
    /// The money was back and was taken again.
    Reversed,
}

/// Money that a gateway captured.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Taken {
    /// Whether it is another amount than the code's.
    pub odd: bool,
    /// When, as a moment of the clock.
    pub paid_at: u8,
    /// What became of its refund attempts, by attempt.
    pub attempts: Vec<(u32, Attempt)>,
}

/// A code that a gateway has taken.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Code {
    /// Which.
    pub key: CodeKey,
    /// Whether it was closed.
    pub closed: bool,
    /// Its captures, in order.
    pub taken: Vec<Taken>,
}

/// A gateway's answer to a create.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Answer {
    /// The code can be paid.
    Payable,
    /// It was closed before.
    Closed,
    /// Finally refused.
    Refused,
}

/// What a running function is about to do next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Work {
    /// It has written a payment and creates it; with the answer, it is about to store that.
    Create(CodeKey, Option<Answer>),
    /// The gateway said that a code is closed: about to store that. `true` if the task goes on.
    Closed(CodeKey, Onward),
    /// The gateway did not know a code: about to look whether that is conclusive.
    NotFound(CodeKey, Onward),
    /// It has read which attempt of a refund is under way and calls the gateway; with the answer,
    /// it is about to record that.
    Refund(CaptureKey, u32, Option<Attempt>),
    /// It is about to remove its task.
    Finish,
}

/// What becomes of a task whose code was found closed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Onward {
    /// It is done.
    Done,
    /// It starts again: the order still has to end some day.
    Again,
}

/// A function between two of its steps. It may die at any of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Running {
    /// What is next.
    pub work: Work,
    /// When it began, as a moment of the clock.
    pub begun: u8,
    /// Whether the booking still has the version that was read.
    pub fresh: bool,
    /// The task that it has claimed, unless that was rewritten or claimed by another since.
    pub claimed: Option<TaskKey>,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.work {
            Work::Create(code, None) => write!(f, "create {code}")?,
            Work::Create(code, Some(answer)) => write!(f, "create {code}, answered {answer:?}")?,
            Work::Closed(code, _) => write!(f, "close {code}, answered closed")?,
            Work::NotFound(code, _) => write!(f, "close {code}, answered not found")?,
            Work::Refund(of, attempt, None) => write!(f, "refund {of} attempt {attempt}")?,
            Work::Refund(of, attempt, Some(answer)) => {
                write!(f, "refund {of} attempt {attempt}, answered {answer:?}")?;
            }
            Work::Finish => write!(f, "finish")?,
        }
        if let Some(task) = self.claimed {
            write!(f, " for task [{task}]")?;
        }
        if self.fresh { Ok(()) } else { write!(f, ", the booking changed since") }
    }
}

/// A quote that some window holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// What its token says.
    pub quote: Arc<Quote>,
    /// The gateway that the request named.
    pub gateway: Option<Gateway>,
}

impl Held {
    fn key(&self) -> (&str, i64, Option<Gateway>) {
        // The token's id derives from all that is in the offer but its times.
        let offer = &self.quote.offer;
        (self.quote.token_id.as_str(), offer.expires_at.as_millisecond(), self.gateway)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// How much of the world's bounds is used up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Spent {
    /// Payments started.
    pub payments: u8,
    /// Changes of the price.
    pub price_changes: u8,
    /// Orders dropped.
    pub dropped_orders: u8,
    /// Cancellations of the booking.
    pub cancellations: u8,
    /// Creates refused.
    pub refusals: u8,
    /// Refund attempts that went wrong.
    pub refund_faults: u8,
}

/// Everything that there is at one moment.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct State {
    /// The clock.
    pub now: u8,
    /// The booking as stored. Its version is always 1: who has read an older one is not `fresh`.
    pub booking: Arc<Kept<Booking>>,
    /// Its ended orders, by position.
    pub ended: Vec<Arc<Kept<Order>>>,
    /// Its tasks by their names.
    pub tasks: Vec<(TaskKey, Arc<str>)>,
    /// The windows' quotes.
    pub quotes: Vec<Held>,
    /// What gateways know.
    pub codes: Vec<Arc<Code>>,
    /// Functions between two steps.
    pub running: Vec<Running>,
    /// What is used up.
    pub spent: Spent,
    /// The rule that the last step broke.
    pub broken: Option<String>,
}

impl State {
    /// A booking that was just opened; `None` if its product is not sold.
    #[must_use]
    pub fn first(world: &World) -> Option<Self> {
        let env = Env { ids: &IDS, now: moment(0) };
        let booking = open_booking(world.product(0), "alice", "key", env).ok()?;
        Some(Self {
            now: 0,
            booking: Kept::new(booking),
            ended: vec![],
            tasks: vec![],
            quotes: vec![],
            codes: vec![],
            running: vec![],
            spent: Spent::default(),
            broken: None,
        })
    }

    /// What a decision may use.
    #[must_use]
    pub fn env(&self, world: &World) -> Env<'static> {
        Env { ids: &IDS, now: moment(world.second(self.now)) }
    }

    /// All orders, the live one included.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.ended.iter().map(|kept| kept.get()).chain(&self.booking.get().live_order)
    }

    /// The order at a position.
    #[must_use]
    pub fn order(&self, seq: u32) -> Option<&Order> {
        self.orders().find(|order| order.seq == seq)
    }

    /// A code's order and payment, as far as they are stored.
    #[must_use]
    pub fn payment(&self, code: CodeKey) -> Option<(&Order, &Payment)> {
        let order = self.order(code.order)?;
        let payment = order.payments.iter().find(|payment| key_of(order, payment) == code)?;
        Some((order, payment))
    }

    /// Which code a stored payment is.
    #[must_use]
    pub fn key(&self, payment_id: &PaymentId) -> Option<CodeKey> {
        self.orders().find_map(|order| Some(key_of(order, order.payment(payment_id)?)))
    }

    /// What a gateway knows of a code.
    #[must_use]
    pub fn code(&self, key: CodeKey) -> Option<&Code> {
        self.codes.iter().find(|code| code.key == key).map(Arc::as_ref)
    }

    /// Changes what a gateway knows of a code, which it takes now if it did not before.
    pub fn change_code(&mut self, key: CodeKey, change: impl FnOnce(&mut Code)) {
        let found = self.codes.iter().position(|code| code.key >= key);
        let at = found.unwrap_or(self.codes.len());
        if self.codes.get(at).is_none_or(|code| code.key != key) {
            self.codes.insert(at, Arc::new(Code { key, closed: false, taken: vec![] }));
        }
        if let Some(code) = self.codes.get_mut(at) {
            change(Arc::make_mut(code));
        }
    }

    /// All captures.
    pub fn captures(&self) -> impl Iterator<Item = (CaptureKey, &Taken)> {
        self.codes.iter().flat_map(|code| {
            (0_u8..)
                .zip(&code.taken)
                .map(|(nth, taken)| (CaptureKey { code: code.key, nth }, taken))
        })
    }

    /// A capture.
    #[must_use]
    pub fn taken(&self, of: CaptureKey) -> Option<&Taken> {
        self.code(of.code)?.taken.get(usize::from(of.nth))
    }

    /// What a gateway says of a capture.
    #[must_use]
    pub fn capture(&self, world: &World, of: CaptureKey) -> Option<Capture> {
        let taken = self.taken(of)?;
        let amount = self.order(of.code.order)?.amount;
        let captured =
            Money { amount: amount.amount.saturating_add(i64::from(taken.odd)), ..amount };
        let paid_at = moment(world.second(taken.paid_at));
        Some(Capture { transaction_id: of.to_string(), captured, paid_at })
    }

    /// Our refund of a capture.
    #[must_use]
    pub fn refund(&self, of: CaptureKey) -> Option<(&Order, &Refund)> {
        let (order, payment) = self.payment(of.code)?;
        Some((order, order.refund_of(&payment.payment_id, &of.to_string())?))
    }

    /// Lets a function go on to its next step.
    pub fn start(&mut self, running: Running) {
        let at = self.running.binary_search(&running).unwrap_or_else(|at| at);
        self.running.insert(at, running);
    }

    /// Ends a function, or takes it to its next step.
    pub fn stop(&mut self, running: &Running) {
        if let Ok(at) = self.running.binary_search(running) {
            self.running.remove(at);
        }
    }

    /// Commits a change, and notes which rule it breaks.
    pub fn commit(&mut self, change: Change) {
        if let Err(broken) = self.check(&change) {
            self.broken.get_or_insert(broken);
        }
        let Change { mut booking, ended, tasks, done, .. } = change;
        booking.version = 1;
        if let Some(order) = &mut booking.live_order {
            flatten(order);
        }
        for mut order in ended {
            flatten(&mut order);
            let at = self.ended.iter().position(|kept| kept.get().seq >= order.seq);
            let at = at.unwrap_or(self.ended.len());
            if self.ended.get(at).is_some_and(|kept| kept.get().seq == order.seq) {
                self.ended.remove(at);
            }
            self.ended.insert(at, Kept::new(order));
        }
        self.booking = Kept::new(booking);
        for task in &tasks {
            self.put_task(task);
        }
        for name in done {
            self.remove_task(name.as_str());
        }
        self.outdate();
    }

    /// Whoever read before a commit has read an older version. A negative answer that was not
    /// stored by then never is: that function starts over, as if it had died.
    fn outdate(&mut self) {
        self.running.retain(|one| !needs_version(one.work));
        for one in &mut self.running {
            one.fresh = false;
        }
        self.running.sort_unstable();
    }

    fn check(&self, change: &Change) -> Checked {
        check_change(self.booking.get(), change)?;
        for order in self.orders() {
            if let Some(after) = change.order(&order.order_id) {
                check_successor(order, after)?;
            }
        }
        match &change.made {
            Some((made, _)) if self.orders().any(|order| order.order_id == *made) => {
                Err(format!("an order is made once: {made}"))
            }
            Some((made, _)) => check_voided(self.booking.get(), change, made),
            None => Ok(()),
        }
    }

    /// Writes a task over the one of that name, if there is one. Whoever had claimed that one
    /// cannot finish it any more.
    fn put_task(&mut self, task: &Task) {
        let id = task.id();
        self.remove_task(id.as_str());
        let Some(key) = self.task_key(task) else {
            self.broken.get_or_insert_with(|| format!("a task without a record: {task:?}"));
            return;
        };
        let entry = (key, Arc::from(id.as_str()));
        let at = self.tasks.binary_search(&entry).unwrap_or_else(|at| at);
        self.tasks.insert(at, entry);
    }

    fn remove_task(&mut self, name: &str) {
        let Some(at) = self.tasks.iter().position(|(_, other)| **other == *name) else { return };
        let (key, _) = self.tasks.remove(at);
        self.take_claim(key);
    }

    /// Takes a task from whoever has it.
    pub fn take_claim(&mut self, key: TaskKey) {
        for one in self.running.iter_mut().filter(|one| one.claimed == Some(key)) {
            one.claimed = None;
        }
        // Without its task there is nothing to finish.
        self.running.retain(|one| one.work != Work::Finish || one.claimed.is_some());
        self.running.sort_unstable();
    }

    /// Removes a task that is done.
    pub fn finish(&mut self, key: TaskKey) {
        self.tasks.retain(|(other, _)| *other != key);
    }

    fn task_key(&self, task: &Task) -> Option<TaskKey> {
        Some(match &task.kind {
            TaskKind::QueryPayment { payment_id, .. } => TaskKey::Query(self.key(payment_id)?),
            TaskKind::ClosePayment { payment_id } => TaskKey::Close(self.key(payment_id)?),
            TaskKind::Refund { payment_id, transaction_id, .. } => {
                let code = self.key(payment_id)?;
                let nth = transaction_id.rsplit('-').next()?.parse().ok()?;
                TaskKey::Refund(CaptureKey { code, nth })
            }
        })
    }

    /// Answers with all that is stored, for the rules to look at.
    #[must_use]
    pub fn stored(&self) -> Stored<'_> {
        Stored {
            ids: &IDS,
            booking: self.booking.get(),
            ended: self.ended.iter().map(|kept| kept.get()).collect(),
            tasks: self.tasks.iter().map(|(_, name)| &**name).collect(),
        }
    }

    /// Checks something of all captures.
    ///
    /// # Errors
    /// What the check answers, or that a captured code's payment is not stored.
    pub fn check_captures(
        &self,
        world: &World,
        check: impl FnOnce(&Stored<'_>, &[Captured<'_>]) -> Checked,
    ) -> Checked {
        let captures: Vec<_> =
            self.captures().filter_map(|(of, _)| Some((of, self.capture(world, of)?))).collect();
        let captured = captures.iter().map(|(of, capture)| {
            let (order, payment) = self.payment(of.code)?;
            Some(Captured { order_id: &order.order_id, payment_id: &payment.payment_id, capture })
        });
        let captured: Option<Vec<_>> = captured.collect();
        let captured = captured.ok_or_else(|| "a captured code is not stored".to_owned())?;
        check(&self.stored(), &captured)
    }
}

/// Whether an answer says that an attempt will not give the money back.
#[must_use]
pub const fn is_negative(answer: Attempt) -> bool {
    match answer {
        Attempt::Failed | Attempt::Refused | Attempt::Reversed => true,
        Attempt::Accepted | Attempt::Paid => false,
    }
}

/// What a function may store only under the version that it read before it asked.
const fn needs_version(work: Work) -> bool {
    match work {
        Work::Closed(..) | Work::NotFound(..) => true,
        Work::Refund(_, _, Some(answer)) => is_negative(answer),
        // A create's negative answer needs it too, but that function asks again by itself.
        Work::Create(..) | Work::Refund(_, _, None) | Work::Finish => false,
    }
}

/// Which code a stored payment is.
#[must_use]
pub fn key_of(order: &Order, payment: &Payment) -> CodeKey {
    let gateway = Gateway::named(&payment.gateway);
    CodeKey { order: order.seq, gateway, attempt: payment.attempt }
}

/// Sets the moments that no decision reads to one and the same: they would only tell apart states
/// that go on alike.
fn flatten(order: &mut Order) {
    order.created_at = moment(0);
    order.quote_issued_at = moment(0);
    for refund in &mut order.refunds {
        refund.updated_at = moment(0);
    }
}
