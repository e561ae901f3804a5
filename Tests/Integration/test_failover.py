"""Three controllers on three members of etcd, as processes: what users see of them when the one that leads is killed."""

import http.client
import tempfile
import threading
import time

from controller import check, equal, finish
from fleet import until
from replicas import HAS_ETCD, cluster, etcdctl, takes, without_etcd

#: Seconds in which writes are answered again, at the most: the default lease, etcd's look for leases that are over, and the rest on a
#: machine that has much else to do. How long it takes is measured by `scripts/benchmark replicas`.
AGAIN = 20.0


def workload(name, rate=100):
    return {"id": name, "model": "resnet50", "rate": rate, "slo": {"latencyMs": 200}}


class Reader(threading.Thread):
    """Reads from one replica again and again, and keeps what was no answer."""

    def __init__(self, replica):
        super().__init__(daemon=True)
        self.replica, self.faults, self.count, self.staleness, self.over = replica, [], 0, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.01):
            try:
                answer = self.replica.ask("GET", "/v1/workloads/before", timeout=3)
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(repr(error))
                continue
            self.count += 1
            if answer.status != 200:
                self.faults.append(f"{answer.status} {answer.body[:200]}")
            self.staleness = max(self.staleness, float(answer.headers.get("Parva-Staleness", 0)))

    def stop(self):
        self.over.set()
        self.join()
        return self


class Follower(threading.Thread):
    """Follows the plans of one replica as a client does: comes back where the stream has ended."""

    def __init__(self, replica):
        super().__init__(daemon=True)
        self.replica, self.revisions, self.streams, self.over = replica, [], 0, False
        self.start()

    def run(self):
        while not self.over:
            link = http.client.HTTPConnection("127.0.0.1", self.replica.port, timeout=30)
            try:
                headers = {"Last-Event-ID": str(self.revisions[-1])} if self.revisions else {}
                link.request("GET", "/v1/plan/events", headers=headers)
                answer = link.getresponse()
                if answer.status != 200:
                    raise OSError(answer.status)
                self.streams += 1
                while line := answer.readline():
                    if line.startswith(b"id: "):
                        self.revisions.append(int(line[4:]))
            except (OSError, http.client.HTTPException):
                pass
            finally:
                link.close()
            time.sleep(0.1)


def revision(replica, query="consistent=true&wait=30"):
    answer = replica.ask("GET", f"/v1/plan?{query}", timeout=40)
    equal(answer.status, 200, f"the plan of {replica.name} ({answer.body[:200]})")
    return int(answer.headers["Parva-Plan-Revision"])


def main(folder):
    with cluster(folder) as these:
        leader = these.leader()
        others = [one for one in these.replicas if one is not leader]
        with check("what is written through a follower is read there at once, and everywhere"):
            made = others[0].ask("POST", "/v1/workloads", workload("before"))
            equal((made.status, made.headers["Parva-Role"]), (201, "follower"), str(made.body[:200]))
            here = others[0].ask("GET", "/v1/workloads/before")
            equal(here.status, 200, "what the same follower knows")
            equal("Parva-Staleness" in here.headers, True, "whether its age is told")
            for one in these.replicas:
                equal(one.ask("GET", "/v1/workloads/before?consistent=true").status, 200, f"asked of {one.name}")
                until("every replica to know it", lambda one=one: one.ask("GET", "/v1/workloads/before").status == 200)
            # Not before there is a first plan.
            ready = until("the follower to be ready", lambda: others[0].ask("GET", "/readyz").json().get("replica"))
            equal((ready["role"], ready["leader"]), ("follower", f"http://127.0.0.1:{leader.advertised}"), "/readyz")
        before = revision(others[0])
        until("every replica to know the plan", lambda: all(revision(one, "") == before for one in these.replicas))
        readers = [Reader(one) for one in others]
        streams = [Follower(one) for one in others]
        until("streams to tell of the plan", lambda: all(before in one.revisions for one in streams))
        killed = time.monotonic()
        leader.kill()

        with check("writes are answered again after the death of the leader, and what is planned is not planned anew"):
            # The plan that was there is not made anew: asked before anything else is registered.
            until("another leader", lambda: any(one.role() == "leader" for one in others), AGAIN)
            there = next(one for one in others if one.role() == "leader")
            kept = there.ask("GET", "/v1/plan?consistent=true")
            until("a write to be answered", lambda: takes(others, workload("after")), AGAIN)
            took = time.monotonic() - killed
            print(f"  writes are answered again after {took:.2f} s", flush=True)
            equal(int(kept.headers["Parva-Plan-Revision"]), before, "the plan's revision after it")
            equal(kept.headers["Parva-Plan-Origin"], "stored", "whether it was planned anew")
        with check("streams go on, and tell of the next plan"):
            after = revision(others[1])
            until("streams to tell of it", lambda: all(after in one.revisions for one in streams))
        with check("reads never failed on the replicas that were up"):
            for one in [reader.stop() for reader in readers]:
                equal(one.faults[:3], [], f"faults of {one.replica.name}, of {one.count} reads")
                print(f"  {one.replica.name}: {one.count} reads, at most {one.staleness:.1f} s old", flush=True)
        with check("who comes back follows and knows what it has missed"):
            these.start(leader)
            until("it to follow", lambda: leader.role() == "follower")
            until("it to know", lambda: leader.ask("GET", "/v1/workloads/after").status == 200)
            equal(revision(leader, "consistent=true"), revision(there, ""), "the plan")
        with check("one that is stopped gives leadership up at once"):
            there.process.terminate()
            began = time.monotonic()
            rest = [one for one in these.replicas if one is not there]
            equal(there.process.wait(60), 0, "the exit status")
            key = etcdctl(these, "get", "parva/leader")
            equal(f":{there.advertised}" in key, False, f"whether it still leads when it has ended ({key})")
            until("another leader", lambda: any(one.role() == "leader" for one in rest))
            print(f"  another leads {time.monotonic() - began:.2f} s after SIGTERM", flush=True)
        for one in streams:
            one.over = True


if not HAS_ETCD:
    without_etcd("failover of controllers on etcd")
else:
    with tempfile.TemporaryDirectory(prefix="parva-failover-") as folder:
        main(folder)
finish()
