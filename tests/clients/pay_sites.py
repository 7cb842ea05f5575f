"""The shops of examples/pay. Used by pay_sign beside it, which says what they must do."""
import html
import http.client
import re
import urllib.parse
from pathlib import Path
from types import SimpleNamespace

from example_sites import EXAMPLES as ALL_EXAMPLES
from example_sites import ExampleSite, kinds

EXAMPLES = ALL_EXAMPLES / "pay"

# What each of them sells, and for how much.
ARTICLE, FEE = "例子 & Example", 1

__all__ = ["ARTICLE", "EXAMPLES", "FEE", "Shop", "kinds"]


class Shop(ExampleSite):
    """One running example."""

    def __init__(self, kind, app, api_key):
        orders = Path("orders.json").resolve()
        orders.unlink(missing_ok=True)
        environment = {"WECHAT_PROXY_APP": app, "WECHAT_PROXY_API_KEY": api_key, "ORDERS_FILE": str(orders)}
        super().__init__("pay", kind, environment)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.url[len("http://") :], timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return SimpleNamespace(status=answer.status, text=answer.read().decode())
        finally:
            connection.close()

    def page(self, openid=""):
        return self.request("GET", "/" + (f"?{urllib.parse.urlencode({'openid': openid})}" if openid else ""))

    def link(self, openid=""):
        """The link to a new order that its page has."""
        page = self.page(openid)
        assert page.status == 200, (page.status, page.text)
        assert ARTICLE in html.unescape(page.text) and "¥ 0.01" in page.text, page.text
        [link] = re.findall('<button data-order="([^"]*)"' if openid else '<img src="([^"]*)"', page.text)
        return html.unescape(link)

    def order(self):
        """The number of a new order."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.link()).query))["out_trade_no"]

    def state(self, number):
        return self.request("GET", f"/orders/{number}").text

    def deliver(self, body, headers):
        return self.request("POST", "/paid", body, {"Content-Type": "application/json; charset=utf-8", **headers}).status

    def handled(self, webhook_id):
        """How often it handled a delivery."""
        return self.log.read_text().count(f"handled {webhook_id} ")
