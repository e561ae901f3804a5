#!/usr/bin/env python3
"""Three controllers over three members of etcd, all on this machine: how long no write is acknowledged after the leader was
killed, how many registrations a second go through the leader, a follower and a controller over SQLite, and many workloads that are
still there, with their plan, after a failover. usage: measure.py POSTING_CLIENT [ROUNDS [SECONDS [WORKLOADS]]]"""

import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Tests", "Integration"))

from fleet import until  # noqa: E402
from replicas import ask, cluster  # noqa: E402

CLIENT = sys.argv[1]
ROUNDS, SECONDS, WORKLOADS = [int(one) for one in sys.argv[2:5]] + [20, 4, 100_000][len(sys.argv) - 2:]
CONNECTIONS = 64
MODELS = ["bert", "densenet121", "densenet169", "inceptionv3", "mobilenetv2", "resnet101", "resnet152", "resnet50", "vgg16", "vgg19"]


def spread(values):
    return f"median {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


class Readers:
    """Ask each replica that runs again and again, and count what is not answered."""

    def __init__(self, replicas):
        self.is_over, self.asked, self.failed = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.read, args=(one,), daemon=True) for one in replicas]
        for one in self.threads:
            one.start()

    def read(self, replica):
        while not self.is_over.wait(0.01):
            self.asked += 1
            try:
                answer = replica.ask("GET", "/v1/workloads?limit=1", timeout=1)
                if answer.status != 200:
                    self.failed.append(f"{replica.name}: {answer.status} {answer.body[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{replica.name}: {error!r}")

    def stop(self):
        self.is_over.set()
        for one in self.threads:
            one.join()


def acknowledged(replica, rate):
    """Whether a write through a replica is done."""
    try:
        return replica.ask("PUT", "/v1/workloads/probe", {
            "id": "probe", "model": "resnet50", "rate": rate, "slo": {"latencyMs": 200}}, timeout=1).status in (200, 201)
    except (OSError, http.client.HTTPException):
        return False


def failover(folder):
    with cluster(folder, is_wired=False) as over:
        taken, asked, failed, rate = [], 0, [], 1
        for _ in range(ROUNDS):
            leader = until("a leader", over.leader)
            others = [one for one in over.replicas if one is not leader]
            readers = Readers(others)
            time.sleep(random.uniform(0.5, 1.5))
            begin = time.monotonic()
            leader.kill()
            while True:
                rate += 1
                if acknowledged(others[rate % 2], rate):
                    break
                time.sleep(0.005)
            taken.append(time.monotonic() - begin)
            readers.stop()
            asked, failed = asked + readers.asked, failed + readers.failed
            over.start(leader)
            over.until_writable()
        print(f"kill -9 of the leader until another replica acknowledges a write, {ROUNDS} times: {spread(taken)}")
        print(f"reads at the replicas that were up: {asked}, of which {len(failed)} failed {failed[:3] or ''}", flush=True)


def posted(port, prefix):
    done = subprocess.run(
        [CLIENT, str(port), str(CONNECTIONS), str(SECONDS), prefix], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"registrations: {done.stderr}")
    rate, median, high = map(float, done.stdout.split())
    return f"{rate:.0f} a second, median {median / 1000:.1f} ms, 99th percentile {high / 1000:.1f} ms; load {os.getloadavg()[0]:.1f}"


def registrations(folder):
    for kind in ("etcd", "sqlite"):
        place = os.path.join(folder, kind)
        os.mkdir(place)
        options = {"members": 0, "replicas": 1} if kind == "sqlite" else {}
        with cluster(place, is_wired=False, **options) as over:
            leader = until("a leader", over.leader)
            through = {"SQLite": leader}
            if kind == "etcd":
                through = {"the leader": leader, "a follower": next(one for one in over.replicas if one is not leader)}
            for run in range(2):
                for name, replica in through.items():
                    print(f"{CONNECTIONS} connections, {name:<10} {posted(replica.port, f'{kind}{run}{replica.name}')}", flush=True)


def many(folder):
    generator = random.Random(1)
    body = "\n".join(json.dumps({
        "id": f"w{index}", "model": generator.choice(MODELS), "rate": round(generator.uniform(1, 30), 2), "slo": {"latencyMs": 400}},
        separators=(",", ":")) for index in range(WORKLOADS))
    with cluster(folder, is_wired=False) as over:
        leader = until("a leader", over.leader)
        other = next(one for one in over.replicas if one is not leader)
        begin = time.monotonic()
        answer = ask(other.port, "POST", "/v1/workloads/batch", body, {
            "Content-Type": "application/x-ndjson", "Prefer": "return=minimal"}, timeout=300)
        if answer.status != 201:
            raise SystemExit(f"batch: {answer.status} {answer.body[:500]!r}")
        registered = time.monotonic()
        demand = leader.ask("GET", "/v1/workloads?limit=1", timeout=60).json()["revision"]

        def plan(replica):
            """The plan where it covers the batch."""
            answer = replica.ask("GET", "/v1/plan?wait=10", timeout=60)
            is_there = answer.status == 200 and int(answer.headers["Parva-Demand-Revision"]) >= demand
            return (answer.headers["Parva-Plan-Revision"], answer.body) if is_there else None
        before = until("the plan", lambda: plan(leader), 600)
        planned = time.monotonic()
        until("the plan at a follower", lambda: plan(other) == before, 600)
        followed = time.monotonic()
        leader.kill()
        until("a new leader", over.leader)
        until("a write", lambda: acknowledged(other, 7))
        back = time.monotonic()
        over.start(leader)
        over.until_writable(60)
        for replica in over.replicas:
            lines = until(f"the list of {replica.name}", lambda: (
                lambda answer: answer.body if answer.status == 200 else None)(replica.ask(
                    "GET", "/v1/workloads?consistent=true", headers={"Accept": "application/x-ndjson"}, timeout=60)), 120)
            ids = {json.loads(line)["id"] for line in lines.splitlines()}
            lost = WORKLOADS - len([one for one in ids if one.startswith("w")])
            if lost:
                raise SystemExit(f"{lost} of {WORKLOADS} workloads are not at {replica.name}")
            kept = replica.ask("GET", f"/v1/plans/{before[0]}", timeout=60)
            if kept.status != 200 or kept.body != before[1]:
                raise SystemExit(f"plan {before[0]} is not at {replica.name}: {kept.status} {kept.body[:200]!r}")
        print(f"{WORKLOADS} workloads, {len(body) >> 20} MiB as lines, through a follower: registered in {registered - begin:.2f} s, "
              f"planned in {planned - registered:.2f}, the plan ({len(before[1]) >> 20} MiB) at a follower {followed - planned:.2f} later; "
              f"writes again {back - followed:.2f} s after kill -9 of the leader, with all workloads and the plan at every replica")


def main():
    for part in (failover, registrations, many):
        with tempfile.TemporaryDirectory(prefix="parva-replicas-", dir=os.getcwd()) as folder:
            part(folder)


main()
