"""What the tests of the controller share: a running `parva serve`, requests to it, and how checks report themselves."""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading

PARVA = os.environ["PARVA"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SHARED = os.environ.get("PARVA_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
PUBLISHED = os.path.join(SHARED, "data", "parvagpu-sc24")
HAS_PUBLISHED = os.path.isdir(PUBLISHED)

#: Of everything random in a test: one that stays, so that a run can be repeated, unless PARVA_SEED says another or `random`.
SEED = {"": 1, "random": random.randrange(1 << 32)}.get(os.environ.get("PARVA_SEED", ""))
SEED = int(os.environ["PARVA_SEED"]) if SEED is None else SEED

failures = 0


@contextlib.contextmanager
def check(name):
    """Prints `ok - NAME` unless the body raises; then `not ok - NAME` with the reason."""
    global failures
    try:
        yield
    except Exception as error:  # noqa: BLE001: whatever goes wrong is this check's failure
        failures += 1
        print(f"not ok - {name}\n  {type(error).__name__}: {error}", flush=True)
    else:
        print(f"ok - {name}", flush=True)


def skip(name, reason):
    print(f"skip - {name}: {reason}", flush=True)


def finish():
    sys.exit(1 if failures else 0)


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what or 'value'} is {str(got)[:300]!r}, wanted {str(wanted)[:300]!r}")


def free_port(taken=set()):
    """A port of the loopback address that nobody listens on, that the kernel gives to no connection, and that was not given
    before: who is started again gets it again."""
    while True:
        port = random.SystemRandom().randrange(10_000, 20_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            if port not in taken:
                taken.add(port)
                return port


class Response:
    def __init__(self, raw):
        self.status = raw.status
        self.headers = raw.headers
        self.body = raw.read()

    def json(self):
        return json.loads(self.body)


def fetch(port, path, **headers):
    """Status and text of one GET on a connection of its own; underscores in names of fields are hyphens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Program:
    """`parva` as a process of its own that says on which port of 127.0.0.1 it listens; what it says is kept in `log`."""

    #: How it says that; the group is the port.
    listens = ""

    def __init__(self, *arguments, **environment):
        self.arguments = [PARVA, *arguments]
        self.environment = {**os.environ, **environment}
        self.start()

    def start(self):
        self.log = []
        self.process = subprocess.Popen(self.arguments, stderr=subprocess.PIPE, text=True, env=self.environment)
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(self.listens, line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            raise AssertionError(f"{self.arguments[1]} ended with {self.process.wait()}: {''.join(self.log)}")
        # Somebody has to empty the pipe, or the process would stop at a full one.
        self.reading = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reading.start()

    def kill(self):
        """SIGKILL: nothing gets to say goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reading.join(10)

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.reading.join(10)
        return status

    def restart(self):
        self.kill()
        self.start()


class Controller(Program):
    """`parva serve` over a store that outlives it, on a port that it keeps over restarts."""

    listens = r"addresses=127\.0\.0\.1:(\d+)"

    def __init__(self, store, *arguments, environment=None):
        super().__init__(
            "serve", "--listen", f"127.0.0.1:{free_port()}", "--store", store, "--log-level", "info", *arguments,
            **(environment or {}))

    def request(self, method, path, body=None, headers=None, connection=None):
        own = connection is None
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
                headers = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, body=body, headers=headers or {})
            return Response(connection.getresponse())
        finally:
            if own:
                connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})


@contextlib.contextmanager
def controller(*arguments, store=None):
    with tempfile.TemporaryDirectory(prefix="parva-test-") as folder:
        running = Controller(store or os.path.join(folder, "parva.sqlite"), *arguments)
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.kill()


def cli(*arguments, stdin=None):
    """Standard output of `parva ...`, which must end with 0."""
    return subprocess.run([PARVA, *arguments], input=stdin, stdout=subprocess.PIPE, check=True).stdout


def scenario(number):
    """The workloads of a published scenario as JSON, made by the project's own verb."""
    return cli(
        "workloads", "import", "--rates", f"{PUBLISHED}/slo_request_rate.csv", "--latencies",
        f"{PUBLISHED}/slo_latency_ms.csv", "--row", str(number), "-o", "json")


def workload(name, **members):
    return {"id": name, "model": "resnet50", "rate": 100, "slo": {"latencyMs": 200}, **members}
