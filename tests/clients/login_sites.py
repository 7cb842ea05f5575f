"""The sites of examples/login. Used by login_sign beside it, which says what they must do."""
import html
import re
from pathlib import Path

from example_sites import EXAMPLES as ALL_EXAMPLES
from example_sites import ExampleSite, kinds
from visitor import Visitor

EXAMPLES = ALL_EXAMPLES / "login"

# Those that know VIA=ticket.
KNOW_TICKETS = ["python", "node"]

__all__ = ["EXAMPLES", "KNOW_TICKETS", "Site", "kinds"]


class Site(ExampleSite):
    """One running example."""

    def __init__(self, kind, app, api_key, by_ticket=False, origin=None):
        environment = {
            "WECHAT_PROXY_APP": app,
            "WECHAT_PROXY_API_KEY": api_key,
            "VIA": "ticket" if by_ticket else "",
            "NONCES_FILE": str(Path("nonces.json").resolve()),
        } | ({"SITE_URL": origin + "/"} if origin else {})
        super().__init__("login", kind, environment)
        # What logins for this site are signed for: its address, unless SITE_URL says that the world sees it elsewhere.
        self.origin = origin or self.url

    def post(self, body, visitor=None):
        return (visitor or Visitor()).request("POST", self.url + "/wechat", body, {"Content-Type": "text/plain"})

    def shown(self, visitor):
        """The user that the site shows a visitor, or None."""
        page = visitor.open(self.url + "/")
        assert page.status == 200, (page.status, page.text)
        assert "<b>" not in page.text, page.text
        rows = re.findall("<li>(.*?)</li>", page.text, re.DOTALL)
        return dict(html.unescape(row).split(": ", 1) for row in rows) or None
