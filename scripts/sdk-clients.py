#!/usr/bin/env python3
"""Drives the laptop's gateways with SDKs that others wrote: sdk-clients.py PROGRAM

The simulator and the adapters are both ours, so that they could share a misreading. Here published
SDKs create, query, close and refund at the simulator, and verify what it signs: its replies, and
the notifications that it sends. The SDKs live in an environment of their own; where no package
index can be reached to make it, this says so and ends well.
"""

import base64
import contextlib
import http.server
import json
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from importlib.metadata import version
from typing import NamedTuple

REQUIREMENTS = "scripts/sdk-requirements.txt"
VENV = ".tools/sdk-venv"
PATIENCE_S = 30
PAUSE_S = 0.1
# How many deliveries are read for the one that is looked for: chance has a hand in which come.
DELIVERIES_MAX = 64

# What an order costs, as a day of the seeded product does, and what goes back of it, in fen. A
# repeated refund that counted twice would still fit into the order, so that it would show.
AMOUNT = 1280
REFUNDED = 500

# What the gateways are to carry back with each notification of a payment.
ECHO = "lp1.echo-1"

# How pip and apt say that nobody answers them.
UNREACHABLE = [
    "(from versions: none)",
    "Max retries exceeded",
    "Read timed out",
    "Unable to locate package",
]


# The environment of the SDKs.


def enter_environment():
    """Goes on inside the environment that has the SDKs; ends here where it cannot be made."""
    python = os.path.join(VENV, "bin", "python")
    if not is_ready():
        made = subprocess.run(
            ["sh", "scripts/make-venv.sh", VENV, REQUIREMENTS],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        if made.returncode != 0 and any(sign in made.stdout for sign in UNREACHABLE):
            print("SDK clients: SKIPPED, no package index can be reached to install the SDKs")
            raise SystemExit(0)
        if made.returncode != 0:
            raise SystemExit(f"SDK clients: {VENV} cannot be made\n{made.stdout}")
    os.execv(python, [python, *sys.argv])


def is_ready():
    ready = os.path.join(VENV, "ready")
    return os.path.exists(ready) and os.path.getmtime(ready) >= os.path.getmtime(REQUIREMENTS)


# The laptop.


class Notification(NamedTuple):
    """A delivery, as the callback gets it: names of headers in lower case, the body as bytes."""

    gateway: str
    headers: dict
    body: bytes


class Callback(http.server.BaseHTTPRequestHandler):
    """Stands in for the `callback` function behind the laptop's port, and keeps what arrives."""

    arrived = queue.Queue()

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        encoded = event["isBase64Encoded"]
        body = base64.b64decode(event["body"]) if encoded else event["body"].encode()
        gateway = event["rawPath"].rsplit("/", 1)[-1]
        Callback.arrived.put(Notification(gateway, event["headers"], body))
        # Every gateway takes this for an acknowledgement.
        answer = json.dumps({"statusCode": 200, "body": "success"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing: each check has its own line."""


@contextlib.contextmanager
def callbacks():
    """Answers callbacks while it is open; gives the address of the Lambda endpoint that it is."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Laptop:
    """The program on a free port, keeping nothing."""

    def __init__(self, program, *options):
        self.folder = tempfile.TemporaryDirectory()
        # With a port for the store it writes down what the functions get, the settings included.
        self.process = subprocess.Popen(
            [program, "--port", "0", "--in-memory", *options]
            + ["--store-port", "0", "--data", self.folder.name],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self):
        ready = self.process.stdout.readline().split()
        if len(ready) != 2 or ready[0] != "ready":
            self.__exit__()
            raise SystemExit(f"the program did not become ready: {ready}")
        self.base_url = ready[1]
        self.settings = self.settings_of_gateways()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def settings_of_gateways(self):
        """What each adapter is configured with: gateway to its settings."""
        name = "LATCHPAY_SECRETS="
        with open(os.path.join(self.folder.name, "functions.env"), encoding="utf-8") as lines:
            written = [line.removeprefix(name) for line in lines if line.startswith(name)]
        return json.loads(written[0].strip().strip("'"))["gateways"]

    def call(self, path, body=None, method=None, headers={}):
        """Status and answer of a call with JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def control(self, name, body=None, method=None):
        return self.call(f"/simulator/{name}", body, method)

    def put(self, name, body):
        status, answer = self.control(name, body, "PUT")
        if status != 200:
            raise SystemExit(f"{name} does not take {body}: {status} {answer}")

    def forget_notifications(self):
        """Drops what has arrived, so that a repeat is not read under another section's keys."""
        Callback.arrived = queue.Queue()

    def next_notification(self, gateway):
        """The next delivery of a gateway; what another one repeats is passed over."""
        while True:
            try:
                notification = Callback.arrived.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise SystemExit(f"{gateway}: no notification in {PATIENCE_S} s") from None
            if notification.gateway == gateway:
                return notification

    def order(self, gateway):
        """Has our own adapter order a day; answers the payment's number and its code."""
        headers = {"Authorization": "Bearer dev:alice", "Content-Type": "application/json"}
        headers["Idempotency-Key"] = order_number()
        _, booking = self.call("/v1/bookings", {"product_id": "desk-instant"}, headers=headers)
        quotes = f"/v1/bookings/{booking['booking_id']}/quotes"
        _, quoted = self.call(quotes, {"quantity": 1, "gateway": gateway}, headers=headers)
        return quoted["payment"]["payment_id"], quoted["payment"]["code_url"]

    def pay(self, code):
        return self.control("pay", {"code_url": code})

    def refunds(self, transaction):
        """What the ledger says went back of a transaction, one amount for each refund."""
        _, ledger = self.control("ledger")
        refunds = [refund for payment in ledger["payments"] for refund in payment["refunds"]]
        own = [refund for refund in refunds if refund["transaction_id"] == transaction]
        return [refund["amount"]["amount"] for refund in own]


class Checks:
    """Prints a line for each thing that holds, and ends with the first that does not."""

    def __init__(self):
        self.count = 0
        self.section = ""

    def equal(self, what, expected, found):
        self.holds(what, expected == found, f"expected {expected!r}, found {found!r}")

    def holds(self, what, whether, shown):
        if not whether:
            raise SystemExit(f"{self.section}: NOT TRUE: {what}\n{shown}")
        self.count += 1
        print(f"{self.section}: {what}")


def eventually(look, wanted):
    """Looks until it sees what is wanted, or patience ends; answers what was seen last."""
    deadline = time.monotonic() + PATIENCE_S
    seen = look()
    while seen != wanted and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        seen = look()
    return seen


def failure(call, kind=Exception):
    """What a call that must fail says, as text."""
    try:
        answer = call()
    except kind as error:
        return repr(error)
    return f"it did not fail, and answered {answer!r}"


def stranger():
    """A private and a public key that nobody knows, PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        encoding, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def order_number():
    """A number for an order or a refund that no gateway has seen."""
    return secrets.token_hex(16)


class State(NamedTuple):
    """What a gateway says of an order or a refund: its own word, minor units, the transaction."""

    word: str
    amount: int
    transaction: str


# WeChat Pay.


class WeChatPay:
    """By `wechatpayv3`, which verifies the signature of every 2xx reply by itself."""

    gateway = "wechat_pay"
    paid, refunded, closed = "SUCCESS", "SUCCESS", "CLOSED"
    faults = {}

    # How a key's PEM begins, and what kind of key it is.
    KINDS = {"-----BEGIN PUBLIC KEY": "public key", "-----BEGIN CERTIFICATE": "certificate"}

    def __init__(self, laptop, kind):
        """Replies are asked for under the key of this kind."""
        self.title = f"WeChat Pay by {kind}"
        self.laptop = laptop
        self.settings = laptop.settings[self.gateway]
        self.own_key = self.settings["merchant_private_key_pem"]
        # Notifications come under either key, so that each is read by the client that has it.
        keys = {self.kind(key): key for key in self.settings["verify_keys"]}
        self.key, certificate = keys["public key"], keys["certificate"]
        self.clients = {
            self.key["serial"]: self.by_public_key(self.own_key, self.key),
            certificate["serial"]: self.by_certificate(certificate),
        }
        self.sdk = self.clients[keys[kind]["serial"]]

    def kind(self, key):
        return next(kind for begin, kind in self.KINDS.items() if key["pem"].startswith(begin))

    def by_public_key(self, private_key, key):
        return self.client(private_key, public_key=key["pem"], public_key_id=key["serial"])

    def by_certificate(self, key):
        """The SDK takes certificates from a folder, and reads it once."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "certificate.pem"), "w", encoding="utf-8") as pem:
                pem.write(key["pem"])
            return self.client(self.own_key, cert_dir=folder)

    def client(self, private_key, **verifying):
        """The SDK, pointed at the simulator. Paths are signed, so that the prefix has to be too."""
        from wechatpayv3 import WeChatPay as Sdk
        from wechatpayv3 import WeChatPayType

        sdk = Sdk(
            WeChatPayType.NATIVE,
            mchid=self.settings["mchid"],
            appid=self.settings["appid"],
            cert_serial_no=self.settings["merchant_serial"],
            apiv3_key=self.settings["apiv3_keys"][0],
            private_key=private_key,
            notify_url=self.settings["notify_url"],
            timeout=PATIENCE_S,
            **verifying,
        )
        core, request = sdk._core, sdk._core.request
        prefix = urllib.parse.urlsplit(self.settings["base_url"]).path
        core._gate_way = self.laptop.base_url
        core.request = lambda path, *rest, **named: request(prefix + path, *rest, **named)
        return sdk

    def answer(self, reply, expected=200):
        status, body = reply
        if status != expected:
            raise SystemExit(f"{self.gateway}: {status} instead of {expected}: {body}")
        return json.loads(body) if body else None

    def create(self, order):
        amount = {"total": AMOUNT, "currency": "CNY"}
        return self.answer(self.sdk.pay("一天 a day", order, amount, attach=ECHO))["code_url"]

    def adopt(self, order, code):
        """The gateway finds an order by our number, whoever made it."""

    def query(self, order):
        found = self.answer(self.sdk.query(out_trade_no=order))
        return State(found["trade_state"], found["amount"]["total"], found.get("transaction_id"))

    def close(self, order, code):
        self.answer(self.sdk.close(order), expected=204)

    def refund(self, order, state, number):
        amount = {"refund": REFUNDED, "total": AMOUNT, "currency": "CNY"}
        return self.answer(self.sdk.refund(number, amount, state.transaction))["refund_id"]

    def query_refund(self, order, number, refund):
        found = self.answer(self.sdk.query_refund(number))
        return State(found["status"], found["amount"]["refund"], found["transaction_id"])

    def read(self, notification):
        """What a notification tells; nothing where the SDK does not take it for genuine."""
        sdk = self.clients[notification.headers["wechatpay-serial"]]
        told = sdk.callback(notification.headers, notification.body)
        return told and told["resource"]

    def tells_of_payment(self, told):
        return State(told.get("trade_state"), told["amount"]["total"], told["transaction_id"])

    def tells_of_refund(self, told):
        amount = told["amount"].get("refund")
        return State(told.get("refund_status"), amount, told["transaction_id"])

    def echo(self, told):
        return told["attach"]

    def particulars(self, order, state):
        """Both keys sign notifications, and neither side takes a signature by another key."""
        replay = {"transaction_id": state.transaction}
        serials = set()
        for _ in range(DELIVERIES_MAX):
            self.laptop.control("replay", replay)
            notification = self.laptop.next_notification(self.gateway)
            if self.read(notification) is None or serials == set(self.clients):
                break
            serials.add(notification.headers["wechatpay-serial"])
        yield "notifications under either key are genuine", set(self.clients), serials
        private_key, public_key = stranger()
        wrong = self.by_public_key(private_key, self.key)
        status, body = wrong.query(out_trade_no=order)
        found = f"{status} {json.loads(body)['code']}"
        yield "another merchant's key is refused", "401 SIGN_ERROR", found
        foreign = self.by_public_key(self.own_key, {**self.key, "pem": public_key})
        found = failure(lambda: foreign.query(out_trade_no=order))
        refused = "failed to verify the signature" in found
        yield "a reply under another key is refused", True, refused or found


# Alipay.


class Alipay:
    """By `python-alipay-sdk`, which verifies the signature of every reply by itself."""

    gateway = "alipay"
    paid, refunded, closed = "TRADE_SUCCESS", "REFUND_SUCCESS", "TRADE_CLOSED"
    # A balance gets its money back within the call, so that the reply says how much went back.
    faults = {"refund_delay_ms": 0}

    # Which of its keys signs, in the order of the settings.
    SIGNS = ["current", "previous"]

    def __init__(self, laptop, signs):
        # The gateway wants Beijing time, and the SDK writes that of its machine.
        os.environ["TZ"] = "CST-8"
        time.tzset()
        self.title = f"Alipay by its {signs} key"
        self.laptop = laptop
        self.settings = laptop.settings[self.gateway]
        self.own_key = self.settings["app_private_key_pem"]
        self.alipay_key = self.settings["verify_keys"][self.SIGNS.index(signs)]
        self.sdk = self.client(self.own_key, self.alipay_key)
        laptop.put("alipay/key", {"signs": signs})

    def client(self, private_key, public_key):
        from alipay import AliPay

        sdk = AliPay(
            appid=self.settings["app_id"],
            app_notify_url=self.settings["notify_url"],
            app_private_key_string=private_key,
            alipay_public_key_string=public_key,
        )
        sdk._gateway = self.settings["base_url"] + "/gateway.do"
        return sdk

    def answer(self, reply, expected="10000"):
        code = reply.get("sub_code", reply["code"])
        if code != expected:
            raise SystemExit(f"{self.gateway}: {code} instead of {expected}: {reply}")
        return reply

    def create(self, order):
        created = self.sdk.api_alipay_trade_precreate(
            "一天 a day", order, yuan(AMOUNT), passback_params=ECHO, timeout_express="30m"
        )
        return self.answer(created)["qr_code"]

    def adopt(self, order, code):
        """The gateway finds an order by our number, whoever made it."""

    def query(self, order):
        found = self.answer(self.sdk.api_alipay_trade_query(out_trade_no=order))
        return State(found["trade_status"], fen(found["total_amount"]), found["trade_no"])

    def close(self, order, code):
        """A code is no trade before a wallet scans it, and only a trade can be closed."""
        unknown = self.sdk.api_alipay_trade_close(out_trade_no=order)
        self.answer(unknown, expected="ACQ.TRADE_NOT_EXIST")
        self.laptop.control("scan", {"code_url": code})
        self.answer(self.sdk.api_alipay_trade_close(out_trade_no=order))

    def refund(self, order, state, number):
        """What went back of the trade in all: refunds have no id of the gateway's."""
        given_back = self.sdk.api_alipay_trade_refund(
            yuan(REFUNDED), out_trade_no=order, out_request_no=number
        )
        return self.answer(given_back)["refund_fee"]

    def query_refund(self, order, number, refund):
        found = self.sdk.api_alipay_trade_fastpay_refund_query(number, out_trade_no=order)
        found = self.answer(found)
        return State(found.get("refund_status"), fen(found["refund_amount"]), found["trade_no"])

    def read(self, notification):
        body = notification.body.decode()
        told = dict(urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True))
        signature = told.pop("sign")
        return told if self.sdk.verify(told, signature) else None

    def tells_of_payment(self, told):
        return State(told["trade_status"], fen(told["total_amount"]), told["trade_no"])

    def tells_of_refund(self, told):
        """A partial refund repeats that the trade is paid, with the sum that went back."""
        returned = told["trade_status"] == self.paid and "refund_fee" in told
        word = self.refunded if returned else None
        return State(word, fen(told.get("refund_fee", "0.00")), told["trade_no"])

    def echo(self, told):
        return told["passback_params"]

    def particulars(self, order, state):
        """Neither side takes a signature by another key."""
        private_key, public_key = stranger()
        wrong = self.client(private_key, self.alipay_key)
        found = failure(lambda: wrong.api_alipay_trade_query(out_trade_no=order))
        refused = "isv.invalid-signature" in found and "code:40002" in found
        yield "another app's key is refused", True, refused or found
        foreign = self.client(self.own_key, public_key)
        found = failure(lambda: foreign.api_alipay_trade_query(out_trade_no=order))
        yield "a reply under another key is refused", "AliPayValidationError()", found


def yuan(minor):
    """Fen as Alipay writes amounts."""
    return f"{minor // 100}.{minor % 100:02}"


def fen(written):
    whole, hundredths = written.split(".")
    return int(whole) * 100 + int(hundredths)


# Stripe.


class Stripe:
    """By `stripe`. Stripe signs no replies, so that its SDK verifies what it is sent only."""

    gateway = "stripe"
    refunded = "succeeded"
    faults = {}

    def __init__(self, laptop):
        self.laptop = laptop
        self.settings = laptop.settings[self.gateway]
        self.secret, self.previous_secret = self.settings["webhook_secrets"]
        self.sdk = self.client(self.settings["secret_key"])
        # Order to the id that Stripe gave it: there is no asking by a number of ours.
        self.made = {}

    def client(self, secret_key):
        from stripe import StripeClient

        return StripeClient(secret_key, base_addresses={"api": self.settings["base_url"]}).v1

    def create(self, order):
        made = self.opened(order, self.parameters(order))
        self.made[order] = made.id
        return self.code(made)

    def refund(self, order, state, number):
        refund = {"payment_intent": state.transaction, "amount": REFUNDED}
        return self.sdk.refunds.create(refund, {"idempotency_key": number}).id

    def query_refund(self, order, number, refund):
        return self.of_refund(self.sdk.refunds.retrieve(refund))

    def of_refund(self, refund):
        return State(refund.status, refund.amount, refund.payment_intent)

    def read(self, notification):
        return self.read_by(self.secret, notification)

    def read_by(self, secret, notification):
        from stripe import SignatureVerificationError, Webhook

        signature = notification.headers["stripe-signature"]
        try:
            return Webhook.construct_event(notification.body, signature, secret)
        except SignatureVerificationError:
            return None

    def tells_of_payment(self, told):
        return self.of(told.data.object) if told.type == self.tells else None

    def tells_of_refund(self, told):
        return self.of_refund(told.data.object) if told.type.startswith("refund.") else None

    def echo(self, told):
        return told.data.object.metadata["echo"]

    def particulars(self, order, state):
        """A repeat finds what it made before, another call under its key does not."""
        from stripe import AuthenticationError, IdempotencyError

        again = self.opened(order, self.parameters(order))
        yield "a repeated create is the same order", self.made[order], again.id
        other = {**self.parameters(order), "metadata": {"echo": "other"}}
        found = failure(lambda: self.opened(order, other), IdempotencyError)
        yield "another order under its key is refused", True, "same parameters" in found or found
        refunds = self.sdk.refunds.list({"payment_intent": state.transaction}).data
        amounts = [refund.amount for refund in refunds]
        yield "the list of refunds has the one that was made", [REFUNDED], amounts
        self.laptop.put("faults", {"webhook_secret_rolls": True})
        self.laptop.control("replay", {"transaction_id": state.transaction})
        yield "while the secret rolls, both sign", True, any(map(self.both_sign, self.arriving()))
        self.sdk = self.client("sk_test_another")
        found = failure(lambda: self.query(order), AuthenticationError)
        yield "another account's key is refused", True, "Invalid API Key" in found or found

    def arriving(self):
        for _ in range(DELIVERIES_MAX):
            yield self.laptop.next_notification(self.gateway)

    def both_sign(self, notification):
        both = [self.secret, self.previous_secret]
        return all(self.read_by(secret, notification) for secret in both)


class StripeSession(Stripe):
    """A Checkout Session, whose address is the code."""

    title = "Stripe by Checkout Session"
    paid, closed = "paid", "expired"
    tells = "checkout.session.completed"

    def parameters(self, order):
        product = {"name": "一天 a day"}
        price = {"currency": "cny", "unit_amount": AMOUNT, "product_data": product}
        return {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": "https://example.com/paid",
            "client_reference_id": order,
            "metadata": {"echo": ECHO},
            "payment_intent_data": {"metadata": {"echo": ECHO}},
        }

    def adopt(self, order, code):
        """Finds a session that was not made here."""
        sessions = self.sdk.checkout.sessions.list({"status": "open"}).data
        self.made[order] = next(session.id for session in sessions if session.url == code)

    def opened(self, order, parameters):
        return self.sdk.checkout.sessions.create(parameters, {"idempotency_key": order})

    def code(self, session):
        return session.url

    def query(self, order):
        return self.of(self.sdk.checkout.sessions.retrieve(self.made[order]))

    def of(self, session):
        word = session.payment_status if session.status == "complete" else session.status
        return State(word, session.amount_total, session.payment_intent)

    def close(self, order, code):
        self.sdk.checkout.sessions.expire(self.made[order])


class StripeIntent(Stripe):
    """A PaymentIntent of WeChat Pay, whose QR code is in the reply."""

    title = "Stripe by PaymentIntent"
    paid, closed = "succeeded", "canceled"
    tells = "payment_intent.succeeded"

    def parameters(self, order):
        return {
            "amount": AMOUNT,
            "currency": "cny",
            "confirm": True,
            "payment_method_types": ["wechat_pay"],
            "payment_method_data": {"type": "wechat_pay"},
            "payment_method_options": {"wechat_pay": {"client": "web"}},
            "metadata": {"echo": ECHO},
        }

    def opened(self, order, parameters):
        return self.sdk.payment_intents.create(parameters, {"idempotency_key": order})

    def code(self, intent):
        return intent.next_action.wechat_pay_display_qr_code.data

    def query(self, order):
        return self.of(self.sdk.payment_intents.retrieve(self.made[order]))

    def of(self, intent):
        return State(intent.status, intent.amount, intent.id)

    def close(self, order, code):
        self.sdk.payment_intents.cancel(self.made[order])


# The story that each gateway is told.


def play(laptop, gateway, checks):
    """An order is paid, partly given back, another one closed, and what is forged refused."""
    checks.section = gateway.title
    laptop.put("faults", gateway.faults)
    laptop.forget_notifications()
    order, refund_number = order_number(), order_number()
    code = gateway.create(order)
    checks.holds("an order gets a code", bool(code), code)
    status, paid = laptop.pay(code)
    checks.equal("the wallet pays the code", 200, status)
    state = State(gateway.paid, AMOUNT, paid["transaction_id"])
    found = eventually(lambda: gateway.query(order), state)
    checks.equal("the query says paid, with amount and transaction", state, found)
    told = check_notification(laptop, gateway, checks, "payment", state)
    checks.equal("it carries the echo", ECHO, gateway.echo(told))
    check_refund(laptop, gateway, checks, order, state, refund_number)
    check_close(laptop, gateway, checks)
    for what, expected, found in gateway.particulars(order, state):
        checks.equal(what, expected, found)


def check_notification(laptop, gateway, checks, subject, state):
    """Every delivery is genuine, one tells the state of the subject, and altered it is refused."""
    tells = {"payment": gateway.tells_of_payment, "refund": gateway.tells_of_refund}[subject]
    for _ in range(DELIVERIES_MAX):
        notification = laptop.next_notification(gateway.gateway)
        told = gateway.read(notification)
        if told is None:
            raise SystemExit(f"{gateway.title}: the SDK takes this for forged: {notification}")
        if tells(told) == state:
            break
    checks.equal(f"a genuine notification tells of the {subject}", state, tells(told))
    altered = notification._replace(body=notification.body.replace(b"2", b"3", 1))
    checks.equal("altered, it is refused", None, gateway.read(altered))
    return told


def check_refund(laptop, gateway, checks, order, state, number):
    refund = gateway.refund(order, state, number)
    again = gateway.refund(order, state, number)
    checks.equal("a repeated refund is the same refund", refund, again)
    given_back = State(gateway.refunded, REFUNDED, state.transaction)
    found = eventually(lambda: gateway.query_refund(order, number, refund), given_back)
    checks.equal("the query says given back, with amount and transaction", given_back, found)
    checks.equal("money went back once", [REFUNDED], laptop.refunds(state.transaction))
    check_notification(laptop, gateway, checks, "refund", given_back)


def check_close(laptop, gateway, checks):
    order = order_number()
    code = gateway.create(order)
    gateway.close(order, code)
    checks.equal("the query says closed", gateway.closed, gateway.query(order).word)
    status, problem = laptop.pay(code)
    refused = (status, problem.get("code"))
    checks.equal("a closed order is not paid", (409, "code_closed"), refused)


def check_own_order(laptop, gateway, checks):
    """What our adapter ordered, the SDK finds, paid as it was ordered."""
    checks.section = gateway.title
    order, code = laptop.order(gateway.gateway)
    gateway.adopt(order, code)
    _, paid = laptop.pay(code)
    state = State(gateway.paid, AMOUNT, paid.get("transaction_id"))
    found = eventually(lambda: gateway.query(order), state)
    checks.equal("the query finds what our adapter ordered", state, found)


def sections(laptop):
    """A client at a time, because some change what the simulator signs with from then on."""
    for kind in WeChatPay.KINDS.values():
        yield WeChatPay(laptop, kind)
    for signs in Alipay.SIGNS:
        yield Alipay(laptop, signs)
    yield StripeSession(laptop)
    yield StripeIntent(laptop)


def main():
    if os.path.realpath(sys.prefix) != os.path.realpath(VENV):
        enter_environment()
    # Whatever proxy this machine goes out by, the gateways are on it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    checks, played = Checks(), set()
    program = sys.argv[1]
    with callbacks() as functions, Laptop(program, "--functions", functions) as laptop:
        for gateway in sections(laptop):
            play(laptop, gateway, checks)
            played.add(gateway.gateway)
        checks.section = "SDK clients"
        checks.equal("no gateway of the laptop was left out", set(laptop.settings), played)
    # Here our own callback answers, and our own adapters call.
    with Laptop(program) as laptop:
        check_own_order(laptop, WeChatPay(laptop, "public key"), checks)
        check_own_order(laptop, Alipay(laptop, "current"), checks)
        check_own_order(laptop, StripeSession(laptop), checks)
    with open(REQUIREMENTS, encoding="utf-8") as pins:
        sdks = [pin.split("==")[0] for pin in pins]
    versions = ", ".join(f"{sdk} {version(sdk)}" for sdk in sdks)
    print(f"SDK clients: {checks.count} checks hold, by {versions}")


if __name__ == "__main__":
    main()
