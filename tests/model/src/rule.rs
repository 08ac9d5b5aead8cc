//! What must hold in every state, and what must hold once everything has settled.

use domain::booking::{Order, Payment, RefundStatus};
use rules::Checked;

use crate::outside::can_be_paid;
use crate::state::{Attempt, CaptureKey, State, Taken, Work};
use crate::step::Step;
use crate::world::World;

/// How many rounds the workers get to settle everything.
const ROUNDS_MAX: u32 = 32;

/// A rule: its name, and whether a state keeps it.
pub struct Rule {
    /// What the report says.
    pub name: &'static str,
    /// Looks at a state.
    pub check: fn(&World, &State) -> Checked,
}

/// Every rule, in the order in which a broken one is told.
pub const RULES: [Rule; 6] = [
    Rule { name: "each change keeps what it may not touch (rules 1, 4, 6, 7)", check: changes },
    Rule { name: "one live order, and no other has a code (rules 1, 6)", check: orders },
    Rule { name: "money counts once (rules 2, 4, 8)", check: money },
    Rule { name: "the term follows from what was paid (rule 3)", check: term },
    Rule { name: "what must still happen has its task (rule 9)", check: tasks },
    Rule { name: "when faults stop, everything settles (rules 2, 9)", check: settles },
];

fn changes(_: &World, state: &State) -> Checked {
    state.broken.clone().map_or(Ok(()), Err)
}

fn orders(_: &World, state: &State) -> Checked {
    state.stored().check_orders()
}

fn term(_: &World, state: &State) -> Checked {
    state.stored().check_term()
}

fn tasks(_: &World, state: &State) -> Checked {
    state.stored().check_tasks()
}

fn money(world: &World, state: &State) -> Checked {
    state.check_captures(world, |stored, captured| {
        stored.check_money(captured)?;
        for ((of, taken), one) in state.captures().zip(captured) {
            let paid = attempts_in(taken, Attempt::Paid);
            if paid > 1 {
                return Err(format!("{of} was given back {paid} times"));
            }
            if stored.buys(one) && !taken.attempts.is_empty() {
                return Err(format!("{of} bought its order and a refund of it was asked for"));
            }
            let refund = state.refund(of).map(|(_, refund)| refund);
            if let Some(refund) = refund.filter(|one| one.status == RefundStatus::Succeeded) {
                let by = taken.attempts.iter().find(|(attempt, _)| *attempt == refund.attempt);
                if !by.is_some_and(|(_, at)| matches!(at, Attempt::Paid | Attempt::Reversed)) {
                    return Err(format!("{of} is not back by the attempt that says so: {by:?}"));
                }
            }
        }
        Ok(())
    })
}

fn attempts_in(taken: &Taken, state: Attempt) -> usize {
    taken.attempts.iter().filter(|(_, stands)| *stands == state).count()
}

/// Looked at where nothing is on its way any more: the clock stands at its end and no function
/// runs. From there workers and gateways go on without faults, and nobody asks for anything.
fn settles(world: &World, state: &State) -> Checked {
    if !world.is_last(state.now) || !state.running.is_empty() || state.broken.is_some() {
        return Ok(());
    }
    let mut settled = state.clone();
    for _ in 0..ROUNDS_MAX {
        let before = settled.clone();
        settle(world, &mut settled);
        if settled == before {
            return is_settled(world, &settled);
        }
    }
    Err(format!("it never comes to rest: {:?}", settled.tasks))
}

/// One round: gateways finish what they began and tell what only they can tell, and every task is
/// run to its end.
fn settle(world: &World, state: &mut State) {
    let captures: Vec<_> = state.captures().map(|(of, taken)| (of, taken.clone())).collect();
    for (of, taken) in captures {
        // Asking for a code answers one capture; of a code that was paid twice each one is told.
        if state.code(of.code).is_some_and(|code| code.taken.len() > 1) {
            follow(world, state, Step::Notify(of));
        }
        for (attempt, stands) in taken.attempts {
            match stands {
                Attempt::Accepted => {
                    follow(world, state, Step::RefundGoesOn(of, attempt, Attempt::Paid));
                }
                // Nobody asks for money that was back already.
                Attempt::Reversed => {
                    follow(world, state, Step::NotifyRefund(of, attempt, Attempt::Failed));
                }
                Attempt::Paid | Attempt::Failed | Attempt::Refused => {}
            }
        }
    }
    for (task, _) in state.tasks.clone() {
        follow(world, state, Step::Run(task));
        for _ in 0..ROUNDS_MAX {
            let Some(running) = state.running.first().copied() else { break };
            let step = match running.work {
                Work::Refund(of, attempt, None) if is_known(state, of, attempt) => {
                    Step::AskRefund(running)
                }
                Work::Refund(_, _, None) => Step::TakeRefund(running, Attempt::Paid),
                Work::Create(..)
                | Work::Closed(..)
                | Work::NotFound(..)
                | Work::Refund(_, _, Some(_))
                | Work::Finish => Step::GoOn(running),
            };
            follow(world, state, step);
        }
    }
}

fn is_known(state: &State, of: CaptureKey, attempt: u32) -> bool {
    state.taken(of).is_some_and(|taken| taken.attempts.iter().any(|(other, _)| *other == attempt))
}

fn follow(world: &World, state: &mut State, step: Step) {
    if let Some(next) = step.take(world, state) {
        *state = next;
    }
}

fn is_settled(world: &World, state: &State) -> Checked {
    changes(world, state)?;
    money(world, state)?;
    let unsettled = |what: &str| Err(format!("at the end, {what}"));
    if let Some((task, _)) = state.tasks.first() {
        return unsettled(&format!("task [{task}] is still there"));
    }
    for (of, taken) in state.captures() {
        let Some((order, payment)) = state.payment(of.code) else {
            return unsettled(&format!("{of} has no payment"));
        };
        let refund = order.refund_of(&payment.payment_id, &of.to_string());
        let given_back = match refund.map(|refund| refund.status) {
            Some(RefundStatus::Succeeded) => attempts_in(taken, Attempt::Paid) == 1,
            Some(RefundStatus::NeedsAttention) => true,
            Some(RefundStatus::Due | RefundStatus::Submitted) | None => false,
        };
        let transaction = payment.transaction_id.as_ref();
        let buys = refund.is_none() && transaction.is_some_and(|id| *id == of.to_string());
        if !given_back && !buys {
            return unsettled(&format!("{of} is neither applied nor back: {refund:?}"));
        }
    }
    let live = state.booking.get().live_order.as_ref();
    let current = live.and_then(Order::current_payment);
    for code in state.codes.iter().filter(|code| code.taken.is_empty()) {
        let shown = current.zip(state.payment(code.key)).is_some_and(
            |(current, (_, payment)): (&Payment, _)| current.payment_id == payment.payment_id,
        );
        if can_be_paid(world, state, code) && !shown {
            return unsettled(&format!("code {} can still be paid", code.key));
        }
    }
    match live.and_then(|order| order.pay_by) {
        Some(pay_by) => unsettled(&format!("an order whose time ended at {pay_by} is live")),
        None => Ok(()),
    }
}
