"use strict";

// The customer's phone: the codes that there are, and what can be done with each.

const POLL_MS = 1_000;

// Each action: its call, and what it says beside the code.
const ACTIONS = {
  scan: { path: "scan", more: {} },
  pay: { path: "pay", more: {} },
  cancel: { path: "refuse", more: {} },
  decline: { path: "refuse", more: {} },
  force: { path: "pay", more: { force: true } },
  twice: { path: "pay", more: { force: true } },
};

let codes = [];
let chosen = null;
let isSilent = false;

// What the customer can do with a code, as far as its gateway and its state allow.
function actionsOf({ status, gateway }) {
  const refuse = gateway === "stripe" ? "decline" : "cancel";
  return {
    open: ["scan", "pay", refuse],
    scanned: ["pay", refuse],
    paid: ["twice"],
    closed: ["force"],
    expired: ["force"],
  }[status];
}

async function act(action, codeUrl) {
  const { path, more } = ACTIONS[action];
  try {
    await call("POST", `/simulator/${path}`, { body: { code_url: codeUrl, ...more } });
    say(text(`said_${action}`));
  } catch (error) {
    say(text("failed", { why: error.message }), "bad");
  }
  chosen = codeUrl;
  await look();
}

async function look() {
  const { codes: newest } = await call("GET", "/simulator/codes");
  codes = newest;
  if (isSilent) say("");
  isSilent = false;
  show();
}

function show() {
  element("none").hidden = codes.length > 0;
  const list = element("codes");
  const cards = new Map([...list.children].map((card) => [card.dataset.code, card]));
  const wanted = codes.map((code) => cardOf(code, cards.get(code.code_url)));
  for (const card of cards.values()) if (!wanted.includes(card)) card.remove();
  wanted.forEach((card, at) => {
    if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null);
  });
}

// The card of a code: the one that is there, while what it shows is the same.
function cardOf(code, before) {
  const seen = JSON.stringify([language, code, code.code_url === chosen]);
  if (before?.dataset.seen === seen) return before;
  const card = before ?? make("li", { tabindex: "-1", "data-code": code.code_url });
  const hadFocus = card.contains(document.activeElement);
  card.dataset.seen = seen;
  card.dataset.status = code.status;
  card.dataset.payment = code.payment_id;
  card.className = `card ${code.status}${code.code_url === chosen ? " chosen" : ""}`;
  card.replaceChildren(...contentOf(code));
  if (hadFocus) card.focus();
  return card;
}

function contentOf(code) {
  const { status, gateway, amount, captured, refunded } = code;
  const ends = Date.parse(code.expires_at);
  const content = [
    make(
      "div",
      { class: "split" },
      make("h3", {}, nameOf(gateway)),
      make("span", { class: "status" }, text(`status_${status}`)),
    ),
    make("span", { class: "amount" }, money(amount)),
    make("p", { class: "code" }, code.code_url),
  ];
  // A QR of Stripe's does not end by itself.
  if (["open", "scanned"].includes(status) && new Date(ends).getUTCFullYear() < 9999) {
    content.push(make("p", {}, text("until", { until: moment(ends) })));
  }
  if (captured.amount > 0) {
    content.push(make("p", {}, text("captured", { amount: money(captured) })));
  }
  if (refunded.amount > 0) {
    content.push(make("p", { class: "back" }, text("refunded", { amount: money(refunded) })));
  }
  const buttons = actionsOf(code).map((action) =>
    button(action, () => act(action, code.code_url), { class: action === "pay" ? "strong" : "" }),
  );
  content.push(make("div", { class: "row" }, ...buttons));
  return content;
}

// A gateway that has no name of its own here goes by the one that the API gives it.
function nameOf(gateway) {
  const key = `gateway_${gateway}`;
  return Object.hasOwn(TEXTS, key) ? text(key) : gateway;
}

async function follow() {
  try {
    if (!document.hidden) await look();
  } catch {
    isSilent = true;
    say(text("unreachable"), "bad");
  }
  setTimeout(follow, POLL_MS);
}

element("scan").addEventListener("submit", async (event) => {
  event.preventDefault();
  const codeUrl = element("code-url").value.trim();
  await act("scan", codeUrl);
  const cards = [...element("codes").children];
  cards.find((card) => card.dataset.code === codeUrl)?.focus();
});
speak(show);
follow();
