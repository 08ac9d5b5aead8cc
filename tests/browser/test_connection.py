"""A connection that goes away and comes back."""

import pytest
from playwright.sync_api import expect
from stack import PATIENCE_S


def test_a_code_is_covered_while_offline_and_back_afterwards(stack, shop):
    booking_id = stack.open_booking("desk-order")
    device = shop.device()
    window = shop.checkout(booking_id, device).until("placeholder").choose(2).show_code()
    code = window.read_code()
    device.set_offline(True)
    window.until("offline")
    expect(window.page.locator("#offline")).to_be_visible()
    window.covers_its_code()
    device.set_offline(False)
    assert window.until("code").read_code() == code
    expect(window.page.locator("#offline")).to_be_hidden()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_what_happened_meanwhile_is_shown_when_the_connection_is_back(stack, shop, locale):
    booking_id = stack.open_booking("desk-order")
    device = shop.device(locale)
    window = shop.checkout(booking_id, device).until("placeholder").show_code()
    code = window.read_code()
    device.set_offline(True)
    window.until("offline")
    stack.pay(code)
    device.set_offline(False)
    window.until("paid")


def test_a_window_that_was_replaced_while_offline_never_shows_its_code_again(stack, shop):
    booking_id = stack.open_booking("desk-order")
    device = shop.device()
    window = shop.checkout(booking_id, device).until("placeholder").show_code()
    window.read_code()
    device.set_offline(True)
    window.until("offline")
    path = f"/v1/bookings/{booking_id}/quotes"
    stack.call("POST", path, {"quantity": 7}, "alice")
    device.set_offline(False)
    window.until("replaced")


def test_asking_again_is_answered_in_a_line_while_nothing_has_changed(stack, shop):
    window = shop.checkout(stack.open_booking("desk-order")).until("placeholder")
    with window.page.expect_response(lambda answer: answer.status == 304):
        pass


def test_a_gateway_that_fails_for_a_while_is_tried_again(stack, shop):
    booking_id = stack.open_booking("desk-order")
    window = shop.checkout(booking_id).until("placeholder")
    stack.faults(calls_failed_before=1.0)
    window.show_code()
    # The page tries a few times by itself, with pauses, before it says so.
    expect(window.page.locator("#problem")).to_be_visible(timeout=PATIENCE_S * 2_000)
    stack.faults()
    window.page.locator("#try-again").click()
    assert window.until("code").read_code() == stack.live_code(booking_id)
