"""A real HAProxy and a real nginx before launched stand-in model servers. No GPU is behind any of it."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.request

from controller import PARVA, Controller, check, cli, equal, fetch, finish, free_port
from fleet import Node, ready, until
from traffic_load import Load

# Nodes start what they launch from their own PATH.
os.environ["PATH"] = os.path.dirname(PARVA) + ":" + os.environ["PATH"]
PORT = 29000 + os.getpid() % 3000


def workload(name, model, rate):
    arguments = ["--port={port}", "--model={model}", "--workload={workload}", "--batch={batch}",
                 "--processes={processes}", "--profile-id={profileId}"]
    return {
        "id": name, "model": model, "rate": rate, "slo": {"latencyMs": 400}, "queue": "shared",
        "launch": {"command": "StandInModelServer", "args": arguments, "port": PORT, "health": "/healthz",
                   "stopTimeout": 30}}


def put(api, rates):
    models = {"photos": "resnet50", "scans": "densenet121", "new": "mobilenetv2"}
    answer = api.request(
        "PUT", "/v1/workloads", {"workloads": [workload(name, models[name], rate) for name, rate in rates.items()]})
    equal(answer.status in (200, 201), True, f"registration ({answer.status} {answer.body[:300]})")


def stands(api, names):
    """Returns once the nodes have what the plan wants and the workloads are served."""
    def look():
        nodes = [one["status"].get("matchesPlan") for one in api.get("/v1/nodes").json()["nodes"]]
        states = {one["id"]: one["status"]["state"] for one in api.get("/v1/workloads").json()["workloads"]}
        answer = api.get("/v1/endpoints")
        return all(nodes) and all(states.get(name) == "served" for name in names) and answer.status == 200 and all(
            one["state"] == "ready" for one in answer.json()["endpoints"])
    api.get("/v1/plan?wait=60")
    until("the plan to stand", look, 120)


def told(api):
    """What gets requests by the controller's table: by workload the weight of each address."""
    rows = api.get("/v1/endpoints").json()["endpoints"]
    most = {}
    for one in rows:
        most[one["workload"]] = max(one["weight"], most.get(one["workload"], 0))
    found = {}
    for one in rows:
        if one["state"] == "ready":
            weight = max(1, int(one["weight"] / most[one["workload"]] * 256 + 0.5))
            found.setdefault(one["workload"], {})[f"{one['address']}:{one['port']}"] = weight
    return found


class Proxy:
    """A program of the system's with a log of its own."""

    def __init__(self, folder, name, *command):
        self.command, self.path = command, os.path.join(folder, f"{name}.log")
        self.start()

    def start(self):
        self.log = open(self.path, "a")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()
        self.log.close()

    def text(self):
        with open(self.path) as file:
            return file.read()


def command(path, line):
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(30)
        end.connect(path)
        end.sendall(line.encode() + b"\n")
        return b"".join(iter(lambda: end.recv(65536), b"")).decode()


def held(path):
    """What gets requests by HAProxy's own word."""
    found = {}
    for line in command(path, "show servers state").splitlines()[2:]:
        cells = line.split()
        if len(cells) < 19 or not cells[1].startswith("workload:"):
            continue
        # Neither in maintenance nor draining; a check that fails is the server's matter.
        if not int(cells[6]) & 0x2b:
            found.setdefault(cells[1].removeprefix("workload:"), {})[f"{cells[4]}:{cells[18]}"] = int(cells[7])
    return found


def same(api, path):
    """Returns once HAProxy holds what the table says."""
    def look():
        with contextlib.suppress(OSError, KeyError):
            wanted = told(api)
            return wanted if wanted and held(path) == wanted else None
    return until("HAProxy to hold the table of endpoints", look)


def answers(port, name):
    def look():
        with contextlib.suppress(OSError, http.client.HTTPException):
            return fetch(port, "/infer", x_parva_workload=name)[0] == 200
    until(f"an answer of {name}", look)


def write(path, *arguments):
    with open(path, "wb") as file:
        file.write(cli(*arguments))
    return path


with tempfile.TemporaryDirectory(prefix="parva-proxies-") as folder:
    api = Controller(
        os.path.join(folder, "parva.sqlite"), "--heartbeat", "3", "--auto-apply", "--drain-time", "8",
        "--max-processes", "1")
    url = f"http://127.0.0.1:{api.port}"
    nodes, proxies, load = [], [], None
    try:
        nodes += [Node(name, folder, url, "dgx-a100", zone=f"zone-{name[-1]}") for name in ("n0", "n1")]
        ready(api, 2)
        put(api, {"photos": 800, "scans": 300})
        stands(api, ["photos", "scans"])

        with check("what a Prometheus is to read answers as one"):
            targets = api.get("/v1/prometheus-targets").json()
            kinds = [one["labels"]["parva_kind"] for one in targets]
            equal(kinds.count("controller"), 1, "controllers")
            equal({one["labels"]["parva_node"] for one in targets if one["labels"]["parva_kind"] == "agent"}, {"n0", "n1"})
            equal(kinds.count("server"), sum(map(len, told(api).values())), "servers")
            for one in targets:
                with urllib.request.urlopen(f"http://{one['targets'][0]}/metrics", timeout=30) as answer:
                    equal(b"# TYPE " in answer.read(), True, f"metrics of {one}")

        path, port = os.path.join(folder, "haproxy.sock"), free_port()
        file = os.path.join(folder, "haproxy.cfg")
        export = ["export", "haproxy", "--server", url, "--listen-address", "127.0.0.1", "--listen-port", str(port),
                  "--socket", path]
        with check("HAProxy finds its file valid, and requests reach their workload by header and by path"):
            write(file, *export)
            done = subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, text=True)
            equal(done.returncode, 0, done.stdout + done.stderr)
            proxies.append(Proxy(folder, "haproxy", "haproxy", "-db", "-f", file))
            haproxy = proxies[0]
            same(api, path)
            for name in ("photos", "scans"):
                answers(port, name)
                status, text = fetch(port, "/infer", x_parva_workload=name)
                equal((status, json.loads(text)["workload"]), (200, name), "by header")
                status, text = fetch(port, f"/w/{name}/infer?y=1")
                equal((status, json.loads(text)["workload"]), (200, name), "by path")
            equal(fetch(port, "/infer", x_parva_workload="none")[0], 404, "a workload that nobody knows")
            equal(fetch(port, "/infer")[0], 404, "no workload")
            equal(fetch(port, "/w/photos/../scans/infer")[0], 400, "a path with dots")
            equal(subprocess.run([PARVA, "proxy", "haproxy", "--socket", path, "--server", url]).returncode, 0, "told once")

        proxies.append(Proxy(folder, "watch", PARVA, "proxy", "haproxy", "--watch", "--socket", path, "--controller", url))
        watch = proxies[1]
        load = Load("127.0.0.1", port, {"photos": 30, "scans": 30}).start()

        with check("no request through HAProxy fails while commands alone bring it from plan to plan"):
            for rates in ({"photos": 200, "scans": 1500}, {"photos": 2000, "scans": 200}, {"photos": 800, "scans": 300}):
                put(api, rates)
                stands(api, rates)
                same(api, path)
            # Open loop: what was due is sent whatever became of it.
            until("requests", lambda: len(load.samples) > 200)
            equal([one.fault for one in load.samples if one.fault], [], "failed requests")
            equal("write the file anew" in watch.text(), False, watch.text())

        with check("HAProxy keeps what it has while the controller is away, and hears of what comes then"):
            before = held(path)
            api.kill()
            seen = len(load.samples)
            until("requests without a controller", lambda: len(load.samples) > seen + 30)
            equal(held(path), before, "what it holds")
            api.start()
            stands(api, ["photos", "scans"])
            put(api, {"photos": 400, "scans": 900})
            stands(api, ["photos", "scans"])
            same(api, path)
            equal([one.fault for one in load.samples if one.fault], [], "failed requests")
        load.stop()

        with check("a HAProxy that was killed and started with its old file is brought to what is"):
            haproxy.stop(signal.SIGKILL)
            haproxy.start()
            same(api, path)
            for name in ("photos", "scans"):
                answers(port, name)

        with check("a workload that is new is told to need the file anew, and has its requests with it"):
            put(api, {"photos": 400, "scans": 900, "new": 100})
            stands(api, ["new"])
            until("the need to be told", lambda: "workload new has no backend: write the file anew" in watch.text())
            equal(fetch(port, "/infer", x_parva_workload="new")[0], 404, "before")
            done = subprocess.run(
                [PARVA, "proxy", "haproxy", "--socket", path, "--server", url], capture_output=True, text=True)
            equal((done.returncode, "workload new has no backend" in done.stderr), (4, True), "told once")
            write(file, *export)
            haproxy.stop()
            haproxy.start()
            same(api, path)
            answers(port, "new")
            equal(subprocess.run([PARVA, "proxy", "haproxy", "--socket", path, "--server", url]).returncode, 0)

        with check("the following ends when it is told to, and tells of a HAProxy that is away"):
            haproxy.stop()
            until("the socket to be missed", lambda: f"HAProxy's socket {path}" in watch.text())
            watch.process.send_signal(signal.SIGTERM)
            equal(watch.process.wait(timeout=60), 0, "exit status")

        with check("nginx finds its upstreams valid, and brings requests to them after each reload"):
            port = free_port()
            with open(os.path.join(folder, "nginx.conf"), "w") as out:
                out.write(f"""
daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  include {folder}/upstreams.conf;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      if ($parva_upstream = "") {{ return 404; }}
      proxy_pass http://$parva_upstream;
    }}
  }}
}}
""")
            upstreams = os.path.join(folder, "upstreams.conf")
            write(upstreams, "export", "nginx", "--server", url)
            arguments = ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"]
            done = subprocess.run([*arguments, "-t"], capture_output=True, text=True)
            equal(done.returncode, 0, done.stderr)
            proxies.append(Proxy(folder, "nginx", *arguments))
            for name in ("photos", "scans", "new"):
                answers(port, name)
                equal(json.loads(fetch(port, "/infer", x_parva_workload=name)[1])["workload"], name)
            equal(fetch(port, "/infer", x_parva_workload="none")[0], 404, "a workload that nobody knows")
            before = told(api)
            put(api, {"photos": 2000, "scans": 100})
            stands(api, ["photos", "scans"])
            until("the old workload to be away", lambda: "new" not in told(api))
            equal(told(api) != before, True, "the endpoints have changed")
            write(upstreams, "export", "nginx", "--server", url)
            proxies[2].process.send_signal(signal.SIGHUP)
            until("the new upstreams", lambda: fetch(port, "/infer", x_parva_workload="new")[0] == 404)
            ports = {int(address.rsplit(":", 1)[1]) for address in told(api)["photos"]}
            reached = {json.loads(fetch(port, "/infer", x_parva_workload="photos")[1])["port"] for _ in range(100)}
            equal(reached <= ports and len(reached) > 0, True, f"{reached} of {ports}")
    finally:
        if load:
            load.stop()
        for one in proxies:
            if one.process.poll() is None:
                one.stop()
        for one in [*nodes, api]:
            if one.process.poll() is None:
                one.stop()
finish()
