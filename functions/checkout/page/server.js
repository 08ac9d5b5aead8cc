"use strict";

// The link, the server's clock, and calls to the API.

const READ_TIMEOUT_MS = 10_000;
// Longer than the longest function: an answer that comes late is still an answer.
const WRITE_TIMEOUT_MS = 40_000;
const TRIES_MAX = 4;
const RETRY_WAIT_MAX_S = 8;

// Reads the link token from the address's fragment: `lpl1.{key id}.{claims}.{signature}`.
//
// The claims are believed only once the API has accepted the token. Null where it is none.
function readLink(fragment) {
  const token = fragment.replace(/^#/, "");
  const [scheme, , claims, signature] = token.split(".");
  if (scheme !== "lpl1" || !claims || !signature) return null;
  try {
    const bytes = Uint8Array.from(atob(claims.replace(/-/g, "+").replace(/_/g, "/")), (letter) =>
      letter.charCodeAt(0),
    );
    const { booking, return_url: returnUrl } = JSON.parse(new TextDecoder().decode(bytes));
    if (!/^[0-9a-f]{32}$/.test(booking)) return null;
    return { token, booking, returnUrl: acceptableReturn(returnUrl) };
  } catch {
    return null;
  }
}

// A return address that a link may lead to; anything but the web's own schemes is dropped.
function acceptableReturn(address) {
  try {
    return ["https:", "http:"].includes(new URL(address).protocol) ? address : null;
  } catch {
    return null;
  }
}

// The server's clock, from the `Date` of its answers.
//
// `Date` is cut to seconds, so an answer says only that the clock stood between two readings. The
// later end is taken: a code is hidden a little early and never late.
function serverClock() {
  let ahead = 0;
  let known = false;
  return {
    now: () => Date.now() + ahead,
    learn(date, sentAt, receivedAt) {
      const said = Date.parse(date ?? "");
      if (Number.isNaN(said)) return;
      const [earliest, latest] = [said - receivedAt, said + 999 - sentAt];
      if (known && earliest <= ahead && ahead <= latest) return;
      ahead = latest;
      known = true;
    },
  };
}

// The calls of one link. Each answers `{kind}`: `ok` with `status`, `body` and `etag`, `unchanged`,
// `problem` with `status`, `problem` and `retryAfterS`, or `unreachable`: nothing usable came back.
function serverOf(link, clock, language) {
  const base = `/v1/checkout/bookings/${link.booking}`;

  async function call(method, path, options = {}) {
    const { body, key, etag, abort = new AbortController() } = options;
    const headers = { Authorization: `Bearer ${link.token}`, "Accept-Language": language() };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key !== undefined) headers["Idempotency-Key"] = key;
    if (etag) headers["If-None-Match"] = etag;
    const { signal } = abort;
    const request = { method, headers, signal, cache: "no-store", credentials: "omit" };
    if (body !== undefined) request.body = JSON.stringify(body);
    const timeoutMs = method === "GET" ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS;
    const patience = setTimeout(() => abort.abort(), timeoutMs);
    const sentAt = Date.now();
    try {
      const response = await fetch(base + path, request);
      clock.learn(response.headers.get("Date"), sentAt, Date.now());
      return await read(response);
    } catch {
      return { kind: "unreachable" };
    } finally {
      clearTimeout(patience);
    }
  }

  // Sends a request again while its outcome is not known: what is repeated is the same request.
  async function persist(method, path, options) {
    let answer = await call(method, path, options);
    for (let tried = 1; tried < TRIES_MAX && isWorthRepeating(answer); tried += 1) {
      const waitS = Math.min(answer.retryAfterS || tried, RETRY_WAIT_MAX_S);
      await new Promise((resolve) => setTimeout(resolve, waitS * 1_000));
      answer = await call(method, path, options);
    }
    return answer;
  }

  // A code as a picture. It is sent in the body, because addresses stand in access logs.
  async function picture(code) {
    const answer = await persist("POST", "/qr", { body: { code } });
    if (answer.kind !== "ok") return null;
    return `data:image/svg+xml,${encodeURIComponent(answer.body)}`;
  }

  return {
    picture,
    booking: (etag, abort) => call("GET", "", { etag, abort }),
    product: () => persist("GET", "/product"),
    quote: (body, key) => persist("POST", "/quotes", { body, key }),
    order: (body) => persist("POST", "/orders", { body }),
    payment: (body) => persist("POST", "/payments", { body }),
    cancelOrder: (orderId) => persist("POST", `/orders/${orderId}/cancel`),
    cancelBooking: () => persist("POST", "/cancel"),
  };
}

async function read(response) {
  if (response.status === 304) return { kind: "unchanged" };
  const isPicture = response.headers.get("Content-Type")?.startsWith("image/svg+xml");
  const body = isPicture ? await response.text() : await response.json();
  if (response.ok) {
    return { kind: "ok", status: response.status, body, etag: response.headers.get("ETag") };
  }
  const retryAfterS = Number(response.headers.get("Retry-After")) || 0;
  return { kind: "problem", status: response.status, problem: body, retryAfterS };
}

// API Gateway throttles with 429 in words of its own.
function isWorthRepeating(answer) {
  if (answer.kind === "unreachable") return true;
  return (
    answer.kind === "problem" &&
    (answer.status === 503 || answer.status === 429 || answer.problem.code === "version_conflict")
  );
}
