"use strict";

// Building what is shown. Text is only ever set as text, never as markup.

function byId(id) {
  return document.getElementById(id);
}

// An element; `set` holds attributes, and functions for events.
function element(tag, set = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(set)) {
    if (typeof value === "function") {
      made.addEventListener(name, value);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

function button(name, set) {
  return element("button", { type: "button", ...set }, text(name));
}

function timeElement(time) {
  return element("time", { datetime: time, title: time }, timeText(time));
}

function id(value) {
  return element("span", { class: "id" }, value);
}

// How a status looks: settled, on its way, or in need of somebody.
const TONES = {
  active: "good", paid: "good", succeeded: "good", applied: "good",
  pending: "wait", pending_payment: "wait", creating: "wait", payable: "wait", closing: "wait",
  due: "wait", submitted: "wait",
  needs_attention: "bad", failed: "bad",
};

function badge(name, status) {
  return element("span", { class: `badge ${TONES[status] ?? "soft"}`, "data-status": status }, text(name));
}

function setState(section, state) {
  byId(section).dataset.state = state;
  byId(section).setAttribute("aria-busy", String(state === "loading"));
}

// Shows why a section has nothing newer, in words, or that it has.
function tell(name, error) {
  const place = byId(`${name}-error`);
  place.hidden = error === null;
  place.textContent = error === null ? "" : error.message;
}

function announce(message) {
  byId("status").textContent = message;
}
