#!/usr/bin/env python3
"""What is left when a store is lost: a backup, put into a fresh etcd or into SQLite. Nodes take plans from there on."""

import contextlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile

from controller import PARVA, check, equal, finish, skip, workload
from fleet import until
from replicas import Cluster, etcdctl


def parva(*arguments):
    done = subprocess.run([PARVA, *arguments], capture_output=True, text=True, check=False)
    equal(done.returncode, 0, done.stderr)


def verified(cluster):
    return (cluster.nodes[0].state().get("verified") or {}).get("revision", 0)


def planned(cluster, name, term=0):
    """Registers a workload and waits until the node has what is planned for it, from a controller of a term after `term`."""
    def taken():
        leader = cluster.leader()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return leader and leader.ask("PUT", f"/v1/workloads/{name}", workload(name)).status in (200, 201)
    until(f"{name} to be taken", taken)

    def there():
        with contextlib.suppress(OSError, http.client.HTTPException, KeyError):
            plan = cluster.replicas[0].ask("GET", "/v1/plan?consistent=true&wait=10")
            names = {segment["workload"] for gpu in plan.json()["gpus"] for segment in gpu["segments"]}
            # The revision may be one that the node has had already, from what was replaced: then its term tells.
            return (plan.status == 200 and name in names and verified(cluster) >= plan.json()["revision"]
                    and cluster.nodes[0].state()["term"] > term)
    until(f"{name} on the node", there, 120)


def run(folder):
    cluster = Cluster(folder, members=1, replicas=2, nodes=1, lease=3, is_wired=False, options=["--heartbeat", "0.5", "--auto-apply"])
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
            planned(cluster, "c", term)
            until("the leader's term to be the node's", lambda: (
                told := cluster.replicas[0].ask("GET", "/readyz").json().get("replica", {})) and (
                told.get("term") == cluster.nodes[0].state()["term"] or told.get("role") != "leader" and any(
                    one.ask("GET", "/readyz").json().get("replica", {}).get("term") == cluster.nodes[0].state()["term"]
                    for one in cluster.replicas)))
    finally:
        cluster.close()


def code(replica):
    try:
        return replica.ask("GET", "/readyz").json().get("code")
    except OSError:
        return None


def put_back(folder):
    """etcd's own way back, `etcdctl snapshot restore`, under controllers that run."""
    cluster = Cluster(folder, members=1, replicas=2, nodes=1, lease=3, is_wired=False, options=["--heartbeat", "0.5", "--auto-apply"])
    member, store = cluster.members[0], cluster.replicas[0].store
    snapshot = os.path.join(folder, "snapshot")
    try:
        cluster.start_all()
        planned(cluster, "a")
        etcdctl(cluster, "snapshot", "save", snapshot)
        for _ in range(2):
            leader = until("a leader", cluster.leader)
            leader.kill()
            cluster.start(leader)
            cluster.until_writable()
        planned(cluster, "b")
        for replica in cluster.replicas:
            until("it to know b", lambda replica=replica: replica.ask("GET", "/v1/workloads/b").status == 200)
        term = cluster.nodes[0].state()["term"]
        with check("controllers whose etcd was put back by etcdctl snapshot restore say so, write nothing, and keep what they have"):
            member.kill()
            shutil.rmtree(os.path.join(folder, member.name))
            address = f"http://127.0.0.1:{member.peer}"
            etcdctl(
                cluster, "snapshot", "restore", snapshot, "--data-dir", os.path.join(folder, member.name), "--name", member.name,
                "--initial-cluster", f"{member.name}={address}", "--initial-advertise-peer-urls", address)
            cluster.start(member)
            for replica in cluster.replicas:
                until(f"{replica.name} to say it", lambda replica=replica: code(replica) == "store_corrupt")
                equal(replica.ask("GET", "/v1/workloads/b").status, 200, "a read of what was acknowledged after the snapshot")
                equal(replica.ask("PUT", "/v1/workloads/x", workload("x"), timeout=20).status, 503, "a write")
            name = until("it to say how", lambda: re.search(r"parva backup FILE --store (\S+);", cluster.replicas[1].said(20000)))[1]
            rescued = os.path.join(folder, "rescued")
            parva("backup", rescued, "--store", name)
        for replica in cluster.replicas:
            replica.process.terminate()
            replica.process.wait(60)
        with check("what etcd holds goes on after a backup and a restore of it, with later terms"):
            copy = os.path.join(folder, "copy")
            parva("backup", copy, "--store", store)

            def is_restored():
                # A lease of the snapshot's leader has to run out first.
                done = subprocess.run(
                    [PARVA, "restore", copy, "--store", store, "--force"], capture_output=True, text=True, check=False)
                equal(done.returncode == 0 or "A controller leads" in done.stderr, True, done.stderr)
                return done.returncode == 0
            until("the restore", is_restored)
            for replica in cluster.replicas:
                cluster.start(replica)
            cluster.until_writable()
            equal([cluster.replicas[0].ask("GET", f"/v1/workloads/{one}").status for one in "ab"], [200, 404], "what is there")
            planned(cluster, "c", term)
        with check("and so does what a controller had, which is newer"):
            for replica in cluster.replicas:
                replica.process.terminate()
                replica.process.wait(60)
            parva("restore", rescued, "--store", store, "--force")
            for replica in cluster.replicas:
                cluster.start(replica)
            cluster.until_writable()
            equal([cluster.replicas[0].ask("GET", f"/v1/workloads/{one}").status for one in "abc"], [200, 200, 404], "what is there")
            planned(cluster, "d")
    finally:
        cluster.close()


def lives(replica):
    try:
        return replica.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def waiting(folder):
    cluster = Cluster(folder, members=1, replicas=1, lease=3, is_wired=False)
    try:
        with check("a controller whose etcd is away says so, and ends when it is told to"):
            replica = cluster.replicas[0]
            replica.start()
            until("the port", lambda: lives(replica))
            for method, path in (("GET", "/readyz"), ("GET", "/v1/workloads/a"), ("PUT", "/v1/workloads/a")):
                answer = replica.ask(method, path)
                equal((answer.status, answer.json()["code"]), (503, "copy_not_ready"), path)
            replica.process.terminate()
            equal(replica.process.wait(60), 0, "its status")
    finally:
        cluster.close()


if not shutil.which("etcd"):
    name = "a store that is lost comes back from its backup"
    if os.environ.get("PARVA_CI") == "1":
        print(f"not ok - {name} (etcd is not installed, and CI must run it)")
        sys.exit(1)
    skip(name, "etcd is not installed")
    sys.exit()
for one in (run, put_back, waiting):
    with tempfile.TemporaryDirectory(prefix="parva-restore-") as folder:
        one(folder)
finish()
