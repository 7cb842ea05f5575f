"""Programs of examples/, run as their readers run them. Used by login_sites and pay_sites beside it."""
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# How long an example may take to start: Java and Go compile first.
START_SECONDS = 60

# Folder, what the machine must have, and the command (after a build, if any). {folder} and {port} are put in.
KINDS = [
    ("python", ["python3"], None, ["python3", "{folder}/backend.py"]),
    ("node", ["node"], None, ["node", "{folder}/backend.js"]),
    ("go", ["go"], ["go", "build", "-o", "go-backend", "{folder}/backend.go"], ["./go-backend"]),
    # Running a source file needs a JDK, not only a Java.
    ("java", ["java", "javac"], None, ["java", "{folder}/Backend.java"]),
    ("php", ["php"], None, ["php", "-S", "127.0.0.1:{port}", "{folder}/backend.php"]),
]


def kinds():
    """Those that this machine can run, and a sentence about each that it cannot."""
    present, skipped = [], []
    for name, needs, build, command in KINDS:
        missing = [program for program in needs if not shutil.which(program)]
        if missing:
            skipped.append(f"{name} ({', '.join(missing)} missing)")
        else:
            present.append(SimpleNamespace(name=name, build=build, command=command))
    return present, skipped


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class ExampleSite:
    """One running example of a folder of examples/, on a port of its own."""

    def __init__(self, examples, kind, environment):
        self.name = kind.name
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = Path(f"{kind.name}.log").resolve()

        def filled(words):
            return [word.format(folder=EXAMPLES / examples / kind.name, port=port) for word in words]

        if kind.build:
            subprocess.run(filled(kind.build), check=True, timeout=START_SECONDS)
        environment = os.environ | {"PORT": str(port)} | environment
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
