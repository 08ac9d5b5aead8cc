"""Prices that change and codes that run out while a window is open."""

import pytest
from conftest import FLOWS
from playwright.sync_api import expect
from stack import until

LIFE_S = {"submit_once": 900, "order_first": 900, "instant": 120}


def money(amount):
    return {"amount": amount, "currency": "CNY"}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_code_that_runs_out_is_taken_away_and_a_new_one_is_offered(stack, shop, flow):
    booking_id = stack.open_booking(FLOWS[flow])
    window = shop.checkout(booking_id).until("choosing", "placeholder").choose(2).show_code()
    old = window.read_code()
    stack.advance(LIFE_S[flow] + 1)
    window.until("expired")
    window.covers_its_code()
    new = window.press("new_code").read_code()
    assert old != new == stack.live_code(booking_id)
    window.until_amount("25.60")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("flow", FLOWS)
def test_a_new_price_is_shown_beside_the_old_one_and_asked_for(stack, shop, flow, locale):
    product_id = stack.sell(FLOWS[flow])
    booking_id = stack.open_booking(product_id)
    window = shop.checkout(booking_id, shop.device(locale))
    window.until("choosing", "placeholder").choose(2).until_amount("25.60")
    stack.change(product_id, first_unit_price=money(1500))
    window.show_code().until("price_changed")
    old, new = window.compared()
    assert "25.60" in old and "30.00" in new
    window.covers_its_code()
    window.press("accept")
    code = window.until("code").read_code()
    assert code == stack.live_code(booking_id)
    stack.pay(code)
    window.until("paid")
    assert stack.until_active(booking_id)["orders"][0]["amount"] == money(3000)


def test_a_new_price_can_be_declined(stack, shop):
    product_id = stack.sell("desk-order")
    booking_id = stack.open_booking(product_id)
    window = shop.checkout(booking_id).until("placeholder")
    stack.change(product_id, first_unit_price=money(1500))
    window.show_code().until("price_changed").press("decline")
    window.until("order_cancelled", "choosing", "placeholder", "expired")
    assert stack.live_code(booking_id) is None


def test_money_that_came_too_late_comes_back_and_the_page_says_so(stack, shop):
    product_id = stack.sell("desk-order", late_payment="refund")
    booking_id = stack.open_booking(product_id)
    window = shop.checkout(booking_id).until("placeholder").show_code()
    code = window.read_code()
    stack.advance(901)
    window.until("expired")
    stack.pay(code, force=True)
    window.until("refunded")
    window.until_refunds("succeeded")


def test_a_renewal_extends_the_term_and_stops_at_its_limit(stack, shop):
    product_id = stack.sell("desk-order", max_renewals=1)
    booking_id = stack.open_booking(product_id)
    window = shop.checkout(booking_id).until("placeholder").show_code()
    stack.pay(window.read_code())
    window.until("paid").press("renew")
    window.until("choosing", "placeholder").choose(2)
    expect(window.page.locator("#then")).to_be_visible()
    window.until("placeholder").show_code().until_amount("19.80")
    stack.pay(window.read_code())
    window.until("paid")
    booking = until("it is renewed", lambda: renewed(stack, booking_id))
    assert booking["orders"][0]["kind"] == "renewal"
    shop.checkout(booking_id).until("renewal_limit")


def renewed(stack, booking_id):
    booking = stack.booking(booking_id)
    return booking if booking["renewals"] == 1 else None


@pytest.mark.parametrize("flow", ["submit_once", "instant"])
def test_the_other_flows_renew_as_well(stack, shop, flow):
    booking_id = stack.open_booking(FLOWS[flow])
    window = shop.checkout(booking_id).until("choosing").show_code()
    stack.pay(window.read_code())
    window.until("paid").press("renew")
    window.until("choosing").choose(2).show_code()
    stack.pay(window.read_code())
    window.until("paid")
    until("it is renewed", lambda: renewed(stack, booking_id))


def test_a_booking_whose_term_is_over_says_so(stack, shop):
    booking_id = stack.open_booking("desk-order")
    window = shop.checkout(booking_id).until("placeholder").show_code()
    stack.pay(window.read_code())
    window.until("paid")
    address = stack.link(booking_id, expires_in_s=7 * 24 * 3600)
    stack.advance(24 * 3600 + 1)
    shop.checkout(booking_id, address=address).until("term_over")
