"use strict";

// What the browser keeps of one booking, so that reload, Back and a crash lose nothing.
//
// A window's own state is in its session storage; what a new window of the same browser should
// start with, and the tokens of orders, are in local storage. Where a browser refuses both, the
// page works and only forgets.

const TOKENS_MAX = 5;

function rememberingFor(booking) {
  const name = (what) => `latchpay:${booking}:${what}`;
  return {
    // `{quantity, gateway}` as chosen in this window, or null.
    chosenHere: () => recall(sessionStorageOrNull(), name("choice")),
    // The same as last chosen in any window, or null.
    chosenAnywhere: () => recall(localStorageOrNull(), name("choice")),
    keepChoice(choice) {
      keep(sessionStorageOrNull(), name("choice"), choice);
      keep(localStorageOrNull(), name("choice"), choice);
    },
    // What this window was about: its order, its intent, its quote, and what it
    // was asked.
    window: () => recall(sessionStorageOrNull(), name("window")),
    keepWindow: (state) => keep(sessionStorageOrNull(), name("window"), state),
    // The token that an order was made by: the server shows it only until there is a payment.
    tokenOf(orderId) {
      const tokens = recall(localStorageOrNull(), name("tokens")) ?? [];
      return tokens.find(([order]) => order === orderId)?.[1] ?? null;
    },
    keepToken(orderId, token) {
      const storage = localStorageOrNull();
      const others = (recall(storage, name("tokens")) ?? []).filter(([order]) => order !== orderId);
      keep(storage, name("tokens"), [[orderId, token], ...others].slice(0, TOKENS_MAX));
    },
    // The key of an attempt: the same until its outcome is known, so that pressing twice, also
    // after a reload, is one request.
    attemptKey(attempt) {
      const attempts = recall(sessionStorageOrNull(), name("attempts")) ?? {};
      const key = attempts[attempt] ?? crypto.randomUUID();
      keep(sessionStorageOrNull(), name("attempts"), { ...attempts, [attempt]: key });
      return key;
    },
    endAttempt(attempt) {
      const attempts = recall(sessionStorageOrNull(), name("attempts")) ?? {};
      delete attempts[attempt];
      keep(sessionStorageOrNull(), name("attempts"), attempts);
    },
  };
}

function rememberedLanguage() {
  const language = recall(localStorageOrNull(), "latchpay:language");
  return LANGUAGES.includes(language) ? language : null;
}

function keepLanguage(language) {
  keep(localStorageOrNull(), "latchpay:language", language);
}

// Reading the property alone throws where a browser blocks storage.
function sessionStorageOrNull() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

function localStorageOrNull() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function recall(storage, name) {
  try {
    return JSON.parse(storage?.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

function keep(storage, name, value) {
  try {
    storage?.setItem(name, JSON.stringify(value));
  } catch {
    // A full or blocked storage forgets; nothing on the page depends on it.
  }
}
