#!/usr/bin/env python3
"""A real Envoy that knows three controllers on etcd, while the one that leads is killed, stands still and comes back: no request
through it fails, and it hears of what the next leader changes. No GPU is behind the nodes."""

import contextlib
import http.client
import os
import tempfile

from controller import check, equal, finish
from envoys import ENVOY, SERVER, Envoy, Load, put, same, told, without_envoy
from fleet import Node, ready, until
from replicas import HAS_ETCD, cluster, without_etcd

NAME = "an Envoy before several controllers"
#: Heartbeats come faster than an agent gives up a controller that stands still.
OPTIONS = ["--heartbeat", "0.5", "--admission", "half-slo", "--auto-apply", "--drain-time", "2.5"]


class Api:
    """A replica as tests of one controller talk to it."""

    def __init__(self, replica):
        self.request = lambda *arguments: replica.ask(*arguments, timeout=60)
        self.get = lambda path: replica.ask("GET", path, timeout=60)


def leading(over, but=()):
    def look():
        for one in over.replicas:
            if one.is_up and one not in but and one.role() == "leader":
                return one
        return None
    return until("a leader", look, 30)


def shown(api):
    """The table, None where it is not told yet."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
        return told(api)
    return None


def stands(api):
    """Returns the table once every node has the plan and all its servers are up."""
    def look():
        nodes = api.get("/v1/nodes").json()["nodes"]
        table = shown(api)
        if table and all(one["status"].get("matchesPlan") for one in nodes) and all(one[4] == "HEALTHY" for one in table):
            return table
        return None
    return until("the plan to stand", look, 120)


def is_told(api, replica):
    until(f"{replica.name} to tell the same", lambda: shown(Api(replica)) == told(api))


def main(folder):
    with open(os.path.join(folder, "server.py"), "w") as file:
        file.write(SERVER)
    with cluster(folder, lease=2, is_wired=False, options=OPTIONS) as over, contextlib.ExitStack() as stack:
        leader = leading(over)
        first, *rest = [f"http://127.0.0.1:{one.port}" for one in over.replicas]
        others = [part for url in rest for part in ("--controller", url)]
        for name in ("n0", "n1"):
            node = Node(name, folder, first, "dgx-a100", *others, zone=f"zone-{name[-1]}")
            stack.callback(node.kill)
        rates = {"a": 900, "b": 400}
        ready(Api(leader), 2)
        put(Api(leader), folder, rates)
        # The first of its list is who is killed first.
        order = [leader, *(one for one in over.replicas if one is not leader)]
        envoy = Envoy(folder, [f"http://127.0.0.1:{one.port}" for one in order], "edge")
        stack.callback(envoy.stop)
        with check("Envoy holds the table, whichever controller it asks"):
            stands(Api(leader))
            same(Api(leader), envoy, 2)
            for one in over.replicas:
                is_told(Api(leader), one)
            for name in rates:
                until(f"an answer of {name}", lambda name=name: envoy.ask("/x", x_parva_workload=name)[0] == 200)
        loads = [Load(envoy, name) for name in rates for _ in range(2)]
        for load in loads:
            stack.callback(load.stop)
        for kind, name in (("killed", "c"), ("stopped", "d")):
            with check(f"no request fails while the controller that leads is {kind}, and Envoy hears of what the next one changes"):
                leader = leading(over)
                before = stands(Api(leader))
                (leader.kill if kind == "killed" else leader.pause)()
                following = leading(over, but=[leader])
                # Until its nodes have spoken, a new leader shows what was shown before; then they say the same.
                equal(shown(Api(following)), before, "the table of the next leader")
                rates[name] = 300
                put(Api(following), folder, rates)
                until("another table", lambda: shown(Api(following)) not in (None, before))
                stands(Api(following))
                same(Api(following), envoy, len(rates))
                until(f"an answer of {name}", lambda: envoy.ask("/x", x_parva_workload=name)[0] == 200)
                if kind == "killed":
                    over.start(leader)
                else:
                    leader.resume()
                until("it to follow", lambda: leader.role() == "follower")
                is_told(Api(following), leader)
                seen = [load.count for load in loads]
                until("requests", lambda: all(load.count > count + 20 for load, count in zip(loads, seen)))
                equal([bad for load in loads for bad in load.bad][:3], [], "failed requests")


if not HAS_ETCD:
    without_etcd(NAME)
elif ENVOY is None:
    without_envoy(NAME)
else:
    with tempfile.TemporaryDirectory(prefix="parva-envoys-") as folder:
        main(folder)
finish()
