"use strict";

// A booking as the operator sees it: facts, timeline, orders, and what is to be done.

// What stands out in a timeline.
const WHAT_TONES = {
  term_started: "good", order_paid: "good", refund_succeeded: "good", attention_resolved: "good",
  refund_due: "wait", refund_submitted: "wait", attention_retried: "wait",
  refund_needs_attention: "bad", attention_raised: "bad",
};

// The entries of a timeline, each with its place: its own time, or that of the entry below it.
function placed(timeline) {
  let place = 0;
  return timeline.toReversed().map((entry) => {
    place = entry.at === null ? place : Date.parse(entry.at);
    return { entry, place };
  }).reverse();
}

// What two pages of a booking's orders show together. The second begins with the last order of the
// first, and only the second, or only the first, knows when that was superseded.
function joined(first, second) {
  const known = new Set(first.orders.map((order) => order.order_id));
  const orders = [...first.orders, ...second.orders.filter((order) => !known.has(order.order_id))];
  const entries = new Map();
  for (const one of [...placed(first.timeline), ...placed(second.timeline)]) {
    const { at, ...rest } = one.entry;
    const name = JSON.stringify(rest.what === "order_superseded" ? rest : one.entry);
    if (!entries.get(name)?.entry.at) {
      entries.set(name, one);
    }
  }
  const sorted = [...entries.values()].sort((one, other) => other.place - one.place);
  const timeline = sorted.map((one) => one.entry);
  return { ...first, orders, timeline, next_cursor: second.next_cursor };
}

// An order as people name it: by its position, where that is known here.
function orderName(shown, orderId) {
  const order = shown.orders.find((one) => one.order_id === orderId);
  return order === undefined
    ? text("order_unknown", { id: orderId.slice(0, 8) })
    : text("order", { position: order.position + 1 });
}

function orderLink(shown, orderId) {
  const go = () => byId(`order-${orderId}`)?.focus();
  const isShown = shown.orders.some((order) => order.order_id === orderId);
  const name = orderName(shown, orderId);
  return isShown ? element("button", { type: "button", class: "link", click: go }, name) : name;
}

// A text with an element in place of one of its values.
function textWith(name, key, inner) {
  const [before, after] = text(name, { [key]: "\u0000" }).split("\u0000");
  return [before, inner, after ?? ""];
}

function facts(shown) {
  const { booking, product } = shown;
  if (booking === null) {
    return element("p", { class: "hint" }, text("no_booking"));
  }
  const term = booking.term === null
    ? text("no_term")
    : text("term_text", { from: timeText(booking.term.starts_at), until: timeText(booking.term.valid_until) });
  const rows = [
    ["booking_title", id(shown.booking_id)],
    ["booking_status", badge(`status_${booking.status}`, booking.status)],
    ["customer", booking.customer_id],
    ["product", product === null ? booking.product_id : `${product.name} (${booking.product_id})`],
    ["opened", timeElement(booking.created_at)],
    ["term", term],
    ["quantity_paid", String(booking.quantity_paid)],
    ["renewals", text("renewals_text", { renewals: booking.renewals, max: booking.max_renewals })],
    ["orders_made", String(booking.orders_made)],
    ["version", String(booking.version)],
  ];
  const pairs = rows.map(([name, value]) =>
    element("div", {}, element("dt", {}, text(name)), element("dd", {}, value)));
  return element("dl", { class: "facts", id: "booking-facts" }, pairs);
}

function entryElement(shown, entry) {
  const details = [
    entry.amount ? moneyText(entry.amount) : null,
    entry.gateway ? gatewayText(entry.gateway) : null,
    entry.reason ? reasonText(entry.reason) : null,
    entry.by ? text("by", { by: entry.by }) : null,
    entry.note ? text("note", { note: entry.note }) : null,
  ].filter((detail) => detail !== null).join(" · ");
  const replaced = entry.replaced_by
    ? element("div", {}, textWith("replaced_by", "order", orderLink(shown, entry.replaced_by)))
    : null;
  const when = entry.at === null
    ? element("span", { class: "untimed" }, text("untimed"))
    : timeElement(entry.at);
  const subject = entry.order_id ? [" · ", orderLink(shown, entry.order_id)] : [];
  return element(
    "li",
    { class: WHAT_TONES[entry.what] ?? "", "data-what": entry.what, "data-order-id": entry.order_id },
    when,
    element("strong", {}, text(`what_${entry.what}`)),
    element("span", {}, subject),
    details ? element("div", {}, details) : null,
    replaced,
  );
}

function paymentElement(payment) {
  const details = [
    payment.paid_at ? text("captured_at", { time: timeText(payment.paid_at) }) : null,
    payment.transaction_id ? text("transaction", { id: payment.transaction_id }) : null,
  ].filter((detail) => detail !== null).join(" · ");
  return element(
    "li",
    { "data-payment-id": payment.payment_id },
    text("payment_line", { gateway: gatewayText(payment.gateway), attempt: payment.attempt }), " ",
    badge(`payment_${payment.status}`, payment.status), " ",
    payment.applied ? badge("applied", "applied") : null,
    element("div", {}, id(payment.payment_id)),
    details ? element("div", { class: "hint" }, details) : null,
  );
}

function refundElement(refund) {
  const details = [
    text("attempt", { attempt: refund.attempt }),
    text("changed_at", { time: timeText(refund.updated_at) }),
    refund.attention ? reasonText(refund.attention) : null,
  ].filter((detail) => detail !== null).join(" · ");
  const line = { amount: moneyText(refund.amount), reason: reasonText(refund.reason) };
  return element(
    "li",
    { "data-refund-id": refund.refund_id },
    text("refund_line", line), " ", badge(`refund_${refund.status}`, refund.status),
    element("div", {}, id(refund.refund_id)),
    element("div", { class: "hint" }, details),
  );
}

function orderElement(shown, order) {
  const units = {
    quantity: order.quantity, price: moneyText(order.unit_price), amount: moneyText(order.amount),
  };
  const replaced = order.superseded_by
    ? element("p", { class: "replaced" }, textWith("replaced_by", "order", orderLink(shown, order.superseded_by)))
    : null;
  const details = [
    order.reason ? reasonText(order.reason) : null,
    order.pay_by ? text("pay_by", { time: timeText(order.pay_by) }) : null,
  ].filter((detail) => detail !== null).join(" · ");
  return element(
    "article",
    { class: "order", id: `order-${order.order_id}`, tabindex: "-1", "data-status": order.status },
    element("h4", {}, text("order", { position: order.position + 1 }),
      badge(`order_${order.status}`, order.status), element("span", { class: "soft" }, text(`kind_${order.kind}`))),
    element("p", {}, text("units", units)),
    replaced,
    element("p", {}, timeElement(order.created_at), details ? ` · ${details}` : ""),
    element("p", {}, id(order.order_id)),
    element("ul", {}, order.payments.map(paymentElement), order.refunds.map(refundElement)),
  );
}

function taskText(task) {
  return text(`task_${task.kind}`);
}

function bookingTasks(shown) {
  if (shown.tasks.length === 0) {
    return null;
  }
  const items = shown.tasks.map((task) => element(
    "li", { "data-task-id": task.task_id },
    taskText(task), " · ", timeElement(task.due_at), ` · ${text("task_tries")}: ${task.tries}`,
    task.attention ? element("span", { class: "bad" }, ` · ${reasonText(task.attention)}`) : null,
  ));
  return [element("h3", {}, text("booking_tasks")), element("ul", { id: "booking-tasks" }, items)];
}

function unmatchedElements(shown) {
  if (shown.unmatched.length === 0) {
    return null;
  }
  const items = shown.unmatched.map((money) => refundElement(money.refund));
  return [element("h3", {}, text("unmatched")), element("ul", {}, items)];
}

function bookingElements(shown, waitingElement, showOlder) {
  const waiting = shown.attention.length === 0 ? null : [
    element("h3", {}, text("attention_title")),
    element("ul", { class: "waiting", id: "booking-attention" }, shown.attention.map(waitingElement)),
  ];
  const isPart = shown.next_cursor !== null
    || (shown.booking !== null && shown.orders.length < shown.booking.orders_made);
  const timeline = element(
    "div", {},
    element("h3", { id: "timeline-title" }, text("timeline")),
    isPart ? element("p", { class: "hint" }, text("timeline_part")) : null,
    element("ol", { class: "timeline", id: "timeline", "aria-labelledby": "timeline-title" },
      shown.timeline.map((entry) => entryElement(shown, entry))),
  );
  const older = shown.next_cursor === null
    ? null
    : button("of_page", { class: "quiet", id: "orders-more", click: showOlder });
  const orders = element(
    "div", {},
    element("h3", {}, text("orders")),
    shown.orders.map((order) => orderElement(shown, order)),
    older,
    bookingTasks(shown),
    unmatchedElements(shown),
  );
  return [facts(shown), waiting, element("div", { class: "columns" }, timeline, orders)]
    .flat().filter((part) => part !== null);
}
