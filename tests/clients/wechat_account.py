"""An account as WeChat and WeCom know it, made of wechatpy: it signs and encrypts what it pushes to the proxy, and reads replies.

Used by the programs beside it. Needs PROXY_URL, a local proxy; every account has an appid and a registration of its own, so
that stories do not meet. Nothing in here may be copied from the proxy: that wechatpy agrees is what is tested.
"""
import base64
import itertools
import json
import os
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request

import xmltodict
from standardwebhooks.webhooks import Webhook
from wechatpy.crypto import WeChatCrypto
from wechatpy.enterprise.crypto import WeChatCrypto as WorkCrypto
from wechatpy.utils import WeChatSigner

PROXY = os.environ["PROXY_URL"]
TOKEN = "tokenOfThisTest"
# Its last character carries bits that belong to no byte, as that of many real keys does.
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ORIGINAL_ID, OPENID = "gh_0123456789ab", "oABCabcABCabcABCabcABCabcABC"

# More than a double can hold exactly. Each message has the next one.
MSG_ID = 24_388_888_888_888_889
msg_ids = itertools.count(MSG_ID + 1)


class App:
    """One account as WeChat knows it, registered at the proxy. `crypto` is None in plain mode."""

    numbers = itertools.count(random.randrange(1 << 40))

    def __init__(self, backend, mode="plain", work=False, known_to_the_proxy=("token", "aes")):
        number = next(App.numbers)
        self.backend, self.mode, self.work = backend, mode, work
        self.appid = f"{'ww' if work else 'wx'}{number:016x}"
        self.key = f"应用{number:x}"
        crypto = WorkCrypto if work else WeChatCrypto
        self.crypto = None if mode == "plain" else crypto(TOKEN, AES_KEY, self.appid)
        form = {"key": self.key, "appid": self.appid, "secret": "0" * 32, "check": "false"}
        keys = {"token": TOKEN, "aes": AES_KEY if self.crypto else ""}
        form |= {name: keys[name] for name in known_to_the_proxy}
        status, answer = send(f"{PROXY}/register", urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded")
        assert status == 200, answer
        self.api_key = json.loads(answer)["api_key"]

    def url(self, form, calls, query, more=()):
        pairs = [*query.items(), *(("call", self.backend.url(call)) for call in calls), *more]
        return f"{PROXY}/app/{urllib.parse.quote(self.key)}/{form}?{urllib.parse.urlencode(pairs)}"

    def signed(self, xml, age=0):
        """Query and body of a push, as the account's mode wants them."""
        timestamp, nonce = str(int(time.time()) - age), str(random.randrange(1 << 32))
        query = {"signature": signature(timestamp, nonce), "timestamp": timestamp, "nonce": nonce, "openid": OPENID}
        if not self.crypto:
            return query, xml
        sealed = xmltodict.parse(self.crypto.encrypt_message(xml, nonce, timestamp))["xml"]
        plain = inner(xml) if self.mode == "compatible" else element("ToUserName", to=self)
        body = f"<xml>{plain}<Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>"
        if self.work:
            query = {"msg_signature": sealed["MsgSignature"], "timestamp": timestamp, "nonce": nonce}
            return query, body.replace("<Encrypt>", "<AgentID><![CDATA[218]]></AgentID><Encrypt>")
        return query | {"encrypt_type": "aes", "msg_signature": sealed["MsgSignature"]}, body

    def push(self, xml, calls, form="msg", more=(), change=lambda query, body: (query, body), age=0, timeout=30):
        """Status and body of what the proxy answers to one try of WeChat."""
        query, body = change(*self.signed(xml, age))
        return send(self.url(form, calls, query, more), body.encode(), "text/xml", timeout)

    def shown(self, answer):
        """What the user sees: the fields of the reply, or None."""
        status, body = answer
        assert status == 200, answer
        if body in (b"", b"success"):
            return None
        if self.crypto:
            envelope = xmltodict.parse(body)["xml"]
            assert set(envelope) == {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}, envelope
            body = self.crypto.decrypt_message(body, envelope["MsgSignature"], envelope["TimeStamp"], envelope["Nonce"])
        reply = xmltodict.parse(body)["xml"]
        mine = self.appid if self.work else ORIGINAL_ID
        assert (reply["ToUserName"], reply["FromUserName"]) == (OPENID, mine), reply
        assert abs(int(reply["CreateTime"]) - time.time()) < 60, reply
        return reply

    def text_shown(self, answer):
        reply = self.shown(answer)
        assert reply and reply["MsgType"] == "text", reply
        return reply["Content"]

    def verify(self, request, attempt=1):
        return believed(request, self.api_key, attempt)


def believed(request, api_key, attempt=1):
    """The headers of a request to a backend: standardwebhooks believes it, and they say what they should."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert re.fullmatch("msg_[0-9a-f]{32}", headers["webhook-id"]), headers
    assert headers["x-wechat-attempt"] == str(attempt), headers
    secret = "whsec_" + base64.b64encode(api_key.encode()).decode()
    Webhook(secret).verify(request.body, request.headers, json_parse=False)
    return headers


def send(url, body=None, content_type="text/plain", timeout=30):
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()


def signature(*parts):
    signer = WeChatSigner()
    signer.add_data(TOKEN, *parts)
    return signer.signature


def element(name, value=None, to=None):
    if to is not None:
        value = to.appid if to.work else ORIGINAL_ID
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    return f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"


def inner(xml):
    return xml.removeprefix("<xml>").removesuffix("</xml>")


def message(app, kind, extra="", **fields):
    common = element("ToUserName", to=app) + element("FromUserName", OPENID) + element("CreateTime", int(time.time()))
    rest = "".join(element(name, value) for name, value in fields.items())
    return f"<xml>{common}{element('MsgType', kind)}{rest}{extra}</xml>"


def text(app, content="hi", msg_id=None):
    return message(app, "text", Content=content, MsgId=msg_id or next(msg_ids))
