"""Accounts of the sandbox for programs that run an SDK: who calls, with which secret, and what WeChat saw of it.

The SDK talks to TARGET. That is the proxy, or, with TARGET_URL=$SANDBOX_URL, the platform itself: there is no api_key then, and
what only the proxy promises is left out.
"""
import json
import os
import urllib.parse
import urllib.request

SANDBOX, PROXY = os.environ["SANDBOX_URL"], os.environ["PROXY_URL"]
TARGET = os.environ.get("TARGET_URL", PROXY)
THROUGH_THE_PROXY = TARGET == PROXY


def ask(url, body=None):
    """The JSON answer to a GET, or to a POST of JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def put(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PUT")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def new_account(kind, key):
    """An account of the sandbox, known to the proxy as `key`: {"appid", "secret", "secrets"}, `secrets` being all that an SDK may use."""
    account = ask(f"{SANDBOX}/sandbox/accounts", {"kind": kind})
    return account | {"secrets": secrets(key, account["appid"], account["secret"])}


def new_agent(corp, key, agentid=None):
    """An app of a corp, likewise; without `agentid` the one that it has from the beginning."""
    agent = corp["agents"][0] if agentid is None else ask(f"{SANDBOX}/sandbox/accounts/{corp['appid']}/agents", {"agentid": agentid})
    return agent | {"secrets": secrets(key, corp["appid"], agent["secret"], agentid=str(agent["agentid"]))}


def secrets(key, appid, secret, **more):
    if not THROUGH_THE_PROXY:
        return {"AppSecret": secret}
    receipt = ask(f"{PROXY}/register", {"key": key, "appid": appid, "secret": secret, **more})
    assert receipt["success"], receipt
    return {"AppSecret": secret, "api_key": receipt["api_key"]}


def follower(appid, openid):
    """A user who follows and has just written: user/info knows him, and customer-service messages reach him."""
    account = f"{SANDBOX}/sandbox/accounts/{appid}"
    put(f"{account}/callback", {"url": f"{SANDBOX}/sandbox/backend?empty=1", "token": "token", "mode": "plain", "check": False})
    push = ask(f"{account}/push", {"openid": openid, "text": "hi", "wait": True})
    assert push["outcome"] in ("acknowledged", "ignored"), push
    return openid


def shown(appid, openid):
    """What the account's API calls showed to a user: the contents, oldest first."""
    chat = ask(f"{SANDBOX}/sandbox/accounts/{appid}/chat?openid={urllib.parse.quote(openid)}")
    return [entry["content"] for entry in chat["entries"] if entry["from"] == "account"]


def calls(appid, after=0):
    """What WeChat was asked about an account after a call, oldest first."""
    while True:
        page = ask(f"{SANDBOX}/sandbox/calls?after={after}&appid={appid}&limit=1000")["calls"]
        yield from page
        if len(page) < 1000:
            return
        after = page[-1]["id"]
