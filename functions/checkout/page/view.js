"use strict";

// What the page shows: a pure function of what the server said, what the customer chose and the
// clock. It touches no document, storage, network or clock.
//
// The states, as `data-state` of the main element names them:
//
// loading          nothing is known yet
// link_missing     the address has no link token
// link_expired     the link's time is over
// link_invalid     the link does not verify
// not_found        there is no such booking
// choosing         quantity and wallet; no order of this window exists
// placeholder      an order exists; a click generates its payment and brings the code
// making_code      the payment is being generated
// code             the code of the live order, with a countdown
// checking         the code is covered: it was not confirmed lately, and is asked for
// offline          the code is covered: the server cannot be reached
// price_changed    old and new price side by side, and a question
// replaced         another window made a newer order
// order_over       another window replaced this order, and that one is over too
// expired          the order's time is over, or its price no longer holds
// order_cancelled  the order was cancelled, here or in another window
// paid             this window's order is paid
// paid_elsewhere   another window paid, while this one chose or showed something else
// refunding        this window's order was paid when it could not be any more: money goes back
// refunded         that money is back
// active           the booking is active and may be renewed
// renewal_limit    the booking is active and was renewed as often as allowed
// term_over        the booking's term has ended
// cancelled        the booking is cancelled
// unavailable      the product is no longer sold
//
// Beside it, `data-connection` is `online` or `offline`.

// How old the server's last word may be while a code is shown, in milliseconds: longer than the
// longest pause between two questions, so that only a failure covers a code that is watched.
const CONFIRMED_MAX_MS = 20_000;

// What the page shows of a model at a moment of the server's clock in milliseconds:
// `{state, pay, choice, summary, notice, hints, refunds, cancellable, countdown}`.
function viewOf(model, now) {
  if (model.linkProblem) {
    return { ...blank(model), ...ending(model, model.linkProblem, []), summary: null };
  }
  const { booking, product } = model;
  if (!booking || !product) return { ...blank(model), state: "loading" };
  return { ...blank(model), refunds: refundsOf(booking), ...stateOf(model, now) };
}

function blank(model) {
  const connection = model.reachable ? "online" : "offline";
  return {
    connection,
    pay: null,
    choice: null,
    summary: null,
    notice: null,
    hints: [],
    refunds: [],
    cancellable: [],
    countdown: null,
  };
}

function stateOf(model, now) {
  const { booking } = model;
  const own = ownOrder(model);
  if (model.busy === "code") return making(model, own);
  if (booking.status === "cancelled") return ending(model, "cancelled", []);
  if (own && isGoingBack(own)) return moneyBack(model, own);
  if (booking.status === "expired") return ending(model, "term_over", []);
  if (own?.status === "paid") return paid(model, own);
  if (paidMeanwhile(model)) return paidElsewhere(model);
  if (own) return own.status === "pending" ? pendingOrder(model, own, now) : over(model, own);
  if (!model.intent) return activeBooking(model);
  if (model.product.gateways.length === 0) return ending(model, "unavailable", []);
  if (model.ask) return priceChanged(model, model.ask.old, model.ask.offer);
  return choosing(model);
}

// The order that this window is about, as it stands now; null if there is none.
function ownOrder({ booking, shown }) {
  if (!booking || !shown) return null;
  return booking.orders.find((order) => order.order_id === shown.orderId) ?? null;
}

// What an order made now would be: first booking or renewal, and the end that it would extend.
function intentOf(booking) {
  if (booking.status === "pending_payment") return { kind: "first", base: null };
  if (booking.status === "active") return { kind: "renewal", base: booking.term.valid_until };
  return null;
}

// Whether the booking was paid for since this window began to choose.
function paidMeanwhile({ booking, intent }) {
  const current = intentOf(booking);
  if (!intent || !current) return false;
  return current.kind !== intent.kind || current.base !== intent.base;
}

function newestPaid(booking) {
  return booking.orders.find((order) => order.status === "paid") ?? null;
}

function mayRenew({ booking, product }) {
  return (
    booking.status === "active" &&
    booking.renewals < product.max_renewals &&
    product.gateways.length > 0
  );
}

function paid(model, own) {
  const text = ["paid_text", { duration: own, amount: own.amount }];
  return ending(model, "paid", renewals(model), { tone: "good", text, order: own });
}

// Whether an order was paid when it could not be any more.
function isGoingBack({ status, refunds }) {
  return refunds.length > 0 && status !== "paid" && status !== "pending";
}

function moneyBack(model, own) {
  const [state, tone] = isAllBack(own.refunds) ? ["refunded", "good"] : ["refunding", "calm"];
  return ending(model, state, [action("go_on")], { tone, order: own });
}

// An order that has ended unpaid.
function over(model, own) {
  const live = model.booking.live_order;
  if (own.status === "superseded" && live) return replaced(model, own, live);
  if (own.status === "superseded") {
    return ending(model, "order_over", [action("make_mine")], { order: own });
  }
  if (own.status === "cancelled") {
    return ending(model, "order_cancelled", [action("start_again")], { order: own });
  }
  return expired(model, own);
}

function replaced(model, own, live) {
  const compare = [
    { label: "yours", quantity: own.quantity, amount: own.amount, old: true },
    { label: "theirs", quantity: live.quantity, amount: live.amount },
  ];
  const actions = [action("use_live"), action("make_mine", {}, "quiet")];
  return ending(model, "replaced", actions, { compare, order: own });
}

function expired(model, own) {
  const text = [own.status === "stale" ? "stale_text" : "expired_text"];
  // By the clock it has ended, also where that is not stored yet.
  const order = { ...own, status: "expired" };
  return ending(model, "expired", [action("new_code")], { text, order });
}

function paidElsewhere(model) {
  const order = newestPaid(model.booking);
  const text = order ? ["paid_elsewhere_order", { theirs: order }] : null;
  return ending(model, "paid_elsewhere", renewals(model), { tone: "good", text, order });
}

function activeBooking(model) {
  const { booking, product } = model;
  const state = booking.renewals < product.max_renewals ? "active" : "renewal_limit";
  const text = product.gateways.length === 0 ? ["not_renewable_text"] : null;
  return ending(model, state, renewals(model), { tone: "good", text });
}

function renewals(model) {
  return mayRenew(model) ? [action("renew", {}, "quiet")] : [];
}

// The live order of this window.
function pendingOrder(model, own, now) {
  if (model.ask) return priceChanged(model, model.ask.old, model.ask.offer);
  if (!isSameMoney(own.amount, model.shown.amount)) {
    return priceChanged(model, model.shown, own);
  }
  if (own.pay_by && Date.parse(own.pay_by) <= now) return expired(model, own);
  const { payment } = own;
  const wanted = own.quantity === model.choice.quantity && !model.editing;
  if (!payment && model.product.gateways.length === 0) return ending(model, "unavailable", []);
  if (wanted && payment?.code_url && payment.gateway === model.choice.gateway) {
    return payableCode(model, own, now);
  }
  return placeholder(model, own);
}

function payableCode(model, own, now) {
  const { gateway, code_url: url } = own.payment;
  const state = codeState(model, url, now);
  const code = { url, gateway, amount: own.amount, picture: model.picture?.source };
  return {
    state,
    pay: state === "code" ? { kind: state, code } : { kind: state },
    choice: { wallets: walletsOf(model, own), quantity: false },
    summary: summaryOf(model, own),
    cancellable: cancellableOf(model),
    countdown: { until: Date.parse(own.pay_by), lengthMs: model.product.payment_ttl_s * 1_000 },
  };
}

// Whether a code may be seen: only while the server was heard of lately.
function codeState(model, url, now) {
  if (!model.reachable) return "offline";
  if (now - model.confirmedAt > CONFIRMED_MAX_MS) return "checking";
  return model.picture?.url === url ? "code" : "making_code";
}

// The product's gateways, and the one where the order has its code, should the product have given
// it up since.
function walletsOf({ product }, own) {
  const current = own?.payment?.gateway;
  if (!current || product.gateways.includes(current)) return product.gateways;
  return [...product.gateways, current];
}

function making(model, own) {
  const same = own?.status === "pending" && own.quantity === model.choice.quantity;
  return {
    state: "making_code",
    pay: { kind: "making_code" },
    choice: { wallets: walletsOf(model, own), quantity: false },
    summary: summaryOf(model, same ? own : null),
  };
}

// An order without a code at the chosen wallet, or whose quantity is being changed.
function placeholder(model, own) {
  const same = own.quantity === model.choice.quantity;
  const hints = [];
  if (own.payment?.code_url && model.editing) hints.push({ text: ["editing_hint"] });
  if (model.shown.gateway === model.choice.gateway && movedAway(model, own)) {
    hints.push({ text: ["switched_elsewhere", { wallet: own.payment.gateway }] });
  }
  const waits = model.product.flow === "order_first" || (same && !model.editing);
  return {
    state: waits ? "placeholder" : "choosing",
    pay: { kind: "placeholder", keep: Boolean(own.payment?.code_url && model.editing) },
    choice: { wallets: walletsOf(model, own), quantity: true },
    summary: summaryOf(model, same ? own : null),
    hints,
    cancellable: cancellableOf(model),
  };
}

// Whether the code that this window showed was given up for one at another wallet.
function movedAway(model, own) {
  return Boolean(own.payment && own.payment.gateway !== model.shown.gateway);
}

function choosing(model) {
  const live = model.booking.live_order;
  const hint = { text: ["other_live", { theirs: live }], action: action("use_live", {}, "quiet") };
  return {
    state: "choosing",
    pay: { kind: "placeholder", keep: false },
    choice: { wallets: model.product.gateways, quantity: true },
    summary: summaryOf(model, null),
    hints: live ? [hint] : [],
    cancellable: cancellableOf(model),
  };
}

function priceChanged(model, old, offer) {
  const compare = [
    { label: "old_price", quantity: old.quantity, amount: old.amount, old: true },
    { label: "new_price", quantity: offer.quantity, amount: offer.amount },
  ];
  const actions = [action("accept", { amount: offer.amount }), action("decline", {}, "quiet")];
  return ending(model, "price_changed", actions, { compare, order: offer });
}

// A state that says something and offers ways on, with nothing to pay in sight.
function ending(model, state, actions, { tone = "calm", text = null, compare = [], order } = {}) {
  return {
    state,
    notice: { title: [state], text: text ?? [`${state}_text`], tone, compare, actions },
    summary: order ? summaryOf(model, order) : NOTHING_BOUGHT,
  };
}

const NOTHING_BOUGHT = { kind: null, quantity: null, amount: null, settled: true, label: "total" };

function action(name, values = {}, weight = "strong") {
  return { name, label: [name, values], weight };
}

function cancellableOf({ booking, busy }) {
  if (busy) return [];
  const choices = [];
  if (booking.live_order) choices.push("cancel_order");
  if (booking.status === "pending_payment") choices.push("cancel_booking");
  return choices;
}

// What the amount of an order, or of an offer, is called.
function totalOf({ status = "pending", refunds = [] }) {
  if (status === "pending") return "total";
  if (status === "paid") return "total_paid";
  if (refunds.length === 0) return "total_over";
  return isAllBack(refunds) ? "total_back" : "total_going";
}

function isAllBack(refunds) {
  return refunds.every(({ status }) => status === "succeeded");
}

// What is bought: of an order where there is one, else of the choice.
//
// The price of a choice is the quote's where there is one, else what the product lists; it becomes
// binding only by the quote, and a difference is shown and asked about.
function summaryOf(model, order) {
  const { booking, product, choice, quote } = model;
  const kind = order?.kind ?? model.intent?.kind ?? intentOf(booking)?.kind ?? null;
  if (order) {
    const { quantity, amount } = order;
    return { kind, quantity, amount, settled: true, label: totalOf(order) };
  }
  const label = "total";
  if (!model.intent) return NOTHING_BOUGHT;
  if (quote && quote.quantity === choice.quantity && quote.kind === kind) {
    return { kind, quantity: quote.quantity, amount: quote.amount, settled: true, label };
  }
  const { quantity } = choice;
  const each = listedPrice(product, kind, quantity);
  const amount = { ...each, amount: each.amount * quantity };
  return { kind, quantity, amount, settled: product.flow === "instant", label };
}

// What one unit is listed at; a tier's prices hold for the whole quantity.
function listedPrice(product, kind, quantity) {
  const reached = product.tiers.filter((tier) => tier.min_quantity <= quantity);
  const prices = reached.length > 0 ? reached[reached.length - 1] : product;
  return kind === "renewal" ? prices.renewal_unit_price : prices.first_unit_price;
}

function isSameMoney(one, other) {
  return one.amount === other.amount && one.currency === other.currency;
}

// Money on its way back, of every order that the booking shows, the newest first.
function refundsOf(booking) {
  return booking.orders.flatMap((order) =>
    order.refunds.map(({ refund_id: id, status, amount, reason, updated_at: at }) => {
      return { id, status, amount, reason, at, quantity: order.quantity };
    }),
  );
}

// The end of a term with a quantity more, as the wall clock of `zone` will show it.
//
// `wallTime` gives the parts of a moment in that zone. Days and months are counted on the calendar
// from the start, as the server counts them: 31 January and two months is 31 March.
function extendedTerm(term, unit, quantity, wallTime) {
  const until = Date.parse(term.valid_until);
  if (unit === "hour") return wallTime(until + quantity * 3_600_000);
  const [from, to] = [wallTime(Date.parse(term.starts_at)), wallTime(until)];
  if (unit === "day") return addDays(to, quantity);
  const months = (to.year - from.year) * 12 + (to.month - from.month) + quantity;
  return addMonths(from, months);
}

function addDays(parts, days) {
  const day = new Date(Date.UTC(parts.year, parts.month - 1, parts.day + days));
  const [year, month] = [day.getUTCFullYear(), day.getUTCMonth() + 1];
  return { ...parts, year, month, day: day.getUTCDate() };
}

function addMonths(parts, months) {
  const first = new Date(Date.UTC(parts.year, parts.month - 1 + months, 1));
  const [year, month] = [first.getUTCFullYear(), first.getUTCMonth() + 1];
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return { ...parts, year, month, day: Math.min(parts.day, last) };
}
