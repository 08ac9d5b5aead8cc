"use strict";

// The page: what is loaded when, and what the operator does.

// How many pages of the table are added up without asking whether to go on: 500 items each.
const FIGURES_PAGES_AT_ONCE = 40;
// What can be tried again; anything else can only be resolved.
const RETRYABLE = ["refund", "close_payment", "query_payment"];
// How long after an action the lists are looked at again: their index lags behind the table, and
// what was set going ends later.
const LOOKS_AFTER_MS = [1_000, 3_000, 10_000, 30_000];
const LAPTOPS = ["127.0.0.1", "localhost", "[::1]"];
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";

// What is shown of each list. A load that a newer one has overtaken is not shown any more.
const lists = { attention: [], tasks: [] };
const latest = { attention: 0, tasks: 0, figures: 0, booking: 0 };
let reference = null;
let shownBooking = null;
let releasing = null;
let figuresLeft = null;
let lookingAgain = null;

function begin(name) {
  latest[name] += 1;
  const own = latest[name];
  setState(name, "loading");
  return () => own === latest[name];
}

function fail(name, error) {
  if (error.status === 401) {
    signOut(error.message);
    return;
  }
  tell(name, error);
  setState(name, "failed");
}

// ---- Signing in ----

// The fragment says what to show, and hands over a token once: it is taken out of the address.
function readFragment() {
  const said = new URLSearchParams(location.hash.slice(1));
  const handed = said.get("token");
  if (handed !== null) {
    keepToken(handed);
    said.delete("token");
    history.replaceState(null, "", said.size > 0 ? `#${said}` : location.pathname);
  }
  return said.get("booking");
}

function signOut(message) {
  forgetToken();
  clearTimeout(lookingAgain);
  for (const name of Object.keys(latest)) {
    latest[name] += 1;
  }
  shownBooking = null;
  byId("release").close();
  byId("booking-body").replaceChildren();
  document.body.dataset.state = "signed-out";
  for (const name of ["desk", "search-form", "sign-out"]) {
    byId(name).hidden = true;
  }
  byId("sign-in").hidden = false;
  byId("sign-in-laptop").hidden = !LAPTOPS.includes(location.hostname);
  byId("sign-in-error").hidden = !message;
  byId("sign-in-error").textContent = message ?? "";
  byId("token").focus();
}

function signIn() {
  document.body.dataset.state = "signed-in";
  byId("sign-in").hidden = true;
  byId("token").value = "";
  for (const name of ["desk", "search-form", "sign-out"]) {
    byId(name).hidden = false;
  }
  loadLists();
  loadFigures();
  showBooking(reference);
}

function loadLists() {
  load("attention", api.attention, waitingElement);
  load("tasks", api.tasks, taskElement);
}

// Loads the lists, and again a few times, until the operator goes on to a list's next page.
function followLists(looks = LOOKS_AFTER_MS) {
  loadLists();
  clearTimeout(lookingAgain);
  const [wait, ...rest] = looks;
  if (wait !== undefined) {
    lookingAgain = setTimeout(() => followLists(rest), wait);
  }
}

// ---- Lists ----

// Loads a list from its beginning, or the page at `cursor` to what is shown of it.
async function load(name, read, show, cursor = null) {
  const isLatest = begin(name);
  try {
    const page = await read(cursor);
    if (!isLatest()) {
      return;
    }
    lists[name] = cursor === null ? page[name] : [...lists[name], ...page[name]];
    tell(name, null);
    replaceRows(byId(`${name}-list`), lists[name].map(show));
    const isEmpty = lists[name].length === 0 && page.next_cursor === null;
    byId(`${name}-empty`).hidden = !isEmpty;
    if (name === "tasks") {
      byId("tasks-table").hidden = lists[name].length === 0;
    }
    const more = byId(`${name}-more`);
    more.hidden = page.next_cursor === null;
    more.onclick = () => {
      clearTimeout(lookingAgain);
      load(name, read, show, page.next_cursor);
    };
    setState(name, isEmpty ? "empty" : "ready");
  } catch (error) {
    if (isLatest()) {
      fail(name, error);
    }
  }
}

// Shows a list's rows anew. What had the focus keeps it, unless its row is gone.
function replaceRows(list, rows) {
  const focused = document.activeElement;
  const idOf = (row) => row?.dataset.attentionId ?? row?.dataset.taskId;
  const former = [...list.children].find((row) => row.contains(focused));
  list.replaceChildren(...rows);
  if (former) {
    const at = [...former.querySelectorAll("button")].indexOf(focused);
    const row = rows.find((one) => idOf(one) === idOf(former));
    row?.querySelectorAll("button")[at]?.focus();
  }
}

function bookingLink(bookingId) {
  const go = () => openBooking(bookingId);
  return element("button", { type: "button", class: "link id", click: go, "data-booking-id": bookingId },
    bookingId);
}

function waitingElement(one) {
  const isRetryable = RETRYABLE.includes(one.subject);
  const retry = button("retry", {
    "data-action": "retry",
    disabled: !isRetryable,
    title: isRetryable ? null : text("retry_impossible"),
    click: () => openRelease(one, "retry"),
  });
  const resolve = button("resolve", {
    "data-action": "resolve", class: "quiet", click: () => openRelease(one, "resolve"),
  });
  return element(
    "li",
    { "data-attention-id": one.attention_id, "data-booking-id": one.booking_id, "data-subject": one.subject },
    element("strong", {}, text(`subject_${one.subject}`)),
    one.amount ? ` · ${moneyText(one.amount)}` : null, " · ",
    element("span", { class: "bad" }, reasonText(one.reason)),
    element("div", { class: "hint" }, textWith("since", "time", timeElement(one.since))),
    element("div", {}, bookingLink(one.booking_id)),
    element("div", { class: "actions" }, retry, resolve),
  );
}

function taskElement(task) {
  const isDue = Date.parse(task.due_at) <= serverNow();
  return element(
    "tr",
    { "data-task-id": task.task_id, "data-state": isDue ? "due" : "later" },
    element("td", {}, timeElement(task.due_at), " ",
      isDue ? element("span", { class: "badge wait" }, text("overdue")) : null),
    element("td", {}, taskText(task)),
    element("td", {}, bookingLink(task.booking_id)),
    element("td", { class: "number" }, String(task.tries)),
    element("td", { class: "bad" }, task.attention ? reasonText(task.attention) : ""),
  );
}

// ---- Retry and resolve ----

function openRelease(one, action) {
  releasing = { one, action };
  const about = [text(`subject_${one.subject}`), one.amount ? moneyText(one.amount) : null,
    reasonText(one.reason)];
  byId("release").dataset.action = action;
  byId("release-title").textContent = text(`${action}_title`);
  byId("release-about").textContent = about.filter((part) => part !== null).join(" · ");
  byId("release-text").textContent = text(`${action}_text`);
  byId("release-note-label").textContent = text(action === "resolve" ? "note_required" : "note_optional");
  byId("release-note").value = "";
  byId("release-note").required = action === "resolve";
  byId("release-confirm").textContent = text(action);
  byId("release-confirm").disabled = false;
  tell("release", null);
  byId("release").showModal();
  byId("release-note").focus();
}

async function release() {
  const { one, action } = releasing;
  const note = byId("release-note").value.trim();
  if (action === "resolve" && note === "") {
    tell("release", new Failure(text("note_missing"), 0));
    return;
  }
  byId("release-confirm").disabled = true;
  try {
    await api.release(one, action, note);
    byId("release").close();
    announce(text(action === "retry" ? "retried" : "resolved"));
    followLists();
    if (reference !== null) {
      showBooking(reference);
    }
  } catch (error) {
    byId("release-confirm").disabled = false;
    if (error.status === 401) {
      signOut(error.message);
    } else if (error.status === 404) {
      tell("release", new Failure(text("gone"), 404));
      loadLists();
    } else {
      tell("release", error);
    }
  }
}

// ---- A booking ----

// Goes to a booking: the address says which, so that going back and reloading work.
function openBooking(wanted) {
  if (reference === wanted) {
    showBooking(wanted);
  } else {
    location.hash = new URLSearchParams({ booking: wanted }).toString();
  }
}

async function showBooking(wanted, cursor = null) {
  reference = wanted;
  byId("booking").hidden = wanted === null;
  byId("reference").value = wanted ?? "";
  if (wanted === null) {
    shownBooking = null;
    latest.booking += 1;
    setState("booking", "closed");
    return;
  }
  const isLatest = begin("booking");
  try {
    const page = await api.booking(wanted, cursor);
    if (!isLatest()) {
      return;
    }
    shownBooking = cursor === null ? page : joined(shownBooking, page);
    tell("booking", null);
    const older = () => showBooking(wanted, shownBooking.next_cursor);
    byId("booking-body").replaceChildren(...bookingElements(shownBooking, waitingElement, older));
    setState("booking", "ready");
  } catch (error) {
    if (!isLatest()) {
      return;
    }
    if (cursor === null) {
      byId("booking-body").replaceChildren();
    }
    const isMissing = error.status === 404;
    fail("booking", isMissing ? new Failure(text("not_found", { reference: wanted }), 404) : error);
  }
}

// ---- Figures ----

const ORDER_FIGURES = ["made", "pending", "paid", "superseded", "stale", "expired", "cancelled"];
const MONEY_FIGURES = ["captured", "applied", "given_back", "refunded", "owed"];

// Adds a page's sums to what was added up before it.
function addUp(sum, page) {
  sum.bookings_opened += page.bookings_opened;
  for (const name of ORDER_FIGURES) {
    sum.orders[name] += page.orders[name];
  }
  for (const one of page.money) {
    sum.money[one.gateway] ??= Object.fromEntries(
      MONEY_FIGURES.map((name) => [name, { count: 0, amounts: {} }]),
    );
    for (const name of MONEY_FIGURES) {
      const figure = sum.money[one.gateway][name];
      figure.count += one[name].count;
      for (const { amount, currency } of one[name].amounts) {
        figure.amounts[currency] = (figure.amounts[currency] ?? 0) + amount;
      }
    }
  }
}

// The sums of a figure, one for each currency.
function amountsText(figure) {
  const amounts = Object.entries(figure.amounts);
  return amounts.map(([currency, amount]) => moneyText({ amount, currency })).join(" + ") || "–";
}

async function loadFigures() {
  const none = Object.fromEntries(ORDER_FIGURES.map((name) => [name, 0]));
  const sum = { bookings_opened: 0, orders: none, money: {}, pages: 0 };
  figuresLeft = { sum, day: byId("day").value, cursor: null };
  await goOnWithFigures();
}

async function goOnWithFigures() {
  const isLatest = begin("figures");
  byId("figures-more").hidden = true;
  const { sum, day } = figuresLeft;
  try {
    for (let page = 0; page < FIGURES_PAGES_AT_ONCE; page += 1) {
      const read = await api.figures(day, zone, figuresLeft.cursor);
      if (!isLatest()) {
        return;
      }
      addUp(sum, read);
      sum.pages += 1;
      figuresLeft.cursor = read.next_cursor;
      byId("day").value = read.day;
      figuresLeft.day = read.day;
      tell("figures", null);
      showFigures(sum);
      if (read.next_cursor === null) {
        byId("figures-progress").textContent = text("figures_done", { zone });
        setState("figures", "ready");
        return;
      }
      byId("figures-progress").textContent = text("figures_adding", sum);
    }
    byId("figures-progress").textContent = text("figures_paused", sum);
    byId("figures-more").hidden = false;
    setState("figures", "paused");
  } catch (error) {
    if (isLatest()) {
      byId("figures-more").hidden = sum.pages === 0;
      fail("figures", error);
    }
  }
}

function figureRow(name, label, ...values) {
  return element("tr", { "data-figure": name }, element("th", { scope: "row" }, label),
    values.map((value) => element("td", { class: "number" }, value)));
}

function showFigures(sum) {
  const head = (...names) => element("thead", {}, element("tr", {}, names.map((name, at) =>
    element("th", { scope: "col", class: at === 0 ? null : "number" }, text(name)))));
  const orders = element(
    "table", { id: "figures-orders" },
    element("caption", {}, text("orders_of_day")),
    head("figure", "count"),
    element("tbody", {},
      figureRow("bookings_opened", text("bookings_opened"), String(sum.bookings_opened)),
      ORDER_FIGURES.map((name) => {
        const label = text(name === "made" ? "orders_made_today" : `order_${name}`);
        return figureRow(name, label, String(sum.orders[name]));
      })),
  );
  const money = Object.entries(sum.money).map(([gateway, figures]) => element(
    "table", { "data-gateway": gateway },
    element("caption", {}, gatewayText(gateway)),
    head("figure", "count", "amount"),
    element("tbody", {}, MONEY_FIGURES.map((name) => figureRow(
      name, text(`money_${name}`), String(figures[name].count), amountsText(figures[name])))),
  ));
  const noMoney = element("p", { class: "empty" }, text("no_money"));
  byId("figures-body").replaceChildren(orders, ...(money.length > 0 ? money : [noMoney]));
}

// ---- The beginning ----

function on(id, event, act) {
  byId(id).addEventListener(event, (happened) => {
    happened.preventDefault();
    act();
  });
}

function start() {
  document.documentElement.lang = locale;
  document.title = text("title");
  for (const place of document.querySelectorAll("[data-text]")) {
    place.textContent = text(place.dataset.text);
  }
  on("sign-in-form", "submit", () => {
    keepToken(byId("token").value.trim());
    signIn();
  });
  on("sign-in-laptop", "click", () => {
    keepToken("dev:admin");
    signIn();
  });
  on("sign-out", "click", () => signOut());
  on("search-form", "submit", () => openBooking(byId("reference").value.trim()));
  on("attention-refresh", "click", () => load("attention", api.attention, waitingElement));
  on("tasks-refresh", "click", () => load("tasks", api.tasks, taskElement));
  on("figures-refresh", "click", loadFigures);
  on("figures-more", "click", goOnWithFigures);
  on("day", "change", loadFigures);
  on("booking-refresh", "click", () => showBooking(reference));
  on("booking-close", "click", () => { location.hash = ""; });
  on("release-form", "submit", release);
  on("release-cancel", "click", () => byId("release").close());
  addEventListener("hashchange", async () => {
    const wanted = readFragment();
    if (token() !== null && document.body.dataset.state === "signed-in") {
      await showBooking(wanted);
      byId("booking").focus();
    } else if (token() !== null) {
      reference = wanted;
      signIn();
    }
  });
  reference = readFragment();
  if (token() === null) {
    signOut();
  } else {
    signIn();
  }
}

start();
