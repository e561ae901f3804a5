#!/usr/bin/env python3
"""Three controllers over three members of etcd, all processes of this machine, under kills, pauses, partitions, one-way cuts and
slow links, while clients write, read, plan and apply through all of them. Their histories are judged: every workload is one
register, nothing that was acknowledged is lost, no replica's answers go backwards or are older than they say, nodes never go
back to an older leader or plan, and in the end all replicas tell the same.

    test_replicas.py [--seed N] [--schedules N] [--unwired N] [--sqlite N] [--keep FOLDER]
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import time

from controller import SEED, check, cli, equal, finish, skip
from fleet import SECRET, until
from histories import History
from replica_clients import Clients, NodeWatch, Session
from replica_faults import Play, schedule
from replicas import HAS_ETCD, SLOWNESS, cluster, without_etcd
from wires import are_possible

KEYS = 4


#: Seconds of a lease here; and within how many after the last fault every replica takes writes again: a lease, etcd's own
#: election before it, and a process that starts.
LEASE = SLOWNESS
BACK = 10 + 10 * LEASE
#: Acknowledged writes of a schedule, at least.
ENOUGH = 15


class Trial:
    """Schedules of one seed, one after the other, over one cluster."""

    def __init__(self, over, seed, keep):
        self.over, self.seed, self.keep = over, seed, keep
        self.audited, self.watch, self.outcomes, self.slowest = 0, NodeWatch(over), collections.Counter(), 0.0

    def schedule(self, number):
        """Raises where anything is wrong, and then keeps everything there is to know of it."""
        seed = self.seed + number
        dice = random.Random(seed)
        name = f"s{seed}"
        history = History(name)
        keys = [f"{name}-{key}" for key in range(KEYS)]
        play = Play(self.over, schedule(dice, self.over), dice)
        clients = Clients(self.over, history, keys, dice)
        faults = []
        try:
            try:
                play.run()
                play.mend()
                mended = time.monotonic()
                self.over.until_writable(BACK)
                self.slowest = max(self.slowest, time.monotonic() - mended)
                # On a slow machine little is done while something is broken.
                until("enough writes to prove anything", lambda: self.acknowledged(history) >= ENOUGH, BACK)
                time.sleep(0.3)
            finally:
                clients.stop()
            history.reach = play.reached(history.operations)
            session = Session(self.over, history, f"{name}-end")
            self.quiet(session, history, keys)
            faults += history.verdicts()
            faults += self.audit(history)
            faults += self.watch.faults
            self.planned(session, history)
            for key in keys:
                session.write(self.over.replicas[0], "delete", key)
            session.close()
        except Exception as error:  # noqa: BLE001: whatever it is, what led to it is kept
            faults += [*history.faults, f"{type(error).__name__}: {error}"]
        outcomes = collections.Counter(one.outcome for one in history.operations if one.is_write)
        self.outcomes.update(outcomes)
        if faults:
            self.report(seed, history, play, faults)

    @staticmethod
    def acknowledged(history):
        return sum(one.is_write and one.outcome == "ok" for one in list(history.operations))

    def report(self, seed, history, play, faults):
        folder = os.path.join(self.keep or tempfile.gettempdir(), f"parva-replicas-{seed}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        history.write(os.path.join(folder, "history.ndjson"))
        with open(os.path.join(folder, "faults"), "w") as file:
            file.write("\n".join([f"seed {seed}", *play.done, "", *faults]) + "\n")
        for one in self.over.parties:
            shutil.copy(one.log, folder)
        told = "\n  ".join([*play.done, *(fault[:1500] for fault in faults[:5])])
        raise AssertionError(f"seed {seed}, {len(faults)} faults, kept in {folder}:\n  {told}")

    def quiet(self, session, history, keys):
        """What is left is what every replica has: by asking for the newest, and by itself soon."""
        for replica in self.over.replicas:
            for key in keys:
                # etcd's own members may hold another election when one of them comes back.
                until(f"{replica.name} to answer at the end", lambda replica=replica, key=key: (
                    session.read(replica, key, is_consistent=True).outcome == "ok"), BACK)
        def is_newest(replica):
            newest, own = session.list(self.over.replicas[0], keys, is_consistent=True), session.list(replica, keys)
            return newest.outcome == own.outcome == "ok" and (own.revision, own.seen) == (newest.revision, newest.seen)
        for replica in self.over.replicas:
            until(f"{replica.name} to have all of it", lambda replica=replica: is_newest(replica), BACK)

    def audit(self, history):
        """At every replica the audit has each acknowledged change once, each unknown one at most once, and no other; and the
        changes of a workload form a chain."""
        rows = {}
        for replica in self.over.replicas:
            lines = replica.ask(
                "GET", f"/v1/audit?after={self.audited}", headers={"Accept": "application/x-ndjson"}).body.splitlines()
            rows[replica.name] = [row for row in map(json.loads, lines) if row["changed"] and history.name in row["requestId"]]
        first = rows[self.over.replicas[0].name]
        for name, those in rows.items():
            if [row["number"] for row in those] != [row["number"] for row in first]:
                yield f"the audit of {name} is another than that of {self.over.replicas[0].name}"
        times = {}
        for row in first:
            times[row["requestId"]] = times.get(row["requestId"], 0) + 1
            self.audited = max(self.audited, row["number"])
        for one in history.operations:
            least, most = {"ok": (1, 1), "unknown": (0, 1)}.get(one.outcome, (0, 0))
            if one.is_write and not least <= times.get(one.request, 0) <= most:
                yield f"{one.outcome} and {times.get(one.request, 0)} times in the audit: {one}"
        last = {}
        for row in first:
            if row["resource"].startswith(f"workloads/{history.name}"):
                before = (row.get("before") or "").split(".")[0]
                if row["resource"] in last and last[row["resource"]] != before:
                    yield f"before {row} it was at {last[row['resource']]!r}"
                last[row["resource"]] = (row.get("after") or "").split(".")[0]

    def planned(self, session, history):
        """Every replica has the plan that covers the demand, and every accepted operation; every node has the plan."""
        demand = session.list(self.over.replicas[0], [], is_consistent=True).revision
        there = {one["id"] for one in self.over.replicas[0].ask("GET", "/v1/workloads").json()["workloads"]}

        def plan(replica):
            answer = replica.ask("GET", "/v1/plan?wait=1")
            if answer.status != 200 or int(answer.headers["Parva-Demand-Revision"]) < demand:
                return None
            document = answer.json()
            names = {one["workload"] for gpu in document["gpus"] for one in gpu["segments"]}
            equal(names | {one["workload"] for one in document["unplaced"]}, there, f"workloads of the plan at {replica.name}")
            return answer.headers["Parva-Plan-Revision"], answer.body
        plans = [until(f"the plan of demand {demand} at {one.name}", lambda one=one: plan(one), BACK) for one in self.over.replicas]

        def alike():
            return len({plan(one) for one in self.over.replicas}) == 1
        until(f"one plan at all replicas, not {[revision for revision, _ in plans]}", alike, BACK)
        for replica in self.over.replicas:
            for location in history.applies[-20:]:
                equal(replica.ask("GET", location).status, 200, f"status of {location} at {replica.name}")
        for replica in self.over.replicas if self.over.nodes else []:
            nodes = []

            def matching():
                nodes[:] = replica.ask("GET", "/v1/nodes").json()["nodes"]
                return all(one["status"].get("matchesPlan") for one in nodes)
            try:
                until(f"every node to have the plan, as {replica.name} ({replica.role()}) tells it", matching, BACK)
            except AssertionError as error:
                at_leader = replica.ask("GET", "/v1/nodes?consistent=true").json()["nodes"]
                told = [[(one["name"], *self.matches(one)) for one in those] for those in (nodes, at_leader)]
                raise AssertionError(f"{error}: {told[0]}, and the leader: {told[1]}") from error


    @staticmethod
    def matches(node):
        """What a node's status says of the plan, and why."""
        status = node["status"]
        told = next((one for one in status["conditions"] if one["type"] == "MatchesPlan"), {})
        return status["state"], status.get("verifiedRevision"), told.get("reason"), told.get("message")


def trial(given, kind, schedules, **how):
    """All schedules over one cluster, and nodes that plans are pushed to."""
    options = ["--heartbeat", "0.5", "--admission", "half-slo", "--auto-apply", "--node-grace", "6"]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="parva-replicas-"))
        if how.get("lease"):
            # A snapshot comes many times in each schedule, and the log before it goes.
            options += ["--etcd-snapshot-entries", "40", "--peer-secret-file", os.path.join(folder, "peers")]
            with open(os.path.join(folder, "peers"), "w") as file:
                file.write(SECRET)
        over = stack.enter_context(cluster(folder, nodes=2, options=options, **how))
        trial = Trial(over, given.seed, given.keep)
        for number in range(schedules):
            begin = time.monotonic()
            with check(f"{kind}, faults of seed {given.seed + number}: one register a workload, nothing lost, nothing goes back"):
                trial.schedule(number)
            print(f"# {time.monotonic() - begin:.1f} s", flush=True)
        trial.watch.stop()
        print(f"# writes: {dict(trial.outcomes)}; {trial.watch.looks} looks at nodes, which have (revision, phase), term "
              f"{trial.watch.newest}; {trial.slowest:.1f} s at most until all took writes again", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=SEED)
    arguments.add_argument("--schedules", type=int, default=10)
    arguments.add_argument(
        "--unwired", type=int, default=2,
        help="schedules without wires, where a port that nobody listens on refuses; all of them where this machine has no wires")
    arguments.add_argument("--sqlite", type=int, default=2, help="schedules of a controller over SQLite, which has to pass as well")
    arguments.add_argument("--keep", help="where histories of failures go (default: the folder of temporary files)")
    given = arguments.parse_args()
    if given.sqlite:
        trial(given, "one controller over SQLite", given.sqlite, members=0, replicas=1)
    if not HAS_ETCD:
        without_etcd("replicas under faults")
    elif "--lease" not in cli("serve", "--help").decode():
        skip("replicas under faults", "this parva knows no replicas")
    else:
        unwired, wired = given.unwired, given.schedules
        if wired and not are_possible():
            print("# this machine does not tell whose a connection is: nothing is cut, kills and standstills alone", flush=True)
            unwired, wired = unwired + wired, 0
        if wired:
            trial(given, "three controllers over etcd", wired, lease=LEASE)
        if unwired:
            trial(given, "three controllers over etcd, without wires", unwired, lease=LEASE, is_wired=False)


if __name__ == "__main__":
    main()
    finish()
