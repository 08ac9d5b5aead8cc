"""Each state of the checkout page: how it looks, and that a reload and Back keep it."""

import pytest
from conftest import PHONE
from looks import check_looks
from playwright.sync_api import expect
from stack import until
from states import STATES, open_window, order_elsewhere, placeholder, with_code

# The most that a page may send before it is seen, in bytes.
WEIGHT_MAX = 60_000


@pytest.mark.parametrize("name", STATES)
def test_a_state_looks_right_and_survives_a_reload(stack, shop, name):
    window = STATES[name](stack, shop).until(name)
    check_looks(window.page)
    window.reload().until(name)


def test_a_reload_keeps_what_the_customer_chose(stack, shop):
    window = placeholder(stack, shop).at("stripe").reload().until("placeholder")
    expect(window.page.locator("#quantity")).to_have_value("4")
    expect(window.page.locator("#wallet-options input[value=stripe]")).to_be_checked()
    window.until_amount("51.20")


def test_back_leads_to_the_same_code(stack, shop):
    booking_id, window = with_code(stack, shop)
    before = window.read_code()
    window.page.goto("/")
    window.page.go_back()
    assert window.until("code").read_code() == before == stack.live_code(booking_id)


def test_back_never_shows_a_code_that_was_replaced_meanwhile(stack, shop):
    booking_id, window = with_code(stack, shop)
    window.page.goto("/")
    stack.call("POST", f"/v1/bookings/{booking_id}/quotes", {"quantity": 9}, "alice")
    window.page.go_back()
    window.until("replaced")


def test_what_is_shown_while_offline_looks_right(stack, shop):
    device = shop.device()
    _, window = with_code(stack, shop, device=device)
    device.set_offline(True)
    check_looks(window.until("offline").page)


def test_a_code_that_is_being_made_looks_right(stack, shop):
    _, window = open_window(stack, shop)
    window.page.route("**/payments", lambda _: None)
    check_looks(window.show_code().until("making_code").page)
    window.until("making_code")


def test_the_question_before_cancelling_looks_right_and_can_be_left(stack, shop):
    _, window = with_code(stack, shop)
    window.page.locator("#cancel").click()
    check_looks(window.page)
    window.page.keyboard.press("Escape")
    window.until("code")
    expect(window.page.locator("#cancel-dialog")).to_be_hidden()


@pytest.mark.parametrize("path", ["/", "/simulator/wallet"])
def test_the_laptops_own_pages_look_right(stack, shop, path):
    booking_id, window = with_code(stack, shop)
    page = shop.device().new_page()
    page.goto(path)
    expect(page.locator("#bookings > li, #codes > li").first).to_be_visible()
    check_looks(page)


def go_while_the_order_is_made(window, ask):
    """Reloads the page before it hears of the order that it asked for."""
    made = []
    window.page.route("**/quotes", lambda route: made.append(route.fetch()))
    ask()
    # The window is asked something, because routes are served while it answers.
    until("the order is made", lambda: window.page.evaluate("1") and made)
    window.page.unroute_all(behavior="ignoreErrors")
    window.reload()


def test_an_order_that_was_made_while_its_page_was_reloaded_is_this_windows(stack, shop):
    booking_id, window = open_window(stack, shop)
    window.until("placeholder")
    go_while_the_order_is_made(window, lambda: window.choose(4))
    assert stack.booking(booking_id)["live_order"]["quantity"] == 4
    window.until("placeholder")
    expect(window.page.locator("#quantity")).to_have_value("4")


def test_an_order_that_was_taken_back_while_its_page_was_reloaded_is_this_windows(stack, shop):
    booking_id, window = open_window(stack, shop)
    window.until("placeholder")
    order_elsewhere(stack, booking_id)
    window.until("replaced")
    go_while_the_order_is_made(window, lambda: window.press("make_mine"))
    assert stack.booking(booking_id)["live_order"]["quantity"] == 1
    window.until("placeholder")


def expect_painted(page):
    # A browser paints, and notes the paint, some time after the page's script has run.
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length === 1")


def test_the_page_is_small_and_is_seen_after_one_request(stack, shop):
    device = shop.device(viewport=PHONE)
    page = device.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.resource_type))
    page.goto(stack.link(stack.open_booking("desk-order")))
    expect(page.locator("#checkout")).to_have_attribute("data-state", "placeholder")
    # Besides the document there are only calls of the API, which no paint waits for.
    assert [kind for kind in asked if kind != "fetch"] == ["document"]
    expect_painted(page)
    sent = page.evaluate("performance.getEntriesByType('navigation')[0].transferSize")
    assert 0 < sent < WEIGHT_MAX


def test_a_page_that_waits_for_the_api_is_painted_already(stack, shop):
    page = shop.device(viewport=PHONE).new_page()
    page.route("**/v1/**", lambda _: None)
    page.goto(stack.link(stack.open_booking("desk-order")))
    expect(page.locator("#checkout")).to_have_attribute("data-state", "loading")
    expect_painted(page)
