#!/usr/bin/env python3
"""A shop behind wechat-proxy's /app/KEY/pay/qrcode and /pay/js: sells one article, and hears when it is paid.

    WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… python3 backend.py
    # 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers and the proxy find it

What must stay true: the price is this server's, so every link to an order is signed; an order is paid only by a delivery whose
signature is right and whose amount is the order's; and no delivery is handled twice. It needs nothing but Python 3.9.
"""
import base64
import hashlib
import hmac
import html
import json
import os
import re
import secrets
import sys
import threading
import time
import urllib.parse
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What is sold, and for how much, in fen.
ARTICLE, FEE = "例子 & Example", 1

# How far webhook-timestamp may be from the clock, in seconds: an old request that somebody recorded is worth nothing.
TOLERANCE = 300

# Larger than any delivery of a payment.
MAX_BODY_BYTES = 256 << 10

# How many orders and deliveries are remembered. A real service keeps both in its database, the ids of deliveries under a unique
# key, and writes them in the transaction that does the work: then a restart forgets nothing.
MAX_REMEMBERED = 10_000


def sign_link(url, parameters, api_key, now):
    """A link to an order (`url` is …/pay/qrcode or …/pay/js) that the proxy follows for an hour, with these parameters only.

    The signed text does not escape: what visitors choose could look like another parameter in it. Such a value is refused, here
    as by the proxy.
    """
    texts = {name: text for name, text in parameters.items() if text and name != "sign"} | {"timestamp": str(int(now))}
    for name, text in texts.items():
        if not re.fullmatch("[A-Za-z0-9_]+", name) or re.search("&[A-Za-z0-9_]+=", text):
            raise ValueError(f"{name} cannot be signed: it holds '&', a name and '='")
    pairs = [f"{name}={texts[name]}" for name in sorted(texts)]
    text = "&".join([*pairs, "key=" + api_key])
    sign = hmac.new(api_key.encode(), text.encode(), hashlib.sha256).hexdigest().upper()
    return f"{url}?{urllib.parse.urlencode(texts | {'sign': sign})}"


def genuine(api_key, headers, body, now):
    """Whether the proxy sent this: webhook-signature is "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the api_key.

    After a rotation of the api_key there are two of them, and one that fits is enough.
    """
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or not re.fullmatch("[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        return False
    mark = hmac.new(api_key.encode(), f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(mark)
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(one.encode(), expected) for one in given)


class Orders:
    """What was ordered, and what became of it. Its lock lets one request after the other."""

    def __init__(self):
        self._orders, self._seen, self._lock = OrderedDict(), OrderedDict(), threading.Lock()

    def place(self, fee):
        """The number of a new order. It is remembered before anybody can pay it."""
        number = time.strftime("%Y%m%d") + secrets.token_hex(12)
        with self._lock:
            self._orders[number] = {"fee": fee, "state": "unpaid"}
            forget(self._orders)
        return number

    def state(self, number):
        """`unpaid`, `paid` or `refunded`; None for an order that is not known."""
        with self._lock:
            return self._orders.get(number, {}).get("state")

    def take(self, webhook_id, body):
        """Takes what `genuine` let pass, once. Raises when it cannot be handled: then it is delivered again later."""
        with self._lock:
            if webhook_id in self._seen:
                return
            event = json.loads(body)
            order = self._orders.get(event["out_trade_no"])
            if order is None:
                raise LookupError(f"no order {event['out_trade_no']}")
            # The total of the order, which WeChat tells with every event; cash_fee is less when a coupon paid a part.
            if event["total_fee"] != order["fee"]:
                raise ValueError(f"{event['total_fee']} fen for an order of {order['fee']}")
            if event["event_type"] == "TRANSACTION.SUCCESS" and order["state"] == "unpaid":
                # Here the goods are handed out. What takes long belongs into a queue.
                order["state"] = "paid"
            if event["event_type"] == "REFUND.SUCCESS":
                order["state"] = "refunded"
            # REFUND.CLOSED: no money went back; REFUND.ABNORMAL: the payer's bank refused, somebody has to see to it.
            print("handled", webhook_id, event["event_type"], event["out_trade_no"], flush=True)
            self._seen[webhook_id] = True
            forget(self._seen)


def forget(remembered):
    if len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)


class Handler(BaseHTTPRequestHandler):
    """One request. `shop` is set by `main`."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/":
            # In WeChat, who pays is in the session of a login (examples/login). Whoever it names, only he can pay.
            return self.offer(urllib.parse.parse_qs(query).get("openid", [""])[0])
        state = self.shop.orders.state(path[len("/orders/") :]) if path.startswith("/orders/") else None
        return self.respond(200 if state else 404, (state or "没有这个订单").encode(), "text/plain; charset=utf-8")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if self.path != "/paid" or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return self.respond(400)
        body = self.rfile.read(int(length))
        if not genuine(self.shop.api_key, self.headers, body, time.time()):
            return self.respond(401)
        try:
            self.shop.orders.take(self.headers["webhook-id"], body)
        except Exception as error:
            # Not 2xx: the proxy delivers it again later, and keeps it where operators find it.
            print("failed", self.headers["webhook-id"], repr(error), flush=True)
            return self.respond(500)
        return self.respond(200)

    def offer(self, openid):
        try:
            number, link = self.shop.offer(openid)
        except ValueError:
            return self.respond(400, "openid 不对".encode(), "text/plain; charset=utf-8")
        link = html.escape(link)
        way = f'<button data-order="{link}">在微信里付款</button>' if openid else f'<img src="{link}" alt="用微信扫码付款">'
        page = PAGE.replace("{article}", html.escape(ARTICLE)).replace("{fee}", f"{FEE / 100:.2f}")
        return self.respond(200, page.replace("{number}", number).replace("{way}", way).encode(), "text/html; charset=utf-8")

    def respond(self, status, body=b"", content_type="text/plain"):
        self.send_response(status)
        headers = {"Content-Type": content_type, "Cache-Control": "no-store", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the request line may name a payer."""


# What the phone says (result) is for display. Whether it is paid, this server knows from the delivery.
PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<h1>{article} ¥ {fee}</h1>{way}<p id="state">unpaid</p>
<script>
  const button = document.querySelector('button');
  const say = (text) => { document.getElementById('state').textContent = text; };
  if (button) button.onclick = async () => {
    const order = await (await fetch(button.dataset.order)).json();
    if (!order.paySign) return say(order.errmsg);
    WeixinJSBridge.invoke('getBrandWCPayRequest', order, (result) => say(result.err_msg));
  };
  setInterval(async () => {
    const state = await (await fetch('/orders/{number}')).text();
    if (state !== 'unpaid') say(state);
  }, 2000);
</script>
"""


class Shop:
    """What the environment says, and what was ordered."""

    def __init__(self, environment):
        self.api_key = environment.get("WECHAT_PROXY_API_KEY") or sys.exit("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)")
        self.app = environment.get("WECHAT_PROXY_APP", "http://127.0.0.1:8080/app/test").rstrip("/")
        self.port = int(environment.get("PORT", "9000"))
        self.url = environment.get("SITE_URL", f"http://127.0.0.1:{self.port}").rstrip("/")
        self.orders = Orders()

    def offer(self, openid):
        """The number of a new order, and the link to it: what a page in WeChat asks for, or a picture to be scanned."""
        number = self.orders.place(FEE)
        order = {"out_trade_no": number, "fee": str(FEE), "name": ARTICLE, "call": self.url + "/paid", "openid": openid}
        return number, sign_link(self.app + ("/pay/js" if openid else "/pay/qrcode"), order, self.api_key, time.time())


def main():
    Handler.shop = Shop(os.environ)
    print(f"listening on http://127.0.0.1:{Handler.shop.port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", Handler.shop.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
