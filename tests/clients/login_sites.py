"""The sites of examples/login, run as their readers run them. Used by login_sign beside it, which says what they must do."""
import html
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

from visitor import Visitor

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "login"

# How long an example may take to start: Java and Go compile first.
START_SECONDS = 60

# Folder, what the machine must have, the command (after a build, if any), and whether it knows tickets. {port} is put in.
KINDS = [
    ("python", ["python3"], None, ["python3", "{folder}/backend.py"], True),
    ("node", ["node"], None, ["node", "{folder}/backend.js"], True),
    ("go", ["go"], ["go", "build", "-o", "go-backend", "{folder}/backend.go"], ["./go-backend"], False),
    # Running a source file needs a JDK, not only a Java.
    ("java", ["java", "javac"], None, ["java", "{folder}/Backend.java"], False),
    ("php", ["php"], None, ["php", "-S", "127.0.0.1:{port}", "{folder}/backend.php"], False),
]


def kinds():
    """Those that this machine can run, and a sentence about each that it cannot."""
    present, skipped = [], []
    for name, needs, build, command, knows_tickets in KINDS:
        missing = [program for program in needs if not shutil.which(program)]
        if missing:
            skipped.append(f"{name} ({', '.join(missing)} missing)")
        else:
            present.append(SimpleNamespace(name=name, build=build, command=command, knows_tickets=knows_tickets))
    return present, skipped


class Site:
    """One running example."""

    def __init__(self, kind, app, api_key, by_ticket=False, origin=None):
        self.name = name = kind.name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        # What logins for this site are signed for: its address, unless SITE_URL says that the world sees it elsewhere.
        self.origin = origin or self.url
        self.log = Path(f"{name}.log").resolve()

        def filled(words):
            return [word.format(folder=EXAMPLES / name, port=port) for word in words]

        if kind.build:
            subprocess.run(filled(kind.build), check=True, timeout=START_SECONDS)
        environment = os.environ | {
            "WECHAT_PROXY_APP": app,
            "WECHAT_PROXY_API_KEY": api_key,
            "PORT": str(port),
            "VIA": "ticket" if by_ticket else "",
            "NONCES_FILE": str(Path("nonces.json").resolve()),
        } | ({"SITE_URL": origin + "/"} if origin else {})
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(filled(kind.command), env=environment, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(self.url[7:].split(":"), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise SystemExit(f"{self.name} does not start:\n{self.log.read_text()}")

    def __exit__(self, kind=None, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if kind:
            print(f"{self.name} said:\n{self.log.read_text()}", flush=True)

    def post(self, body, visitor=None):
        return (visitor or Visitor()).request("POST", self.url + "/wechat", body, {"Content-Type": "text/plain"})

    def shown(self, visitor):
        """The user that the site shows a visitor, or None."""
        page = visitor.open(self.url + "/")
        assert page.status == 200, (page.status, page.text)
        assert "<b>" not in page.text, page.text
        rows = re.findall("<li>(.*?)</li>", page.text, re.DOTALL)
        return dict(html.unescape(row).split(": ", 1) for row in rows) or None
