#!/usr/bin/env python3
"""What followers say of what the leader alone knows: why planning fails, what applies by itself, what subscribers were sent; how a leader ends
while a request is slow; and an address at which no other replica would reach it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

from controller import PARVA, check, equal, finish, free_port, workload
from fleet import until
from receiver import Receiver
from replicas import HAS_ETCD, SLOWNESS, ask, cluster, takes, without_etcd

#: No planner can do anything about a workload of this name.
FAULTS = "optimal:trap:poison,parvagpu:exit:poison,standing:trap:poison"
OPTIONS = ["--auto-apply", "--webhook-allow-network", "127.0.0.0/8"]


def planning(leader, follower):
    with check("a follower says why planning fails, and nobody waits there for a plan that does not come"):
        equal(follower.ask("POST", "/v1/workloads", workload("good")).status, 201, "a workload")
        before = follower.ask("GET", "/v1/plan?consistent=true&wait=60", timeout=70)
        until("the follower to have the plan", lambda: follower.ask("GET", "/v1/plan?wait=0").body == before.body)
        until("the follower to be well", lambda: follower.ask("GET", "/readyz").json().get("status") == "ok")
        equal(follower.ask("POST", "/v1/workloads", workload("poison")).status, 201, "another")
        def failed():
            status = follower.ask("GET", "/v1/workloads/poison").json()["status"]
            return (status["state"], status.get("code")) == ("pending", "planning_failed")
        until("the workload to say it", failed)
        ready = follower.ask("GET", "/readyz").json()
        there = leader.ask("GET", "/readyz").json()
        equal((ready["status"], ready["replica"]["role"]), ("degraded", "follower"), str(ready))
        equal(ready["planning"]["code"], there["planning"]["code"], "the code")
        began = time.monotonic()
        plan = follower.ask("GET", "/v1/plan?wait=60", timeout=70)
        took = time.monotonic() - began
        equal((plan.status, plan.body == before.body), (200, True), str(plan.body[:200]))
        if took > 20:
            raise AssertionError(f"the plan was waited for {took:.1f} s")
        equal(follower.ask("DELETE", "/v1/workloads/poison").status, 204, "its end")
        until("the follower to be well again", lambda: follower.ask("GET", "/readyz").json().get("status") == "ok")


def words(leader, follower):
    with check("a follower asks the leader for what that alone knows"):
        receiver = Receiver()
        made = follower.ask("POST", "/v1/webhooks", {"url": receiver.url("/hook"), "types": ["plan.published"]})
        equal(made.status, 201, str(made.body[:200]))
        path = f"/v1/webhooks/{made.json()['id']}"
        equal(follower.ask("POST", path + "/test", {}).json()["code"], "delivered", "a message")
        tries = follower.ask("GET", path + "/deliveries")
        equal((len(tries.json()["deliveries"]), "Parva-Staleness" in tries.headers), (1, False), str(tries.body[:200]))
        fleet = follower.ask("GET", "/v1/fleet")
        equal(("autoApply" in fleet.json(), "Parva-Staleness" in fleet.headers), (True, False), str(fleet.body[:300]))
        told = subprocess.run(
            [PARVA, "describe", "webhook", made.json()["id"], "--server", f"http://127.0.0.1:{follower.port}"],
            capture_output=True, text=True, check=True).stdout
        equal("delivered" in told, True, told)
        leader.pause()
        began = time.monotonic()
        own = follower.ask("GET", "/v1/fleet")
        equal((own.status, "Parva-Staleness" in own.headers), (200, True), "what it says while the leader stands still")
        print(f"  answered after {time.monotonic() - began:.2f} s", flush=True)
        leader.resume()


def slow(over):
    with check("one slow request keeps leadership for 2 s at most, and what comes after that is not done"):
        over.until_writable()
        leader = over.leader()
        rest = [one for one in over.replicas if one is not leader]
        body = json.dumps(workload("slow")).encode()
        with socket.create_connection(("127.0.0.1", leader.port)) as link:
            head = f"POST /v1/workloads HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            link.sendall(head.encode() + body[:10])
            time.sleep(0.2)
            began = time.monotonic()
            leader.process.send_signal(signal.SIGTERM)
            until("another leader", lambda: any(one.role() == "leader" for one in rest))
            until("a write to be answered", lambda: takes(rest, workload("after")))
            took = time.monotonic() - began
            print(f"  written again {took:.2f} s after SIGTERM", flush=True)
            equal(leader.process.poll(), None, "whether it still waits for the request")
            link.sendall(body[10:])
            answer = http.client.HTTPResponse(link)
            answer.begin()
            equal((answer.status, json.load(answer)["code"]), (503, "not_leader"), "what comes late")
            if took > 5 * SLOWNESS:
                raise AssertionError("it took too long")
        equal(leader.process.wait(30), 0, "the exit status")
        equal(rest[0].ask("GET", "/v1/workloads/slow").status, 404, "what came late")


def loopback():
    store = "etcd://192.0.2.1:2379,192.0.2.2:2379/parva"
    with check("where members of etcd are elsewhere, a loopback address is advertised only by word"):
        begun = [PARVA, "serve", "--listen", f"127.0.0.1:{free_port()}", "--store", store]
        refused = subprocess.run(begun, capture_output=True, text=True, timeout=60, check=False)
        equal((refused.returncode, "advertise_loopback" in refused.stderr, "--advertise" in refused.stderr), (2, True, True), refused.stderr)
        port = free_port()
        begun = [PARVA, "serve", "--listen", f"127.0.0.1:{port}", "--advertise", f"http://127.0.0.1:{port}", "--store", store]
        running = subprocess.Popen(begun, stderr=subprocess.DEVNULL)
        try:
            def lives():
                try:
                    return ask(port, "GET", "/healthz", timeout=2).status == 200
                except OSError:
                    return False
            until("it to wait for the store", lives)
        finally:
            running.terminate()
            equal(running.wait(60), 0, "the exit status")


def main(folder):
    loopback()
    if not HAS_ETCD:
        return without_etcd("followers of controllers on etcd")
    os.environ["PARVA_WORKER_FAULTS"] = FAULTS
    with cluster(folder, members=1, lease=2 * SLOWNESS, is_wired=False, options=OPTIONS) as over:
        leader = over.leader()
        follower = next(one for one in over.replicas if one is not leader)
        planning(leader, follower)
        words(leader, follower)
        slow(over)
    return None


with tempfile.TemporaryDirectory(prefix="parva-words-") as folder:
    main(folder)
finish()
