"use strict";

// What happens: the page asks, polls and remembers, and shows what `viewOf` makes of it.
//
// `model` is all that the page knows; every change of it ends in `draw`.

const POLL_FAST_MS = 2_000;
const POLL_SLOW_MS = 15_000;
const POLL_GROWTH = 1.5;
// How long the page asks often after something changed or somebody did something.
const POLL_FAST_FOR_MS = 120_000;
const TICK_MS = 1_000;
const TYPING_PAUSE_MS = 400;
// How often one press may begin anew because its offer ran out or its token was used up.
const ROUNDS_MAX = 3;
// Refusals because things stand differently now: the booking, read anew, says how.
const OVERTAKEN = ["order_superseded", "order_closed", "order_already_paid"];
const OUTDATED = ["quote_stale", "quote_expired"];
// Refusals because the product or the booking is another than the page believes.
const CHANGED = [
  "booking_not_payable",
  "renewal_limit_reached",
  "gateway_not_accepted",
  "quantity_out_of_range",
];

const link = readLink(location.hash);
const memory = link ? rememberingFor(link.booking) : null;
const clock = serverClock();
const server = link ? serverOf(link, clock, () => language) : null;
const others = link && "BroadcastChannel" in window ? new BroadcastChannel(link.booking) : null;

const remembered = memory?.window() ?? {};
const model = {
  link,
  linkProblem: link ? null : "link_missing",
  booking: null,
  product: null,
  // The server's clock at its last word about the booking.
  confirmedAt: 0,
  reachable: navigator.onLine,
  choice: memory?.chosenHere() ?? memory?.chosenAnywhere() ?? { quantity: 0, gateway: null },
  // What the customer means to buy: `{kind, base}`, null while they only look.
  intent: remembered.intent ?? null,
  // The order of this window and what the customer was shown of it.
  shown: remembered.shown ?? null,
  // What a press asked for while it is not known what came of it: `{kind, quantity, amount}`.
  attempted: remembered.attempted ?? null,
  // The last quote of `submit_once`.
  quote: remembered.quote ?? null,
  // An order whose quote the server has refused.
  spent: remembered.spent ?? null,
  // A question about a price: `{old, offer}`.
  ask: remembered.ask ?? null,
  problem: null,
  remark: null,
  editing: false,
  picture: null,
  // What is under way: null, `quote`, `code`, `check` or `cancel`.
  busy: null,
};
let language = rememberedLanguage() ?? preferredLanguage(navigator.languages);
// Whether the customer has chosen something in this window: then it is not taken over silently.
let touched = Boolean(memory?.chosenHere());
let etag = null;
let polling = null;
let pollTimer = null;
let pollDelayMs = POLL_FAST_MS;
let livelySince = Date.now();
let quoteTimer = null;
let quoting = null;
let endTimer = null;
let drawing = null;

// --- Showing

function draw() {
  const now = clock.now();
  const view = viewOf(model, now);
  const speaker = speakerOf(language, model.product ?? { unit: "day", time_zone: "UTC" });
  if (view.state === "code" && model.shown) model.shown.gateway = model.choice.gateway;
  render(view, model, now, speaker, press);
  // The code goes at its very end, not at the next tick.
  clearTimeout(endTimer);
  if (view.countdown) endTimer = setTimeout(draw, Math.max(view.countdown.until - now, 0) + 1);
  if (model.busy === null) drawPicture();
}

// Fetches the picture of the code that is to be shown.
async function drawPicture() {
  const url = ownOrder(model)?.payment?.code_url ?? null;
  if (!url || model.picture?.url === url || drawing === url || model.problem) return;
  drawing = url;
  const source = await server.picture(url);
  drawing = null;
  if (source) model.picture = { url, source };
  else model.problem = { code: "unreachable", again: () => draw() };
  draw();
}

function keepAll() {
  const { intent, shown, attempted, quote, spent, ask, choice } = model;
  memory.keepWindow({ intent, shown, attempted, quote, spent, ask });
  if (touched) memory.keepChoice(choice);
}

// --- Learning how the booking stands

async function poll() {
  clearTimeout(pollTimer);
  if (!link || model.linkProblem || document.hidden || model.busy || polling) return;
  polling = new AbortController();
  const own = polling;
  const answer = await server.booking(etag, own);
  if (polling !== own) return;
  polling = null;
  learn(answer);
  schedulePoll();
}

function schedulePoll() {
  clearTimeout(pollTimer);
  if (document.hidden || model.linkProblem) return;
  const lively = Date.now() - livelySince < POLL_FAST_FOR_MS;
  const grown = Math.min(pollDelayMs * POLL_GROWTH, POLL_SLOW_MS);
  pollDelayMs = lively && model.reachable ? POLL_FAST_MS : grown;
  pollTimer = setTimeout(poll, pollDelayMs);
}

// Asks at once, and often for a while.
function pollNow() {
  livelySince = Date.now();
  pollDelayMs = POLL_FAST_MS;
  clearTimeout(pollTimer);
  poll();
}

function stopPolling() {
  clearTimeout(pollTimer);
  polling?.abort();
  polling = null;
}

// Takes in an answer about the booking.
function learn(answer) {
  model.reachable = answer.kind === "ok" || answer.kind === "unchanged";
  if (model.reachable) model.confirmedAt = clock.now();
  if (answer.kind === "ok") {
    etag = answer.etag;
    takeBooking(answer.body);
  }
  if (answer.kind === "problem") learnProblem(answer);
  draw();
  if (model.reachable) ensureOffer();
}

function learnProblem({ status, problem }) {
  if (status === 401) model.linkProblem = problem.code ?? "link_invalid";
  if (status === 404) model.linkProblem = "not_found";
  // The server spoke: what it refused is not a matter of the connection.
  if (model.linkProblem) model.reachable = true;
}

function takeBooking(booking) {
  if (booking.version !== model.booking?.version) {
    livelySince = Date.now();
    model.remark = null;
  }
  if (booking.status !== model.booking?.status) model.problem = null;
  model.booking = booking;
  if (model.shown && !ownOrder(model)) model.shown = null;
  if (wasAttempted(booking.live_order) || (!model.shown && !touched)) useLive();
  // An order keeps a wallet that its product has given up: it is looked at before the choice.
  if (model.product) settleChoice();
  model.intent ??= booking.status === "pending_payment" ? intentOf(booking) : null;
  const own = ownOrder(model);
  if (own?.quote) memory.keepToken(own.order_id, own.quote.token);
  keepAll();
}

// Whether an order is what a press asked for whose answer was lost: then it is this window's, or
// another's that is the same to the customer.
function wasAttempted(live) {
  const { attempted, shown, busy } = model;
  if (!attempted || !live || busy || live.order_id === shown?.orderId) return false;
  const { kind, quantity, amount } = attempted;
  return live.kind === kind && live.quantity === quantity && isSameMoney(live.amount, amount);
}

// Makes the live order, if there is one, what this window is about.
function useLive() {
  const live = model.booking.live_order;
  if (!live) return;
  model.intent = intentOf(model.booking) ?? { kind: live.kind, base: null };
  model.choice = {
    quantity: live.quantity,
    gateway: live.payment?.gateway ?? model.choice.gateway,
  };
  adopt(live, live);
  if (live.quote) memory.keepToken(live.order_id, live.quote.token);
}

// Takes an order for this window's own. `agreed` is what the customer was shown.
function adopt(order, agreed) {
  const { quantity, amount } = agreed;
  model.shown = { orderId: order.order_id, quantity, amount, gateway: null };
  model.editing = false;
  model.ask = null;
  model.spent = null;
  model.attempted = null;
  merge(order);
}

// Puts an order that an answer brought into the booking, until the booking is read anew.
function merge(order) {
  const { booking } = model;
  const isLive = order.status === "pending";
  const rest = booking.orders.filter(({ order_id: id }) => id !== order.order_id);
  const orders = [order, ...rest];
  model.booking = { ...booking, orders, live_order: isLive ? order : booking.live_order };
  // What was merged is not what the tag names.
  etag = null;
}

async function refresh() {
  stopPolling();
  const [booking, product] = await Promise.all([server.booking(etag), server.product()]);
  if (product.kind === "ok") model.product = product.body;
  learn(booking);
}

// --- Doing something

// Runs one thing at a time; what is pressed meanwhile is dropped, because it is under way.
async function run(kind, task) {
  if (model.busy) return;
  model.busy = kind;
  model.problem = null;
  model.remark = null;
  stopPolling();
  draw();
  try {
    await task();
  } finally {
    model.busy = null;
    keepAll();
    draw();
    others?.postMessage("changed");
    pollNow();
  }
}

// What the page shows of the price, and what a press agrees to; null where it shows none.
function agreedNow() {
  const { summary } = viewOf(model, clock.now());
  if (!summary) return null;
  const { kind, quantity, amount } = summary;
  return { kind, quantity, amount };
}

// Brings a code for what was chosen at the price that was agreed to, or a question, or a problem.
async function obtainCode(agreed) {
  clearTimeout(quoteTimer);
  if (quoting) await quoting;
  model.attempted = agreed;
  await run("code", async () => {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const answer = await nextStep(agreed);
      if (!isWorthRepeating(answer)) model.attempted = null;
      if (answer.kind === "asked" || answer.kind === "shown") return;
      const code = answer.problem?.code;
      if (OVERTAKEN.includes(code)) return await refresh();
      if (code === "idempotency_mismatch") continue;
      if (!OUTDATED.includes(code)) return await tell(answer, () => obtainCode(agreed));
      if (!(await isOfferedAgain(answer.problem.offer, agreed))) return;
    }
    await tell({ kind: "unreachable" }, () => obtainCode(agreed));
  });
}

// Whether an offer that ran out holds again as agreed; else the page asks or shows what happened.
async function isOfferedAgain(offer, agreed) {
  model.spent = model.shown?.orderId ?? null;
  model.quote = null;
  await refresh();
  if (paidMeanwhile(model) || !offer) return false;
  if (isSameMoney(offer.amount, agreed.amount)) return true;
  model.ask = { old: agreed, offer };
  return false;
}

async function nextStep(agreed) {
  const own = ownOrder(model);
  const inTime = own && (!own.pay_by || clock.now() < Date.parse(own.pay_by));
  const fits = inTime && own.status === "pending" && own.quantity === model.choice.quantity;
  const token = fits && own.order_id !== model.spent ? memory.tokenOf(own.order_id) : null;
  if (token) return generatePayment(own, token, agreed);
  if (model.product.flow === "submit_once") return submitQuote(agreed);
  const answer = await askQuote(agreed);
  if (answer.kind !== "ok") return answer;
  if (!isSameMoney(answer.body.order.amount, agreed.amount)) return { kind: "asked" };
  if (paidMeanwhile(model)) return { kind: "asked" };
  if (answer.body.payment) return { kind: "shown" };
  const made = ownOrder(model);
  return generatePayment(made, memory.tokenOf(made.order_id), agreed);
}

async function generatePayment(order, token, agreed) {
  const { gateway } = model.choice;
  const answer = await server.payment({ order_id: order.order_id, quote_token: token, gateway });
  return takeOrder(answer, agreed);
}

async function submitQuote(agreed) {
  const { quantity, gateway } = model.choice;
  if (model.quote?.quantity !== quantity || model.quote.kind !== model.intent.kind) {
    const answer = await askQuote(agreed);
    if (answer.kind !== "ok") return answer;
  }
  const { quote } = model;
  if (!isSameMoney(quote.amount, agreed.amount)) {
    model.ask = { old: agreed, offer: quote };
    return { kind: "asked" };
  }
  const answer = await server.order({ quote_token: quote.token, gateway });
  if (answer.kind === "ok") {
    memory.keepToken(answer.body.order.order_id, quote.token);
    model.quote = null;
  }
  // The token has made an order at another gateway: only a new quote makes one here.
  if (answer.problem?.code === "idempotency_mismatch") model.quote = null;
  return takeOrder(answer, agreed);
}

function takeOrder(answer, agreed) {
  if (answer.kind !== "ok") return answer;
  model.confirmedAt = clock.now();
  model.reachable = true;
  adopt(answer.body.order, agreed);
  return { kind: "shown" };
}

// Asks for a quote, and takes the order that the flow makes with it for this window's own.
async function askQuote(agreed) {
  const { quantity, gateway } = model.choice;
  const { kind, base } = model.intent;
  const wanted = model.product.flow === "instant" ? { quantity, gateway } : { quantity };
  const attempt = JSON.stringify([wanted, kind, base]);
  const makesOrder = model.product.flow === "order_first";
  if (makesOrder) {
    // The order is this window's, even if the page goes before it hears of it.
    model.attempted = agreed ?? agreedNow();
    keepAll();
  }
  const answer = await server.quote(wanted, memory.attemptKey(attempt));
  if (!isWorthRepeating(answer)) {
    memory.endAttempt(attempt);
    if (makesOrder) model.attempted = null;
  }
  if (answer.kind !== "ok") return answer;
  model.confirmedAt = clock.now();
  model.reachable = true;
  const { quote, order } = answer.body;
  if (!order) {
    model.quote = quote;
    return answer;
  }
  memory.keepToken(order.order_id, quote.token);
  adopt(order, agreed ?? order);
  return answer;
}

// Has the price of what is chosen asked for, where a flow does so before anything is pressed.
function ensureOffer() {
  if (!needsOffer() || model.problem) return;
  const asking = run("quote", async () => {
    const answer = await askQuote(null);
    if (answer.kind !== "ok") await tell(answer, ensureOffer);
  });
  quoting = asking.finally(() => {
    quoting = null;
    // The choice may have changed meanwhile.
    scheduleOffer();
  });
}

function needsOffer() {
  const { product, booking, intent, choice, quote, busy, ask } = model;
  if (!product || !booking || !intent || busy || ask || !model.reachable) return false;
  if (paidMeanwhile(model) || product.gateways.length === 0 || product.flow === "instant") {
    return false;
  }
  const own = ownOrder(model);
  if (own && (own.status !== "pending" || own.quantity === choice.quantity)) return false;
  // Another window's order is not voided before somebody presses something.
  if (product.flow === "order_first") return Boolean(own) || !booking.live_order;
  return quote?.quantity !== choice.quantity || quote.kind !== intent.kind;
}

function scheduleOffer() {
  clearTimeout(quoteTimer);
  if (needsOffer()) quoteTimer = setTimeout(ensureOffer, TYPING_PAUSE_MS);
}

// Shows what went wrong, and what pressing "try again" does.
async function tell(answer, again) {
  const wallet = model.choice.gateway;
  if (answer.kind === "unreachable") {
    model.problem = { code: "unreachable", again };
    return;
  }
  learnProblem(answer);
  const { code, title, detail } = answer.problem;
  if (CHANGED.includes(code)) {
    await refresh();
    // What the page shows by now may say it all.
    if (viewOf({ ...model, busy: null }, clock.now()).notice) return;
  }
  const busy = code === "version_conflict" || answer.status === 429;
  model.problem = { code: busy ? "busy" : code, title, detail, wallet, again };
}

// --- What can be pressed

const ACTIONS = {
  show_code: () => obtainCode(agreedNow()),
  use_live() {
    touched = false;
    useLive();
  },
  make_mine: makeAgain,
  new_code: makeAgain,
  accept() {
    const { ask } = model;
    model.ask = null;
    if (ask) return obtainCode(ask.offer);
    const own = ownOrder(model);
    model.shown.amount = own.amount;
    return own.payment?.code_url ? undefined : obtainCode(own);
  },
  decline: () => cancel(() => server.cancelOrder(model.shown.orderId)),
  start_again: lookAnew,
  go_on: lookAnew,
  renew() {
    lookAnew();
    model.intent ??= intentOf(model.booking);
  },
  check_paid: () => checkPaid(),
  change_quantity() {
    model.editing = true;
  },
  keep_code() {
    model.editing = false;
    model.choice = { ...model.choice, quantity: ownOrder(model).quantity };
  },
  try_again() {
    const again = model.problem?.again;
    model.problem = null;
    return again?.();
  },
  cancel_order() {
    const { order_id: id } = model.booking.live_order;
    return cancel(() => server.cancelOrder(id));
  },
  cancel_booking: () => cancel(() => server.cancelBooking()),
};

async function press(name) {
  livelySince = Date.now();
  if (name !== "try_again") model.problem = null;
  const done = ACTIONS[name]();
  keepAll();
  draw();
  focusIfLost();
  await done;
  focusIfLost();
  scheduleOffer();
}

function focusIfLost() {
  const active = document.activeElement;
  if (!active || active === document.body || active.closest("[hidden]") || active.disabled) {
    focusOnChange();
  }
}

// The same quantity and price as an order that has ended, as a new order.
function makeAgain() {
  const own = ownOrder(model);
  const { kind, quantity, amount } = own;
  model.choice = { ...model.choice, quantity };
  model.editing = false;
  const wasShown = own.payments.length > 0 || model.product.flow !== "order_first";
  if (wasShown) return obtainCode({ kind, quantity, amount });
  return run("quote", async () => {
    const answer = await askQuote({ kind, quantity, amount });
    if (answer.kind !== "ok") await tell(answer, () => press("make_mine"));
  });
}

// Leaves an order that is over behind.
function lookAnew() {
  model.shown = null;
  model.ask = null;
  model.quote = null;
  model.editing = false;
  model.intent = null;
  touched = false;
  takeBooking(model.booking);
}

function checkPaid() {
  const own = ownOrder(model);
  const token = memory.tokenOf(own.order_id);
  return run("check", async () => {
    // Generating the current payment again has the gateway asked: that finds a lost notification.
    if (token) await generatePayment(own, token, own);
    await refresh();
    if (ownOrder(model)?.status === "pending") model.remark = { code: "not_paid_yet" };
  });
}

function cancel(call) {
  if (!model.shown && model.ask) {
    model.ask = null;
    return undefined;
  }
  return run("cancel", async () => {
    const answer = await call();
    const code = answer.problem?.code;
    model.ask = null;
    await refresh();
    if (answer.kind !== "ok" && !OVERTAKEN.includes(code)) {
      await tell(answer, () => cancel(call));
    }
  });
}

// --- What can be chosen

function choose(choice) {
  livelySince = Date.now();
  touched = true;
  model.choice = { ...model.choice, ...choice };
  model.problem = null;
  model.remark = null;
  keepAll();
  draw();
  scheduleOffer();
}

function chooseQuantity(quantity) {
  const { min_quantity: min, max_quantity: max } = model.product;
  if (Number.isInteger(quantity)) choose({ quantity: Math.min(Math.max(quantity, min), max) });
}

// Keeps the choice within what the product allows.
function settleChoice() {
  const { product, choice } = model;
  const { min_quantity: min, max_quantity: max, gateways } = product;
  const quantity = Math.min(Math.max(choice.quantity, min), max);
  const wallets = walletsOf(model, ownOrder(model));
  const gateway = wallets.includes(choice.gateway) ? choice.gateway : (gateways[0] ?? null);
  model.choice = { quantity, gateway };
}

function speak(tag) {
  language = tag;
  keepLanguage(tag);
  model.problem = null;
  draw();
}

// --- Beginning

function listen() {
  const on = (id, what, react) => element(id).addEventListener(what, react);
  const pressing = [
    ["show-code", "show_code"],
    ["check-paid", "check_paid"],
    ["change-quantity", "change_quantity"],
    ["keep-code", "keep_code"],
    ["try-again", "try_again"],
  ];
  for (const [id, name] of pressing) on(id, "click", () => press(name));
  on("less", "click", () => chooseQuantity(model.choice.quantity - 1));
  on("more", "click", () => chooseQuantity(model.choice.quantity + 1));
  on("quantity", "input", ({ target }) => {
    if (target.validity.valid && target.value !== "") chooseQuantity(Number(target.value));
  });
  on("quantity", "change", ({ target }) => {
    chooseQuantity(Math.trunc(Number(target.value)));
    target.value = model.choice.quantity;
  });
  on("wallet-options", "change", ({ target }) => choose({ gateway: target.value }));
  on("languages", "click", ({ target }) => {
    const tag = target.closest("[data-language]")?.dataset.language;
    if (tag) speak(tag);
  });
  listenToDialog(on);
}

function listenToDialog(on) {
  const dialog = element("cancel-dialog");
  on("cancel", "click", () => dialog.showModal());
  on("cancel-nothing", "click", () => dialog.close());
  const closing = (name) => () => {
    dialog.close();
    press(name);
  };
  on("cancel-order", "click", closing("cancel_order"));
  on("cancel-booking", "click", closing("cancel_booking"));
}

function listenToWorld() {
  const lookAgain = () => {
    draw();
    if (!document.hidden) pollNow();
  };
  document.addEventListener("visibilitychange", lookAgain);
  window.addEventListener("pageshow", ({ persisted }) => persisted && lookAgain());
  window.addEventListener("online", lookAgain);
  // Whoever comes back to the page wants to know at once.
  const notice = () => pollDelayMs > POLL_FAST_MS && pollNow();
  for (const sign of ["focus", "pointerdown", "keydown"]) window.addEventListener(sign, notice);
  window.addEventListener("offline", () => {
    model.reachable = false;
    draw();
  });
  // Another link was opened in this window: it is another page.
  window.addEventListener("hashchange", () => location.reload());
  others?.addEventListener("message", pollNow);
  setInterval(() => document.hidden || draw(), TICK_MS);
}

// Loads what is to be shown, and tries again until it is there.
async function load() {
  const [booking, product] = await Promise.all([server.booking(null), server.product()]);
  if (product.kind === "ok") model.product = product.body;
  learn(booking);
  if (model.linkProblem) return;
  if (!model.product || !model.booking) {
    setTimeout(load, POLL_FAST_MS);
    return;
  }
  settleChoice();
  draw();
  schedulePoll();
}

listen();
draw();
if (link) {
  listenToWorld();
  load();
}
