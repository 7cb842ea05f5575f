"""Signs as docs/login.md and docs/payment.md say, and knows nothing of the proxy. Used by login_sign and pay_sign beside it."""
import hashlib
import hmac
import json
import secrets
import time

API_KEY = "wxp_the-key-of-this-test"


def text_of(value):
    """How a value stands in the signed text."""
    if isinstance(value, list):
        return ",".join(map(text_of, value))
    return {None: "", False: "false", True: "true"}[value] if value is None or isinstance(value, bool) else str(value)


def sign(members, key=API_KEY, digest=hashlib.sha256):
    """WeChat Pay's v2 rule with HMAC-SHA256, as docs/login.md says it."""
    pairs = sorted((name.encode(), text_of(value).encode()) for name, value in members.items())
    text = b"&".join(b"=".join(pair) for pair in [*((n, v) for n, v in pairs if v), (b"key", key.encode())])
    return hmac.new(key.encode(), text, digest).hexdigest().upper()


def without(members, *names):
    return {name: value for name, value in members.items() if name not in names}


def user(site, **more):
    """What a login for a site brings, new each time."""
    return {
        "openid": "oABCabcABCabcABCabcABCabcABC",
        "appid": "wx0123456789abcdef",
        "origin": site.origin,
        "state": secrets.token_urlsafe(9),
        "timestamp": int(time.time()),
        "nonce": secrets.token_urlsafe(16) + "==",
    } | more


def signed(members, **how):
    return members | {"sign": sign(members, **how)}


def body(members, **form):
    """As the proxy's form sends it, which ends in CRLF."""
    return json.dumps(members, **form).encode() + b"\r\n"
