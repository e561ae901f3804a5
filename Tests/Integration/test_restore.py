#!/usr/bin/env python3
"""What is left when a store is lost: a backup, put into a fresh etcd or into SQLite. Nodes take plans from there on."""

import os
import shutil
import subprocess
import sys
import tempfile

from controller import PARVA, check, equal, finish, skip, workload
from fleet import until
from replicas import Cluster


def parva(*arguments):
    done = subprocess.run([PARVA, *arguments], capture_output=True, text=True, check=False)
    equal(done.returncode, 0, done.stderr)


def verified(cluster):
    return (cluster.nodes[0].state().get("verified") or {}).get("revision", 0)


def planned(cluster, name):
    """Registers a workload and waits until the node has what is planned for it."""
    leader = until("a leader", cluster.leader)
    equal(leader.ask("PUT", f"/v1/workloads/{name}", workload(name)).status in (200, 201), True, name)
    revision = leader.ask("GET", "/v1/plan?wait=60", timeout=70).json()["revision"]
    until(f"{name} on the node", lambda: verified(cluster) >= revision)
    return revision


def run(folder):
    cluster = Cluster(folder, members=1, replicas=2, nodes=1, lease=1, is_wired=False, options=["--heartbeat", "0.5", "--auto-apply"])
    try:
        cluster.start_all()
        cluster.until_writable()
        planned(cluster, "a")
        for _ in range(2):
            leader = until("a leader", cluster.leader)
            leader.kill()
            cluster.start(leader)
            cluster.until_writable()
        planned(cluster, "b")
        term = cluster.nodes[0].state()["term"]
        copy, store = os.path.join(folder, "copy"), cluster.replicas[0].store
        parva("backup", copy, "--store", store)
        for replica in cluster.replicas:
            replica.kill()
        with check("a node takes the plans of a backup in a fresh etcd, though the terms there begin anew"):
            member = cluster.members[0]
            member.kill()
            shutil.rmtree(os.path.join(folder, member.name))
            cluster.start(member)
            parva("restore", copy, "--store", store)
            for replica in cluster.replicas:
                cluster.start(replica)
            cluster.until_writable()
            planned(cluster, "c")
            equal(cluster.nodes[0].state()["term"] > term, True, "a later term")
            leader = until("a leader", cluster.leader)
            equal(leader.ask("GET", "/readyz").json()["replica"]["term"], cluster.nodes[0].state()["term"], "the term that is told")
    finally:
        cluster.close()


def lives(replica):
    try:
        return replica.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def waiting(folder):
    cluster = Cluster(folder, members=1, replicas=1, lease=1, is_wired=False)
    try:
        with check("a controller whose etcd is away says so, and ends when it is told to"):
            replica = cluster.replicas[0]
            replica.start()
            until("the port", lambda: lives(replica))
            for method, path in (("GET", "/readyz"), ("GET", "/v1/workloads/a"), ("PUT", "/v1/workloads/a")):
                answer = replica.ask(method, path)
                equal((answer.status, answer.json()["code"]), (503, "copy_not_ready"), path)
            replica.process.terminate()
            equal(replica.process.wait(20), 0, "its status")
    finally:
        cluster.close()


if not shutil.which("etcd"):
    name = "a store that is lost comes back from its backup"
    if os.environ.get("PARVA_CI") == "1":
        print(f"not ok - {name} (etcd is not installed, and CI must run it)")
        sys.exit(1)
    skip(name, "etcd is not installed")
    sys.exit()
for one in (run, waiting):
    with tempfile.TemporaryDirectory(prefix="parva-restore-") as folder:
        one(folder)
finish()
