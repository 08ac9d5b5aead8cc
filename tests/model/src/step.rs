//! One step of the world, and how it reads.

use std::fmt;

use crate::client;
use crate::outside;
use crate::state::{Answer, Attempt, CaptureKey, CodeKey, Running, State, TaskKey};
use crate::worker;
use crate::world::{Gateway, World};

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The clock goes on to its next moment.
    Tick,
    /// The product's price changes.
    ChangePrice,
    /// A window asks for a quote.
    Quote(Option<Gateway>),
    /// A window sends its request for a quote again, under the same key.
    QuoteAgain(u8),
    /// A window creates the order of its quote.
    CreateOrder(u8, Gateway),
    /// A window asks for the payment of its quote's order.
    GeneratePayment(u8, Gateway),
    /// A window drops an order.
    CancelOrder(u32),
    /// A window cancels the booking.
    CancelBooking,
    /// A wallet pays a code.
    Pay(CodeKey, Amount),
    /// A notification of a capture is delivered, maybe not for the first time.
    Notify(CaptureKey),
    /// A gateway goes on with a refund attempt.
    RefundGoesOn(CaptureKey, u32, Attempt),
    /// A notification of a refund attempt is delivered, maybe late.
    NotifyRefund(CaptureKey, u32, Attempt),
    /// A worker takes a task, and asks the gateway where the task needs that.
    Run(TaskKey),
    /// A gateway takes a create, and answers.
    TakeCreate(Running, Answer),
    /// A gateway takes a refund attempt for the first time, and answers.
    TakeRefund(Running, Attempt),
    /// A gateway answers for a refund attempt that it knows.
    AskRefund(Running),
    /// A function goes on to its next commit.
    GoOn(Running),
    /// A function dies.
    Die(Running),
}

/// What a wallet pays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// The code's amount.
    Exact,
    /// One more.
    Odd,
}

impl Step {
    /// Every step that may be possible in a state.
    pub fn all(world: &World, state: &State, steps: &mut Vec<Self>) {
        if state.broken.is_some() {
            return;
        }
        client::steps(world, state, steps);
        outside::steps(world, state, steps);
        worker::steps(world, state, steps);
    }

    /// The state after the step; `None` if it changes nothing.
    #[must_use]
    pub fn take(self, world: &World, state: &State) -> Option<State> {
        let mut next = state.clone();
        match self {
            Self::Tick => outside::tick(world, &mut next),
            Self::ChangePrice => {
                next.spent.price_changes = next.spent.price_changes.saturating_add(1);
                Some(())
            }
            Self::Quote(gateway) => client::ask_quote(world, &mut next, gateway),
            Self::QuoteAgain(quote) => client::ask_quote_again(world, &mut next, quote),
            Self::CreateOrder(quote, gateway) => {
                client::ask_order(world, &mut next, quote, gateway)
            }
            Self::GeneratePayment(quote, gateway) => {
                client::ask_payment(world, &mut next, quote, gateway)
            }
            Self::CancelOrder(order) => client::drop_order(world, &mut next, order),
            Self::CancelBooking => client::cancel(world, &mut next),
            Self::Pay(code, amount) => outside::pay(&mut next, code, amount),
            Self::Notify(of) => outside::record_capture(world, &mut next, of),
            Self::RefundGoesOn(of, attempt, to) => {
                outside::refund_goes_on(&mut next, of, attempt, to)
            }
            Self::NotifyRefund(of, attempt, news) => {
                outside::record_refund_news(world, &mut next, of, attempt, news)
            }
            Self::Run(task) => worker::run(world, &mut next, task),
            Self::TakeCreate(running, answer) => {
                worker::take_create(world, &mut next, running, answer)
            }
            Self::TakeRefund(running, answer) => worker::take_refund(&mut next, running, answer),
            Self::AskRefund(running) => worker::ask_refund(&mut next, running),
            Self::GoOn(running) => worker::go_on(world, &mut next, running),
            Self::Die(running) => {
                next.stop(&running);
                Some(())
            }
        }?;
        (next != *state).then_some(next)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick => write!(f, "time passes"),
            Self::ChangePrice => write!(f, "the price changes"),
            Self::Quote(None) => write!(f, "another window asks for a quote"),
            Self::Quote(Some(gateway)) => {
                write!(f, "another window asks for a quote at {gateway:?}")
            }
            Self::QuoteAgain(quote) => write!(f, "window {quote} sends its request again"),
            Self::CreateOrder(quote, gateway) => {
                write!(f, "window {quote} creates its order at {gateway:?}")
            }
            Self::GeneratePayment(quote, gateway) => {
                write!(f, "window {quote} asks for its payment at {gateway:?}")
            }
            Self::CancelOrder(order) => write!(f, "a window drops order {order}"),
            Self::CancelBooking => write!(f, "a window cancels the booking"),
            Self::Pay(code, Amount::Exact) => write!(f, "a wallet pays code {code}"),
            Self::Pay(code, Amount::Odd) => {
                write!(f, "a wallet pays another amount to code {code}")
            }
            Self::Notify(of) => write!(f, "a notification of {of} arrives"),
            Self::RefundGoesOn(of, attempt, to) => {
                write!(f, "the gateway's refund of {of}, attempt {attempt}, is now {to:?}")
            }
            Self::NotifyRefund(of, attempt, news) => {
                write!(f, "a notification arrives: refund of {of}, attempt {attempt}, {news:?}")
            }
            Self::Run(task) => write!(f, "a worker takes task [{task}]"),
            Self::TakeCreate(running, answer) => {
                write!(f, "the gateway hears [{running}] and answers {answer:?}")
            }
            Self::TakeRefund(running, answer) => {
                write!(f, "the gateway hears [{running}] for the first time: {answer:?}")
            }
            Self::AskRefund(running) => write!(f, "the gateway hears [{running}] once more"),
            Self::GoOn(running) => write!(f, "goes on: [{running}]"),
            Self::Die(running) => write!(f, "dies: [{running}]"),
        }
    }
}
