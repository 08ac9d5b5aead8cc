"""What every test gets: the running program, one browser, and a shop to open windows in."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright
from stack import PATIENCE_S, Stack
from windows import WATCH, Checkout, Wallet

CHROMIUM = "/usr/bin/chromium"
FLOWS = {"submit_once": "desk-submit", "order_first": "desk-order", "instant": "desk-instant"}
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}

expect.set_options(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="session")
def stack():
    stack = Stack(os.environ["LATCHPAY"])
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Shop:
    """Devices and windows of one test."""

    def __init__(self, stack, browser):
        self.stack = stack
        self.browser = browser
        self.contexts = []
        self.watched = []
        self.complaints = []

    def device(self, locale="en-US", viewport=None, scale=2, **options):
        """A browser of its own, with nothing remembered; `scale` is how fine its screen is."""
        context = self.browser.new_context(
            base_url=self.stack.base_url,
            locale=locale,
            viewport=viewport or DESK,
            device_scale_factor=scale,
            timezone_id="Asia/Shanghai",
            **options,
        )
        context.set_default_timeout(PATIENCE_S * 1000)
        context.add_init_script(WATCH)
        context.on("page", self.follow)
        self.contexts.append(context)
        return context

    def follow(self, page):
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self.hear)

    def hear(self, message):
        """A policy that is broken is an error; a call that is refused is part of many tests."""
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def checkout(self, booking_id, device=None, address=None):
        """A window on a booking."""
        page = (device or self.device()).new_page()
        page.goto(address or self.stack.link(booking_id))
        return self.watch(Checkout(page))

    def watch(self, checkout):
        self.watched.append(checkout.page)
        return checkout

    def wallet(self, device=None):
        page = (device or self.device()).new_page()
        page.goto("/simulator/wallet")
        return Wallet(page)

    def close(self):
        open_pages = [page for page in self.watched if not page.is_closed()]
        stale = [page.evaluate("window.watch.stale") for page in open_pages]
        for context in self.contexts:
            context.close()
        assert not any(stale), f"a code was shown that was no longer live: {stale}"
        assert not self.complaints, self.complaints


@pytest.fixture
def shop(stack, browser):
    shop = Shop(stack, browser)
    yield shop
    stack.faults()
    shop.close()
