#!/usr/bin/env python3
"""What a controller has planned and not brought to its nodes when it dies, the next one brings there, without a request from anybody and
without planning anew. No GPU is behind the nodes."""

import contextlib
import datetime
import tempfile

from controller import check, equal, finish, workload
from fleet import CREATE, Node, ready, until
from replicas import HAS_ETCD, cluster, without_etcd

NAME = "plans that are not applied when their controller dies"
OPTIONS = ["--heartbeat", "0.5", "--admission", "half-slo", "--auto-apply", "--drain-time", "0"]
#: Seconds in which the next leader brings everything to its nodes; retries come after 2 s and more.
SOON = 60


class Api:
    """A replica as the tests of fleets talk to it."""

    def __init__(self, replica):
        self.get = lambda path: replica.ask("GET", path, timeout=60)


class Room:
    """Three controllers, and two nodes that know all of them."""

    def __init__(self, over, folder, stack):
        self.over, self.names = over, []
        urls = [f"http://127.0.0.1:{one.port}" for one in over.replicas]
        others = [part for url in urls[1:] for part in ("--controller", url)]
        self.nodes = [Node(f"n{number}", folder, urls[0], "dgx-a100", *others, zone=f"zone-{number}") for number in range(2)]
        for one in self.nodes:
            stack.callback(one.kill)
        ready(Api(self.leader()), 2)

    def leader(self, but=None):
        return until("a leader", lambda: next(
            (one for one in self.over.replicas if one is not but and one.is_up and one.role() == "leader"), None))

    def register(self, leader, rate):
        """Registers one more workload, for which something has to be made; the revision of its plan, which every replica has then."""
        name = f"w{len(self.names)}"
        self.names.append(name)
        equal(leader.ask("POST", "/v1/workloads", workload(name, rate=rate)).status, 201, "the registration")
        answer = leader.ask("GET", "/v1/plan?wait=60", timeout=70)
        revision = int(answer.headers["Parva-Plan-Revision"])
        equal(answer.json()["unplaced"], [], "what is left out")
        for one in self.over.replicas:
            until(f"{one.name} to know the plan", lambda one=one: not one.is_up or self.revision(one) == revision)
        return revision

    @staticmethod
    def revision(replica):
        return int(replica.ask("GET", "/v1/plan?wait=0").headers["Parva-Plan-Revision"])

    def state(self, replica):
        return replica.ask("GET", "/v1/fleet").json()["autoApply"]["state"]

    def matching(self, replica):
        nodes = replica.ask("GET", "/v1/nodes").json()["nodes"]
        return sum(bool(one["status"].get("matchesPlan")) for one in nodes)

    def next(self, leader):
        """Kills the leader; the one after it."""
        leader.kill()
        return self.leader(but=leader)

    def back(self, died):
        self.over.start(died)
        until("it to follow", lambda: died.role() == "follower")

    def stands(self, leader, revision):
        """Returns once all nodes have the plan, of which nobody has made another."""
        until("every node to have the plan", lambda: self.matching(leader) == 2, SOON)
        equal(self.revision(leader), revision, "the plan's revision")


def later(seconds):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def main(folder):
    with cluster(folder, lease=2, is_wired=False, options=OPTIONS) as over, contextlib.ExitStack() as stack:
        room = Room(over, folder, stack)
        leader = room.leader()
        room.register(leader, 300)
        until("the first plan to stand", lambda: room.matching(leader) == 2, SOON)

        with check("a plan that was committed and not begun is begun by the next leader"):
            # No operation begins while the window is shut, and it opens by itself.
            opens = 8
            equal(leader.ask("PUT", "/v1/windows/w", {"kind": "freeze", "start": later(-60), "end": later(opens)}).status, 201, "the window")
            revision = room.register(leader, 3000)
            until("it to wait", lambda: room.state(leader) == "waiting")
            operations = leader.ask("GET", "/v1/operations").json()["operations"]
            equal([one for one in operations if one["planRevision"] == revision], [], "operations of it")
            died, leader = leader, room.next(leader)
            room.stands(leader, revision)
            equal(leader.ask("GET", "/v1/plan?wait=0").headers["Parva-Plan-Origin"], "stored", "whether it was planned anew")
            room.back(died)
        with check("a plan that nodes could not carry out is brought to them again by the next leader, once they can"):
            for node in room.nodes:
                node.faults(f"fail {CREATE} 1 1000 23")
            revision = room.register(leader, 3000)
            until("it to be tried again", lambda: room.state(leader) == "retrying", SOON)
            died, leader = leader, room.next(leader)
            for node in room.nodes:
                node.faults()
            room.stands(leader, revision)
            room.back(died)
        with check("a plan whose nodes stood still is brought to them by the next leader, once they go on"):
            for node in room.nodes:
                node.freeze()
            revision = room.register(leader, 3000)
            until("it to be pushed", lambda: room.state(leader) == "pushing")
            died, leader = leader, room.next(leader)
            for node in room.nodes:
                node.thaw()
            room.stands(leader, revision)
            room.back(died)
        with check("nothing is left to do, and all replicas say so"):
            for one in over.replicas:
                until(f"{one.name} to say that the plan stands", lambda one=one: room.matching(one) == 2)
            until("it to be settled", lambda: room.state(leader) == "settled")


if not HAS_ETCD:
    without_etcd(NAME)
else:
    with tempfile.TemporaryDirectory(prefix="parva-takeover-") as folder:
        main(folder)
finish()
