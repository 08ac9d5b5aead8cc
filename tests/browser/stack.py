"""The real program on a port of its own, and what tests do beside the browser."""

import json
import subprocess
import time
import urllib.error
import urllib.request
import uuid

# How long something may take that happens by itself, in seconds: a busy machine is slow, and
# whoever waits for what has happened goes on at once.
PATIENCE_S = 120
# How often it is looked at, in seconds.
GLANCE_S = 0.05
CUSTOMER = "alice"


def until(what, is_so):
    """Looks until something is so; answers what it is."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = is_so()
        if found:
            return found
        time.sleep(GLANCE_S)
    raise AssertionError(f"in vain: {what}")


class Stack:
    """A running `latchpay`, in memory."""

    def __init__(self, binary):
        self.process = subprocess.Popen(
            [binary, "--port", "0", "--in-memory", "--log", "error"],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        ready = self.process.stdout.readline().split()
        if len(ready) != 2 or ready[0] != "ready":
            self.stop()
            raise RuntimeError(f"{binary} did not become ready: {ready}")
        self.base_url = ready[1]

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def send(self, method, path, body=None, caller=None, **headers):
        """Sends a call; answers status and body."""
        if caller is not None:
            headers["Authorization"] = f"Bearer dev:{caller}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            f"{self.base_url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def call(self, method, path, body=None, caller=None, **headers):
        """Sends a call that must succeed; answers its body."""
        status, answer = self.send(method, path, body, caller, **headers)
        assert status < 300, (method, path, status, answer)
        return answer

    def sell(self, like, **differences):
        """Defines a product of its own for one test, so that no other test sees it change."""
        product_id = f"{like}-{uuid.uuid4().hex[:8]}"
        self.change(product_id, like, **differences)
        return product_id

    def change(self, product_id, like=None, **differences):
        """Defines a product as another one, or as it is, with some fields different."""
        product = self.call("GET", f"/v1/products/{like or product_id}", caller="admin")
        product.update(differences)
        del product["product_id"], product["price_version"]
        self.call("PUT", f"/v1/products/{product_id}", product, caller="admin")

    def open_booking(self, product_id):
        """A new booking of the customer: its id."""
        body = {"product_id": product_id}
        key = {"Idempotency_Key": uuid.uuid4().hex}
        return self.call("POST", "/v1/bookings", body, CUSTOMER, **key)["booking_id"]

    def link(self, booking_id, **wishes):
        """The address of a booking's checkout."""
        path = f"/v1/bookings/{booking_id}/checkout-link"
        return self.call("POST", path, wishes, CUSTOMER)["url"]

    def booking(self, booking_id):
        return self.call("GET", f"/v1/bookings/{booking_id}", caller=CUSTOMER)

    def live_code(self, booking_id):
        """The code that may be paid now, or None."""
        order = self.booking(booking_id)["live_order"]
        payment = order and order["payment"]
        return payment and payment["code_url"]

    def pay(self, code_url, **more):
        return self.call("POST", "/simulator/pay", {"code_url": code_url, **more})

    def faults(self, **plan):
        self.call("PUT", "/simulator/faults", plan)

    def advance(self, seconds):
        """Lets time pass for the whole program."""
        self.call("POST", "/simulator/clock", {"advance_s": seconds})

    def until_active(self, booking_id):
        def active():
            booking = self.booking(booking_id)
            return booking if booking["status"] == "active" else None

        return until("the booking is active", active)
