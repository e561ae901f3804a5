"""A real Envoy before launched servers on simulated nodes. No GPU is behind any of it."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading

from controller import PARVA, Controller, check, cli, equal, finish, free_port
from fleet import Node, ended, ready, until

ENVOY = os.environ["ENVOY"]

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

    def __init__(self, folder, api, name, *options, admin=None):
        self.port, self.admin, self.name = free_port(), admin or free_port(), name
        self.file = os.path.join(folder, f"{name}.json")
        with open(self.file, "wb") as file:
            file.write(cli(
                "export", "envoy-bootstrap", "--controller", f"http://127.0.0.1:{api.port}", "--id", name,
                "--listen-address", "127.0.0.1", "--listen-port", str(self.port), "--admin-port", str(self.admin), *options))
        self.log = open(os.path.join(folder, f"{name}.log"), "w")
        self.process = subprocess.Popen(
            [ENVOY, "-c", self.file, "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"], stderr=self.log)

    def ask(self, path, port=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

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


with tempfile.TemporaryDirectory(prefix="parva-traffic-") as folder:
    with check("Envoy finds its bootstrap valid, with and without TLS and a token"):
        validate("plain", "--controller", "http://127.0.0.1:8080")
        token = os.path.join(folder, "token")
        with open(token, "w") as file:
            file.write("reader-token-0123456789abcdef\n")
        validate(
            "secured", "--controller", "https://parva.example:8443", "--token-file", token, "--admin-port", "9901",
            "--ca", "/etc/ssl/certs/ca-certificates.crt")
        validate("replicas", "--controller", "http://127.0.0.1:8080,http://127.0.0.1:8081", "--controller", "http://127.0.0.1:8082")
        validate(
            "secured replicas", "--controller", "https://one.example:8443", "--controller", "https://127.0.0.2:8443",
            "--token-file", token)

    with open(os.path.join(folder, "server.py"), "w") as file:
        file.write(SERVER)
    admin = free_port()
    api = Controller(
        os.path.join(folder, "parva.sqlite"), "--heartbeat", "3", "--admission", "half-slo", "--auto-apply",
        "--drain-time", "8", "--observe", f"http://127.0.0.1:{admin}", "--observe-interval", "1")
    url = f"http://127.0.0.1:{api.port}"
    nodes, envoys = [], []
    try:
        nodes += [Node(name, folder, url, "dgx-a100", zone=f"zone-{name[-1]}") for name in ("n0", "n1")]
        ready(api, 2)
        put(api, folder, {"a": 900, "b": 400})
        envoys.append(Envoy(folder, api, "edge", admin=admin))
        envoy = envoys[0]

        with check("what Envoy holds is the table of endpoints, and requests reach their workload by header and by path"):
            same(api, envoy, 2)
            for name in ("a", "b"):
                equal(until(f"an answer of {name}", lambda: envoy.ask("/x?y=1", x_parva_workload=name)[0] == 200), True)
                status, text = envoy.ask("/x?y=1", x_parva_workload=name)
                equal((status, text.split()[0], text.split()[2]), (200, name, "/x?y=1"), "by header")
                status, text = envoy.ask(f"/w/{name}/v2/infer?y=1")
                equal((status, text.split()[0], text.split()[2]), (200, name, "/v2/infer?y=1"), "by path")
            equal(envoy.ask("/x", x_parva_workload="none")[0], 404, "a workload that nobody knows")

        with check("servers that go are drained first: no request fails while the demand moves"):
            loads = [Load(envoy, name) for name in ("a", "b") for _ in range(2)]
            for rates in ({"a": 300, "b": 2500}, {"a": 2500, "b": 200}, {"a": 900, "b": 400}):
                put(api, folder, rates)
                until("the plan to stand", lambda: all(
                    one["status"].get("matchesPlan") for one in api.get("/v1/nodes").json()["nodes"]), 120)
                same(api, envoy, 2)
            for load in loads:
                load.stop()
            equal([bad for load in loads for bad in load.bad], [], "failed requests")
            equal(all(load.count > 20 for load in loads), True, "requests were sent")

        with check("what Envoy counts of a workload and of its segments stands beside what it declares"):
            load = Load(envoy, "a")

            def seen():
                status = api.get("/v1/workloads/a").json()["status"]
                found = status.get("observed")
                return status if found and found["requests"] >= 10 and found["withinSloAtLeast"] else None
            status = until("requests to be seen", seen)
            load.stop()
            equal(load.bad, [], "failed requests")
            found = status["observed"]
            equal(found["failed"], 0, "failed requests by Envoy's count")
            equal(0 < found["p50Ms"] <= found["p99Ms"], True, f"latencies {found}")
            equal(0 < found["withinSloAtLeast"] <= found["withinSloAtMost"] <= 1, True, f"share {found}")
            known = {one["segment"] for one in api.get("/v1/endpoints?workload=a").json()["endpoints"]}
            equal({one["id"] for one in found["segments"]} <= known and len(found["segments"]) > 0, True, f"segments {found}")
            # By segment every try counts, by workload what was answered.
            equal(sum(one["rate"] for one in found["segments"]) > found["rate"] / 2, True, f"rates {found}")
            equal([one["type"] for one in status["conditions"]][-1], "AsPlanned", "the condition")
            text = api.get("/metrics").body.decode()
            equal(len(re.findall(r'^parva_observed_requests_per_second\{workload="a"\} [0-9.]+$', text, re.M)), 1, "the metric")

        with check("a controller that is away and comes back changes nothing for requests"):
            before = told(api)
            load = Load(envoy, "a")
            api.kill()
            seen = load.count
            until("requests without a controller", lambda: load.count > seen + 20)
            api.start()
            until("the nodes to have spoken", lambda: api.get("/v1/endpoints").status == 200)
            same(api, envoy, 2)
            load.stop()
            equal(load.bad, [], "failed requests")
            until("the table to be as before the restart", lambda: told(api) == before)

        with check("what an Envoy refuses is found and shown"):
            # An address that no machine has (RFC 5737).
            envoys.append(Envoy(folder, api, "wrong", "--listen-address", "192.0.2.1"))
            shown = until("the refusal to be shown", lambda: next(
                (one for one in api.get("/v1/proxies").json()["proxies"]
                 if one["id"] == "wrong" and one["state"] == "refusing"), None))
            equal([one["type"] for one in shown["subscriptions"] if "refused" in one], ["listeners"], "what is refused")
            until("the other proxy to be current", lambda: {
                one["id"]: one["state"] for one in api.get("/v1/proxies").json()["proxies"]}["edge"] == "current")
            text = api.get("/metrics").body.decode()
            equal(re.search(r"^parva_proxies_refusing (\d+)$", text, re.M).group(1), "1", "proxies that refuse")
    finally:
        for one in [*envoys]:
            one.stop()
        for one in [*nodes, api]:
            if one.process.poll() is None:
                one.stop()
finish()
