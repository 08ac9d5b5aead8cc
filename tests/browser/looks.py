"""What must hold of every page in every state, whatever it shows."""

import pathlib

import axe_playwright_python
from conftest import DESK, PHONE

AXE = pathlib.Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
GRAVE = ("serious", "critical")


def check_looks(page):
    """Light and dark, on a phone and on a desk: axe finds nothing grave, nothing is cut off."""
    for viewport, scheme in ((PHONE, "light"), (DESK, "dark"), (PHONE, "dark"), (DESK, "light")):
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        # The window takes its new size some time after it was told to.
        page.wait_for_function("width => innerWidth === width", arg=viewport["width"])
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{width} px on a window of {viewport['width']}"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        grave = [one for one in violations(page) if one["impact"] in GRAVE]
        assert not grave, [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave]


def violations(page):
    # The page's policy lets no other script in; the browser's own console may.
    page.evaluate(AXE)
    return page.evaluate("async () => (await axe.run(document)).violations")
