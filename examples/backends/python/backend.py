#!/usr/bin/env python3
"""A backend behind wechat-proxy's /app/KEY/msg/json: says a user's text back, welcomes who follows.

    pip install 'standardwebhooks>=1.1'
    WECHAT_PROXY_API_KEY=wxp_… python3 backend.py        # 127.0.0.1:9000, another port with PORT=

What must stay true: nothing is looked at before its signature is verified, and no delivery is handled twice.
"""
import base64
import json
import os
import sys
import threading
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

# Larger than what the proxy takes from WeChat (1 MiB); escapes can make JSON longer than the XML it came from.
MAX_BODY_BYTES = 4 << 20

# How many deliveries are remembered. A real service keeps their ids in its database, under a unique key, and writes them in
# the transaction that does the work: then a restart forgets nothing. Deliveries come again for up to about two days.
MAX_REMEMBERED = 10_000


def answer(message):
    """The reply to a message, or None for none. Who it goes to and when is filled in by the proxy."""
    if message.get("MsgType") == "text":
        return {"MsgType": "text", "Content": "你说：" + message["Content"]}
    if message.get("MsgType") == "event" and message.get("Event") == "subscribe":
        return {"MsgType": "text", "Content": "欢迎关注！"}
    return None


class Deliveries:
    """Answers each delivery once; a repeated one gets the answer of the first time."""

    def __init__(self):
        self._answers = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, webhook_id, body):
        # What takes long does not belong under this lock, nor into the 5 seconds that WeChat waits: put it into a queue.
        with self._lock:
            if webhook_id not in self._answers:
                message = json.loads(body)
                reply = answer(message)
                print("handled", webhook_id, message.get("MsgType"), message.get("Event", ""), flush=True)
                self._answers[webhook_id] = b"" if reply is None else json.dumps(reply, ensure_ascii=False).encode()
                if len(self._answers) > MAX_REMEMBERED:
                    self._answers.popitem(last=False)
            return self._answers[webhook_id]


class Handler(BaseHTTPRequestHandler):
    """One request of the proxy. `webhook` and `deliveries` are set by `main`."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return self._respond(413)
        body = self.rfile.read(int(length))
        try:
            # A signature that is not even base64 is a ValueError.
            self.webhook.verify(body, dict(self.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            return self._respond(401)
        try:
            return self._respond(200, self.deliveries.answer(self.headers["webhook-id"], body))
        except Exception as error:
            # Not 2xx: the proxy delivers it again later.
            print("failed", self.headers["webhook-id"], repr(error), flush=True)
            return self._respond(500)

    def _respond(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the request line holds parameters that are nobody's business."""


def main():
    api_key = os.environ.get("WECHAT_PROXY_API_KEY")
    if not api_key:
        sys.exit("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)")
    Handler.webhook = Webhook("whsec_" + base64.b64encode(api_key.encode()).decode())
    Handler.deliveries = Deliveries()
    address = ("127.0.0.1", int(os.environ.get("PORT", "9000")))
    print("listening on http://%s:%d" % address, flush=True)
    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
