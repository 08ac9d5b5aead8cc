"""What the checkout page makes of all that it may know, without a server: its own `viewOf`."""

import pathlib

import pytest
from conftest import FLOWS
from states import STATES

VIEWS = pathlib.Path(__file__).with_name("views.js").read_text("utf-8")
# States that pass by themselves, or that no fixture of this program leads to.
PASSING = {"loading", "making_code", "checking", "offline", "not_found"}


@pytest.fixture
def page(shop):
    page = shop.device().new_page()
    page.goto("/checkout")
    # The page's policy lets no other script in; the browser's own console may.
    page.evaluate(VIEWS)
    return page


@pytest.mark.parametrize("flow", FLOWS)
def test_every_view_has_its_texts_one_way_on_and_no_code_but_the_live_one(page, flow):
    seen = page.evaluate("flow => seeViews(flow)", flow)
    assert seen["complaints"] == []
    assert set(seen["states"]) == set(STATES) | PASSING


def test_every_text_stands_in_both_languages_with_the_same_values(page):
    assert page.evaluate("seeTexts()") == []
