"""Links that do not lead anywhere, and what they show."""

from playwright.sync_api import expect


def with_signature_changed(address):
    """The address with the last digit of its signature changed."""
    return address[:-2] + ("A" if address[-2] != "A" else "B") + address[-1]


def test_a_tampered_link_shows_nothing_to_pay(stack, shop):
    booking_id = stack.open_booking("desk-order")
    address = with_signature_changed(stack.link(booking_id))
    window = shop.checkout(booking_id, address=address).until("link_invalid")
    expect(window.page.locator("#show-code")).to_be_hidden()


def test_a_link_with_the_signature_of_another_shows_nothing_to_pay(stack, shop):
    own = stack.link(stack.open_booking("desk-order"))
    other = stack.link(stack.open_booking("desk-order"))
    head, signature = own.rsplit(".", 1)
    address = f"{other.rsplit('.', 1)[0]}.{signature}"
    shop.checkout(None, address=address).until("link_invalid")
    shop.checkout(None, address=head).until("link_missing", "link_invalid")
    shop.checkout(None, address=own.split("#")[0]).until("link_missing")


def test_a_link_that_runs_out_under_an_open_page_takes_its_code_away(stack, shop):
    booking_id = stack.open_booking("desk-order")
    address = stack.link(booking_id, expires_in_s=600)
    window = shop.checkout(booking_id, address=address).until("placeholder").show_code()
    window.until("code")
    stack.advance(601)
    window.until("link_expired")
    window.covers_its_code()
    shop.checkout(booking_id, address=address).until("link_expired")


def test_the_way_back_leads_where_the_link_says(stack, shop):
    booking_id = stack.open_booking("desk-order")
    back = f"{stack.base_url}/"
    window = shop.checkout(booking_id, address=stack.link(booking_id, return_url=back))
    window.until("placeholder")
    expect(window.page.locator("#return")).to_have_attribute("href", back)
