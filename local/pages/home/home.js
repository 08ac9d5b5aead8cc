"use strict";

// The laptop's first page: what this is, and a checkout for each flow at a press.

const PRODUCTS = ["desk-order", "desk-submit", "desk-instant"];
const CUSTOMER = { Authorization: "Bearer dev:alice" };
const POLL_MS = 3_000;
const MINUTES_S = 15 * 60 + 1;
const DAY_S = 24 * 60 * 60;

let shown = "";

async function showProducts() {
  const products = await Promise.all(
    PRODUCTS.map((id) => call("GET", `/v1/products/${id}`, { headers: CUSTOMER })),
  );
  element("products").replaceChildren(...products.map(productCard));
}

function productCard({ product_id: id, name, flow, first_unit_price: price }) {
  return make(
    "li",
    { class: "card", "data-product": id },
    make("h3", {}, name),
    make("p", {}, `${money(price)} · ${flow}`),
    make("p", {}, text(`flow_${flow}`)),
    button("open_checkout", () => openNew(id), { class: "strong" }),
  );
}

async function openNew(productId) {
  await inNewTab(async () => {
    const headers = { ...CUSTOMER, "Idempotency-Key": crypto.randomUUID() };
    const body = { product_id: productId };
    const booking = await call("POST", "/v1/bookings", { headers, body });
    return booking.booking_id;
  });
}

// Leads a new tab to the checkout of the booking that `booked` answers. The tab is opened before
// anything is waited for: only then do browsers see that a press has caused it.
async function inNewTab(booked) {
  const tab = window.open("about:blank", "_blank");
  try {
    const path = `/v1/bookings/${await booked()}/checkout-link`;
    const body = { return_url: `${location.origin}/` };
    const { url } = await call("POST", path, { headers: CUSTOMER, body });
    lead(tab, url);
    await showBookings();
  } catch (error) {
    tab?.close();
    say(text("failed", { why: error.message }), "bad");
  }
}

function lead(tab, url) {
  if (tab) {
    tab.location.replace(url);
    say(text("opened"));
    return;
  }
  say(`${text("blocked")} `);
  element("said").append(make("a", { href: url, target: "_blank" }, text("checkout")));
}

async function showBookings() {
  const { bookings } = await call("GET", "/v1/bookings", { headers: CUSTOMER });
  const seen = JSON.stringify([language, bookings]);
  if (seen === shown) return;
  shown = seen;
  element("none").hidden = bookings.length > 0;
  element("bookings").replaceChildren(...bookings.map(bookingCard));
}

function bookingCard({ booking_id: id, product_id: product, status, term }) {
  const until = term ? moment(Date.parse(term.valid_until)) : "";
  return make(
    "li",
    { class: "card", "data-booking": id, "data-status": status },
    make("h3", {}, `${product} ${id.slice(0, 8)}`),
    make("p", {}, text(`status_${status}`, { until })),
    button("another_window", () => inNewTab(async () => id)),
  );
}

async function turnClock(seconds) {
  try {
    const { now } = await call("POST", "/simulator/clock", { body: { advance_s: seconds } });
    say(text("turned", { now: moment(Date.parse(now)) }));
    await showBookings();
  } catch (error) {
    say(text("failed", { why: error.message }), "bad");
  }
}

async function show() {
  try {
    await Promise.all([showProducts(), showBookings()]);
  } catch (error) {
    say(text("failed", { why: error.message }), "bad");
  }
}

// A missed look is made up by the next one.
async function follow() {
  if (!document.hidden) await showBookings().catch(() => undefined);
  setTimeout(follow, POLL_MS);
}

speak(show);
element("minutes").addEventListener("click", () => turnClock(MINUTES_S));
element("day").addEventListener("click", () => turnClock(DAY_S));
show();
setTimeout(follow, POLL_MS);
