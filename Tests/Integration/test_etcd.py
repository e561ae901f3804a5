#!/usr/bin/env python3
"""A store in etcd beside one of SQLite: a backup of either goes into the other, and an etcd without room is told and goes by."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from controller import PARVA, Controller, check, equal, finish, free_port, skip, workload
from fleet import until

CLIENT = dict(os.environ, ETCDCTL_API="3")


class Etcd:
    """One member, with little room."""

    def __init__(self, folder, quota):
        self.client, peer = free_port(), f"http://127.0.0.1:{free_port()}"
        url = f"http://127.0.0.1:{self.client}"
        self.process = subprocess.Popen(
            ["etcd", "--data-dir", os.path.join(folder, "etcd"), "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
             "--quota-backend-bytes", str(quota)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("etcd", lambda: subprocess.run(
            ["etcdctl", "--endpoints", url, "endpoint", "health"], env=CLIENT, capture_output=True, check=False).returncode == 0)

    def ctl(self, *arguments, stdin=None):
        return subprocess.run(
            ["etcdctl", "--endpoints", f"127.0.0.1:{self.client}", *arguments], env=CLIENT, input=stdin, capture_output=True, check=False)

    def place(self, prefix):
        return f"etcd://127.0.0.1:{self.client}/{prefix}"

    def make_room(self):
        self.ctl("del", "--prefix", "filler")
        revision = json.loads(self.ctl("endpoint", "status", "-w", "json").stdout)[0]["Status"]["header"]["revision"]
        for step in (("compact", str(revision)), ("defrag",), ("alarm", "disarm")):
            equal(self.ctl(*step).returncode, 0, step[0])


def parva(*arguments):
    return subprocess.run([PARVA, *arguments], capture_output=True, text=True, check=False)


def contents(api):
    """What clients have given; what the controller works out of it comes later."""
    return [{key: one[key] for key in ("id", "rate", "revision")} for one in api.get("/v1/workloads").json()["workloads"]]


def leading(store):
    api = Controller(store, "--lease", "5", "--advertise", f"http://127.0.0.1:{free_port()}")
    until("a leader", lambda: api.get("/readyz").status == 200 and api.get("/readyz").headers["Parva-Role"] == "leader")
    return api


def copies(etcd, folder):
    first, back = os.path.join(folder, "first"), os.path.join(folder, "back")
    sqlite, again = os.path.join(folder, "one.sqlite"), os.path.join(folder, "two.sqlite")
    api = Controller(sqlite)
    for number in range(20):
        equal(api.request("POST", "/v1/workloads", workload(f"w{number}", rate=50 + number)).status, 201, "status")
    given = contents(api)
    equal(parva("backup", first, "--store", sqlite).returncode, 0, "backup of SQLite")
    api.stop()
    place = etcd.place("copies")
    equal(parva("restore", first, "--store", place).returncode, 0, "restore into etcd")
    refused = parva("restore", first, "--store", place)
    equal((refused.returncode, "--force" in refused.stderr), (2, True), refused.stderr)
    api = leading(place)
    try:
        equal(contents(api), given, "what etcd was given")
        equal(api.request("POST", "/v1/workloads", workload("late")).status, 201, "status")
        given = contents(api)
        refused = parva("restore", first, "--store", place, "--force")
        equal((refused.returncode, "A controller leads" in refused.stderr), (2, True), refused.stderr)
        equal(parva("backup", back, "--store", place).returncode, 0, "backup of etcd")
    finally:
        api.stop()
    equal(parva("restore", back, "--store", again).returncode, 0, "restore into SQLite")
    equal(parva("restore", back, "--store", place, "--force").returncode, 0, "restore into etcd over what is there")
    for store in (again, place):
        api = Controller(store) if store == again else leading(store)
        equal(contents(api), given, f"what {store} was given")
        api.stop()


def no_room(etcd):
    api = leading(etcd.place("full"))
    other = Controller(etcd.place("full"), "--lease", "1", "--advertise", f"http://127.0.0.1:{free_port()}")
    try:
        equal(api.request("POST", "/v1/workloads", workload("before")).status, 201, "status")
        for number in range(40):
            if etcd.ctl("put", f"filler/{number}", stdin=b"x" * 1_000_000).returncode:
                break
        def is_full():
            refused = api.request("PUT", "/v1/workloads/late", workload("late"))
            return refused.status == 507 and refused.json()["code"] == "store_full"
        until("a refusal", is_full)
        equal(api.get("/v1/workloads/before").status, 200, "a read meanwhile")
        until("/readyz to tell it", lambda: (
            ready := api.get("/readyz")).status == 503 and "store_full" in ready.body.decode())
        told = until("a replica that follows to tell it", lambda: (
            lambda ready: ready if b"store_full" in ready.body else None)(other.get("/readyz")))
        equal((told.status, told.headers["Parva-Role"], "alarm disarm" in told.json()["detail"]), (503, "follower", True), str(told.body))
        equal(other.get("/v1/workloads/before").status, 200, "a read of the replica that follows")
        other.kill()
        # Without room there is no lease, so that nobody can lead: that is told, too.
        api.kill()
        api.start()
        until("what is wrong is told", lambda: "store_full" in api.get("/readyz").body.decode())
        until("a refusal without a leader", is_full)
        equal(api.get("/v1/workloads/before").status, 200, "a read without a leader")
        etcd.make_room()
        until("writes again", lambda: api.request("PUT", "/v1/workloads/after", workload("after")).status in (200, 201))
        until("readiness", lambda: api.get("/readyz").status == 200)
    finally:
        if other.process.poll() is None:
            other.kill()
        api.stop()


def main():
    name = "backups go from SQLite into etcd and back, and only where nobody leads"
    if not shutil.which("etcd") or not shutil.which("etcdctl"):
        if os.environ.get("PARVA_CI"):
            sys.exit("etcd-server and etcd-client are not installed")
        return skip(name, "etcd is not installed")
    with tempfile.TemporaryDirectory(prefix="parva-etcd-") as folder:
        etcd = Etcd(folder, 16 << 20)
        try:
            with check(name):
                copies(etcd, folder)
            with check("an etcd without room refuses writes as store_full, reads go on, and with room it writes again"):
                no_room(etcd)
        finally:
            etcd.process.kill()
            etcd.process.wait()


main()
finish()
