#!/usr/bin/env python3
"""Plans that change, brought to simulated nodes in waves by processes of their own: first without faults, with what every
workload has watched all the time; then under random faults. No GPU is behind any of it.

    test_rollout.py [--seed N] [--schedules N]
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import urllib.request

from controller import SEED, Controller, check, equal, finish
from fleet import CREATE, DESTROY, Node, ended, planned, ready, until, verified

MODELS = ["resnet50", "bert", "densenet121", "mobilenetv2", "vgg19", "inceptionv3"]
LATENCY = {"resnet50": 60, "bert": 300, "densenet121": 80, "mobilenetv2": 60, "vgg19": 120, "inceptionv3": 90}


def demand(dice, count):
    """Rates that keep some four nodes of eight GPUs partly busy."""
    return {
        f"w{number}": {
            "id": f"w{number}", "model": MODELS[number % len(MODELS)], "rate": round(dice.uniform(50, 4000), 1),
            "slo": {"latencyMs": LATENCY[MODELS[number % len(MODELS)]]}}
        for number in range(count)}


def put(api, wanted):
    response = api.request("PUT", "/v1/workloads", {"workloads": list(wanted.values())})
    equal(response.status in (200, 201), True, f"registration ({response.status} {response.body[:200]})")


class Fleet:
    """A controller and nodes over one folder."""

    def __init__(self, folder, names, *options, machine="dgx-a100", heartbeat="0.5"):
        self.api = Controller(
            os.path.join(folder, "parva.sqlite"), "--heartbeat", heartbeat, "--admission", "half-slo", *options)
        url = f"http://127.0.0.1:{self.api.port}"
        self.nodes = [Node(name, folder, url, machine, zone=f"zone-{number // 2}") for number, name in enumerate(names)]
        ready(self.api, len(names))

    def kill(self):
        for one in [*self.nodes, self.api]:
            if one.process.poll() is None:
                one.thaw() if isinstance(one, Node) else None
                one.kill()


class Watch(threading.Thread):
    """Calls `look` again and again beside everything else; what it raises is raised by `stop`."""

    def __init__(self, look):
        super().__init__(daemon=True)
        self.look, self.fault, self.looks, self.is_over = look, None, 0, threading.Event()
        self.start()

    def run(self):
        while not self.is_over.is_set():
            try:
                self.look()
                self.looks += 1
            except AssertionError as error:
                self.fault = error
                return
            except (OSError, ValueError, KeyError, json.JSONDecodeError):
                pass  # A process is away; that is what the schedule is about.
            self.is_over.wait(0.02)

    def stop(self):
        self.is_over.set()
        self.join()
        if self.fault:
            raise self.fault


def capacities(api):
    listed = api.get("/v1/workloads").json()["workloads"]
    return {one["id"]: one["status"].get("capacityUp") or 0.0 for one in listed}


def without_faults(dice):
    with tempfile.TemporaryDirectory(prefix="parva-rollout-") as folder:
        fleet = Fleet(folder, ["gpu-1", "gpu-2", "gpu-3", "gpu-4"])
        api = fleet.api
        try:
            put(api, demand(dice, 12))
            equal(ended(api, api.request("POST", "/v1/plan/apply").headers["Location"])["status"], "verified", "first apply")
            verified(api)
            waves = 0
            with check("while rates change and a node is drained, no workload has less than the lesser of both rates"):
                for number in range(6):
                    put(api, demand(dice, 12))
                    _, places = planned(api)
                    if number == 3:
                        busiest = max(places, key=lambda name: len(places[name]))
                        equal(api.request("DELETE", f"/v1/nodes/{busiest}").status, 202, "removal")
                    planned(api)
                    dry = api.request("POST", "/v1/plan/apply?dryRun=true").json()
                    # What certified capacity there is for the least share of its rate that the plan could give it.
                    floors = {
                        one["workload"]: min(one["leastCapacity"], min(one["rateBefore"], one["rateAfter"]))
                        for one in dry["workloads"]}

                    def look():
                        for name, up in capacities(api).items():
                            if up < floors.get(name, 0) * (1 - 1e-9):
                                raise AssertionError(f"round {number}: {name} has {up} of {floors[name]}")
                    watch = Watch(look)
                    operation = ended(api, api.request("POST", "/v1/plan/apply").headers["Location"])
                    watch.stop()
                    equal(operation["status"], "verified", f"operation {operation['id']}")
                    equal(watch.looks > 0, True, "looks")
                    if dry["summary"]["keepsService"]:
                        equal(operation["rollout"].get("shortfalls"), None, "shortfalls")
                    waves = max(waves, operation["rollout"]["waves"])
                    verified(api)
                equal(waves > 1, True, f"several waves ({waves} at most)")
            with check("a dry run draws its waves"):
                picture = api.request("POST", "/v1/plan/apply?dryRun=true", headers={"Accept": "image/svg+xml"})
                equal((picture.status, picture.body[:4]), (200, b"<svg"), "picture")
        finally:
            fleet.kill()


SERVER = """
import http.server, os, signal, sys, time
port, marks = int(sys.argv[1]), sys.argv[2]
time.sleep(2)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
with open(os.path.join(marks, f"{port}-{os.getpid()}"), "w"):
    pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server.serve_forever()
"""


def while_servers_start():
    """A workload whose servers take a while to start moves to another node, and the controller is killed meanwhile."""
    with tempfile.TemporaryDirectory(prefix="parva-rollout-") as folder:
        marks, program = os.path.join(folder, "marks"), os.path.join(folder, "server.py")
        os.mkdir(marks)
        with open(program, "w") as file:
            file.write(SERVER)
        fleet = Fleet(folder, ["gpu-1", "gpu-2"], machine="A100-80GBx1", heartbeat="3")
        api = fleet.api

        def serving():
            for mark in os.listdir(marks):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{mark.split('-')[0]}/", timeout=20).close()
                    return True
            return False

        def look():
            if not serving():
                raise AssertionError("no server answers")

        try:
            put(api, {"w": {
                "id": "w", "model": "resnet50", "rate": 100, "slo": {"latencyMs": 200},
                "launch": {
                    "command": sys.executable, "args": [program, "{port}", marks], "port": 24100, "health": "/",
                    "stopTimeout": 1}}})
            ended(api, api.request("POST", "/v1/plan/apply").headers["Location"])
            until("the servers to start", serving)
            until("the controller to hear of it", lambda: capacities(api)["w"] > 0)
            for kind in ("undisturbed", "killed"):
                with check(f"servers that start slowly are up before those that they replace go, the controller {kind}"):
                    watch = Watch(look)
                    _, places = planned(api)
                    (host,) = places
                    api.request("DELETE", f"/v1/nodes/{host}")
                    until("a plan without the node", lambda: host not in planned(api)[1])
                    location = api.request("POST", "/v1/plan/apply").headers["Location"]
                    if kind == "killed":
                        until("the new servers to begin", lambda: any(
                            one["status"] == "pending" and one["attempts"] for one in api.get(location).json()["nodes"]))
                        api.restart()
                    operation = ended(api, location)
                    watch.stop()
                    equal(operation["status"], "verified", "operation")
                    if kind == "undisturbed":  # Who was killed may not know yet what is up.
                        equal(operation["rollout"].get("shortfalls"), None, "shortfalls")
                    equal(api.get(f"/v1/nodes/{host}").status, 410, "status of the drained node")
                    node = {one.name: one for one in fleet.nodes}[host]
                    node.restart()
                    ready(api, 2)
        finally:
            fleet.kill()
            for mark in os.listdir(marks):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(mark.split("-")[1]), signal.SIGKILL)


def with_faults(dice, schedules):
    """Each schedule changes the demand, then things break, then all is mended; in the end every node has the plan."""
    with tempfile.TemporaryDirectory(prefix="parva-rollout-") as folder:
        fleet = Fleet(folder, ["gpu-1", "gpu-2", "gpu-3"], "--auto-apply", "--node-grace", "6")
        api, lock, newest, longest = fleet.api, threading.Lock(), {}, 0.0

        def look():
            # Straight from the agents: what a node has verified never goes back.
            for node in fleet.nodes:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{node.port}/v1/state", timeout=2) as response:
                        state = json.load(response)
                except OSError:
                    continue
                one = state.get("verified")
                if not one or state["name"] != node.name:
                    continue
                version = (one["revision"], one.get("phase", 0))
                if version < newest.get(node.name, (0, 0)):
                    raise AssertionError(f"{node.name} went from {newest[node.name]} back to {version}")
                newest[node.name] = version

        def fault():
            node = dice.choice(fleet.nodes)
            kind = dice.choice(["kill", "kill", "freeze", "fail", "slow", "die", "controller", "pause", "demand", "duty", "duty"])
            if kind == "kill":
                node.restart()
            elif kind == "freeze":
                node.freeze()
                threading.Event().wait(dice.uniform(0.2, 3))
                node.thaw()
            elif kind == "fail":
                node.faults(f"fail {dice.choice([CREATE, DESTROY])} {dice.randint(1, 3)} {dice.randint(1, 9)} 23")
            elif kind == "slow":
                node.faults(f"delay {CREATE} {dice.randint(20, 300)}")
            elif kind == "die":
                node.faults(f"kill {dice.choice([CREATE, DESTROY])} {dice.randint(1, 4)}")
            elif kind == "controller":
                api.restart()
            elif kind == "pause":
                running = [one for one in api.get("/v1/operations").json()["operations"] if one["status"] == "running"]
                for one in running:
                    wish = dice.choice(["pause", "pause", "resume", "abort", "rollback"])
                    api.request("POST", f"/v1/operations/{one['id']}/{wish}")
            elif kind == "duty":
                wish = dice.choice(["cordon", "maintenance", "return"])
                api.request("POST", f"/v1/nodes/{node.name}/{wish}")
            else:
                put(api, demand(dice, 10))
            return f"{kind} {node.name}"

        def mend():
            for node in fleet.nodes:
                node.faults()
                if node.process.poll() is not None:
                    node.start()
                api.request("POST", f"/v1/nodes/{node.name}/return")
            operations = api.get("/v1/operations").json()["operations"]
            for one in operations:
                if one["status"] == "paused":
                    api.request("POST", f"/v1/operations/{one['id']}/resume")
            # What was ended on purpose is for somebody to begin again.
            if operations and operations[0]["status"] in ("aborted", "rolled_back", "failed"):
                api.request("POST", "/v1/plan/apply")

        def settled():
            mend()
            threading.Event().wait(0.2)
            return all(one["status"].get("matchesPlan") for one in api.get("/v1/nodes").json()["nodes"])

        try:
            watch = Watch(look)
            with check(f"{schedules} schedules of faults: nodes end with the plan, and none goes back to an older step"):
                for number in range(schedules):
                    wanted = demand(dice, 10)
                    put(api, wanted)
                    done = []
                    for _ in range(dice.randint(1, 4)):
                        threading.Event().wait(dice.uniform(0, 0.6))
                        done.append(fault())
                    began = time.monotonic()
                    try:
                        until("every node to have the plan", settled, 180)
                        verified(api)
                    except AssertionError as error:
                        newest_operation = api.get("/v1/operations?limit=1").body.decode()
                        raise AssertionError(f"schedule {number} ({', '.join(done)}): {error}; {newest_operation}") from error
                    longest = max(longest, time.monotonic() - began)
                    if watch.fault:
                        break
                watch.stop()
            print(f"# {watch.looks} looks, {longest:.1f} s at most from the last fault to the plan, {newest}")
        finally:
            fleet.kill()


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--seed", type=int, default=SEED)
arguments.add_argument("--schedules", type=int, default=20)
given = arguments.parse_args()
print(f"# seed {given.seed}")
without_faults(random.Random(given.seed))
while_servers_start()
with_faults(random.Random(given.seed + 1), given.schedules)
finish()
