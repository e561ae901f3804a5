"""Clients of several controllers at once, which note down everything they do, and a look at the nodes beside them."""

import contextlib
import hashlib
import http.client
import itertools
import json
import random
import threading
import time

from controller import Response
from histories import Operation, brief
from replicas import SLOWNESS

#: Seconds after which a client gives a request up.
PATIENCE = 3.0 * SLOWNESS
LATENCY = 200
#: Writes that were surely not done say so by one of these.
REFUSALS = {"not_leader", "store_unavailable", "store_full", "store_failed", "read_only", "copy_not_ready"}


def revision_of(tag):
    """The revision that If-Match compares: the rest of a tag is of the status, too."""
    return int(tag.strip('"').split(".")[0])


class Session:
    """Requests of one client to any replica, one after the other, over a connection to each, with what came of each in the history.

    It may be used by one thread alone."""

    #: Every write asks for a rate of its own.
    rates = itertools.count(100)

    def __init__(self, cluster, history, name):
        self.cluster, self.history, self.name = cluster, history, name
        self.connections, self.count = {}, itertools.count()

    def close(self):
        for one in self.connections.values():
            one.close()

    def send(self, replica, one, method, path, body=None, headers=None, is_noted=True):
        """Has `one` begun and, where there is an answer, ended; returns that."""
        one.run, disturbances = replica.starts, replica.disturbances
        was_well = replica.is_up and not replica.is_ending and replica.well == replica.starts
        connection = self.connections.get(replica.name)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", replica.port, timeout=PATIENCE)
            self.connections[replica.name] = connection
        if is_noted:
            self.history.operations.append(one)
        one.start, response = time.monotonic(), None
        try:
            if connection.sock is None:
                connection.connect()
        except OSError as error:
            one.outcome, one.detail = "refused" if one.is_write else "unknown", repr(error)
        else:
            try:
                connection.request(method, path, body, headers or {})
                response = Response(connection.getresponse())
                if not one.is_write or response.status < 500:
                    one.end = time.monotonic()
            except (OSError, http.client.HTTPException) as error:
                one.detail = repr(error)
        if response is None:
            connection.close()
        one.is_whole = was_well and replica.is_up and (replica.starts, replica.disturbances) == (one.run, disturbances)
        if response is not None:
            one.status = response.status
            if response.status == 200 and not one.is_write:
                replica.well = one.run
            age = response.headers["Parva-Staleness"]
            one.staleness = None if age is None else float(age)
        return response

    def fault(self, one, response, what):
        self.history.faults.append(
            f"{what}: {brief(one)} answered {response.status} {dict(response.headers)} {response.body[:500]!r}")

    # MARK: writes

    def write(self, replica, kind, key, match=None):
        """A change of one workload: `put`, `patch` or `delete`."""
        one = Operation(kind, replica.name, 0, key, match=match)
        one.request = f"{self.name}-{next(self.count)}"
        headers, body = {"X-Request-Id": one.request, "Content-Type": "application/json"}, None
        if match is not None:
            headers["If-Match"] = f'"{match}"'
        if kind != "delete":
            one.rate = next(self.rates) / 100
            body = {"rate": one.rate}
            if kind == "put":
                body = {"id": key, "model": "resnet50", **body, "slo": {"latencyMs": LATENCY}}
            else:
                headers["Content-Type"] = "application/merge-patch+json"
        response = self.send(replica, one, kind.upper(), f"/v1/workloads/{key}", body and json.dumps(body), headers)
        if response is None:
            return one
        code = self.code(response)
        if response.status in (200, 201, 204):
            one.outcome = "ok"
            if kind != "delete":
                told = response.json()
                one.created, one.revision = response.status == 201, told["revision"]
                if told["rate"] != one.rate or revision_of(response.headers["ETag"]) != one.revision:
                    self.fault(one, response, "a write is answered by something else")
        elif response.status in (404, 412):
            one.outcome = "absent" if response.status == 404 else "mismatch"
        elif code in REFUSALS:
            one.outcome, one.end, one.detail = "refused", time.monotonic(), code
        elif code == "outcome_unknown":
            one.detail = code
        else:
            self.fault(one, response, "an unexpected answer to a write")
        return one

    @staticmethod
    def code(response):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return response.json()["code"] if response.status >= 400 else None

    # MARK: reads

    def look(self, replica, one, path, is_consistent, **headers):
        """The answer to a read where it is one."""
        one.is_consistent = is_consistent or not self.cluster.is_replicated
        if is_consistent and self.cluster.is_replicated:
            path += "&consistent=true" if "?" in path else "?consistent=true"
        response = self.send(replica, one, "GET", path, headers=headers)
        if response is None:
            return None
        if response.status not in (200, 404) and not (response.status in (503, 504) and is_consistent):
            one.detail = f"{self.code(response)} {response.body[:300]!r}"
            if response.status != 503:
                self.fault(one, response, "an unexpected answer to a read")
        if response.status not in (200, 404):
            one.told, one.end = one.end, float("inf")
            return None
        one.outcome = "ok"
        if self.cluster.is_replicated:
            role = response.headers["Parva-Role"]
            if role == "follower" and one.staleness is None:
                # The leader's answer, which a replica asks for by itself where its own would go back: judged as such.
                one.is_consistent = True
            if role not in ("leader", "follower"):
                self.fault(one, response, "an answer without its role")
        return response

    def read(self, replica, key, is_consistent=False):
        one = Operation("read", replica.name, 0, key)
        response = self.look(replica, one, f"/v1/workloads/{key}", is_consistent)
        if response is not None and response.status == 200:
            told = response.json()
            one.seen = (told["rate"], told["revision"])
            if revision_of(response.headers["ETag"]) != told["revision"]:
                self.fault(one, response, "a tag of another revision")
        return one

    def list(self, replica, keys, is_consistent=False):
        """All workloads; only `keys` are looked at."""
        one = Operation("list", replica.name, 0)
        response = self.look(replica, one, "/v1/workloads", is_consistent)
        if response is not None:
            told = response.json()
            one.revision = told["revision"]
            one.seen = {each["id"]: (each["rate"], each["revision"]) for each in told["workloads"] if each["id"] in keys}
            if told["nextCursor"] is not None:
                self.fault(one, response, "the list has more pages than a test makes workloads")
        return one

    def plan(self, replica, is_consistent=False):
        """The plan; one revision and what it serves are one text, whoever tells it."""
        one = Operation("plan", replica.name, 0)
        response = self.look(replica, one, "/v1/plan?wait=0", is_consistent)
        if response is not None and response.status == 200:
            one.revision = int(response.headers["Parva-Plan-Revision"])
            one.demand = int(response.headers["Parva-Demand-Revision"])
            text = hashlib.sha256(response.body).hexdigest()
            if self.history.plans.setdefault((one.revision, one.demand), text) != text:
                self.fault(one, response, "two plans of one revision and demand")
        return one

    def apply(self, replica):
        """Asks for the plan to be brought to the nodes; what is accepted is noted."""
        one = Operation("apply", replica.name, 0)
        headers = {"X-Request-Id": f"{self.name}-{next(self.count)}"}
        response = self.send(replica, one, "POST", "/v1/plan/apply", headers=headers, is_noted=False)
        if response is not None and response.status == 202:
            self.history.applies.append(response.headers["Location"])


class Clients:
    """Threads of several kinds of clients; `stop` ends them and raises what went wrong in one."""

    def __init__(self, cluster, history, keys, dice, pace=0.02):
        self.cluster, self.history, self.keys, self.pace = cluster, history, keys, pace
        self.is_over, self.errors = threading.Event(), []
        kinds = [self.writer, self.writer, self.writer, self.checker, self.checker, self.operator]
        kinds += [lambda session, dice, one=one: self.reader(session, dice, one) for one in cluster.replicas]
        self.threads = [
            threading.Thread(
                target=self.run, args=(step, f"{history.name}-c{number}", random.Random(dice.random())), daemon=True)
            for number, step in enumerate(kinds)]
        for one in self.threads:
            one.start()

    def run(self, step, name, dice):
        session = Session(self.cluster, self.history, name)
        session.known = {}
        try:
            while not self.is_over.is_set():
                step(session, dice)
                self.is_over.wait(dice.expovariate(1 / self.pace))
        except Exception as error:  # noqa: BLE001: told where it can be seen
            self.errors.append(error)
        finally:
            session.close()

    def note(self, session, one):
        if one.outcome == "ok" and one.kind == "read":
            session.known[one.key] = one.seen and one.seen[1]
        elif one.outcome == "ok" and one.is_write:
            session.known[one.key] = one.revision

    def writer(self, session, dice):
        replica, key = dice.choice(self.cluster.replicas), dice.choice(self.keys)
        kind = dice.choice(["put", "put", "put", "patch", "patch", "patch", "delete"])
        match = session.known.get(key) if dice.random() < 0.5 else None
        self.note(session, session.write(replica, kind, key, match))

    def checker(self, session, dice):
        """Reads what must be the newest, and often changes what it has read, unless somebody else has."""
        replica, key = dice.choice(self.cluster.replicas), dice.choice(self.keys)
        if dice.random() < 0.2:
            session.list(replica, self.keys, is_consistent=True)
            return
        one = session.read(replica, key, is_consistent=True)
        if one.outcome == "ok" and one.seen and dice.random() < 0.4:
            session.write(dice.choice(self.cluster.replicas), dice.choice(["put", "patch"]), key, one.seen[1])

    def reader(self, session, dice, replica):
        """Stays with one replica, and takes what that has."""
        kind = dice.random()
        if kind < 0.4:
            session.list(replica, self.keys)
        elif kind < 0.8:
            session.read(replica, dice.choice(self.keys))
        else:
            session.plan(replica)

    def operator(self, session, dice):
        session.apply(dice.choice(self.cluster.replicas))
        self.is_over.wait(0.5)

    def stop(self):
        self.is_over.set()
        for one in self.threads:
            one.join()
        if self.errors:
            raise self.errors[0]


class NodeWatch(threading.Thread):
    """Asks the nodes themselves what they have taken: neither the leader's term nor the plan's revision ever goes back."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.newest, self.faults, self.looks = cluster, {}, [], 0
        self.is_over = threading.Event()
        self.start()

    def look(self, node):
        state = node.state()
        taken = state.get("verified")
        if not taken:
            return
        self.looks += 1
        revision, term = (taken["revision"], taken.get("phase") or 0), state.get("term") or 0
        before = self.newest.get(node.name, ((0, 0), 0))
        if revision < before[0] or term < before[1]:
            self.faults.append(f"{node.name} went from {before} back to {(revision, term)}")
        self.newest[node.name] = (revision, term)

    def run(self):
        while not self.is_over.wait(0.05):
            for node in self.cluster.nodes:
                with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                    self.look(node)

    def stop(self):
        self.is_over.set()
        self.join()
        return self.faults
