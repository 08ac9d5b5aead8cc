"use strict";

const main = document.getElementById("main");
const token = location.hash.slice(1);
const claims = token.split(".")[2] ?? "";
const { booking } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/")) || "{}");

fetch(`/v1/checkout/bookings/${booking}`, { headers: { authorization: `Bearer ${token}` } })
  .then((answer) => answer.json())
  .then((shown) => {
    main.dataset.state = shown.code ?? shown.status;
    main.textContent = shown.detail ?? shown.status;
  });
