"""Two windows on one booking: what each of them says about the other."""

import pytest
from conftest import FLOWS
from stack import until


def two_windows(stack, shop, product_id):
    """Two phones that show a code each; the second one has replaced the first one's order."""
    booking_id = stack.open_booking(product_id)
    first = shop.checkout(booking_id).until("choosing", "placeholder")
    first.choose(1).at("wechat_pay").show_code()
    old = first.read_code()
    second = shop.checkout(booking_id)
    second.until("code").page.locator("#change-quantity").click()
    second.choose(3).show_code()
    second.until("code")
    until("the second order is live", lambda: stack.live_code(booking_id) != old)
    return booking_id, first, second, old


@pytest.mark.parametrize("flow", FLOWS)
def test_the_second_window_replaces_the_first_and_the_first_says_so(stack, shop, flow):
    booking_id, first, second, old = two_windows(stack, shop, FLOWS[flow])
    first.until("replaced")
    yours, theirs = first.compared()
    assert "12.80" in yours and "38.40" in theirs
    first.covers_its_code()
    new = second.until("code").read_code()
    assert new == stack.live_code(booking_id) != old
    first.press("use_live")
    assert first.until("code").read_code() == new


def test_the_first_window_can_take_its_order_back(stack, shop):
    booking_id, first, second, _ = two_windows(stack, shop, "desk-order")
    first.until("replaced").press("make_mine")
    assert first.read_code() == stack.live_code(booking_id)
    second.until("replaced")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_both_codes_are_paid_and_one_payment_comes_back(stack, shop, locale):
    booking_id, first, second, old = two_windows(stack, shop, "desk-order")
    third = shop.checkout(booking_id, shop.device(locale))
    stack.pay(old, force=True)
    stack.pay(second.read_code())
    second.until("paid")
    first.until("refunded")
    first.until_refunds("succeeded")
    third.until("paid", "paid_elsewhere", "active")
    third.until_refunds("succeeded")
    booking = stack.booking(booking_id)
    assert [order["status"] for order in booking["orders"]] == ["paid", "superseded"]


def test_a_window_that_only_chose_says_that_another_one_paid(stack, shop):
    booking_id = stack.open_booking("desk-submit")
    chooser = shop.checkout(booking_id).until("choosing").choose(5)
    payer = shop.checkout(booking_id).until("choosing").choose(2).show_code()
    stack.pay(payer.read_code())
    payer.until("paid")
    chooser.until("paid_elsewhere")


def test_a_window_says_that_another_one_cancelled(stack, shop):
    booking_id = stack.open_booking("desk-order")
    first = shop.checkout(booking_id).until("placeholder").show_code().until("code")
    second = shop.checkout(booking_id).until("code")
    second.page.locator("#cancel").click()
    second.page.locator("#cancel-order").click()
    first.until("order_cancelled")
    second.until("order_cancelled", "choosing", "placeholder")
    stack.call("POST", f"/v1/bookings/{booking_id}/cancel", caller="alice")
    first.until("cancelled")
    second.until("cancelled")


def test_pressing_twice_makes_one_order_with_one_code(stack, shop):
    for flow, product_id in FLOWS.items():
        booking_id = stack.open_booking(product_id)
        window = shop.checkout(booking_id).until("choosing", "placeholder")
        window.page.locator("#show-code").dblclick()
        code = window.read_code()
        orders = stack.booking(booking_id)["orders"]
        assert [len(order["payments"]) for order in orders] == [1], flow
        assert code == stack.live_code(booking_id)


def test_two_tabs_of_one_browser_are_two_windows(stack, shop):
    booking_id = stack.open_booking("desk-order")
    device = shop.device()
    first = shop.checkout(booking_id, device).until("placeholder").show_code().until("code")
    second = shop.checkout(booking_id, device).until("code")
    second.page.locator("#change-quantity").click()
    second.choose(4).show_code()
    first.until("replaced")
    assert second.until("code").read_code() == stack.live_code(booking_id)
