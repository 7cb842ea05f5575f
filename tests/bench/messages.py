"""Callbacks as WeChat sends them, and what comes back: made and read by none of the proxy's own code.

    messages.py make FILE FIRST COUNT CALL…   writes COUNT encrypted text messages with the MsgIds from FIRST on, each a whole
                                              HTTP request for /app/bench/msg/json, as replay.lua reads them
    messages.py try FILE PORT                 sends the first request of FILE and prints what the reply says, decrypted

The account is in the environment: APPID, TOKEN, AES (its EncodingAESKey). Used by scripts/bench. What must stay true: every
message is another one, signed and encrypted as WeChat does it, in this moment.
"""
import base64
import hashlib
import http.client
import os
import socket
import struct
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

APPID, TOKEN = os.environ["APPID"], os.environ["TOKEN"]
KEY = base64.b64decode(os.environ["AES"] + "=")
CIPHER = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16]))
OPENID = "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"
MESSAGE = (
    "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>\n"
    f"<FromUserName><![CDATA[{OPENID}]]></FromUserName>\n"
    "<CreateTime>%d</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n"
    "<Content><![CDATA[你好，我想问一下昨天的订单什么时候发货？]]></Content>\n<MsgId>%d</MsgId>\n</xml>"
)
BODY = "<xml>\n    <ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>\n    <Encrypt><![CDATA[%s]]></Encrypt>\n</xml>\n"
REQUEST = (
    "POST /app/bench/msg/json?%s&signature=%s&timestamp=%s&nonce=%s&openid=%s&encrypt_type=aes&msg_signature=%s HTTP/1.1\r\n"
    "User-Agent: Mozilla/4.0\r\nAccept: */*\r\nHost: 127.0.0.1\r\nPragma: no-cache\r\nContent-Type: text/xml\r\n"
    "Content-Length: %d\r\n\r\n%s"
)


def main(command, *arguments):
    if command == "make":
        path, first, count, *calls = arguments
        make(path, int(first), int(count), calls)
    elif command == "try":
        path, port = arguments
        print(reply_to_first(path, int(port)))
    else:
        raise SystemExit(__doc__)


def make(path, first, count, calls):
    """Each request with its length in a line before it."""
    calls = "&".join("call=" + urllib.parse.quote(call, safe="") for call in calls)
    with open(path, "wb") as file:
        for number in range(first, first + count):
            request = one(number, calls).encode()
            file.write(b"%d\n%b" % (len(request), request))


def one(number, calls):
    now = int(time.time())
    # MsgIds of WeChat have 17 digits and more.
    encrypted = sealed((MESSAGE % (now, 24_000_000_000_000_000 + number)).encode())
    timestamp, nonce = str(now), str(number)
    signature, msg_signature = signed(timestamp, nonce), signed(timestamp, nonce, encrypted)
    body = BODY % encrypted
    return REQUEST % (calls, signature, timestamp, nonce, OPENID, msg_signature, len(body), body)


def sealed(message):
    plain = os.urandom(16) + struct.pack(">I", len(message)) + message + APPID.encode()
    padding = 32 - len(plain) % 32
    encryptor = CIPHER.encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()


def signed(*parts):
    return hashlib.sha1("".join(sorted((TOKEN, *parts))).encode()).hexdigest()


def reply_to_first(path, port):
    with open(path, "rb") as file:
        request = file.read(int(file.readline()))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    assert response.status == 200, (response.status, body)
    (nonce,) = urllib.parse.parse_qs(request.decode().split(" ", 2)[1])["nonce"]
    return opened(body, nonce)


def opened(body, nonce):
    """Fails unless the reply is encrypted, signed and for this account."""
    reply = {field.tag: field.text for field in ElementTree.fromstring(body)}
    assert reply["Nonce"] == nonce, "another nonce"
    assert reply["MsgSignature"] == signed(reply["TimeStamp"], nonce, reply["Encrypt"]), "a wrong MsgSignature"
    decryptor = CIPHER.decryptor()
    plain = decryptor.update(base64.b64decode(reply["Encrypt"])) + decryptor.finalize()
    plain = plain[: -plain[-1]]
    (length,) = struct.unpack(">I", plain[16:20])
    assert plain[20 + length :] == APPID.encode(), "for another account"
    return plain[20 : 20 + length].decode()


main(*sys.argv[1:])
