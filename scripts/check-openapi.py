#!/usr/bin/env python3
"""Has schemathesis look for requests that a fresh `latchpay` answers against its own description.

As a customer, as the administrator and by a checkout link, single requests and chains of them, with
a fixed seed and a bound on their number: check-openapi.py BINARY VENV. When the package cannot be installed, nothing is
checked, and this says so; whatever else goes wrong fails.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request

FOLDER = "scripts/schemathesis"
REQUIREMENTS = f"{FOLDER}/requirements.txt"
SEED = 1
# For each route, beside the cases that follow from its schemas alone: the runs together take about a
# minute. A bound on the time would check less on a slow machine, and nothing on a very slow one.
EXAMPLES_MAX = 10
# Beyond that a run hangs.
PATIENCE_S = 300
CUSTOMER = "alice"
# Whoever holds a checkout link of the booking at hand, and the routes that it opens.
LINK_HOLDER = "link"
LINK_ROUTES = "^/v1/checkout/"
# Who calls, and in which phases of schemathesis: each route for itself, then chains along links.
RUNS = [
    (CUSTOMER, "examples,coverage,fuzzing"),
    ("admin", "examples,coverage,fuzzing"),
    (CUSTOMER, "stateful"),
    (LINK_HOLDER, "examples,coverage,fuzzing"),
]
PRODUCTS = ["desk-submit", "desk-order", "desk-instant"]


def install(venv):
    """Makes the environment unless it is there and not outdated; answers whether it is."""
    made = subprocess.run(["sh", "scripts/make-venv.sh", venv, REQUIREMENTS])
    return made.returncode == 0


def post(base_url, path, body, key):
    """What the customer is answered, as JSON."""
    request = urllib.request.Request(
        f"{base_url}{path}",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer dev:{CUSTOMER}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        },
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def open_booking(base_url, product_id):
    """A booking of the customer: its id."""
    opened = post(base_url, "/v1/bookings", {"product_id": product_id}, product_id)
    return opened["booking_id"]


def credentials(base_url, caller, bookings):
    """What a caller brings, and what it is limited to: options of schemathesis."""
    if caller != LINK_HOLDER:
        return [f"--header=Authorization: Bearer dev:{caller}"]
    made = post(base_url, f"/v1/bookings/{bookings[0]}/checkout-link", {}, "link")
    _, token = made["url"].split("#")
    return [
        f"--header=Authorization: Bearer {token}",
        f"--include-path-regex={LINK_ROUTES}",
    ]


def run(program, base_url, folder, bookings, caller, phases):
    """One run; answers its exit code."""
    print(f"{caller}, {phases}:", flush=True)
    return subprocess.run(
        [
            os.path.abspath(program),
            "run",
            f"{base_url}/v1/openapi.json",
            *credentials(base_url, caller, bookings),
            f"--phases={phases}",
            f"--seed={SEED}",
            f"--max-examples={EXAMPLES_MAX}",
            "--continue-on-failure",
            "--no-color",
        ],
        cwd=folder,
        timeout=PATIENCE_S,
    ).returncode


def check(program, base_url):
    """Does all runs; answers whether none found anything."""
    bookings = [open_booking(base_url, product_id) for product_id in PRODUCTS]
    with tempfile.TemporaryDirectory() as folder:
        config = shutil.copy(f"{FOLDER}/schemathesis.toml", folder)
        with open(config, "a", encoding="utf-8") as written:
            written.write(f"\n[dictionaries.bookings]\nvalues = {json.dumps(bookings)}\n")
        codes = [run(program, base_url, folder, bookings, *one) for one in RUNS]
    return not any(codes)


def main():
    binary, venv = sys.argv[1:]
    if not install(venv):
        print("schemathesis cannot be installed: the API is NOT checked against its description")
        return
    served = subprocess.Popen(
        [binary, "--port", "0", "--in-memory"], stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        ready = served.stdout.readline().split()
        if len(ready) != 2 or ready[0] != "ready":
            raise SystemExit(f"{binary} did not become ready: {ready}")
        if not check(f"{venv}/bin/schemathesis", ready[1]):
            raise SystemExit("what is served is not what docs/openapi.yaml says")
    finally:
        served.terminate()
        served.wait()


if __name__ == "__main__":
    main()
