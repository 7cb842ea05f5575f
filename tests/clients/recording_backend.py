"""A backend for tests: records every request that the proxy forwards, and answers as told.

Used by the programs beside it. One server plays all backends of a test, each with a path of its own; the story that uses a
path is the only one that does.
"""
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


class Backend(ThreadingHTTPServer):
    """Records every request, and answers by `answers[path]`: (status, body), or a function of the request that gives it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Recorder)
        self.received, self.answers, self.news = [], {}, threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def at(self, path):
        with self.news:
            return [request for request in self.received if request.path == path]

    def wait_for(self, path, count=1, seconds=10):
        """The requests at a path, when there are as many; fails when there are more or the time is over."""
        with self.news:
            self.news.wait_for(lambda: len(self.at(path)) >= count, seconds)
        arrived = self.at(path)
        assert len(arrived) == count, f"{path}: {len(arrived)} requests instead of {count}"
        return arrived


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        request = SimpleNamespace(
            path=path, pairs=pairs, query=dict(pairs), headers={name.lower(): value for name, value in self.headers.items()}, body=body, time=time.monotonic()
        )
        with self.server.news:
            self.server.received.append(request)
            self.server.news.notify_all()
        answer = self.server.answers.get(path, (200, ""))
        status, body = answer(request) if callable(answer) else answer
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
