#!/usr/bin/env python3
"""Requests from a client to a segment and back, over processes of their own: a controller, two simulated nodes that launch
stand-in model servers, a real Envoy that reads its configuration from the controller, and an open-loop Poisson load.

Everything between changes meanwhile, and no request may fail but those under way on what was killed. How many keep their SLO is
stated for each phase, and held only to margins that a machine three times slower keeps, since client, proxy and servers share its cores.

    test_traffic.py [--seconds N] [--seed N] [--factor F]     # N: seconds of load in each phase (6)
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from controller import PARVA, ROOT, SEED, Controller, check, equal, finish, free_port
from envoys import ENVOY, without_envoy
from fleet import Node, ended, planned, ready, until, verified
from traffic_load import Load, figures, table

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float, default=6)
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--factor", type=float, default=1, help="what the rates are multiplied by")
options = parser.parse_args()

with open(os.path.join(ROOT, "examples", "traffic.json"), encoding="utf-8") as file:
    WORKLOADS = {one["id"]: one for one in json.load(file)["workloads"]}
for one in WORKLOADS.values():
    one["rate"] *= options.factor
SLOS = {one["id"]: one["slo"]["latencyMs"] for one in WORKLOADS.values()}
#: What some rates are multiplied by, so that the plan is another one. The load itself stays as it is.
FAR = 60
# Nodes start what they launch from their own PATH.
os.environ["PATH"] = os.path.dirname(PARVA) + ":" + os.environ["PATH"]


class Envoy:
    """Knows nothing but where the controller is."""

    def __init__(self, folder, controller):
        self.port, self.admin = free_port(), free_port()
        bootstrap = subprocess.run(
            [PARVA, "export", "envoy-bootstrap", "--controller", f"http://127.0.0.1:{controller.port}",
             "--listen-address", "127.0.0.1", "--listen-port", str(self.port), "--admin-port", str(self.admin)],
            capture_output=True, text=True, check=True).stdout
        path = os.path.join(folder, "bootstrap.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(bootstrap)
        self.log = open(os.path.join(folder, "envoy.log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [ENVOY, "-c", path, "--concurrency", "1", "--log-level", "warning"],
            stdout=self.log, stderr=self.log)

    def admin_json(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10) as answer:
            return json.load(answer)

    def asks(self):
        """Servers that get requests now, as (workload, port): those it was told to ask and has not left out by itself."""
        return {
            (one["name"].removeprefix("workload/"), host["address"]["socket_address"]["port_value"])
            for one in self.admin_json("/clusters?format=json")["cluster_statuses"] if one["name"].startswith("workload/")
            for host in one.get("host_statuses", []) if host["health_status"] == {"eds_health_status": "HEALTHY"}}


class Room:
    """Everything that a request passes, and the load that goes through it all the time."""

    def __init__(self, folder):
        self.folder = folder
        self.api = Controller(
            os.path.join(folder, "parva.sqlite"), "--heartbeat", "3", "--drain-time", "8", "--max-processes", "2",
            "--node-grace", "300")
        self.nodes, self.envoy, self.load, self.servers = [], None, None, set()

    def begin(self):
        url = f"http://127.0.0.1:{self.api.port}"
        self.nodes = [Node(f"gpu-{n}", self.folder, url, zone=f"rack-{n}") for n in (1, 2)]
        ready(self.api, 2)
        self.put(WORKLOADS.values())
        self.apply()
        self.served()
        self.envoy = Envoy(self.folder, self.api)
        for workload in WORKLOADS:
            until(f"Envoy to bring a request of {workload} to a server", lambda: self.ask(workload) == 200)
        rates = {name: one["rate"] for name, one in WORKLOADS.items()}
        self.load = Load("127.0.0.1", self.envoy.port, rates, options.seed).start()

    def end(self):
        if self.load:
            self.load.stop()
        if self.envoy:
            self.envoy.process.kill()
            self.envoy.process.wait()
        for one in [*self.nodes, self.api]:
            if one.process.poll() is None:
                one.kill()
        for pid in self.servers:
            kill(pid)

    def ask(self, workload):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.envoy.port}/infer", b"", {"x-parva-workload": workload})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except OSError:
            return None

    def put(self, workloads):
        answer = self.api.request("PUT", "/v1/workloads", {"workloads": list(workloads)})
        equal(answer.status in (200, 201), True, f"registration ({answer.status} {answer.body[:200]})")

    def endpoints(self):
        """Those of the controller, as soon as it knows of all nodes what they have to say."""
        answer = until("the endpoints", lambda: (lambda one: one if one.status == 200 else None)(self.api.get("/v1/endpoints")))
        return answer.json()["endpoints"]

    def pids(self, node):
        """Server processes of a node by the port that they listen on."""
        with urllib.request.urlopen(f"http://127.0.0.1:{node.port}/v1/state", timeout=10) as answer:
            found = {one["port"]: one.get("pid") for one in json.load(answer)["services"] if one["kind"] == "server"}
        self.servers.update(pid for pid in found.values() if pid)
        return found

    def apply(self):
        planned(self.api)
        operation = ended(self.api, self.api.request("POST", "/v1/plan/apply").headers["Location"])
        equal(operation["status"], "verified", f"operation {operation['id']}")

    def served(self):
        """Returns once every server that nodes report is ready for requests, each workload is served whole, and Envoy, which
        asks every one to two seconds, has heard of it: before that a server that is killed may be the only one it knows."""
        verified(self.api)

        def states():
            found = self.endpoints()
            status = [one["status"]["state"] for one in self.api.get("/v1/workloads").json()["workloads"]]
            return found if all(one["state"] == "ready" for one in found) and set(status) == {"served"} else None
        found = until("every endpoint to be ready", states, 120)
        if self.envoy:
            wanted = {(one["workload"], one["port"]) for one in found}
            until("Envoy to ask every server", lambda: self.envoy.asks() == wanted, 120)
        for node in self.nodes:
            self.pids(node)
        return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def killed(pids):
    """Kills processes, and returns the time at which they were gone: until then their sockets go on taking requests."""
    for pid in pids:
        kill(pid)
    until("what was killed to be gone", lambda: all(gone(pid) for pid in pids))
    return time.monotonic()


def gone(pid):
    """Whether a process is no more, or a zombie, which has closed its sockets."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def other(workload):
    """The same with a demand that needs other segments."""
    return {**workload, "rate": workload["rate"] * FAR, "slo": {"latencyMs": workload["slo"]["latencyMs"] / 4}}


def segments(api):
    """What the current plan has, each with everything that a server of it would be started anew for."""
    return {
        (one["workload"], gpu["uuid"], one["profileId"], one["start"], one["batch"], one["processes"])
        for gpu in api.get("/v1/plan?wait=60").json()["gpus"] for one in gpu["segments"]}


class Phase:
    """A stretch of the load: whatever happens in the body, and `seconds` of load at least."""

    def __init__(self, room, name, least_share=None):
        self.room, self.name, self.least_share = room, name, least_share
        #: Requests that were due before this time may have been under way on what was killed.
        self.killed_at = float("-inf")

    def __enter__(self):
        self.since = time.monotonic()
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        while time.monotonic() < self.since + options.seconds:
            time.sleep(0.1)  # The load needs its time: there is no event to wait for.
        end = time.monotonic()
        # What was due in it must be answered before it is judged.
        until("what was due to be answered", lambda: time.monotonic() > end + 1, 10)
        own = [one for one in list(self.room.load.samples) if self.since <= one.due < end]
        print(f"--- {self.name}: {end - self.since:.1f} s\n{table(figures(own, SLOS), SLOS)}", flush=True)
        equal(len(own) > 0, True, "requests were sent")
        lost = [one for one in own if one.fault and one.due > self.killed_at]
        equal(
            [f"{one.workload} {one.due - self.since:.2f} s: {one.fault}" for one in lost][:5], [],
            f"{len(lost)} failed requests")
        under_way = sum(1 for one in own if one.fault)
        if under_way:
            print(f"    {under_way} requests were under way on what was killed", flush=True)
        if self.least_share is not None:
            for workload, found in figures(own, SLOS).items():
                equal(found["share"] >= self.least_share, True, f"{workload}: {found['share']} within the SLO, {self.least_share}")


def run(room):
    # The promised 99 % are printed; how much is left of them where others use the same two cores is not Parva's.
    with check("requests of six workloads reach launched servers through Envoy, and none fails"), \
            Phase(room, "steady", least_share=0.01):
        pass

    with check("no request fails while a change of the demand moves half of the segments"), Phase(room, "demand changes"):
        before = segments(room.api)
        changed = [other(one) if n % 2 else one for n, one in enumerate(WORKLOADS.values())]
        room.put(changed)
        room.apply()
        room.served()
        moved = len(before - segments(room.api))
        equal(2 * moved >= len(before), True, f"{moved} of {len(before)} segments moved")
        print(f"    {moved} of {len(before)} segments moved", flush=True)

    with check("a killed server costs only what was under way on it"), Phase(room, "a server is killed") as phase:
        victim = sorted(room.pids(room.nodes[0]).items())[0]
        phase.killed_at = killed([victim[1]])
        until("the server to be started again", lambda: room.pids(room.nodes[0]).get(victim[0]) not in (None, victim[1]))
        room.served()

    with check("no request fails while the controller is killed, away, and started again"), \
            Phase(room, "the controller is killed"):
        room.api.kill()
        time.sleep(min(2, options.seconds))  # Away for longer than Envoy's refresh.
        room.api.start()
        ready(room.api, 2)
        room.served()

    with check("no request fails while a newer plan overtakes one in the middle of its roll-out"), \
            Phase(room, "a newer plan in mid roll-out"):
        room.put([other(one) if n % 2 == 0 else one for n, one in enumerate(WORKLOADS.values())])
        planned(room.api)
        location = room.api.request("POST", "/v1/plan/apply").headers["Location"]
        until("the roll-out to be under way", lambda: any(
            one["attempts"] for one in room.api.get(location).json()["nodes"]))
        room.put(WORKLOADS.values())
        room.apply()
        room.served()

    with check("a killed node costs only what was under way on it, and comes back"), \
            Phase(room, "a node is killed") as phase:
        node = room.nodes[1]
        pids = room.pids(node)
        node.kill()
        phase.killed_at = killed(pids.values())
        until("the node to get no requests", lambda: not any(
            one["node"] == node.name and one["state"] == "ready" for one in room.endpoints()))
        node.start()
        ready(room.api, 2)
        room.served()


if ENVOY is None:
    without_envoy("requests reach launched servers through a real Envoy")
with tempfile.TemporaryDirectory(prefix="parva-traffic-") as folder:
    room = Room(folder)
    try:
        room.begin()
        run(room)
    finally:
        room.end()
finish()
