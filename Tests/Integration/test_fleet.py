#!/usr/bin/env python3
"""One controller and simulated nodes of eight GPUs in several zones, as processes of their own: registered, planned, pushed,
verified; agents and the controller killed on the way. No GPU is behind any of it."""

import contextlib
import json
import os
import tempfile

from controller import ROOT, Controller, check, equal, finish, workload
from fleet import CREATE, SECRET, Node, ended, planned, ready, standing, until, verified

SCENARIO = os.path.join(ROOT, "examples", "scenario-4.json")


@contextlib.contextmanager
def fleet(*names, options=()):
    """A controller and ready nodes, two to a zone."""
    with tempfile.TemporaryDirectory(prefix="parva-fleet-") as folder:
        running = []
        try:
            api = Controller(
                os.path.join(folder, "parva.sqlite"), "--heartbeat", "1", "--admission", "half-slo", *options)
            running.append(api)
            nodes = []
            for number, name in enumerate(names):
                nodes.append(Node(name, folder, f"http://127.0.0.1:{api.port}", zone=f"zone-{number // 2}"))
                running.append(nodes[-1])
            ready(api, len(names))
            yield api, *nodes
        finally:
            for one in reversed(running):
                if one.process.poll() is None:
                    one.kill()


def register(api):
    with open(SCENARIO) as file:
        equal(api.request("POST", "/v1/workloads/batch", json.load(file)).status, 201, "registration")


def apply(api, **headers):
    response = api.request("POST", "/v1/plan/apply", headers=headers)
    equal(response.status, 202, f"status of the push ({response.body})")
    return response.headers["Location"]


def everyday():
    with fleet("gpu-1", "gpu-2", "gpu-3") as (api, first, second, third):
        with check("scenario 4 is planned onto the nodes' GPUs, pushed and verified"):
            register(api)
            revision, places = planned(api)
            equal(len(places) >= 2, True, f"several nodes in the plan, which has {sorted(places)}")
            operation = ended(api, apply(api))
            equal(operation["status"], "verified", "operation")
            equal(operation["planRevision"], revision, "revision")
            for node in operation["nodes"]:
                equal(node["simulated"], True, "simulated")
                # A GPU instance and its compute instance are two steps.
                equal([step["done"] for step in node["steps"]], [True] * 2 * len(places.get(node["name"], ())), "steps")
            verified(api)
        with check("every workload is served, and what runs on each instance is told"):
            states = {one["status"]["state"] for one in api.get("/v1/workloads").json()["workloads"]}
            equal(states, {"served"}, "states")
            runs = {one["workload"] for node in api.get("/v1/nodes").json()["nodes"]
                    for gpu in node["status"]["gpus"] for one in gpu["instances"]}
            equal(runs, {one["id"] for one in api.get("/v1/workloads").json()["workloads"]}, "workloads on instances")
        with check("F8: a push of the same revision changes nothing and asks nobody"):
            before = [standing(one) for one in verified(api)]
            again = ended(api, apply(api))
            equal(again["status"], "verified", "operation")
            equal([(one["unchanged"], one["attempts"]) for one in again["nodes"]], [(True, 0)] * 3, "nodes")
            equal([standing(one) for one in verified(api)], before, "instances")
        with check("a further workload leaves standing instances of the plan as they are"):
            before = {place: uuid for one in verified(api) for place, uuid in standing(one).items()}
            equal(api.request("POST", "/v1/workloads", workload("late", rate=50)).status, 201, "registration")
            _, places = planned(api)
            kept = set(before) & set().union(*places.values())
            if not kept:
                raise AssertionError("the new plan shares no place with the old one")
            equal(ended(api, apply(api))["status"], "verified", "operation")
            after = {place: uuid for one in verified(api) for place, uuid in standing(one).items()}
            equal({place: after[place] for place in kept}, {place: before[place] for place in kept}, "kept instances")
        with check("a node that is removed is drained: the plan moves away, and the push empties it"):
            response = api.request("DELETE", "/v1/nodes/gpu-2")
            equal((response.status, response.json()["status"]["state"]), (202, "draining"), "answer")
            _, places = planned(api)
            equal("gpu-2" in places, False, "plan on the node")
            equal(ended(api, apply(api))["status"], "verified", "operation")
            equal(api.get("/v1/nodes/gpu-2").status, 410, "status of the removed node")
            equal([one["name"] for one in verified(api)], ["gpu-1", "gpu-3"], "nodes")
        with check("an agent that was removed stays away until it is started anew"):
            until("the agent to hear of it", lambda: any("has removed this node" in line for line in second.log))
            second.kill()
            second.start()
            nodes = ready(api, 3)
            equal(standing(nodes[1]), {}, "instances of the emptied node")
        with check("no secret in any log"):
            for one in (api, first, second, third):
                if SECRET[6:] in "".join(one.log):
                    raise AssertionError("a log holds the secret")
        with check("agents end with SIGTERM, with 0"):
            equal((first.stop(), second.stop(), third.stop()), (0, 0, 0), "exit statuses")


def killed_agent():
    with fleet("gpu-1", "gpu-2", "gpu-3") as (api, _, second, _):
        with check("an agent killed in the middle of an apply and started again ends verified, and so does the fleet"):
            register(api)
            second.faults(f"kill {CREATE} 3")
            location = apply(api)
            second.process.wait(timeout=60)
            there = until(
                "the controller to notice",
                lambda: (lambda one: one if one["status"] != "verified" else None)(
                    {one["name"]: one for one in api.get(location).json()["nodes"]}["gpu-2"]))
            equal(there["status"] in ("pushing", "applying"), True, f"status {there['status']} of the killed node")
            second.faults()
            second.start()
            operation = ended(api, location)
            equal(operation["status"], "verified", f"operation {operation}")
            verified(api)
        with check("the killed agent resumed from its journal"):
            if not any("interrupted" in line for line in second.log):
                raise AssertionError("".join(second.log))


def killed_controller():
    with fleet("gpu-1", "gpu-2", "gpu-3") as (api, first, second, _):
        with check("a controller killed in the middle of a push goes on with it after its restart"):
            register(api)
            for node in (first, second):
                node.faults(f"delay {CREATE} 2000")
            location = apply(api, **{"Idempotency-Key": "push-1"})
            until("both nodes to work", lambda: all(
                one["status"] == "applying" for one in api.get(location).json()["nodes"][:2]))
            api.kill()
            for node in (first, second):
                node.faults()
            api.start()
            operation = ended(api, location)
            equal((operation["status"], operation["resumed"]), ("verified", 1), f"operation {operation}")
            verified(api)
        with check("the key of the interrupted request still stands for it"):
            response = api.request("POST", "/v1/plan/apply", headers={"Idempotency-Key": "push-1"})
            equal((response.headers["Idempotency-Replayed"], response.headers["Location"]), ("true", location), "answer")
        with check("without a controller the nodes keep what is verified, and find the next one by themselves"):
            before = [standing(one) for one in verified(api)]
            api.kill()
            first.kill()
            first.start()
            api.start()
            ready(api, 3)
            equal([standing(one) for one in verified(api)], before, "instances")


def failing_node():
    with fleet("gpu-1", "gpu-2", "gpu-3") as (api, first, _, _):
        with check("a node that fails rolls back and is named; the others are verified; the next push mends it"):
            register(api)
            # 23: the driver has no room for the instance.
            first.faults(f"fail {CREATE} 2 50 23")
            operation = ended(api, apply(api))
            statuses = {one["name"]: one["status"] for one in operation["nodes"]}
            equal((operation["status"], statuses), ("failed", {"gpu-1": "rolled_back", "gpu-2": "verified", "gpu-3": "verified"}), "end")
            broken = operation["nodes"][0]
            if not broken["code"] or not broken["failure"]["step"]:
                raise AssertionError(f"the failure is not named: {broken}")
            first.faults()
            equal(ended(api, apply(api))["status"], "verified", "second operation")
            verified(api)


def silence():
    names = ["gpu-1", "gpu-2", "gpu-3"]
    with fleet(*names, options=("--auto-apply", "--node-grace", "20")) as (api, *nodes):
        def state(name):
            return api.get(f"/v1/nodes/{name}").json()["status"]["state"]

        register(api)
        before = {one["name"]: standing(one) for one in verified(api)}
        revision, _ = planned(api)
        with check("F7: a controller that hears of nobody says that it is cut off, and moves nothing"):
            for node in nodes:
                node.freeze()
            until("the controller to say so", lambda: api.get("/v1/fleet").json()["cutOff"])
            until("all to be silent", lambda: api.get("/v1/fleet").json()["nodes"]["unreachable"] == 3)
            equal("parva_fleet_cut_off 1\n" in api.get("/metrics").body.decode(), True, "metric")
        with check("F7: nodes that come back one by one have what they had"):
            for node in nodes:
                node.thaw()
                until(f"{node.name} to be back", lambda name=node.name: state(name) == "ready")
            equal(api.get("/v1/fleet").json()["cutOff"], False, "cut off")
            equal({one["name"]: standing(one) for one in verified(api)}, before, "instances")
            equal(planned(api)[0], revision, "plan revision")
        with check("a node that stays away is lost after the grace, and what it served is brought to the others"):
            busiest = max(nodes, key=lambda node: len(before[node.name]))
            busiest.freeze()
            until("the node to be lost", lambda: state(busiest.name) == "lost")
            places = until("a plan without it", lambda: (
                lambda places: places if busiest.name not in places else None)(planned(api)[1]))
            until("the others to have it", lambda: all(
                set(standing(one)) == places.get(one["name"], set())
                for one in api.get("/v1/nodes").json()["nodes"] if one["name"] != busiest.name))
        with check("F6: it is pushed to by itself once it is back"):
            busiest.thaw()
            ready(api, 3)
            verified(api)


def strict_controller():
    with fleet("gpu-1", options=["--require-if-match"]) as (api, node):
        with check("F5: an agent that comes back registers with a controller that insists on preconditions"):
            before = api.get("/v1/nodes/gpu-1").json()
            node.kill()
            # On another port, so that what is declared of the node really changes.
            node.start()
            until("the new address", lambda: str(node.port) in api.get("/v1/nodes/gpu-1").json()["address"])
            after = api.get("/v1/nodes/gpu-1").json()
            equal(after["revision"], before["revision"] + 1, "revision")
            ready(api, 1)


everyday()
strict_controller()
killed_agent()
killed_controller()
failing_node()
silence()
finish()
