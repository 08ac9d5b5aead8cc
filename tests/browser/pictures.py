"""Takes the README's pictures from the real pages, into docs/pictures."""

import io
import os
import pathlib

from conftest import CHROMIUM, Shop
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from stack import Stack
from states import with_code
from windows import Wallet

FOLDER = pathlib.Path("docs/pictures")
PHONE = {"width": 390, "height": 900}
TABLE = {"width": 780, "height": 530}
DESK = {"width": 1000, "height": 760}
# How fine the screen is: text stays sharp, and pictures small.
SCALE = 1.5
# The space between two windows, in pixels of the picture.
GAP = 24
GROUND = (200, 208, 216)


def taken(page):
    """What a window shows from its top."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def beside(*pictures):
    """Pictures beside each other."""
    width = sum(one.width for one in pictures) + GAP * (len(pictures) + 1)
    height = max(one.height for one in pictures) + GAP * 2
    whole = Image.new("RGB", (width, height), GROUND)
    at = GAP
    for one in pictures:
        whole.paste(one, (at, GAP))
        at += one.width + GAP
    return whole


def keep(name, picture):
    """Writes a picture as small as it stays sharp: flat pages have few colours."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.webp"
    picture.save(path, "WEBP", quality=75, method=6)
    print(f"{path}: {picture.width} by {picture.height}, {path.stat().st_size:,} bytes")


def two_windows(stack, shop):
    """The first window was replaced by the second; both were paid, and one payment came back."""
    device = shop.device(viewport=PHONE, scale=SCALE)
    booking_id, first = with_code(stack, shop, device=device)
    keep("checkout", taken(first.page))
    old = first.read_code()
    second = shop.checkout(booking_id, device).until("code")
    second.page.locator("#change-quantity").click()
    second.choose(7).show_code()
    until("the second code is live", lambda: stack.live_code(booking_id) not in (None, old))
    second.until("code")
    keep("two-windows", beside(taken(first.until("replaced").page), taken(second.page)))
    return booking_id, old, second.read_code()


def wallet(stack, shop, old, new):
    page = shop.device(viewport=TABLE, scale=SCALE).new_page()
    page.goto("/simulator/wallet")
    shown = Wallet(page)
    shown.until(old, "closed").act(old, "force").until(old, "paid")
    expect(shown.card(old).locator(".back")).to_be_visible()
    shown.scan(new)
    keep("wallet", taken(page))
    shown.act(new, "pay").until(new, "paid")


def operator(stack, shop, booking_id):
    page = shop.device(viewport=DESK, scale=1).new_page()
    page.goto(f"/operator#token=dev:admin&booking={booking_id}")
    expect(page.locator("#booking")).to_have_attribute("data-state", "ready")
    expect(page.locator("#timeline [data-what=refund_succeeded]")).to_be_visible()
    keep("operator", taken(page))


def main():
    stack = Stack(os.environ["LATCHPAY"])
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            shop = Shop(stack, browser)
            booking_id, old, new = two_windows(stack, shop)
            wallet(stack, shop, old, new)
            operator(stack, shop, booking_id)
            shop.close()
            browser.close()
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
