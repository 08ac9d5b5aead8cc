#!/usr/bin/env python3
"""Takes out each guard of the rules in turn, and says how soon that shows.

A guard is a line of the product. Here stands what becomes of it when it is taken out; in a copy of
the tree that is done, the simulation (or the model) is built and run, and it has to fail. The
table goes into docs/correctness.md.

    guards.py --check          every guard still stands exactly once in its file (seconds)
    guards.py                  all guards, after a run with all of them in place; about a minute
                               and a half for each, on two cores
    guards.py --only refund    those whose name fits that expression, and no others' rows
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "guards"
DOCUMENT = ROOT / "docs" / "correctness.md"
BEGIN, END = "<!-- guards: begin -->\n", "<!-- guards: end -->"
PROFILE = "simulate"
# Seeds that a guard has until it must have shown.
SEEDS_MAX = 2_000
# The longest that the model looks at one world, in seconds.
WORLD_S_MAX = 60
# The longest that one guard's run may take, in seconds.
RUN_S_MAX = 1_200


class Guard:
    """What keeps a rule, and how it is taken out."""

    def __init__(self, name, rule, file, find, replace, by="simulation"):
        self.name, self.rule, self.file = name, rule, file
        self.find, self.replace, self.by = find, replace, by


GUARDS = [
    Guard(
        name="a booking is written under the version that was read",
        rule="the lock",
        file="shared/store/src/writes.rs",
        find='''self.put_if(item, "version = :read", read_version)''',
        replace='''{
            let _ = read_version;
            self.put(item)
        }''',
    ),
    Guard(
        name="an ended order is written over the item that was read",
        rule="2",
        file="shared/store/src/writes.rs",
        find='''revision => self.put_if(item, "revision = :read", revision),''',
        replace="_ => self.put(item),",
    ),
    Guard(
        name="an order must be live to be bought",
        rule="6",
        file="shared/domain/src/decide/record_payment.rs",
        find="OrderStatus::Superseded => return Some(RefundReason::Superseded),",
        replace="OrderStatus::Superseded => {}",
    ),
    Guard(
        name="the captured amount is the order's",
        rule="4",
        file="shared/domain/src/decide/record_payment.rs",
        find="if capture.captured != order.amount {",
        replace="if capture.captured.currency != order.amount.currency {",
    ),
    Guard(
        name="an order's kind fits the booking at the payment time",
        rule="7",
        file="shared/domain/src/decide/record_payment.rs",
        find="if !fits_booking(booking, order, capture) {",
        replace="if false && !fits_booking(booking, order, capture) {",
    ),
    Guard(
        name="late money is refused where the product refuses it",
        rule="7",
        file="shared/domain/src/decide/record_payment.rs",
        find="(late && refused).then_some(RefundReason::LatePayment)",
        replace="(late && refused && false).then_some(RefundReason::LatePayment)",
    ),
    Guard(
        name="a transaction is recorded once",
        rule="2",
        file="shared/domain/src/decide/record_payment.rs",
        find='''if is_settled(order, payment, capture) {
        return Err(Recording::Settled);
    }''',
        replace='''let _ = is_settled(order, payment, capture);''',
    ),
    Guard(
        name="a second transaction of a payment goes back",
        rule="2",
        file="shared/domain/src/decide/record_payment.rs",
        find='''if payment.transaction_id.is_some() {
        return Some(RefundReason::DuplicatePayment);''',
        replace='''if payment.transaction_id.is_some() && order.status == OrderStatus::Paid {
        return Some(RefundReason::DuplicatePayment);''',
    ),
    Guard(
        name="a refund's id derives from its attempt",
        rule="2, 8",
        file="shared/domain/src/decide/record_refund.rs",
        find="env.ids.refund(payment_id, &refund.transaction_id, attempt)",
        replace="env.ids.refund(payment_id, &refund.transaction_id, attempt.min(1))",
    ),
    Guard(
        name="a refund's id derives from its transaction",
        rule="2, 8",
        file="shared/domain/src/ids.rs",
        find="let parts = [payment_id.as_bytes(), transaction_id.as_bytes(), &attempt.to_be_bytes()];",
        replace='''let _ = transaction_id;
        let parts = [payment_id.as_bytes(), b"", &attempt.to_be_bytes()];''',
    ),
    Guard(
        name="a notification is acknowledged after its commit",
        rule="5",
        file="functions/callback/src/lib.rs",
        find="return Acknowledgement::Retry;",
        replace="return Acknowledgement::Done;",
    ),
    Guard(
        name="an order that ends has its open codes closed",
        rule="9",
        file="shared/domain/src/change.rs",
        find='''        self.close_open_payments(&mut order, now);
        self.events.extend(''',
        replace='''        self.events.extend(''',
    ),
    Guard(
        name="switching the gateway closes the other code",
        rule="9",
        file="shared/domain/src/decide/start_payment.rs",
        find='''    change.close_open_payments(&mut order, env.now);
    let limit''',
        replace="    let limit",
        by="model",
    ),
    Guard(
        name="only the gateway's word closes a payment",
        rule="9",
        file="functions/settle/src/close.rs",
        find="CloseOutcome::Unknown(_) => Ok(Outcome::Retry),",
        replace="CloseOutcome::Unknown(_) => closed(deps, loaded, order, payment).await,",
    ),
    # The model's own step: in the product a create has to arrive between the close at its gateway
    # and the commit of it, around `pay_by`, and the simulation hardly ever gets there.
    Guard(
        name="a negative answer is stored only under the version that was read before asking",
        rule="9",
        file="tests/model/src/state.rs",
        find="self.running.retain(|one| !needs_version(one.work));",
        replace="self.running.retain(|one| !needs_version(one.work) || true);",
        by="model",
    ),
    Guard(
        name="'not found' is believed only when no create can be on its way",
        rule="9",
        file="functions/settle/src/close.rs",
        find="if deps.now() <= conclusive {",
        replace="if false && deps.now() <= conclusive {",
    ),
    Guard(
        name="a code that nobody scanned is waited for until it has died",
        rule="9",
        file="shared/gateways/src/alipay.rs",
        find="const NOT_FOUND_GRACE_S: i64 = 7_200;",
        replace="const NOT_FOUND_GRACE_S: i64 = 0;",
    ),
    Guard(
        name="a code that a search finds is closed by its own id",
        rule="9",
        file="shared/runtime/src/gateway_calls.rs",
        find="close_once(deps, gateway, &named).await",
        replace='''{
                let _ = named;
                CloseOutcome::Closed
            }''',
    ),
    Guard(
        name="a refund that succeeded and failed later is tried again",
        rule="2",
        file="shared/domain/src/decide/record_refund.rs",
        find="if attempt == refund.attempt => {",
        replace="if attempt == refund.attempt && false => {",
    ),
    Guard(
        name="a refund that was begun is asked for before it is sent again",
        rule="8, 9",
        file="functions/settle/src/refund.rs",
        find="    if !untouched {",
        replace="    if false && !untouched {",
    ),
    Guard(
        name="a dispute is none of our refunds",
        rule="8",
        file="shared/domain/src/booking.rs",
        find="!matches!(self, Self::ForeignRefund | Self::Dispute)",
        replace="!matches!(self, Self::ForeignRefund)",
    ),
    Guard(
        name="what others did about a payment is raised for a person",
        rule="8",
        file="shared/domain/src/decide/record_refund.rs",
        find='''change.raised.push(Attention {
        attention_id,''',
        replace='''drop(Attention {
        attention_id,''',
    ),
    Guard(
        name="a payment is written with the task that asks for it",
        rule="9",
        file="shared/domain/src/decide/start_payment.rs",
        find="change.tasks.push(query_task(&echo, &plan, (at.create_body)(&plan), env.now));",
        replace="let _ = query_task(&echo, &plan, (at.create_body)(&plan), env.now);",
    ),
    Guard(
        name="no create is sent after pay_by",
        rule="9",
        file="shared/runtime/src/create_payment.rs",
        find="if order.pay_by.is_none_or(|pay_by| pay_by <= deps.now()) {",
        replace="if false && order.pay_by.is_none_or(|pay_by| pay_by <= deps.now()) {",
    ),
    Guard(
        name="a lost notification is found by asking",
        rule="9",
        file="shared/runtime/src/create_payment.rs",
        find="record_capture(deps, address, captured).await?;",
        replace="let _ = (address, captured);",
    ),
    Guard(
        name="a code is shown only while it should be paid",
        rule="1",
        file="shared/api/src/view.rs",
        find="code_url: payment.code_url.clone().filter(|_| wanted),",
        replace="code_url: payment.code_url.clone().filter(|_| wanted || true),",
    ),
    Guard(
        name="an order id is used once",
        rule="1, 2",
        file="shared/store/src/lib.rs",
        find="writes.push(self.put_new(items::made(booking, order_id, *seq)?)?);",
        replace="writes.push(self.put(items::made(booking, order_id, *seq)?)?);",
    ),
    Guard(
        name="an order expires only when none of its codes can be paid",
        rule="9",
        file="shared/domain/src/decide/close_payment.rs",
        find="order.pay_by.is_some_and(|pay_by| pay_by <= now) && !order.has_unsettled_payment()",
        replace="order.pay_by.is_some_and(|pay_by| pay_by <= now)",
        by="model",
    ),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only look whether each stands")
    parser.add_argument("--only", default="", help="those whose name fits")
    arguments = parser.parse_args()
    missing = [complaint for guard in GUARDS for complaint in complaints(guard)]
    if missing:
        sys.exit("\n".join(missing))
    if arguments.check:
        print(f"{len(GUARDS)} guards stand in their places")
        return
    chosen = [guard for guard in GUARDS if re.search(arguments.only, guard.name)]
    copy_tree()
    reuse_build()
    if not arguments.only:
        controls = {checker: run(checker) for checker in sorted({guard.by for guard in chosen})}
        for checker, (failed, words) in controls.items():
            show(f"nothing taken out, by the {checker}", failed, words)
        if any(failed for failed, _ in controls.values()):
            sys.exit("something fails with every guard in its place")
    missed = [guard.name for guard in chosen if not try_without(guard)]
    if missed:
        sys.exit(f"taken out, and nothing failed: {', '.join(missed)}")


def complaints(guard):
    count = (ROOT / guard.file).read_text().count(guard.find)
    return [] if count == 1 else [f"{guard.file}: {count} times, for {guard.name!r}: {guard.find}"]


def copy_tree():
    """Copies what is tracked; an unchanged file keeps its time, so that it is not built again."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        source, target = ROOT / name, WORK / "tree" / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)


def reuse_build():
    """Takes over what was built before: only what a guard changes is built again."""
    built, target = ROOT / "target" / PROFILE, WORK / "target" / PROFILE
    if built.is_dir() and not target.is_dir():
        shutil.copytree(built, target, copy_function=shutil.copy2)


def try_without(guard):
    """Takes a guard out, runs its checker, puts the guard back, and keeps the guard's row."""
    path = WORK / "tree" / guard.file
    whole = path.read_text()
    path.write_text(whole.replace(guard.find, guard.replace))
    try:
        caught, words = run(guard.by)
    finally:
        path.write_text(whole)
    show(guard.name, caught, words)
    keep(guard, words)
    return caught


def run(checker):
    """Builds a checker and runs it; answers whether it failed, and how."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(WORK / "target")}
    build = ["cargo", "build", "--locked", "--quiet", "--profile", PROFILE, "-p", checker]
    built = subprocess.run(
        build, cwd=WORK / "tree", env=environment, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        sys.exit(built.stderr)
    binary, arguments = {
        "simulation": ("simulate", ["--seeds", str(SEEDS_MAX)]),
        "model": ("model", ["--seconds", str(WORLD_S_MAX)]),
    }[checker]
    ran = subprocess.run(
        [str(WORK / "target" / PROFILE / binary), *arguments],
        cwd=WORK / "tree", capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )
    if ran.returncode == 0:
        return False, "nothing failed"
    return True, words_of(checker, ran.stdout + ran.stderr)


def words_of(checker, output):
    if checker == "simulation":
        broken = re.search(r"seed (\d+): rule (\d+) is broken", output)
        if broken:
            seeds = int(broken[1]) + 1
            return f"simulation, {seeds} seed{'s' if seeds > 1 else ''}: rule {broken[2]}"
        panicked = re.search(r"panicked at ([^:]+)", output)
        return f"simulation: panics in `{panicked[1]}`" if panicked else "simulation: fails"
    return model_words(output)


def model_words(output):
    broken = re.search(r"^(\S+): .*\n(?:  not .*\n)*  broken: (.+)\n((?: +\d+\. .*\n)+)", output, re.M)
    if not broken:
        return "model: fails"
    steps = broken[3].count("\n")
    return f"model, world {broken[1]}, {steps} steps: {broken[2].split(':')[0]}"


def show(name, caught, words):
    print(f"{'caught ' if caught else 'passes '} {name}: {words}", flush=True)


def keep(guard, words):
    """Replaces a guard's row in the document. Rows stand in the order of the guards."""
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    rows = {line.split(" | ")[0].lstrip("| "): line for line in table.splitlines()[2:]}
    rows[guard.name] = f"| {guard.name} | {guard.rule} | `{guard.file}` | {words} |"
    lines = ["| guard | rule | where | taken out, it shows in |", "| --- | --- | --- | --- |"]
    lines += [rows[guard.name] for guard in GUARDS if guard.name in rows]
    DOCUMENT.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)


if __name__ == "__main__":
    main()
