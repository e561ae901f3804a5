#!/usr/bin/env python3
"""The agent is killed with SIGKILL before and after every change to the GPUs, and at random moments; the next start ends
verified each time, what is kept is never touched, and no server runs twice.

PARVA_TEST_KILLS: number of random moments (default 12).
"""

import http.client
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time

PARVA = os.environ["PARVA"]
KILLS = int(os.environ.get("PARVA_TEST_KILLS", "12"))
SEED = 20260
# Sleepers of this run are told from all others by how long they sleep.
SLEEP = str(1_000_000 + os.getpid())

# Calls that change a GPU. Each stands between two records of the journal.
CHANGES = [
    "nvmlGpuInstanceDestroy",
    "nvmlComputeInstanceDestroy",
    "nvmlDeviceCreateGpuInstanceWithPlacement",
    "nvmlGpuInstanceCreateComputeInstance",
]


class Node:
    """`parva node run` over a simulated machine; its folder outlives it."""

    def __init__(self, directory):
        self.directory = directory

    def start(self):
        self.log = []
        self.process = subprocess.Popen(
            [PARVA, "node", "run", "--simulate", "A100-80GBx2", "--name", "n1", "--state-dir", self.directory,
             "--listen", "127.0.0.1:0", "--insecure"],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            raise AssertionError(f"the agent ended with {self.process.wait()}: {''.join(self.log)}")
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def state(self):
        return self.request("GET", "/v1/state")[1]

    def apply(self, wanted):
        status, operation = self.request("POST", "/v1/apply", wanted)
        assert status == 202, (status, operation)
        return operation["id"]

    def ended(self, operation):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            document = self.request("GET", f"/v1/operations/{operation}")[1]
            if document["status"] not in ("queued", "running"):
                return document
            time.sleep(0.01)
        raise AssertionError(f"operation {operation} does not end: {document}")

    def faults(self, *lines):
        path = os.path.join(self.directory, "simulated", "faults")
        if os.path.exists(path):
            os.unlink(path)
        if lines:
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            os.rename(path + ".new", path)

    def kill(self):
        self.process.kill()
        return self.process.wait()


def sleepers():
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", SLEEP.encode()]:
            found.append(int(name))
    return found


def plan(revision, gpus):
    """Two layouts that take turns; the instance of profile 9 at 4 is in both and has a server."""
    launch = {"command": "sleep", "args": [SLEEP], "stopTimeout": 0}
    kept = {"profileId": 9, "start": 4, "workload": "kept", "launch": launch}
    if revision % 2:
        layout = [kept, {"profileId": 9, "start": 0, "workload": "a", "launch": launch}]
    else:
        layout = [kept, {"profileId": 14, "start": 0, "workload": "b", "launch": launch}, {"profileId": 19, "start": 2}]
    return {"revision": revision, "gpus": [{"uuid": gpu, "instances": layout} for gpu in gpus]}


def places(gpu):
    return sorted((i["profileId"], i["start"]) for i in gpu["instances"])


class Run:
    def __init__(self, node):
        self.node = node
        node.start()
        self.gpus = [gpu["uuid"] for gpu in node.state()["observed"]["gpus"]]
        self.revision = 1
        document = node.ended(node.apply(plan(1, self.gpus)))
        assert document["status"] == "verified", document
        self.kept = self.kept_now(self.settled())

    def settled(self):
        """The state once every wanted server is there; that they all come is what is waited for."""
        for _ in range(600):
            state = self.node.state()
            servers = [s for s in state["services"] if s["status"] == "healthy"]
            if len(servers) == 4 and len(state["services"]) == 4:
                return state
            time.sleep(0.05)
        raise AssertionError(f"the servers do not come: {state['services']}")

    def kept_now(self, state):
        instances = [i for gpu in state["observed"]["gpus"] for i in gpu["instances"]]
        uuids = sorted(i["computes"][0]["uuid"] for i in instances if (i["profileId"], i["start"]) == (9, 4))
        pids = sorted(s["pid"] for s in state["services"] if s["workload"] == "kept")
        return uuids, pids

    def judge(self, note):
        """What must hold after the restart: verified in one of the two states, nothing kept was touched."""
        state = self.node.state()
        assert state.get("operation") is None, note
        verified = state["verified"]
        assert verified["revision"] in (self.revision - 1, self.revision), (note, verified)
        assert verified.get("degraded") is None, (note, verified)
        wanted = plan(verified["revision"], self.gpus)["gpus"]
        for gpu, want in zip(state["observed"]["gpus"], wanted):
            assert places(gpu) == sorted((i["profileId"], i["start"]) for i in want["instances"]), (note, gpu)
        assert os.path.getsize(os.path.join(self.node.directory, "journal.jsonl")) == 0, note

    def finish(self, note):
        """The same revision again goes through, and each server runs exactly once."""
        document = self.node.ended(self.node.apply(plan(self.revision, self.gpus)))
        assert document["status"] == "verified", (note, document)
        state = self.settled()
        assert self.kept_now(state) == self.kept, (note, self.kept_now(state), self.kept)
        assert sorted(s["pid"] for s in state["services"]) == sorted(sleepers()), (note, state["services"], sleepers())

    def next(self):
        self.revision += 1
        return plan(self.revision, self.gpus)

    def killed_in(self, fault):
        """Applies with the fault; False when the apply came to its end without meeting it."""
        self.node.faults(fault)
        wanted = self.next()
        try:
            operation = self.node.apply(wanted)
            self.node.ended(operation)
        except (OSError, http.client.HTTPException):
            assert self.node.process.wait() == -9, self.node.log[-5:]
            self.node.faults()
            self.node.start()
            self.judge(fault)
            self.finish(fault)
            return True
        self.node.faults()
        return False


def at_every_change(run):
    kills = 0
    for symbol in CHANGES:
        for kind in ("kill", "killed"):
            nth = 1
            # The two layouts need different numbers of calls; two misses in a row are the end of both.
            misses = 0
            while misses < 2:
                if run.killed_in(f"{kind} {symbol} {nth}"):
                    kills += 1
                    misses = 0
                else:
                    misses += 1
                nth += 1
    return kills


def at_random_moments(run):
    moments = random.Random(SEED)
    run.node.faults("delay * 1")
    begin = time.monotonic()
    run.node.ended(run.node.apply(run.next()))
    whole = time.monotonic() - begin
    for number in range(KILLS):
        run.node.faults("delay * 1")
        operation = run.node.apply(run.next())
        time.sleep(moments.random() * whole)
        run.node.kill()
        run.node.start()
        run.judge(f"seed {SEED} kill {number} in {operation}")
        run.node.faults()
        run.finish(f"seed {SEED} kill {number}")
    return KILLS


def main():
    directory = tempfile.mkdtemp(prefix="parva-kill-")
    node = Node(directory)
    try:
        run = Run(node)
        for name, part in [
            ("the agent is killed before and after every change and the next start ends verified", at_every_change),
            ("the agent is killed at random moments and the next start ends verified", at_random_moments),
        ]:
            try:
                print(f"  {part(run)} kills")
                print(f"ok - {name}", flush=True)
            except Exception as error:  # noqa: BLE001: whatever goes wrong is this check's failure
                print(f"not ok - {name}\n  {type(error).__name__}: {error}\n  {''.join(node.log[-5:])}", flush=True)
                return 1
        node.ended(node.apply({"revision": run.revision + 1, "gpus": []}))
        print("not ok - an empty plan ends every server" if sleepers() else "ok - an empty plan ends every server")
        return 1 if sleepers() else 0
    finally:
        if node.process.poll() is None:
            node.kill()
        for pid in sleepers():
            os.kill(pid, 9)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
