"""Every state that the checkout page can be in, and how a customer gets there."""

from conftest import FLOWS

CNY = "CNY"


def open_window(stack, shop, product_id="desk-order", device=None):
    booking_id = stack.open_booking(product_id)
    window = shop.checkout(booking_id, device).until("choosing", "placeholder")
    return booking_id, window


def with_code(stack, shop, product_id="desk-order", device=None, gateway="wechat_pay"):
    booking_id, window = open_window(stack, shop, product_id, device)
    window.choose(2).at(gateway).show_code().until("code")
    return booking_id, window


def order_elsewhere(stack, booking_id, quantity=5):
    """Another window's order: its id."""
    path = f"/v1/bookings/{booking_id}/quotes"
    return stack.call("POST", path, {"quantity": quantity}, "alice")["order"]["order_id"]


def choosing(stack, shop):
    return open_window(stack, shop, FLOWS["submit_once"])[1].choose(4)


def placeholder(stack, shop):
    return open_window(stack, shop)[1].choose(4)


def code(stack, shop):
    return with_code(stack, shop)[1]


def replaced(stack, shop):
    booking_id, window = with_code(stack, shop)
    order_elsewhere(stack, booking_id)
    return window


def order_over(stack, shop):
    booking_id, window = with_code(stack, shop)
    order_id = order_elsewhere(stack, booking_id)
    window.until("replaced")
    stack.call("POST", f"/v1/bookings/{booking_id}/orders/{order_id}/cancel", caller="alice")
    return window


def price_changed(stack, shop):
    product_id = stack.sell("desk-order")
    _, window = open_window(stack, shop, product_id)
    stack.change(product_id, first_unit_price={"amount": 1500, "currency": CNY})
    return window.show_code()


def expired(stack, shop):
    _, window = with_code(stack, shop)
    stack.advance(901)
    return window


def order_cancelled(stack, shop):
    booking_id, window = with_code(stack, shop)
    order_id = stack.booking(booking_id)["live_order"]["order_id"]
    stack.call("POST", f"/v1/bookings/{booking_id}/orders/{order_id}/cancel", caller="alice")
    return window


def cancelled(stack, shop):
    booking_id, window = with_code(stack, shop)
    stack.call("POST", f"/v1/bookings/{booking_id}/cancel", caller="alice")
    return window


def paid(stack, shop):
    booking_id, window = with_code(stack, shop)
    stack.pay(stack.live_code(booking_id))
    return window


def paid_elsewhere(stack, shop):
    booking_id, window = open_window(stack, shop, FLOWS["submit_once"])
    window.choose(6)
    payer = shop.checkout(booking_id).until("choosing").show_code()
    stack.pay(payer.read_code())
    return window


def refunding(stack, shop):
    booking_id, window = with_code(stack, shop)
    old = stack.live_code(booking_id)
    stack.faults(refund_delay_ms=600_000)
    order_elsewhere(stack, booking_id)
    stack.pay(old, force=True)
    return window


def refunded(stack, shop):
    booking_id, window = with_code(stack, shop)
    old = stack.live_code(booking_id)
    order_elsewhere(stack, booking_id)
    stack.pay(old, force=True)
    return window


def active(stack, shop):
    booking_id, window = with_code(stack, shop)
    stack.pay(stack.live_code(booking_id))
    window.until("paid")
    return shop.checkout(booking_id)


def renewal_limit(stack, shop):
    booking_id, window = with_code(stack, shop, stack.sell("desk-order", max_renewals=0))
    stack.pay(stack.live_code(booking_id))
    window.until("paid")
    return shop.checkout(booking_id)


def term_over(stack, shop):
    booking_id, window = with_code(stack, shop)
    stack.pay(stack.live_code(booking_id))
    window.until("paid")
    address = stack.link(booking_id, expires_in_s=7 * 24 * 3600)
    stack.advance(2 * 24 * 3600 + 1)
    return shop.checkout(booking_id, address=address)


def unavailable(stack, shop):
    product_id = stack.sell("desk-submit")
    booking_id = stack.open_booking(product_id)
    stack.change(product_id, gateways=[])
    return shop.checkout(booking_id)


def link_missing(stack, shop):
    return shop.checkout(None, address=f"{stack.base_url}/checkout")


def link_invalid(stack, shop):
    address = stack.link(stack.open_booking("desk-order"))
    return shop.checkout(None, address=address[:-4] + "AAAA")


def link_expired(stack, shop):
    address = stack.link(stack.open_booking("desk-order"), expires_in_s=600)
    stack.advance(601)
    return shop.checkout(None, address=address)


# Each state by its name. `loading`, `making_code`, `checking` and `offline` pass by themselves and
# have tests of their own.
STATES = {
    state.__name__: state
    for state in (
        choosing,
        placeholder,
        code,
        replaced,
        order_over,
        price_changed,
        expired,
        order_cancelled,
        cancelled,
        paid,
        paid_elsewhere,
        refunding,
        refunded,
        active,
        renewal_limit,
        term_over,
        unavailable,
        link_missing,
        link_invalid,
        link_expired,
    )
}
