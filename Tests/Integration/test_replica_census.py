#!/usr/bin/env python3
"""Controllers on one store that do not fit together: wrong addresses, other options, other versions. Each says so."""

import base64
import gzip
import http.client
import os
import plistlib
import re
import struct
import subprocess
import tempfile

from controller import ROOT, check, cli, equal, finish, free_port, workload
from fleet import until
from replicas import HAS_ETCD, Cluster, ask, etcdctl, without_etcd


def findings(replica):
    """Code and address of what a replica says of all of them."""
    there = replica.ask("GET", "/v1/replicas").json()["replicas"]
    return sorted((finding["code"], one["address"]) for one in there for finding in one["findings"])


def restart(cluster, replica):
    replica.process.terminate()
    replica.process.wait(60)
    cluster.start(replica)


def fitting(cluster, one, two, three):
    right = three.advertised
    with check("another option, and an address where nobody is, are told by every other replica, its log and its metrics"):
        cluster.start(one)
        until("it to lead", lambda: one.role() == "leader")
        two.options = [*two.options, "--dead-band", "7%"]
        three.advertised = free_port()
        cluster.start(two)
        cluster.start(three)
        wanted = sorted([("options_differ", url(two)), ("address_unreachable", url(three))])
        until(f"{wanted}", lambda: findings(one) == wanted)
        other = next(at for at in one.ask("GET", "/v1/replicas").json()["replicas"] if at["address"] == url(two))
        equal(other["differences"], [{"option": "dead-band", "here": "0%", "there": "7%"}], "what differs")
        said = until("the log", lambda: "code=address_unreachable" in one.said(100_000) and one.said(100_000))
        until("the log to say what differs", lambda: "--dead-band is 7% there and 0% here" in one.said(100_000))
        metrics = one.ask("GET", "/metrics").body.decode()
        equal('parva_replica_findings{code="options_differ"} 1' in metrics and "parva_replicas 3" in metrics, True, "metrics")
        equal(("options_differ", url(one)) in findings(two), True, "what the other says")
    with check("an address that two advertise is told once both are there for longer than a restart takes"):
        three.advertised = one.advertised
        restart(cluster, three)
        wanted = sorted([("options_differ", url(two)), ("address_shared", url(one)), ("address_shared", url(one))])
        until(f"{wanted}", lambda: findings(one) == wanted)
    with check("what was mended is told once more, and then no more"):
        three.advertised, two.options = right, two.options[:-2]
        restart(cluster, two)
        restart(cluster, three)
        until("nothing", lambda: findings(one) == [] and len(one.ask("GET", "/v1/replicas").json()["replicas"]) == 3)
        until("the log to say so", lambda: one.said(100_000).count("replicas fit together again") >= 2)
        # Who was killed and is there again is nobody's twin.
        two.kill()
        cluster.start(two)
        until("it to follow", lambda: two.role() == "follower")
        equal(findings(one), [], "after a kill")


def versions(cluster):
    with check("where a newer version has led, older ones follow, and none of them leads any more"):
        cluster.until_writable()
        schema = etcdctl(cluster, "get", "--print-value-only", "parva/schema").strip()
        equal(int(schema) > 0, True, schema)
        leader = until("a leader", cluster.leader)
        others = [one for one in cluster.replicas if one is not leader]
        etcdctl(cluster, "put", "parva/schema", str(int(schema) + 1))
        for one in others:
            until("it to say so", lambda one=one: "newer version of Parva has led on this store" in one.said())
            equal(one.ask("GET", "/readyz").status, 200, "/readyz while somebody leads")
        leader.kill()
        for one in others:
            answer = until("/readyz to tell it", lambda one=one: (
                lambda ready: ready.status == 503 and ready)(one.ask("GET", "/readyz")))
            until("/readyz to tell why", lambda one=one: one.ask("GET", "/readyz").json().get("code") == "store_too_new")
            equal(one.ask("GET", "/v1/workloads/probe").status, 200, f"a read ({answer.body})")
            equal(one.ask("PUT", "/v1/workloads/x", workload("x"), timeout=20).status, 503, "a write")
    with check("an older one that starts then says so, too, and does not lead"):
        cluster.start(leader)
        until("it to follow", lambda: role(leader) == "follower")
        until("/readyz to tell why", lambda: leader.ask("GET", "/readyz").json().get("code") == "store_too_new")
        equal(cluster.leader(), None, "who leads")
    with check("with a version that is new enough all goes on"):
        etcdctl(cluster, "put", "parva/schema", schema)
        cluster.until_writable()


def unreadable(cluster):
    with check("what only a newer version can read stops a replica there: it says so, reads go on, nothing is lost"):
        cluster.until_writable()
        leader = until("a leader", cluster.leader)
        follower = next(one for one in cluster.replicas if one is not leader)
        plain = plistlib.dumps({"version": 1000, "tenures": ["a"]}, fmt=plistlib.FMT_BINARY)
        entry = struct.pack(">QQQ", 1, 0, 0) + gzip.compress(plain)

        def put_next():
            """Where the log ends, unless the leader has written there meanwhile."""
            last = etcdctl(cluster, "get", "--prefix", "--keys-only", "parva/log/").split()[-1]
            key = base64.b64encode(f"parva/log/{int(last.rpartition('/')[2]) + 1:020}".encode()).decode()
            return ask(cluster.members[0].client, "POST", "/v3/kv/txn", {
                "compare": [{"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}],
                "success": [{"request_put": {"key": key, "value": base64.b64encode(entry).decode()}}]}).json().get("succeeded")
        until("the entry to be there", put_next)
        for one in (follower, leader):
            until("/readyz to tell it", lambda one=one: one.ask("GET", "/readyz").json().get("code") == "store_too_new")
            equal(one.ask("GET", "/v1/workloads/probe").status, 200, "a read")
        equal(follower.ask("PUT", "/v1/workloads/x", workload("x"), timeout=20).status, 503, "a write")
        equal("newer version of Parva" in follower.said(), True, follower.said())
    with check("one that starts then ends, and says why"):
        follower.kill()
        cluster.start(follower)
        equal(follower.process.wait(60), 2, "its status")
        equal("was written by a newer version of Parva" in follower.said(), True, follower.said())
        follower.process = None


def role(replica):
    try:
        return replica.ask("GET", "/v1/workloads/probe", timeout=2).headers["Parva-Role"]
    except (OSError, http.client.HTTPException):
        return None


def url(replica):
    return f"http://127.0.0.1:{replica.advertised}"


def main(folder):
    cluster = Cluster(folder, members=1, replicas=3, lease=4, is_wired=False)
    try:
        for one in cluster.members:
            cluster.start(one)
        fitting(cluster, *cluster.replicas)
        versions(cluster)
        unreadable(cluster)
    finally:
        cluster.close()


with check("the options that are one machine's own, and those that name files, are options that there are"):
    with open(os.path.join(ROOT, "Sources/parva/SharedOptions.swift"), encoding="utf-8") as source:
        text = source.read()
    names = set(re.findall(r'"([a-z][a-z-]+)"', "".join(re.findall(r": Set<String> = \[(.*?)\]", text, re.S))))
    known = set(re.findall(r"--([a-z][a-z-]+)", cli("serve", "--help").decode()))
    equal(len(names) > 20, True, str(names))
    equal(sorted(names - known), [], "names of no option")
if not HAS_ETCD:
    without_etcd("controllers that do not fit together")
else:
    with tempfile.TemporaryDirectory(prefix="parva-census-") as folder:
        main(folder)
finish()
