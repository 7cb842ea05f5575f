#!/usr/bin/env python3
"""A site behind wechat-proxy's /app/KEY/auth/info: logs its visitors in with WeChat.

    WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… python3 backend.py
    # 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers find it; VIA=ticket: by ticket instead of a POST

What must stay true: who the visitor is comes only from what `verify` lets pass, which was signed for this site; each login
counts once, and only in the browser that began it. It needs nothing but Python 3.9.
"""
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
import urllib.request
from collections import OrderedDict
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# How far `timestamp` may be from the clock, in seconds.
TOLERANCE = 300

# Larger than any user that WeChat describes.
MAX_BODY_BYTES = 64 << 10

# How many sessions are remembered. A real service keeps them, and the nonces, in its database or cache.
MAX_REMEMBERED = 10_000


def verify(body, api_key, origin):
    """The members of a signed JSON body, as the texts that were signed; None when it is not genuine, or not for `origin`.

    Types are not signed (0 and "0" are the same text), so only texts come out. A `&name=` in a text could make two members
    of one, or one of two, under the same signature: the proxy sends none but in `state`, where it does no harm. What another
    site, port or scheme got says nothing here, so `origin` must be the one of this site, as browsers write it.
    """
    try:
        members = json.loads(body, parse_int=str, parse_float=refuse, parse_constant=refuse)
        texts = {name: signed_text(value) for name, value in members.items()}
        given = texts.pop("sign").encode()
        for name, text in texts.items():
            if not re.fullmatch("[a-z][a-z0-9_]*", name) or name != "state" and re.search("&[A-Za-z0-9_]+=", text):
                return None
        pairs = [f"{name}={texts[name]}" for name in sorted(texts) if texts[name]]
        text = "&".join([*pairs, "key=" + api_key]).encode()
    except (AttributeError, KeyError, RecursionError, ValueError):
        return None
    expected = hmac.new(api_key.encode(), text, hashlib.sha256).hexdigest().upper().encode()
    return texts if hmac.compare_digest(expected, given) and texts.get("origin") == origin else None


def signed_text(value):
    """How a value stands in the signed text. Integers came out of the parser as they are written."""
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    if isinstance(value, list) and not any(isinstance(item, list) for item in value):
        return ",".join(map(signed_text, value))
    return value if isinstance(value, str) else refuse(value)


def refuse(value):
    raise ValueError("nothing that the proxy sends")


class Visitors:
    """Who is logged in. Its lock lets one request after the other."""

    def __init__(self):
        self._users, self._nonces, self._lock = OrderedDict(), {}, threading.Lock()

    def first_time(self, user, now):
        """Whether what `verify` let pass is of now, and was not here before."""
        when, nonce = user.get("timestamp", ""), user.get("nonce", "")
        if not re.fullmatch("[0-9]{1,12}", when) or abs(now - int(when)) > TOLERANCE or not nonce:
            return False
        with self._lock:
            self._nonces = {known: end for known, end in self._nonces.items() if end >= now}
            if nonce in self._nonces:
                return False
            self._nonces[nonce] = int(when) + TOLERANCE
            return True

    def enter(self, user):
        """The name of a new session."""
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._users[session] = user
            if len(self._users) > MAX_REMEMBERED:
                self._users.popitem(last=False)
        return session

    def user(self, session, login):
        """The user of a session, in the browser whose cookie `login` is the `state` that this login began with."""
        with self._lock:
            user = self._users.get(session)
        if user and login and hmac.compare_digest(user.get("state", "").encode(), login.encode()):
            return user
        return None


class Handler(BaseHTTPRequestHandler):
    """One request of a browser. `site` is set by `main`."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        path, _, query = self.path.partition("?")
        pages = {"/": self.show, "/login": self.login, "/wechat": lambda: self.redeem(urllib.parse.parse_qs(query))}
        pages.get(path, lambda: self.page(404, "没有这一页"))()

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if self.path.partition("?")[0] != "/wechat" or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return self.page(400, "看不懂的请求")
        return self.accept(self.rfile.read(int(length)))

    def show(self):
        cookies = self.cookies()
        user = self.site.visitors.user(cookies.get("session"), cookies.get("login"))
        if user is None:
            return self.page(200, "还没有登录")
        return self.page(200, "你好, " + (user.get("nickname") or user.get("openid") or user.get("userid", "")), user)

    def login(self):
        state = secrets.token_urlsafe(16)
        query = {"call": self.site.url + "/wechat", "state": state} | ({"via": "ticket"} if self.site.by_ticket else {})
        self.lead(302, f"{self.site.app}/auth/info?{urllib.parse.urlencode(query)}", "login=" + state)

    def accept(self, body):
        """What the proxy says about the visitor: the body of the POST, or what a ticket brought."""
        user = verify(body, self.site.api_key, self.site.url)
        if user is None or not self.site.visitors.first_time(user, time.time()):
            return self.page(401, "登录信息无效或已过期")
        if user.get("error"):
            return self.sorry(user["error"])
        return self.lead(303, "/", "session=" + self.site.visitors.enter(user))

    def redeem(self, query):
        """VIA=ticket: the browser brings a ticket; the user is fetched with it, once, by this server itself."""
        if "ticket" not in query:
            return self.sorry(query.get("error", [""])[0])
        request = urllib.request.Request(
            f"{self.site.app}/auth/user?{urllib.parse.urlencode({'ticket': query['ticket'][0]})}",
            headers={"Authorization": "Bearer " + self.site.api_key},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                body = answer.read(MAX_BODY_BYTES)
        except (OSError, HTTPException) as failure:
            print("the ticket brought nothing:", failure, flush=True)
            return self.page(401, "登录信息无效或已过期")
        return self.accept(body)

    def sorry(self, error):
        # access_denied: the visitor said no. A ticket's error is not signed: nothing but a word is shown.
        self.page(403, "没有登录: " + (error if re.fullmatch("[a-z_]{1,40}", error) else "invalid_request"))

    def cookies(self):
        pairs = (pair.strip().partition("=") for pair in self.headers.get("Cookie", "").split(";"))
        return {name: value for name, _, value in pairs}

    def lead(self, status, location, cookie):
        # With HTTPS add "; Secure". Lax is what keeps the comparison in Visitors.user worth something.
        headers = {"Location": location, "Set-Cookie": cookie + "; Path=/; HttpOnly; SameSite=Lax"}
        self.respond(status, b"", headers)

    def page(self, status, title, user=None):
        rows = "".join(f"<li>{html.escape(name)}: {html.escape(text)}</li>" for name, text in (user or {}).items())
        body = (
            '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<h1>{html.escape(title)}</h1><ul>{rows}</ul><a href="/login">用微信登录</a>'
        )
        self.respond(status, body.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def respond(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Cache-Control": "no-store", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the request line may hold a ticket."""


class Site:
    """What the environment says, and who is logged in."""

    def __init__(self, environment):
        self.api_key = environment.get("WECHAT_PROXY_API_KEY") or sys.exit("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)")
        self.app = environment.get("WECHAT_PROXY_APP", "http://127.0.0.1:8080/app/test").rstrip("/")
        self.port = int(environment.get("PORT", "9000"))
        self.url = environment.get("SITE_URL", f"http://127.0.0.1:{self.port}").rstrip("/")
        self.by_ticket = environment.get("VIA") == "ticket"
        self.visitors = Visitors()


def main():
    Handler.site = Site(os.environ)
    print(f"listening on http://127.0.0.1:{Handler.site.port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", Handler.site.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
