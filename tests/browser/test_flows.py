"""The happy path of each flow: what a customer sees from the link to the result."""

import pytest
from conftest import FLOWS
from playwright.sync_api import expect

PAID = {"en-US": ("en", "Paid"), "zh-CN": ("zh-CN", "支付")}


@pytest.mark.parametrize("locale", PAID)
@pytest.mark.parametrize("flow", FLOWS)
def test_a_customer_chooses_scans_and_has_paid(stack, shop, flow, locale):
    booking_id = stack.open_booking(FLOWS[flow])
    window = shop.checkout(booking_id, shop.device(locale))
    window.until("choosing", "placeholder").choose(3).at("wechat_pay")
    window.show_code().until("code")
    code = window.read_code()
    assert code == stack.live_code(booking_id)
    window.until_amount("38.40")
    stack.pay(code)
    window.until("paid")
    language, word = PAID[locale]
    expect(window.page.locator("html")).to_have_attribute("lang", language)
    expect(window.page.locator("#notice")).to_contain_text(word)
    booking = stack.until_active(booking_id)
    assert booking["orders"][0]["quantity"] == 3


@pytest.mark.parametrize("gateway", ["alipay", "stripe"])
def test_each_wallet_pays_the_code_that_the_page_shows(stack, shop, gateway):
    booking_id = stack.open_booking("desk-order")
    window = shop.checkout(booking_id).until("placeholder").at(gateway).show_code()
    stack.pay(window.read_code())
    window.until("paid")
    order = stack.until_active(booking_id)["orders"][0]
    assert order["payment"]["gateway"] == gateway


def test_another_wallet_gets_a_code_of_its_own_and_the_first_code_is_closed(stack, shop):
    booking_id = stack.open_booking("desk-order")
    window = shop.checkout(booking_id).until("placeholder").at("wechat_pay").show_code()
    first = window.read_code()
    window.at("alipay").until("placeholder").show_code()
    second = window.read_code()
    assert first != second == stack.live_code(booking_id)
    wallet = shop.wallet().until(first, "closed")
    wallet.act(second, "pay").until(second, "paid")
    window.until("paid")


def test_the_language_can_be_switched_and_is_kept(stack, shop):
    window = shop.checkout(stack.open_booking("desk-order")).until("placeholder")
    for language in ("zh-CN", "en"):
        window.page.locator(f"[data-language={language}]").click()
        window.reload().until("placeholder")
        expect(window.page.locator("html")).to_have_attribute("lang", language)


def test_a_keyboard_is_enough(stack, shop):
    booking_id = stack.open_booking("desk-order")
    window = shop.checkout(booking_id).until("placeholder")
    keyboard = window.page.keyboard

    def go_to(wanted):
        """Tabs on until something has the focus; a whole round is the bound."""
        for _ in range(40):
            keyboard.press("Tab")
            if window.page.evaluate("it => document.activeElement.matches(it)", wanted):
                return
        raise AssertionError(f"no key leads to {wanted}")

    go_to("#quantity")
    keyboard.press("Control+A")
    keyboard.type("2")
    go_to("#wallet-options input")
    keyboard.press("ArrowDown")
    go_to("#show-code")
    keyboard.press("Enter")
    window.until("code")
    assert stack.booking(booking_id)["live_order"]["quantity"] == 2
    stack.pay(window.read_code())
    window.until("paid")
    go_to("[data-action=renew]")
    keyboard.press("Enter")
    window.until("choosing", "placeholder")
