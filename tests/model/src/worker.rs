//! Functions after their first commit: the rest of a create, and the tasks of `settle`.
//!
//! A task may be taken at any time and by anyone: when it is due and who has its lease only saves
//! work. What is read and asked for without a number or an order of its own is one step with the
//! question, because a commit in between is the same as dying after the question.

use domain::booking::{OrderStatus, PaymentStatus};
use domain::decide::close_payment::{expire_order, payment_closed};
use domain::decide::start_payment::{Created, payment_created};
use domain::quote::after;
use domain::task::FUNCTION_TIMEOUT_S_MAX;
use jiff::{SignedDuration, Timestamp};

use crate::outside::{record_capture, record_refund_news, set_attempt};
use crate::state::{
    Answer, Attempt, CaptureKey, Code, CodeKey, Onward, Running, State, TaskKey, Work, is_negative,
};
use crate::step::Step;
use crate::world::{Gateway, World, moment};

/// Every step of a function that may be possible.
pub(crate) fn steps(world: &World, state: &State, steps: &mut Vec<Step>) {
    if state.running.len() < usize::from(world.running) {
        steps.extend(state.tasks.iter().map(|(task, _)| Step::Run(*task)));
    }
    let mut last = None;
    for running in &state.running {
        // Two functions at the same step of the same work go on alike.
        if last.replace(running) != Some(running) {
            next_steps(world, state, *running, steps);
            steps.push(Step::Die(*running));
        }
    }
}

fn next_steps(world: &World, state: &State, running: Running, steps: &mut Vec<Step>) {
    match running.work {
        Work::Create(code, None) => {
            let answers = match state.code(code) {
                Some(known) if known.closed && known.taken.is_empty() => &[Answer::Closed][..],
                Some(_) | None => &[Answer::Payable],
            };
            steps.extend(answers.iter().map(|answer| Step::TakeCreate(running, *answer)));
            if state.spent.refusals < world.refusals {
                steps.push(Step::TakeCreate(running, Answer::Refused));
            }
        }
        Work::Refund(of, attempt, None) => {
            let known = state
                .taken(of)
                .is_some_and(|taken| taken.attempts.iter().any(|(other, _)| *other == attempt));
            if known {
                steps.push(Step::AskRefund(running));
                return;
            }
            let faults = state.spent.refund_faults < world.refund_faults;
            let good = [Attempt::Accepted, Attempt::Paid];
            let bad = [Attempt::Failed, Attempt::Refused];
            let bad = bad.into_iter().filter(|_| faults);
            let answers = good.into_iter().chain(bad);
            steps.extend(answers.map(|answer| Step::TakeRefund(running, answer)));
        }
        Work::Create(_, Some(_))
        | Work::Closed(..)
        | Work::NotFound(..)
        | Work::Refund(_, _, Some(_))
        | Work::Finish => steps.push(Step::GoOn(running)),
    }
}

/// A gateway hears of a create. That it was paid already is recorded at once, because what was
/// captured stays so.
pub(crate) fn take_create(
    world: &World,
    state: &mut State,
    running: Running,
    answer: Answer,
) -> Option<()> {
    let Work::Create(code, None) = running.work else { return None };
    state.stop(&running);
    if answer == Answer::Refused {
        state.spent.refusals = state.spent.refusals.saturating_add(1);
    } else if state.code(code).is_some_and(|known| !known.taken.is_empty()) {
        return record_capture(world, state, CaptureKey { code, nth: 0 });
    } else {
        state.change_code(code, |_| ());
    }
    state.start(Running { work: Work::Create(code, Some(answer)), ..running });
    Some(())
}

/// A gateway hears of a refund attempt for the first time.
pub(crate) fn take_refund(state: &mut State, running: Running, answer: Attempt) -> Option<()> {
    let Work::Refund(of, attempt, None) = running.work else { return None };
    set_attempt(state, of, attempt, answer);
    answer_refund(state, running, answer)
}

/// A gateway says how an attempt stands that it knows.
pub(crate) fn ask_refund(state: &mut State, running: Running) -> Option<()> {
    let Work::Refund(of, attempt, None) = running.work else { return None };
    let attempts = &state.taken(of)?.attempts;
    let stands = attempts.iter().find(|(other, _)| *other == attempt).map(|(_, stands)| *stands)?;
    answer_refund(state, running, stands)
}

fn answer_refund(state: &mut State, running: Running, answer: Attempt) -> Option<()> {
    let Work::Refund(of, attempt, None) = running.work else { return None };
    state.stop(&running);
    // Guard of `settle::refund::record_once`: a final refusal holds for the version that was read.
    if running.fresh || !is_negative(answer) {
        state.start(Running { work: Work::Refund(of, attempt, Some(answer)), ..running });
    }
    Some(())
}

/// A function does what it was about to do.
pub(crate) fn go_on(world: &World, state: &mut State, running: Running) -> Option<()> {
    match running.work {
        Work::Create(code, Some(answer)) => store_created(world, state, running, code, answer),
        Work::Closed(code, onward) => store_closed(world, state, running, code, onward),
        Work::NotFound(code, onward) => {
            let (order, _) = state.payment(code)?;
            let pay_by = order.pay_by.unwrap_or_else(|| state.env(world).now);
            if is_conclusive(world, state.now, code.gateway, pay_by) {
                return store_closed(world, state, running, code, onward);
            }
            state.stop(&running);
            Some(())
        }
        Work::Refund(of, attempt, Some(answer)) => {
            store_refund(world, state, running, of, attempt, answer)
        }
        Work::Finish => {
            state.stop(&running);
            state.finish(running.claimed?);
            Some(())
        }
        Work::Create(_, None) | Work::Refund(_, _, None) => None,
    }
}

/// Guard of `settle::close::not_found`: 'not found' is believed only when no create can be on its
/// way any more.
fn is_conclusive(world: &World, now: u8, gateway: Gateway, pay_by: Timestamp) -> bool {
    let last_create = after(pay_by, FUNCTION_TIMEOUT_S_MAX);
    let grace = SignedDuration::from_secs(world.grace_of(gateway));
    last_create.checked_add(grace).is_ok_and(|end| moment(world.second(now)) > end)
}

fn can_become_conclusive(world: &World, state: &State, code: CodeKey) -> bool {
    let timeout = i64::from(FUNCTION_TIMEOUT_S_MAX);
    let pay_by = state.order(code.order).and_then(|order| order.pay_by);
    let moments = (state.now..).zip(world.clock_s.iter().skip(usize::from(state.now)));
    let mut while_it_runs =
        moments.take_while(|(_, second)| second.saturating_sub(world.second(state.now)) <= timeout);
    pay_by.is_some_and(|pay_by| {
        while_it_runs.any(|(now, _)| is_conclusive(world, now, code.gateway, pay_by))
    })
}

/// Stores what came of a create: a code under whichever version, a negative answer only under the
/// one that was read. After a conflict the booking is read and the gateway asked again.
fn store_created(
    world: &World,
    state: &mut State,
    running: Running,
    code: CodeKey,
    answer: Answer,
) -> Option<()> {
    state.stop(&running);
    let created = match answer {
        Answer::Payable => Created::Payable { code_url: "code".to_owned(), gateway_ref: None },
        Answer::Closed => Created::Closed,
        Answer::Refused => Created::Refused,
    };
    let (order, payment) = state.payment(code)?;
    let now = state.env(world).now;
    // Guard of `runtime::create_payment`.
    if answer != Answer::Payable && !running.fresh {
        let in_time = order.pay_by.is_some_and(|pay_by| now < pay_by);
        let wanted =
            order.status == OrderStatus::Pending && payment.status == PaymentStatus::Creating;
        if wanted && in_time {
            state.start(Running { work: Work::Create(code, None), fresh: true, ..running });
        }
        return Some(());
    }
    let booking = state.booking.get();
    if let Some(change) = payment_created(booking, order, &payment.payment_id, created, now) {
        state.commit(change);
    }
    Some(())
}

/// Stores a confirmed close, under the version that was read: [`State::commit`] ends everybody who
/// has an answer for an older one.
fn store_closed(
    world: &World,
    state: &mut State,
    running: Running,
    code: CodeKey,
    onward: Onward,
) -> Option<()> {
    state.stop(&running);
    if onward == Onward::Done {
        finish_later(state, running);
    }
    let (order, payment) = state.payment(code)?;
    let now = state.env(world).now;
    if let Some(change) = payment_closed(state.booking.get(), order, &payment.payment_id, now) {
        state.commit(change);
    }
    Some(())
}

/// The commit and the end of its task are two writes.
fn finish_later(state: &mut State, running: Running) {
    if running.claimed.is_some() {
        state.start(Running { work: Work::Finish, fresh: false, ..running });
    }
}

fn store_refund(
    world: &World,
    state: &mut State,
    running: Running,
    of: CaptureKey,
    attempt: u32,
    answer: Attempt,
) -> Option<()> {
    state.stop(&running);
    match answer {
        Attempt::Paid | Attempt::Refused => finish_later(state, running),
        Attempt::Accepted | Attempt::Failed | Attempt::Reversed => {}
    }
    // That the news changes nothing is fine: somebody else told.
    record_refund_news(world, state, of, attempt, answer);
    Some(())
}

/// A worker takes a task from whoever had it.
pub(crate) fn run(world: &World, state: &mut State, task: TaskKey) -> Option<()> {
    state.take_claim(task);
    match task {
        TaskKey::Query(code) => query(world, state, code),
        TaskKey::Close(code) => close_task(world, state, code),
        TaskKey::Refund(of) => {
            let (_, refund) = state.refund(of)?;
            let (attempt, settled) = (refund.attempt, refund.is_settled());
            let work = if settled { Work::Finish } else { Work::Refund(of, attempt, None) };
            begin(state, task, work);
            Some(())
        }
    }
}

fn begin(state: &mut State, task: TaskKey, work: Work) {
    let fresh = work != Work::Finish;
    state.start(Running { work, begun: state.now, fresh, claimed: Some(task) });
}

fn query(world: &World, state: &mut State, code: CodeKey) -> Option<()> {
    let task = TaskKey::Query(code);
    let (order, payment) = state.payment(code)?;
    let now = state.env(world).now;
    let (pay_by, status) = (order.pay_by, payment.status);
    if order.status != OrderStatus::Pending {
        begin(state, task, Work::Finish);
        return Some(());
    }
    let is_over = pay_by.is_none_or(|pay_by| pay_by <= now);
    match status {
        PaymentStatus::Creating | PaymentStatus::Payable => {
            let known = state.code(code).filter(|known| is_known(code, known));
            match known.map(|known| (known.closed, known.taken.is_empty())) {
                Some((_, false)) => record_capture(world, state, CaptureKey { code, nth: 0 }),
                Some((true, true)) => {
                    begin(state, task, Work::Closed(code, Onward::Again));
                    Some(())
                }
                Some((false, true)) | None if is_over => close(world, state, task, code),
                Some((false, true)) | None => None,
            }
        }
        PaymentStatus::Closing
        | PaymentStatus::Paid
        | PaymentStatus::Closed
        | PaymentStatus::Failed => expire(world, state, task, pay_by),
    }
}

/// Whether a gateway admits that it knows a code that it has taken.
const fn is_known(key: CodeKey, code: &Code) -> bool {
    match key.gateway {
        Gateway::A => true,
        Gateway::B => !code.taken.is_empty(),
    }
}

fn close_task(world: &World, state: &mut State, code: CodeKey) -> Option<()> {
    let task = TaskKey::Close(code);
    let (order, payment) = state.payment(code)?;
    let pay_by = order.pay_by;
    match payment.status {
        PaymentStatus::Paid | PaymentStatus::Closed if order.status == OrderStatus::Pending => {
            expire(world, state, task, pay_by)
        }
        PaymentStatus::Paid | PaymentStatus::Closed => {
            begin(state, task, Work::Finish);
            Some(())
        }
        PaymentStatus::Creating
        | PaymentStatus::Payable
        | PaymentStatus::Closing
        | PaymentStatus::Failed => close(world, state, task, code),
    }
}

/// Closes a code at its gateway. A code that was paid meanwhile is recorded, and the task goes on.
fn close(world: &World, state: &mut State, task: TaskKey, code: CodeKey) -> Option<()> {
    let known = state.code(code).filter(|known| is_known(code, known));
    let work = match known {
        Some(known) if !known.taken.is_empty() => {
            return record_capture(world, state, CaptureKey { code, nth: 0 });
        }
        Some(_) => {
            state.change_code(code, |known| known.closed = true);
            Work::Closed(code, Onward::Done)
        }
        // What cannot become conclusive while this function runs is only put off.
        None if can_become_conclusive(world, state, code) => Work::NotFound(code, Onward::Done),
        None => return None,
    };
    begin(state, task, work);
    Some(())
}

/// Ends the live order once its time is over, as `settle::query::expire` does.
fn expire(
    world: &World,
    state: &mut State,
    task: TaskKey,
    pay_by: Option<Timestamp>,
) -> Option<()> {
    let now = state.env(world).now;
    if pay_by.is_some_and(|pay_by| now < pay_by) {
        return None;
    }
    let change = expire_order(state.booking.get(), now);
    begin(state, task, Work::Finish);
    if let Some(change) = change {
        state.commit(change);
    }
    Some(())
}
