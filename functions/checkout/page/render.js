"use strict";

// Puts what `viewOf` says into the document, and touches only what differs.

const MINUTE_MS = 60_000;

const element = (id) => document.getElementById(id);

// Texts and values as a language writes them.
function speakerOf(language, product) {
  const text = (key, values = {}) => textIn(language, key, spoken(values));

  function money({ amount, currency }) {
    const format = new Intl.NumberFormat(language, { style: "currency", currency });
    const digits = format.resolvedOptions().maximumFractionDigits;
    return format.format(amount / 10 ** digits);
  }

  function unit(quantity) {
    const many = new Intl.PluralRules(language).select(quantity) === "one" ? "" : "s";
    return textIn(language, `unit_${product.unit}${many}`);
  }

  function duration(quantity) {
    const number = new Intl.NumberFormat(language).format(quantity);
    return textIn(language, "duration", { quantity: number, unit: unit(quantity) });
  }

  // A gateway as it is called in a sentence.
  function wallet(gateway) {
    const key = `name_${gateway}`;
    return Object.hasOwn(TEXTS, key) ? textIn(language, key) : gateway;
  }

  // A gateway as one of several ways to pay.
  function option(gateway) {
    const key = `wallet_${gateway}`;
    return Object.hasOwn(TEXTS, key) ? textIn(language, key) : gateway;
  }

  function bought({ quantity, amount }) {
    const values = { duration: duration(quantity), amount: money(amount) };
    return textIn(language, "quantity_and_amount", values);
  }

  // Each value by its name in the table of texts.
  function spoken(values) {
    const ways = {
      amount: money,
      duration: ({ quantity }) => duration(quantity),
      theirs: bought,
      wallet,
    };
    const entries = Object.entries(values);
    return Object.fromEntries(entries.map(([name, it]) => [name, ways[name]?.(it) ?? it]));
  }

  const here = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const dateStyle = { year: "numeric", month: "short", day: "numeric" };
  const style = { ...dateStyle, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

  // A moment as the wall clock of the product's time zone, which is named where it is another one.
  function moment(at) {
    const zone = product.time_zone;
    const named = zone === here ? {} : { timeZoneName: "short" };
    return new Intl.DateTimeFormat(language, { ...style, timeZone: zone, ...named }).format(at);
  }

  function wallTime(at) {
    const numeric = { year: "numeric", month: "numeric", day: "numeric" };
    const clock = { hour: "numeric", minute: "numeric", hourCycle: "h23" };
    const zone = { timeZone: product.time_zone };
    const format = new Intl.DateTimeFormat("en", { ...numeric, ...clock, ...zone });
    const parts = format.formatToParts(at);
    return Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  }

  function wallMoment({ year, month, day, hour, minute }) {
    const at = Date.UTC(year, month - 1, day, hour, minute);
    return new Intl.DateTimeFormat(language, { ...style, timeZone: "UTC" }).format(at);
  }

  return { language, text, money, unit, duration, option, moment, wallTime, wallMoment };
}

// Shows a view. `press` is called with the name and values of an action that is pressed.
function render(view, model, now, speaker, press) {
  const main = element("checkout");
  const before = main.dataset.state;
  setAttribute(main, "data-state", view.state);
  setAttribute(main, "data-connection", view.connection);
  show("loading", view.state === "loading");
  show("offline", view.connection === "offline");
  renderTexts(speaker);
  renderSummary(view.summary, model, speaker);
  renderNotice(view.notice, speaker, press);
  renderChoice(view.choice, model, speaker);
  renderHints(view.hints, speaker, press);
  renderPay(view, model, now, speaker);
  renderProblem(model, speaker);
  renderRefunds(view.refunds, speaker);
  renderLeave(view, model);
  renderTitle(view, speaker);
  if (before !== view.state) announce(view, speaker);
  rescueFocus();
}

function renderTexts({ language, text }) {
  const page = document.documentElement;
  if (page.dataset.spoken === language) return;
  page.dataset.spoken = language;
  page.lang = language;
  for (const it of document.querySelectorAll("[data-text]")) it.textContent = text(it.dataset.text);
  for (const it of document.querySelectorAll("[data-label]")) {
    it.setAttribute("aria-label", text(it.dataset.label));
  }
  for (const it of document.querySelectorAll("[data-language]")) {
    it.setAttribute("aria-pressed", String(it.dataset.language === language));
  }
}

function renderSummary(summary, { booking, product }, speaker) {
  show("summary", summary !== null);
  if (!summary) return;
  const { kind, quantity, amount, settled, label } = summary;
  setText("product", product.name);
  setText("kind", kind ? speaker.text(kind) : "");
  show("each", quantity !== null);
  show("total", quantity !== null);
  if (quantity !== null) {
    const price = speaker.money({ ...amount, amount: amount.amount / quantity });
    setText("each", speaker.text("each", { price, unit: speaker.unit(1) }));
    setText("total-label", speaker.text(label));
    setAttribute(element("total"), "data-name", label);
    setText("amount", speaker.money(amount));
    setAttribute(element("amount"), "data-settled", String(settled));
  }
  renderTerm(summary, booking, product, speaker);
}

function renderTerm({ kind, quantity, label }, { term }, product, speaker) {
  const { text, moment } = speaker;
  const toPay = quantity !== null && label === "total";
  show("term", Boolean(term) || toPay);
  const awaited = Boolean(term) && kind === "renewal" && toPay;
  show("then", awaited);
  if (!term) {
    setText("term-label", text("term"));
    setText("term-value", toPay ? text("term_first", { duration: { quantity } }) : "");
    return;
  }
  setText("term-label", text("term_now"));
  setText("term-value", moment(Date.parse(term.valid_until)));
  if (!awaited) return;
  const parts = extendedTerm(term, product.unit, quantity, speaker.wallTime);
  setText("then-value", speaker.wallMoment(parts));
}

function renderNotice(notice, speaker, press) {
  show("notice", notice !== null);
  if (!notice) return;
  const { title, text, tone, compare, actions } = notice;
  setAttribute(element("notice"), "data-tone", tone);
  setText("notice-title", speaker.text(...title));
  setText("notice-text", speaker.text(...text));
  show("compare", compare.length > 0);
  fill("compare", compare, speaker, ({ label, quantity, amount, old }) => {
    const card = make("div", { class: old ? "old" : "new", "data-side": label });
    const value = make("dd", { class: "amount" }, speaker.money(amount));
    card.append(make("dt", {}, speaker.text(label)), value);
    card.append(make("dd", {}, speaker.duration(quantity)));
    return card;
  });
  fill("actions", actions, speaker, (action) => actionButton(action, speaker, press));
}

function actionButton({ name, label, weight }, speaker, press) {
  const button = make("button", { type: "button", class: weight, "data-action": name });
  button.textContent = speaker.text(...label);
  button.addEventListener("click", () => press(name));
  return button;
}

function renderChoice(choice, model, speaker) {
  show("choice", choice !== null);
  if (!choice) return;
  const { min_quantity: min, max_quantity: max } = model.product;
  show("quantity-row", choice.quantity);
  const input = element("quantity");
  setAttribute(input, "min", String(min));
  setAttribute(input, "max", String(max));
  const { quantity, gateway } = model.choice;
  if (document.activeElement !== input && Number(input.value) !== quantity) input.value = quantity;
  element("less").disabled = quantity <= min;
  element("more").disabled = quantity >= max;
  const range = { min: String(min), max: String(max), unit: speaker.unit(max) };
  setText("quantity-range", speaker.text("quantity_range", range));
  fill("wallet-options", choice.wallets, speaker, (wallet) => {
    const label = make("label", {});
    const option = make("input", { type: "radio", name: "wallet", value: wallet });
    label.append(option, make("span", {}, speaker.option(wallet)));
    return label;
  });
  for (const option of element("wallet-options").querySelectorAll("input")) {
    option.checked = option.value === gateway;
  }
}

function renderHints(hints, speaker, press) {
  fill("hints", hints, speaker, ({ text, action }) => {
    const hint = make("div", { class: "hint" });
    hint.append(make("p", {}, speaker.text(...text)));
    if (action) hint.append(actionButton(action, speaker, press));
    return hint;
  });
}

function renderPay({ pay, countdown, state }, model, now, speaker) {
  show("pay", pay !== null);
  renderCode(pay?.kind === "code" ? pay.code : null, speaker);
  if (!pay) return;
  const { kind } = pay;
  setAttribute(element("pay"), "data-kind", kind);
  show("show-code", kind === "placeholder");
  const covers = { making_code: "making_code", checking: "checking", offline: "veiled" };
  show("cover", Object.hasOwn(covers, kind));
  if (Object.hasOwn(covers, kind)) setText("cover", speaker.text(covers[kind]));
  setText("pay-hint", payHint(pay, speaker));
  show("check-paid", state === "code");
  show("change-quantity", kind === "code");
  show("keep-code", Boolean(pay.keep));
  show("countdown", countdown !== null && kind !== "placeholder");
  if (countdown) renderCountdown(countdown, now, speaker);
}

function payHint({ kind, code }, speaker) {
  if (kind === "placeholder") return speaker.text("show_code_hint");
  if (kind === "making_code") return speaker.text("making_code_hint");
  if (kind !== "code") return "";
  // What reads a code depends on what the code is: Stripe's is a page, or one for WeChat's app.
  if (code.url.startsWith("weixin:")) return speaker.text("scan", { wallet: "wechat_pay" });
  if (code.gateway === "stripe") return speaker.text("scan_stripe");
  return speaker.text("scan", { wallet: code.gateway });
}

// Where there is no code to be shown, nothing of the last one stays in the document.
function renderCode(code, speaker) {
  const [picture, link] = [element("code"), element("open-wallet")];
  picture.hidden = !code;
  const opens = Boolean(code) && /^https?:/.test(code.url);
  link.hidden = !opens;
  if (!code) {
    picture.removeAttribute("src");
    setAttribute(picture, "alt", "");
    link.removeAttribute("href");
    return;
  }
  setAttribute(picture, "src", code.picture);
  const values = { wallet: code.gateway, amount: code.amount };
  setAttribute(picture, "alt", speaker.text("code_alt", values));
  if (!opens) return;
  setAttribute(link, "href", code.url);
  setAttribute(link, "data-gateway", code.gateway);
  const key = code.gateway === "stripe" ? "open_stripe" : "open_wallet";
  setText("open-wallet", speaker.text(key, { wallet: code.gateway }));
}

function renderCountdown({ until, lengthMs }, now, speaker) {
  const left = Math.max(until - now, 0);
  const seconds = Math.ceil(left / 1_000);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  const clock = `${two(minutes)}:${two(seconds % 60)}`;
  setText("time-left", hours > 0 ? `${hours}:${clock}` : clock);
  element("time-bar").value = Math.min(left / lengthMs, 1);
  const last = element("time-left");
  const soon = left <= MINUTE_MS;
  if (soon && last.dataset.soon !== "true") setText("status", speaker.text("say_minute_left"));
  last.dataset.soon = String(soon);
}

function renderProblem({ problem, remark }, speaker) {
  const told = problem ?? remark;
  show("problem", Boolean(told));
  show("try-again", Boolean(problem?.again));
  if (!told) return;
  setAttribute(element("problem"), "data-code", told.code);
  setText("problem-text", problemText(told, speaker));
}

// The page's own words where it has them, else the server's, which are in the reader's language.
function problemText({ code, title, detail, wallet }, speaker) {
  if (Object.hasOwn(TEXTS, code)) return speaker.text(code);
  const key = `problem_${code}`;
  return Object.hasOwn(TEXTS, key) ? speaker.text(key, { wallet }) : `${title} – ${detail}`;
}

function renderRefunds(refunds, speaker) {
  show("refunds", refunds.length > 0);
  fill("refund-list", refunds, speaker, (refund) => refundRow(refund, speaker));
}

const REFUND_STEPS = ["due", "submitted", "succeeded"];

function refundRow({ id, status, amount, reason, quantity }, speaker) {
  const row = make("li", { class: "refund", "data-refund": id, "data-status": status });
  const line = make("p", {});
  const what = `${speaker.text(`reason_${reason}`)} · ${speaker.duration(quantity)}`;
  line.append(make("span", {}, what), make("strong", {}, speaker.money(amount)));
  row.append(line);
  if (status === "needs_attention") {
    row.append(make("p", { class: "attention" }, speaker.text("refund_needs_attention")));
    return row;
  }
  const steps = make("ol", { class: "steps" });
  const reached = REFUND_STEPS.indexOf(status);
  REFUND_STEPS.forEach((step, at) => {
    const current = at === reached ? { "aria-current": "step" } : {};
    const item = make("li", { class: at <= reached ? "done" : "open", ...current });
    item.textContent = speaker.text(`refund_${step}`);
    steps.append(item);
  });
  row.append(steps);
  return row;
}

function renderLeave({ cancellable, state }, { link }) {
  const back = element("return");
  // Until the API has accepted the link, nothing vouches for where it leads.
  const vouched = !["loading", "link_missing", "link_invalid"].includes(state);
  back.hidden = !(link?.returnUrl && vouched);
  if (link?.returnUrl && vouched) setAttribute(back, "href", link.returnUrl);
  show("cancel", cancellable.length > 0);
  show("cancel-order", cancellable.includes("cancel_order"));
  show("cancel-booking", cancellable.includes("cancel_booking"));
  const dialog = element("cancel-dialog");
  if (dialog.open && cancellable.length === 0) dialog.close();
}

// The title is what is seen of this window from another one.
function renderTitle({ notice, summary }, { text }) {
  const title = notice ? text(...notice.title) : text("page_title");
  const whole = summary ? `${title} · ${element("product").textContent}` : title;
  if (document.title !== whole) document.title = whole;
}

// Says a new state to those who listen.
function announce({ state, notice, pay }, { text }) {
  const key = `say_${state}`;
  const wallet = pay?.code?.gateway;
  const said = Object.hasOwn(TEXTS, key) ? text(key, { wallet }) : text(state);
  setText("status", notice ? `${text(...notice.title)}. ${text(...notice.text)}` : said);
}

// Moves the focus on where what had it is gone, to what took its place.
function rescueFocus() {
  const active = document.activeElement;
  if (!active || active === document.body || active.isConnected === false) return;
  if (!active.closest("[hidden]")) return;
  focusOnChange();
}

function focusOnChange() {
  const target = element("notice").hidden ? element("pay") : element("notice-title");
  if (!target.closest("[hidden]")) target.focus();
}

// Fills a list with one element for each row, anew only where rows or language changed: what has
// the focus keeps it.
function fill(id, rows, speaker, build) {
  const list = element(id);
  const content = JSON.stringify([speaker.language, rows]);
  if (list.dataset.content === content) return;
  list.dataset.content = content;
  const focused = list.contains(document.activeElement);
  list.replaceChildren(...rows.map(build));
  if (focused) (list.querySelector("button") ?? list).focus();
}

function make(name, attributes, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function show(id, visible) {
  element(id).hidden = !visible;
}

function setText(id, text) {
  const it = element(id);
  if (it.textContent !== text) it.textContent = text;
}

function setAttribute(it, name, value) {
  if (it.getAttribute(name) !== value) it.setAttribute(name, value);
}
