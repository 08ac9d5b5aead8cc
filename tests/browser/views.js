"use strict";

// Goes through all that the checkout page may know of a booking, and complains about any view that
// must not be. It runs in the page, beside the page's own scripts.

const NOW = Date.parse("2026-03-01T12:00:00Z");
const IN_TIME = "2026-03-01T12:10:00Z";
const TOO_LATE = "2026-03-01T12:00:00Z";
const TERM = { starts_at: "2026-02-28T12:00:00Z", valid_until: "2026-03-02T12:00:00Z" };
const OWN_CODE = "https://gateway.test/own";
const OTHER_CODE = "https://gateway.test/other";
const REASONS = [
  "amount_mismatch", "duplicate_payment", "superseded", "stale", "expired", "cancelled",
  "booking_not_payable", "late_payment", "unmatched", "foreign_refund", "dispute",
];
// Views with nothing to press foremost, and why.
const NO_WAY_ON = {
  loading: "nothing is known yet",
  link_missing: "only a new link helps",
  link_expired: "only a new link helps",
  link_invalid: "only a new link helps",
  not_found: "only a new link helps",
  making_code: "it passes by itself",
  checking: "it passes by itself",
  offline: "it passes by itself",
  cancelled: "nothing can be bought any more",
  term_over: "nothing can be bought any more",
  unavailable: "nothing can be bought any more",
  renewal_limit: "nothing can be bought any more",
  paid: "all is done, and renewing is a choice",
  paid_elsewhere: "all is done, and renewing is a choice",
  active: "all is done, and renewing is a choice",
};

const money = (amount) => ({ amount, currency: "CNY" });

function refundOf(status, reason) {
  return { refund_id: reason, status, amount: money(2560), reason, updated_at: IN_TIME };
}

function orderOf(differences) {
  return {
    order_id: "own", kind: "first", status: "pending", quantity: 2, amount: money(2560),
    pay_by: null, payment: null, payments: [], refunds: [], ...differences,
  };
}

const PAYABLE = { gateway: "alipay", status: "payable", code_url: OWN_CODE };
const OTHER = orderOf({
  order_id: "other", quantity: 3, amount: money(3840), pay_by: IN_TIME,
  payment: { ...PAYABLE, code_url: OTHER_CODE },
});
const COMING_BACK = ["due", "submitted", "needs_attention", "succeeded"].map((status) => {
  const refunds = REASONS.map((reason) => refundOf(status, reason));
  return orderOf({ status: "superseded", pay_by: IN_TIME, payment: PAYABLE, refunds });
});
const ENDED = ["paid", "superseded", "stale", "expired", "cancelled"].map((status) =>
  orderOf({ status, pay_by: IN_TIME, payment: PAYABLE }));
const PENDING = [
  orderOf({}),
  orderOf({ pay_by: IN_TIME, payment: { ...PAYABLE, status: "creating", code_url: null } }),
  orderOf({ pay_by: IN_TIME, payment: PAYABLE }),
  orderOf({ pay_by: TOO_LATE, payment: PAYABLE }),
  orderOf({ amount: money(3000), pay_by: IN_TIME, payment: PAYABLE }),
];

// Each way in which something may stand, by its name; all of them are combined.
const WAYS = {
  status: ["pending_payment", "active", "expired", "cancelled"],
  own: [null, ...PENDING, ...ENDED, ...COMING_BACK],
  other: [null, OTHER],
  intent: [null, { kind: "first", base: null }, { kind: "renewal", base: TERM.valid_until }],
  heard: [
    { reachable: true, confirmedAt: NOW },
    { reachable: true, confirmedAt: NOW - CONFIRMED_MAX_MS - 1 },
    { reachable: false, confirmedAt: NOW },
  ],
  choice: [
    { quantity: 2, gateway: "alipay" },
    { quantity: 2, gateway: "stripe" },
    { quantity: 1, gateway: "alipay" },
  ],
  editing: [false, true],
  picture: [null, { url: OWN_CODE, source: "own" }, { url: OTHER_CODE, source: "other" }],
  busy: [null, "quote", "code"],
  ask: [null, { old: { quantity: 2, amount: money(2560) }, offer: OTHER }],
  gateways: [[], ["alipay", "stripe"]],
  renewals: [0, 12],
};

function* combined([way, ...rest]) {
  if (way === undefined) {
    yield {};
    return;
  }
  for (const others of combined(rest)) {
    for (const value of WAYS[way]) yield { ...others, [way]: value };
  }
}

// What the page knows where things stand so; null where they cannot: a pending order is the one
// that is live, and a cancelled booking has none.
function modelOf(flow, it) {
  const live = it.own?.status === "pending" ? it.own : it.other;
  if (it.own?.status === "pending" && it.other) return null;
  if (live && it.status === "cancelled") return null;
  const { own } = it;
  const shown = own && { orderId: "own", quantity: 2, amount: money(2560), gateway: "alipay" };
  const term = it.status === "active" || it.status === "expired" ? TERM : null;
  const orders = [it.other, own].filter((order) => order !== null);
  const { gateways, renewals } = it;
  return {
    ...it.heard, linkProblem: null, quote: null, shown, choice: it.choice, intent: it.intent,
    editing: it.editing, picture: it.picture, busy: it.busy, ask: it.ask,
    booking: { status: it.status, term, renewals, live_order: live, orders },
    product: {
      flow, gateways, unit: "day", time_zone: "Asia/Shanghai", max_renewals: 12, tiers: [],
      first_unit_price: money(1280), renewal_unit_price: money(990), payment_ttl_s: 900,
    },
  };
}

function* modelsOf(flow) {
  const problems = [null, "link_missing", "link_expired", "link_invalid", "not_found"];
  for (const linkProblem of problems) {
    yield { linkProblem, reachable: true, booking: null, product: null };
  }
  for (const it of combined(Object.keys(WAYS))) {
    const model = modelOf(flow, it);
    if (model) yield model;
  }
}

// The texts of a view: each a key and its values.
function textsOf({ state, notice, hints, summary, refunds, pay, cancellable }) {
  const covers = { making_code: "making_code", checking: "checking", offline: "veiled" };
  const keys = [
    Object.hasOwn(TEXTS, `say_${state}`) ? null : state,
    summary?.kind, summary?.label, covers[pay?.kind], ...cancellable,
    ...(notice?.compare ?? []).map(({ label }) => label),
    ...refunds.map(({ reason }) => `reason_${reason}`),
    ...refunds.map(({ status }) => `refund_${status}`),
  ];
  const actions = [...(notice?.actions ?? []), ...hints.map((hint) => hint.action)];
  return [
    ...keys.filter(Boolean).map((key) => [key]),
    ...(notice ? [notice.title, notice.text] : []),
    ...hints.map(({ text }) => text),
    ...actions.filter(Boolean).map(({ label }) => label),
  ];
}

function* badTexts(view, speakers) {
  for (const [key, values] of textsOf(view)) {
    if (!Object.hasOwn(TEXTS, key)) yield `no text ${key}`;
    for (const speaker of speakers) {
      const said = speaker.text(key, values);
      const isWhole = said !== "" && !/[{}]|gateway\.test/.test(said);
      if (!isWhole) yield `${speaker.language} says ${said} for ${key}`;
    }
  }
}

// Whatever asks to be pressed before all else, and the code, which asks to be scanned.
function foremost({ notice, hints, pay }) {
  const actions = [...(notice?.actions ?? []), ...hints.map((hint) => hint.action)];
  const strong = actions.filter((action) => action?.weight === "strong").map(({ name }) => name);
  return ["placeholder", "code"].includes(pay?.kind) ? [...strong, pay.kind] : strong;
}

function* badWays(view) {
  const ways = foremost(view);
  const wanted = Object.hasOwn(NO_WAY_ON, view.state) ? 0 : 1;
  if (ways.length !== wanted) yield `${ways.length} ways on: ${ways}`;
}

function* badCodes(view, { booking, reachable, confirmedAt, picture }) {
  const written = JSON.stringify(view.pay);
  const shown = [OWN_CODE, OTHER_CODE].filter((url) => written.includes(url));
  if (view.state === "code" ? shown.length !== 1 : shown.length > 0) yield `codes: ${shown}`;
  if (view.state !== "code") return;
  const live = booking.live_order;
  const isLive = live?.payment?.code_url === shown[0] && Date.parse(live.pay_by) > NOW;
  if (!isLive) yield "the code is not live";
  if (!reachable || NOW - confirmedAt > CONFIRMED_MAX_MS) yield "the code is not confirmed";
  if (picture.url !== shown[0] || view.pay.code.picture !== picture.source) yield "another picture";
}

// Looks at every view of a flow: the states that there are, and what is wrong with them.
function seeViews(flow) {
  const product = { unit: "day", time_zone: "Asia/Shanghai" };
  const speakers = LANGUAGES.map((language) => speakerOf(language, product));
  const [states, complaints, seen] = [new Set(), new Set(), new Set()];
  for (const model of modelsOf(flow)) {
    const view = viewOf(model, NOW);
    states.add(view.state);
    for (const bad of badWays(view)) complaints.add(`${view.state}: ${bad}`);
    for (const bad of badCodes(view, model)) complaints.add(`${view.state}: ${bad}`);
    const texts = JSON.stringify(textsOf(view));
    if (seen.has(texts)) continue;
    seen.add(texts);
    for (const bad of badTexts(view, speakers)) complaints.add(`${view.state}: ${bad}`);
  }
  return { states: [...states], complaints: [...complaints] };
}

// What is wrong with the table of texts, and with what the document takes from it.
function seeTexts() {
  const valuesOf = (text) => JSON.stringify((text.match(/\{\w+\}/g) ?? []).sort());
  const unlike = Object.entries(TEXTS).filter(([, texts]) =>
    texts.length !== LANGUAGES.length || texts.includes("") ||
    new Set(texts.map(valuesOf)).size !== 1);
  const named = [...document.querySelectorAll("[data-text], [data-label]")].flatMap((it) =>
    [it.dataset.text, it.dataset.label].filter(Boolean));
  return [...unlike.map(([key]) => key), ...named.filter((key) => !Object.hasOwn(TEXTS, key))];
}

Object.assign(window, { seeViews, seeTexts });
