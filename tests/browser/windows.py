"""Windows: the checkout page and the wallet, as their users handle them."""

import io
import re

import zxingcpp
from PIL import Image
from playwright.sync_api import expect
from stack import until

# Sees to it that no window shows a code that is no longer the live one. Every answer of the server
# says which code is live; half a minute of a busy machine is not needed to take another one away.
WATCH = """
(() => {
  const grace_ms = 1000;
  const watch = { live: undefined, drawn: null, shown: null, stale: [] };
  window.watch = watch;
  const visible = () => {
    const code = document.getElementById("code");
    return Boolean(code && !code.hidden && code.getAttribute("src"));
  };
  const isStale = () => visible() && watch.live !== undefined && watch.shown !== watch.live;
  const lookLater = () => setTimeout(() => {
    if (isStale()) watch.stale.push({ shown: watch.shown, live: watch.live });
  }, grace_ms);
  const codeOf = (order) => order?.payment?.code_url ?? null;
  const original = window.fetch.bind(window);
  window.fetch = async (address, options = {}) => {
    const path = new URL(address, location).pathname;
    if (path.endsWith("/qr")) {
      const asked = JSON.parse(options.body).code;
      const response = await original(address, options);
      if (response.ok) watch.drawn = asked;
      return response;
    }
    const response = await original(address, options);
    if (response.ok && path.includes("/v1/checkout/bookings/") && response.status !== 304) {
      const body = await response.clone().json();
      if ("live_order" in body) watch.live = codeOf(body.live_order);
      if ("payment" in body && "order" in body) watch.live = body.payment?.code_url ?? null;
      lookLater();
    }
    return response;
  };
  let source = null;
  new MutationObserver(() => {
    const code = document.getElementById("code");
    const now = visible() ? code.getAttribute("src") : null;
    if (now === source) return;
    source = now;
    if (now !== null) {
      watch.shown = watch.drawn;
      lookLater();
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
})();
"""


class Checkout:
    """One window on one booking."""

    def __init__(self, page):
        self.page = page
        self.main = page.locator("#checkout")

    def until(self, *states):
        """Waits for one of these states; answers the window."""
        pattern = re.compile(f"^(?:{'|'.join(states)})$")
        expect(self.main).to_have_attribute("data-state", pattern)
        return self

    def choose(self, quantity):
        """Types a quantity."""
        field = self.page.locator("#quantity")
        field.fill(str(quantity))
        field.press("Tab")
        return self

    def at(self, gateway):
        """Chooses a wallet."""
        self.page.locator(f"#wallet-options input[value={gateway}]").check()
        return self

    def show_code(self):
        self.page.locator("#show-code").click()
        return self

    def press(self, action):
        """Presses one of the ways on that the page offers."""
        self.page.locator(f"[data-action={action}]").click()
        return self

    def read_code(self):
        """What a phone that is held before this window reads, as soon as there is something."""
        self.until("code")
        read = until("a code is to be seen", self.look)
        assert len(read) == 1, f"{len(read)} codes are to be seen"
        return read[0].text

    def look(self):
        """The codes on the picture of this moment: the browser may not have painted any yet."""
        picture = Image.open(io.BytesIO(self.page.locator("#code").screenshot()))
        return zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)

    def until_amount(self, amount):
        """Waits until this is what there is to pay, as the server has confirmed it."""
        expect(self.page.locator("#amount[data-settled=true]")).to_contain_text(amount)
        return self

    def covers_its_code(self):
        """Sees to it that there is no code to be scanned."""
        expect(self.page.locator("#code")).to_be_hidden()
        return self

    def compared(self):
        """The two sides that are shown side by side: their texts."""
        return self.page.locator("#compare > div").all_inner_texts()

    def until_refunds(self, *statuses):
        """Waits until these are the states of the refunds that are shown."""
        rows = self.page.locator("#refund-list > li")
        expect(rows).to_have_count(len(statuses))
        for row, status in zip(rows.all(), statuses, strict=True):
            expect(row).to_have_attribute("data-status", status)
        return self

    def reload(self):
        self.page.reload()
        return self


class Wallet:
    """The simulated customer's phone."""

    def __init__(self, page):
        self.page = page

    def card(self, code_url):
        return self.page.locator(f'#codes > li[data-code="{code_url}"]')

    def scan(self, code_url):
        self.page.locator("#code-url").fill(code_url)
        self.page.locator("#scan button").click()
        return self.until(code_url, "scanned")

    def act(self, code_url, action):
        self.card(code_url).locator(f"[data-action={action}]").click()
        return self

    def until(self, code_url, status):
        expect(self.card(code_url)).to_have_attribute("data-status", status)
        return self
