"use strict";

// Calls to the API, and the token that they carry. The token is kept for this tab alone.

const TOKEN = "latchpay.operator.token";

function token() {
  return sessionStorage.getItem(TOKEN);
}

function keepToken(value) {
  sessionStorage.setItem(TOKEN, value);
}

function forgetToken() {
  sessionStorage.removeItem(TOKEN);
}

// What went wrong, in words for a person.
class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// How far the server's clock is ahead of this one, in milliseconds: its answers say so.
let serverAheadMs = 0;

function serverNow() {
  return Date.now() + serverAheadMs;
}

// Sends a request; answers its JSON, or throws a Failure.
async function call(path, body) {
  const headers = { authorization: `Bearer ${token()}` };
  const request = { headers, cache: "no-store", credentials: "omit" };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    Object.assign(request, { method: "POST", body: JSON.stringify(body) });
  }
  let answer;
  let said;
  try {
    answer = await fetch(path, request);
    serverAheadMs = Date.parse(answer.headers.get("date")) - Date.now() || 0;
    said = await answer.json();
  } catch {
    if (answer === undefined) {
      throw new Failure(text("unreachable"), 0);
    }
  }
  if (answer.ok && said !== undefined) {
    return said;
  }
  if (answer.status === 401) {
    throw new Failure(text("signed_out"), 401);
  }
  // The API says why in the reader's language; what stands before it says less.
  const words = [said?.title ?? said?.message, said?.detail].filter(Boolean).join(". ");
  throw new Failure(words || text("strange", { status: answer.status }), answer.status);
}

function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

const api = {
  attention: (cursor) => call(query("/v1/attention", { cursor })),
  release: (one, action, note) =>
    call(`/v1/attention/${one.booking_id}/${one.attention_id}/${action}`, note ? { note } : {}),
  booking: (reference, cursor) =>
    call(query(`/v1/operations/bookings/${encodeURIComponent(reference)}`, { cursor })),
  tasks: (cursor) => call(query("/v1/operations/tasks", { cursor })),
  figures: (day, zone, cursor) =>
    call(query("/v1/operations/figures", { day, time_zone: zone, cursor })),
};
