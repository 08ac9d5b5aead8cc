"""The operator's page: what happened to a booking, and what a person does about it."""

import pytest
from looks import check_looks
from playwright.sync_api import expect
from stack import until
from states import order_elsewhere, with_code


def desk(shop, booking_id=None, locale="en-US"):
    """The operator's page, signed in, at a booking if one is named."""
    page = shop.device(locale).new_page()
    at = "" if booking_id is None else f"&booking={booking_id}"
    page.goto(f"/operator#token=dev:admin{at}")
    if booking_id is not None:
        expect(page.locator("#booking")).to_have_attribute("data-state", "ready")
    return page


def paid_twice(stack, shop):
    """A booking whose two windows both paid."""
    booking_id, window = with_code(stack, shop)
    old = stack.live_code(booking_id)
    second = order_elsewhere(stack, booking_id)
    window.until("replaced").press("use_live").until("placeholder").show_code().until("code")
    stack.pay(old, force=True)
    stack.pay(stack.live_code(booking_id))
    stack.until_active(booking_id)
    return booking_id, second


def refused_refund(stack, shop):
    """A booking whose refund Alipay refuses, because the trade is frozen."""
    booking_id, window = with_code(stack, shop, gateway="alipay")
    old = stack.live_code(booking_id)
    order_elsewhere(stack, booking_id)
    stack.faults(refund_outcome="abnormal")
    stack.pay(old, force=True)

    def waits():
        waiting = stack.call("GET", f"/v1/attention/{booking_id}", caller="admin")
        return waiting["attention"]

    until("it waits for a person", waits)
    return booking_id, window


def waiting(page, booking_id):
    return page.locator(f"#attention-list > li[data-booking-id='{booking_id}']")


def release(page, booking_id, action, note):
    """Does something about what waits on a booking."""
    waiting(page, booking_id).locator(f"[data-action={action}]").click()
    page.locator("#release-note").fill(note)
    page.locator("#release-confirm").click()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_timeline_says_who_replaced_whom_and_what_came_back(stack, shop, locale):
    booking_id, second = paid_twice(stack, shop)
    until("the money is back", lambda: refund_of(stack, booking_id) == "succeeded")
    page = desk(shop, booking_id, locale)
    timeline = page.locator("#timeline")
    for what in ("order_paid", "refund_succeeded", "term_started"):
        expect(timeline.locator(f"[data-what={what}]")).to_have_count(1)
    # The newest first: the oldest order gave way while the quantity was chosen.
    expect(timeline.locator("[data-what=order_superseded]")).to_have_count(2)
    replaced = timeline.locator("[data-what=order_superseded]").first
    replaced.locator("button").last.click()
    expect(page.locator(f"#order-{second}")).to_be_focused()
    expect(page.locator("#order-" + second)).to_have_attribute("data-status", "paid")
    check_looks(page)


def refund_of(stack, booking_id):
    refunds = [it for order in stack.booking(booking_id)["orders"] for it in order["refunds"]]
    return refunds[0]["status"] if refunds else None


def test_a_refused_refund_is_tried_again_and_is_done(stack, shop):
    booking_id, window = refused_refund(stack, shop)
    window.until("refunding")
    page = desk(shop)
    expect(waiting(page, booking_id)).to_have_attribute("data-subject", "refund")
    check_looks(page)
    stack.faults()
    release(page, booking_id, "retry", "the trade was freed")
    window.until("refunded")
    expect(waiting(page, booking_id)).to_have_count(0)
    page = desk(shop, booking_id)
    expect(page.locator("#timeline [data-what=attention_retried]")).to_contain_text("was freed")


def test_resolving_needs_a_note_and_ends_the_waiting(stack, shop):
    booking_id, _ = refused_refund(stack, shop)
    page = desk(shop, booking_id)
    release(page, booking_id, "resolve", "  ")
    expect(page.locator("#release-error")).to_be_visible()
    check_looks(page)
    page.locator("#release-note").fill("given back in cash")
    page.locator("#release-confirm").click()
    expect(waiting(page, booking_id)).to_have_count(0)
    resolved = page.locator("#timeline [data-what=attention_resolved]")
    expect(resolved).to_contain_text("given back in cash")


def test_a_list_that_lags_behind_an_action_is_looked_at_again(stack, shop):
    booking_id, _ = refused_refund(stack, shop)
    page = desk(shop)
    expect(waiting(page, booking_id)).to_have_count(1)
    # The first answer after the action is one of before it, as an index may give.
    before = stack.call("GET", "/v1/attention", caller="admin")
    page.route("**/v1/attention", lambda route: route.fulfill(json=before), times=1)
    release(page, booking_id, "resolve", "given back in cash")
    expect(waiting(page, booking_id)).to_have_count(0)


def test_a_customer_is_told_that_this_is_not_theirs(stack, shop):
    page = shop.device().new_page()
    page.goto("/operator#token=dev:alice")
    expect(page.locator("#attention-error")).not_to_be_empty()
    expect(page.locator("#attention-list > li")).to_have_count(0)


def test_signing_in_on_a_laptop_takes_a_press(stack, shop):
    page = shop.device().new_page()
    page.goto("/operator")
    expect(page.locator("#sign-in")).to_be_visible()
    check_looks(page)
    page.locator("#sign-in-laptop").click()
    expect(page.locator("#figures")).to_have_attribute("data-state", "ready")
    expect(page.locator("#tasks")).to_have_attribute("data-state", "ready")
    check_looks(page)


def test_a_booking_is_found_by_what_a_customer_reads_out(stack, shop):
    booking_id, _ = with_code(stack, shop)
    page = desk(shop)
    page.locator("#reference").fill(booking_id)
    page.locator("#search-button").click()
    expect(page.locator("#booking")).to_have_attribute("data-state", "ready")
    expect(page.locator("#booking-facts")).to_contain_text(booking_id)
    page.go_back()
    expect(page.locator("#booking")).to_be_hidden()
