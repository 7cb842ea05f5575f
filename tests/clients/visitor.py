"""A visitor without a browser: follows redirects by hand, keeps cookies, and submits the form that ends a login.

Used by login_sign beside it. Its User-Agent is WeChat's, so that nobody takes it for a desktop browser. Hosts are not told
apart: everything of a test is on 127.0.0.1, where browsers share cookies between ports too.
"""
import http.client
import urllib.parse
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from types import SimpleNamespace

WECHAT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/116.0 Mobile Safari/537.36 MicroMessenger/8.0.49"

# More redirects than any login has: then somebody is sent round in circles.
MAX_STEPS = 10


class Visitor:
    """One browser: its cookies, and the page that it is on."""

    def __init__(self):
        self.cookies = {}

    def request(self, method, url, body=None, headers=None):
        """One request, redirects not followed. `page.text`, `.status`, `.location`."""
        parts = urllib.parse.urlsplit(url)
        assert parts.hostname == "127.0.0.1", url
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        headers = {"User-Agent": WECHAT, "Accept": "text/html", **(headers or {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            self.take(line)
        location = answer.headers.get("Location")
        where = urllib.parse.urljoin(url, location) if location else None
        return SimpleNamespace(status=answer.status, text=text, url=url, location=where, headers=answer.headers)

    def take(self, line):
        """A Set-Cookie header. Every cookie of a login must be out of scripts' reach and not go along with others' requests."""
        for name, cookie in SimpleCookie(line).items():
            if cookie["max-age"] == "0":
                self.cookies.pop(name, None)
                continue
            assert cookie["httponly"] and cookie["samesite"].lower() in ("lax", "strict"), line
            self.cookies[name] = cookie.value

    def open(self, url):
        """The page at the end of the redirects."""
        page = self.request("GET", url)
        return self.follow(page)

    def follow(self, page, until=None):
        """The page at the end of the redirects, or the one that leads to an address which begins with `until`."""
        for _ in range(MAX_STEPS):
            if page.status not in (301, 302, 303, 307) or until and page.location.startswith(until):
                return page
            page = self.request("GET", page.location)
        raise AssertionError(f"redirected more than {MAX_STEPS} times, last to {page.location}")

    def submit(self, page):
        """Sends the form of a page as browsers send text/plain, and answers what comes back; redirects not followed."""
        form = Form(page.text)
        assert form.method == "post" and form.enctype == "text/plain", page.text
        action = urllib.parse.urljoin(page.url, form.action)
        return self.request("POST", action, form.body(), {"Content-Type": "text/plain"})


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page):
        super().__init__()
        self.method = self.enctype = self.action = None
        self.fields = []
        self.feed(page)
        assert self.method, page

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.method is None:
            self.method, self.enctype = attributes.get("method", "").lower(), attributes.get("enctype", "").lower()
            self.action = attributes.get("action", "")
        if tag in ("input", "textarea") and attributes.get("name"):
            self.fields.append((attributes["name"], attributes.get("value", "")))

    def body(self):
        """The encoding of the HTML standard: a line for each field, with line breaks as CRLF."""

        def line(text):
            return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")

        return "".join(f"{line(name)}={line(value)}\r\n" for name, value in self.fields).encode()
