"""The laptop's own pages: the whole story, clicked through."""

from conftest import PHONE
from playwright.sync_api import expect
from windows import Checkout, Wallet


def opened_by(device, press):
    """The window that a press opens."""
    with device.expect_page() as opened:
        press()
    return Checkout(opened.value)


def test_two_windows_a_wallet_and_money_that_comes_back(stack, shop):
    device = shop.device()
    home = device.new_page()
    home.goto("/")
    card = home.locator("[data-product=desk-order]")
    first = opened_by(device, card.locator("button").click)
    shop.watch(first).until("placeholder").choose(1).at("wechat_pay").show_code().until("code")
    booking = home.locator("#bookings > li").first
    second = opened_by(device, booking.locator("button").click)
    shop.watch(second).until("code").page.locator("#change-quantity").click()
    old = first.read_code()
    second.choose(3).show_code()
    first.until("replaced")
    new = second.read_code()
    with device.expect_page() as opened:
        home.locator("#wallet").click()
    wallet = Wallet(opened.value)
    wallet.until(old, "closed").act(old, "force").until(old, "paid")
    expect(wallet.card(old).locator(".back")).to_be_visible()
    wallet.scan(new).act(new, "pay").until(new, "paid")
    second.until("paid")
    first.until("refunded").until_refunds("succeeded")
    expect(booking).to_have_attribute("data-status", "active")


def test_each_flow_opens_from_the_first_page_in_both_languages(shop):
    for locale, word in [("en-US", "Open a checkout"), ("zh-CN", "打开收银台")]:
        device = shop.device(locale, PHONE)
        home = device.new_page()
        home.goto("/")
        buttons = home.locator("#products button")
        expect(buttons).to_have_text([word] * 3)
        for button in buttons.all():
            window = opened_by(device, button.click)
            shop.watch(window).until("choosing", "placeholder").page.close()


def test_a_refusal_in_the_wallet_leaves_the_code_as_its_gateway_does(stack, shop):
    booking_id = stack.open_booking("desk-order")
    wallet = shop.wallet(shop.device(viewport=PHONE))
    window = shop.checkout(booking_id).until("placeholder")
    for gateway, refusal in [("wechat_pay", "cancel"), ("alipay", "cancel"), ("stripe", "decline")]:
        window.at(gateway).until("placeholder").show_code()
        code = window.read_code()
        wallet.until(code, "open").act(code, refusal).until(code, "scanned")
        expect(wallet.page.locator("#said")).not_to_be_empty()
    wallet.act(code, "pay").until(code, "paid")
    window.until("paid")


def test_the_wallet_says_what_a_gateway_refuses(stack, shop):
    wallet = shop.wallet()
    wallet.page.locator("#code-url").fill("weixin://wxpay/bizpayurl?pr=nobody")
    wallet.page.locator("#scan button").click()
    expect(wallet.page.locator("#said.bad")).to_contain_text("no gateway issued this code")


def test_time_is_let_pass_from_the_first_page(stack, shop):
    booking_id = stack.open_booking("desk-order")
    window = shop.checkout(booking_id).until("placeholder").show_code().until("code")
    home = shop.device().new_page()
    home.goto("/")
    home.locator("#minutes").click()
    window.until("expired")
