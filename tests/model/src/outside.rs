//! What happens outside our code: time, prices, wallets, gateways and their notifications.

use domain::decide::record_payment::{Recording, record_payment};
use domain::decide::record_refund::{RefundNews, RefundOf, record_refund};
use domain::task::FUNCTION_TIMEOUT_S_MAX;
use rules::check_may_be_applied;

use crate::state::{Attempt, CaptureKey, Code, CodeKey, State, Taken};
use crate::step::{Amount, Step};
use crate::world::{CODE_OUTLIVES_S, Gateway, World};

/// Every step of the outside that may be possible.
pub(crate) fn steps(world: &World, state: &State, steps: &mut Vec<Step>) {
    if !world.is_last(state.now) {
        steps.push(Step::Tick);
        if state.spent.price_changes < world.price_changes {
            steps.push(Step::ChangePrice);
        }
    }
    for code in &state.codes {
        pay_steps(world, state, code, steps);
    }
    for (of, taken) in state.captures() {
        steps.push(Step::Notify(of));
        for (attempt, stands) in &taken.attempts {
            for to in goes_on(world, state, *stands) {
                steps.push(Step::RefundGoesOn(of, *attempt, *to));
            }
            for news in told(*stands) {
                steps.push(Step::NotifyRefund(of, *attempt, *news));
            }
        }
    }
}

/// The clock goes on. A function that has run for as long as any may is over.
pub(crate) fn tick(world: &World, state: &mut State) -> Option<()> {
    state.now = state.now.checked_add(1)?;
    let now = world.second(state.now);
    let timeout = i64::from(FUNCTION_TIMEOUT_S_MAX);
    state.running.retain(|one| now.saturating_sub(world.second(one.begun)) <= timeout);
    Some(())
}

fn pay_steps(world: &World, state: &State, code: &Code, steps: &mut Vec<Step>) {
    let captures = state.captures().count();
    let odd = state.captures().filter(|(_, taken)| taken.odd).count();
    let second = state.captures().filter(|(of, _)| of.nth > 0).count();
    let (firsts, is_second) = (captures.saturating_sub(second), !code.taken.is_empty());
    let possible = if is_second {
        code.taken.len() == 1 && second < usize::from(world.second_captures)
    } else {
        firsts < usize::from(world.captures) && can_be_paid(world, state, code)
    };
    if possible {
        steps.push(Step::Pay(code.key, Amount::Exact));
        if odd < usize::from(world.odd_captures) {
            steps.push(Step::Pay(code.key, Amount::Odd));
        }
    }
}

/// Whether a code that nobody has paid yet can be paid. Its own last moment is no bound: gateways
/// are known to take payments after it.
#[must_use]
pub(crate) fn can_be_paid(world: &World, state: &State, code: &Code) -> bool {
    let pay_by = state.order(code.key.order).and_then(|order| order.pay_by);
    let now = state.env(world).now;
    match code.key.gateway {
        Gateway::A => !code.closed,
        Gateway::B => {
            pay_by.is_some_and(|pay_by| now.duration_since(pay_by).as_secs() <= CODE_OUTLIVES_S)
        }
    }
}

/// A wallet pays a code; nobody has told us yet.
pub(crate) fn pay(state: &mut State, code: CodeKey, amount: Amount) -> Option<()> {
    let taken = Taken { odd: amount == Amount::Odd, paid_at: state.now, attempts: vec![] };
    state.change_code(code, |code| code.taken.push(taken));
    Some(())
}

/// What a gateway may do with an attempt by itself.
fn goes_on(world: &World, state: &State, stands: Attempt) -> &'static [Attempt] {
    let faults = state.spent.refund_faults < world.refund_faults;
    match stands {
        Attempt::Accepted if faults => &[Attempt::Paid, Attempt::Failed],
        Attempt::Accepted => &[Attempt::Paid],
        Attempt::Paid if faults => &[Attempt::Reversed],
        Attempt::Paid | Attempt::Failed | Attempt::Refused | Attempt::Reversed => &[],
    }
}

/// What a notification of an attempt may say: what is true now, or what was.
fn told(stands: Attempt) -> &'static [Attempt] {
    match stands {
        Attempt::Accepted | Attempt::Refused => &[],
        Attempt::Paid => &[Attempt::Paid],
        Attempt::Failed => &[Attempt::Failed],
        Attempt::Reversed => &[Attempt::Paid, Attempt::Failed],
    }
}

/// A gateway goes on with an attempt.
pub(crate) fn refund_goes_on(
    state: &mut State,
    of: CaptureKey,
    attempt: u32,
    to: Attempt,
) -> Option<()> {
    set_attempt(state, of, attempt, to);
    Some(())
}

/// Notes how an attempt stands, and that a fault was spent where it is one.
pub(crate) fn set_attempt(state: &mut State, of: CaptureKey, attempt: u32, to: Attempt) {
    match to {
        Attempt::Accepted | Attempt::Paid => {}
        Attempt::Failed | Attempt::Refused | Attempt::Reversed => {
            state.spent.refund_faults = state.spent.refund_faults.saturating_add(1);
        }
    }
    state.change_code(of.code, |code| {
        let Some(taken) = code.taken.get_mut(usize::from(of.nth)) else { return };
        match taken.attempts.iter_mut().find(|(other, _)| *other == attempt) {
            Some((_, stands)) => *stands = to,
            None => taken.attempts.push((attempt, to)),
        }
        taken.attempts.sort_unstable();
    });
}

/// Records a capture, whoever told of it, under the version that is read and written in one step.
pub(crate) fn record_capture(world: &World, state: &mut State, of: CaptureKey) -> Option<()> {
    let capture = state.capture(world, of)?;
    let (order, payment) = state.payment(of.code)?;
    let (order, payment_id) = (order.clone(), payment.payment_id.clone());
    let booking = state.booking.get();
    let product = world.product(state.spent.price_changes);
    let recording =
        record_payment(booking, Some(&order), &payment_id, &capture, product, state.env(world));
    match recording {
        Recording::Applied(change) => {
            if let Err(broken) = check_may_be_applied(booking, &order, &capture) {
                state.broken.get_or_insert(broken);
            }
            state.commit(*change);
        }
        Recording::Refunded { change, .. } => state.commit(*change),
        Recording::Settled => {}
        Recording::Unmatched => {
            state.broken.get_or_insert_with(|| format!("{of} matches no stored payment"));
        }
    }
    Some(())
}

/// What a gateway's word on an attempt means to us.
#[must_use]
pub(crate) fn news_of(attempt: Attempt) -> RefundNews {
    let code = || "code".to_owned();
    match attempt {
        Attempt::Accepted => RefundNews::Accepted,
        Attempt::Paid => RefundNews::Succeeded,
        Attempt::Failed | Attempt::Reversed => RefundNews::Failed { code: code() },
        Attempt::Refused => RefundNews::Refused { code: code() },
    }
}

/// Records news of a refund attempt under the version that is read and written in one step.
pub(crate) fn record_refund_news(
    world: &World,
    state: &mut State,
    of: CaptureKey,
    attempt: u32,
    news: Attempt,
) -> Option<()> {
    let (order, refund) = state.refund(of)?;
    let told = RefundOf {
        payment_id: &refund.payment_id,
        transaction_id: &refund.transaction_id,
        attempt,
    };
    let news = news_of(news);
    let change = record_refund(state.booking.get(), order, told, &news, state.env(world))?;
    state.commit(change);
    Some(())
}
