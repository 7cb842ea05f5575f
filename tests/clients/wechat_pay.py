"""WeChat Pay as the sandbox plays it, for tests: a merchant, an account, a payer, and what the control API can do.

Used by the programs beside it. Needs SANDBOX_URL, a sandbox of the test's own: the clock is turned for everybody in it.
"""
import itertools
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from types import SimpleNamespace

SANDBOX = os.environ["SANDBOX_URL"]

# Beyond ASCII and with what spoils XML, JSON and URLs; v3 takes no characters of four bytes.
AWKWARD = '茶 & 点心 <b>"x"</b> \' %20 + \\n ]] >'

numbers = itertools.count(1)


class Refused(Exception):
    """The control API said no."""


def ask(url, body=None, method=None, timeout=20):
    """The JSON answer to a request with a JSON body, or without one."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        raise Refused(f"{url}: {refusal.code} {refusal.read().decode()}") from None


def text_at(path):
    with urllib.request.urlopen(SANDBOX + path, timeout=20) as answer:
        return answer.read().decode()


def advance(seconds):
    """Turns the sandbox's clock forward: what was to happen until then happens."""
    ask(f"{SANDBOX}/sandbox/clock", {"advance": seconds})


def tls():
    """The sandbox's address with TLS, and the file with the authority that is to be trusted for it."""
    with open("ca.pem", "w") as file:
        file.write(text_at("/sandbox/ca.pem"))
    url = ask(f"{SANDBOX}/sandbox/tls")["url"]
    assert url, "this sandbox has no address with TLS"
    return url, os.path.abspath("ca.pem")


def phone(order, decision="pay", **purse):
    """What the phone does when a page, an app or a QR code asks to be paid: the result, or the refusal."""
    body = {"order": order, "decision": decision} | ({"purse": purse} if purse else {})
    return ask(f"{SANDBOX}/sandbox/payments", body)


class Merchant:
    """A merchant of the sandbox with an account of its own; settings by the names of the control API."""

    def __init__(self, **settings):
        account = ask(f"{SANDBOX}/sandbox/accounts", {"kind": "official"})
        self.appid, self.secret = account["appid"], account["secret"]
        self.openid = ask(f"{SANDBOX}/sandbox/accounts/{self.appid}")["phone"]
        made = ask(f"{SANDBOX}/sandbox/merchants", {"appids": [self.appid], "key_mode": settings.pop("key_mode", "certificate")})
        self.mch_id, self.v2_key, self.v3_key = made["mch_id"], made["v2_key"], made["v3_key"]
        self.serial, self.platform_serial = made["serial"], made["platform_serial"]
        self.public_key_id = made["public_key_id"]
        self.url = f"{SANDBOX}/sandbox/merchants/{self.mch_id}"
        if settings:
            self.change(**settings)

    def file(self, name):
        """One of the files that the merchant platform gives, as text."""
        return text_at(f"/sandbox/merchants/{self.mch_id}/files/{name}")

    def change(self, **settings):
        ask(self.url, settings, "PATCH")

    def number(self):
        """A number for an order or a refund that nobody used."""
        return f"N{self.mch_id}-{next(numbers):06}"

    def order(self, number):
        return ask(f"{self.url}/orders/{number}")

    def pay(self, number, **how):
        """The payer pays; the notification is on its way."""
        return ask(f"{self.url}/orders/{number}/pay", how)

    def settle(self, number, state="SUCCESS"):
        return ask(f"{self.url}/refunds/{number}/settle", {"state": state})

    def notifications(self, number, subject="payment"):
        """The notifications of an order, when nothing more happens to them by itself."""
        query = urllib.parse.urlencode({"mch_id": self.mch_id, "out_trade_no": number, "wait": "true"})
        every = ask(f"{SANDBOX}/sandbox/notifications?{query}")["notifications"]
        return [SimpleNamespace(**one) for one in every if one["subject"] == subject]

    def resend(self, notification):
        return ask(f"{SANDBOX}/sandbox/notifications/{notification.id}/resend", {"wait": True})
