//! What windows ask for. Each request reads, decides and commits in one step; a payment that it
//! wrote is created at its gateway in later ones, as `runtime::create_payment` does.

use domain::booking::{OrderStatus, PaymentStatus};
use domain::decide::cancel::{Cancelling, cancel_booking, cancel_order};
use domain::decide::generate_payment::{Asked, Generating, generate_payment};
use domain::decide::make_order::{Making, create_order};
use domain::decide::quote::{QuoteRequest, quote};
use domain::ids::{OrderId, PaymentId};
use domain::product::Flow;

use crate::outside::record_capture;
use crate::state::{CaptureKey, CodeKey, Held, Onward, Running, State, TaskKey, Work, key_of};
use crate::step::Step;
use crate::world::{Gateway, IDS, World, at, body};

/// Every step of a window that may be possible.
pub(crate) fn steps(world: &World, state: &State, steps: &mut Vec<Step>) {
    if state.now > world.asking_until {
        return;
    }
    let quotes = u8::try_from(state.quotes.len()).unwrap_or(u8::MAX);
    if quotes < world.quotes {
        match world.flow {
            Flow::SubmitOnce | Flow::OrderFirst => steps.push(Step::Quote(None)),
            Flow::Instant => {
                steps.extend(world.gateways.iter().map(|gateway| Step::Quote(Some(*gateway))));
            }
        }
    }
    for held in 0..quotes {
        match world.flow {
            Flow::SubmitOnce => {
                let orders = world.gateways.iter().map(|at| Step::CreateOrder(held, *at));
                steps.extend(orders);
            }
            Flow::OrderFirst => {}
            Flow::Instant => steps.push(Step::QuoteAgain(held)),
        }
        steps.extend(world.gateways.iter().map(|at| Step::GeneratePayment(held, *at)));
    }
    if state.spent.dropped_orders < world.dropped_orders {
        let live = state.booking.get().live_order.iter();
        steps.extend(live.map(|order| Step::CancelOrder(order.seq)));
    }
    if state.spent.cancellations < world.cancellations {
        steps.push(Step::CancelBooking);
    }
}

fn can_start(world: &World, state: &State) -> bool {
    state.spent.payments < world.payments && has_room(world, state)
}

fn has_room(world: &World, state: &State) -> bool {
    state.running.len() < usize::from(world.running)
}

/// A new window asks for a quote under a key of its own.
pub(crate) fn ask_quote(world: &World, state: &mut State, gateway: Option<Gateway>) -> Option<()> {
    let held = u8::try_from(state.quotes.len()).ok()?;
    ask(world, state, held, gateway)
}

/// A window repeats its request.
pub(crate) fn ask_quote_again(world: &World, state: &mut State, held: u8) -> Option<()> {
    let gateway = state.quotes.get(usize::from(held))?.gateway;
    ask(world, state, held, gateway)
}

fn ask(world: &World, state: &mut State, held: u8, gateway: Option<Gateway>) -> Option<()> {
    let (key, env) = (format!("window-{held}"), state.env(world));
    let request = QuoteRequest {
        quantity: u32::from(held).saturating_add(1),
        gateway: gateway.map(Gateway::name),
        idempotency_key: Some(&key),
        fresh: [0; 16],
        create_body: &body,
    };
    let (booking, product) = (state.booking.get(), world.product(state.spent.price_changes));
    let earlier = state.quotes.get(usize::from(held)).map(|held| &held.quote.token_id);
    let earlier = earlier.and_then(|token_id| ended(state, &IDS.order(token_id)));
    let quoted = quote(booking, product, earlier, request, env).ok()?;
    match quoted.making {
        Some(Making::Made { change, payment_id }) => {
            if payment_id.is_some() && !can_start(world, state) {
                return None;
            }
            state.commit(*change);
            if let Some(payment_id) = payment_id {
                create(world, state, &payment_id);
            }
        }
        Some(Making::Again(order)) => return resume(world, state, &order.order_id),
        None => {}
    }
    let held_now = Held { quote: quoted.quote.into(), gateway };
    match state.quotes.get_mut(usize::from(held)) {
        Some(before) => *before = held_now,
        None => state.quotes.push(held_now),
    }
    Some(())
}

fn ended<'a>(state: &'a State, order_id: &OrderId) -> Option<&'a domain::booking::Order> {
    state.ended.iter().map(|kept| kept.get()).find(|order| order.order_id == *order_id)
}

/// Goes on to call the gateway for a payment that was just written.
fn create(world: &World, state: &mut State, payment_id: &PaymentId) {
    let Some(code) = state.key(payment_id) else { return };
    state.spent.payments = state.spent.payments.saturating_add(1);
    call(world, state, code);
}

/// Guard of `runtime::create_payment`: no create is sent after `pay_by`. The function that sends it
/// began before, and a request that it has sent arrives at some time until the function is over.
fn call(world: &World, state: &mut State, code: CodeKey) {
    let pay_by = state.order(code.order).and_then(|order| order.pay_by);
    if pay_by.is_some_and(|pay_by| state.env(world).now < pay_by) {
        state.start(Running {
            work: Work::Create(code, None),
            begun: state.now,
            fresh: true,
            claimed: None,
        });
    }
}

/// Sends the stored request of the live order's current payment again, if its code is not known.
fn resume(world: &World, state: &mut State, order_id: &OrderId) -> Option<()> {
    let order = state.booking.get().live(order_id)?;
    let payment = order.current_payment()?;
    let code = key_of(order, payment);
    // The request is stored with the task that asks for the payment.
    let stored = state.tasks.iter().any(|(task, _)| *task == TaskKey::Query(code));
    let wanted = payment.status == PaymentStatus::Creating && stored && has_room(world, state);
    let again = Work::Create(code, None);
    // Two functions that send the same request are enough to race.
    let twice = state.running.iter().filter(|one| one.work == again).count() > 1;
    if wanted && !twice {
        call(world, state, code);
    }
    Some(())
}

/// A window creates the order of its `submit_once` quote.
pub(crate) fn ask_order(
    world: &World,
    state: &mut State,
    held: u8,
    gateway: Gateway,
) -> Option<()> {
    let quote = state.quotes.get(usize::from(held))?.quote.clone();
    let order_id = IDS.order(&quote.token_id);
    let (booking, product) = (state.booking.get(), world.product(state.spent.price_changes));
    let (earlier, env) = (ended(state, &order_id), state.env(world));
    match create_order(booking, product, Some(&quote), earlier, at(gateway), env).ok()? {
        Making::Made { change, payment_id } => {
            if !can_start(world, state) {
                return None;
            }
            state.commit(*change);
            create(world, state, &payment_id?);
            Some(())
        }
        Making::Again(order) => resume(world, state, &order.order_id),
    }
}

/// A window asks for the payment of its quote's order.
pub(crate) fn ask_payment(
    world: &World,
    state: &mut State,
    held: u8,
    gateway: Gateway,
) -> Option<()> {
    let quote = state.quotes.get(usize::from(held))?.quote.clone();
    let order_id = IDS.order(&quote.token_id);
    let (booking, product) = (state.booking.get(), world.product(state.spent.price_changes));
    let asked = Asked { quote: Some(&quote), order_id: &order_id, ended: ended(state, &order_id) };
    match generate_payment(booking, product, asked, at(gateway), state.env(world)).ok()? {
        Generating::Started { change, payment_id } => {
            if !can_start(world, state) {
                return None;
            }
            if !change.shows(&payment_id) {
                state.broken.get_or_insert_with(|| format!("not shown: {payment_id}"));
            }
            state.commit(*change);
            create(world, state, &payment_id);
            Some(())
        }
        Generating::Unfinished(_) => resume(world, state, &order_id),
        Generating::Shown(_) => look(world, state, &order_id),
    }
}

/// Asks the gateway about a code that is shown again, as `generate_payment::is_over` does.
fn look(world: &World, state: &mut State, order_id: &OrderId) -> Option<()> {
    let order = state.booking.get().live(order_id)?;
    let code = key_of(order, order.current_payment()?);
    let known = state.code(code)?;
    if !known.taken.is_empty() {
        return record_capture(world, state, CaptureKey { code, nth: 0 });
    }
    if known.closed && has_room(world, state) {
        state.start(Running {
            work: Work::Closed(code, Onward::Done),
            begun: state.now,
            fresh: true,
            claimed: None,
        });
    }
    Some(())
}

/// A window drops the live order.
pub(crate) fn drop_order(world: &World, state: &mut State, seq: u32) -> Option<()> {
    let order = state.order(seq)?;
    let (order_id, has_ended) = (order.order_id.clone(), order.status != OrderStatus::Pending);
    let ended = if has_ended { ended(state, &order_id) } else { None };
    let cancelling = cancel_order(state.booking.get(), &order_id, ended, state.env(world)).ok()?;
    state.spent.dropped_orders = state.spent.dropped_orders.saturating_add(1);
    cancelled(state, cancelling)
}

/// A window cancels the booking.
pub(crate) fn cancel(world: &World, state: &mut State) -> Option<()> {
    let cancelling = cancel_booking(state.booking.get(), state.env(world)).ok()?;
    state.spent.cancellations = state.spent.cancellations.saturating_add(1);
    cancelled(state, cancelling)
}

fn cancelled(state: &mut State, cancelling: Cancelling) -> Option<()> {
    match cancelling {
        Cancelling::Cancelled(change) => {
            state.commit(*change);
            Some(())
        }
        Cancelling::Again => None,
    }
}
