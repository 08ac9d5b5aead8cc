"use strict";

// What the laptop's own pages have in common: two languages, elements, and calls.

const LANGUAGES = ["en", "zh-CN"];
const LANGUAGE_KEPT = "latchpay:language";

let language = rememberedLanguage() ?? browserLanguage();

function browserLanguage() {
  return navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

// A language that was chosen here or on the checkout page, which keeps it in the same place.
function rememberedLanguage() {
  try {
    const kept = JSON.parse(localStorage.getItem(LANGUAGE_KEPT) ?? "null");
    return LANGUAGES.includes(kept) ? kept : null;
  } catch {
    return null;
  }
}

function keepLanguage(chosen) {
  try {
    localStorage.setItem(LANGUAGE_KEPT, JSON.stringify(chosen));
  } catch {
    // A browser that stores nothing forgets the choice at the next load.
  }
}

// The text of a key, with `{name}` filled in.
function text(key, values = {}) {
  const filled = TEXTS[key][LANGUAGES.indexOf(language)];
  return filled.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function money({ amount, currency }) {
  const format = new Intl.NumberFormat(language, { style: "currency", currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

function moment(at) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at);
}

const element = (id) => document.getElementById(id);

// A new element with attributes; a text, or what is within.
function make(name, attributes, ...within) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...within);
  return made;
}

function button(key, press, attributes = {}) {
  const made = make("button", { type: "button", "data-action": key, ...attributes }, text(key));
  made.addEventListener("click", press);
  return made;
}

// Says what happened, to the eye and to a screen reader.
function say(words, mood = "good") {
  element("said").className = mood;
  element("said").textContent = words;
}

// Sends JSON and answers JSON; a refusal is thrown with the words of its problem.
async function call(method, path, { body, headers = {} } = {}) {
  const response = await fetch(path, {
    method,
    headers: {
      "Accept-Language": language,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? answer.title ?? response.statusText);
  return answer;
}

function writeTexts() {
  document.documentElement.lang = language;
  for (const it of document.querySelectorAll("[data-text]")) it.textContent = text(it.dataset.text);
  for (const it of document.querySelectorAll("[data-language]")) {
    it.setAttribute("aria-pressed", String(it.dataset.language === language));
  }
  document.title = text("title");
}

// Writes all texts, and again with `changed` when another language is chosen.
function speak(changed) {
  writeTexts();
  for (const it of document.querySelectorAll("[data-language]")) {
    it.addEventListener("click", () => {
      language = it.dataset.language;
      keepLanguage(language);
      writeTexts();
      changed();
    });
  }
}
