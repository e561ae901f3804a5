"""A planner that crashes costs a process of its own and nothing else. PARVA_KILL_SECONDS sets how long it is killed."""

import os
import random
import re
import signal
import tempfile
import threading
import time

from controller import SEED, Controller, check, equal, finish, workload

SECONDS = float(os.environ.get("PARVA_KILL_SECONDS", "10"))


def until(question, seconds=120):
    """The first answer that is not None or False."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError("it did not come about in time")


def workers(running):
    """Processes that plan for a controller, by what they are called."""
    children, found = [], []
    for task in os.listdir(f"/proc/{running.process.pid}/task"):
        try:
            with open(f"/proc/{running.process.pid}/task/{task}/children") as file:
                children += file.read().split()
        except FileNotFoundError:
            continue
    for pid in set(children):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if "plan-worker" in file.read():
                    found.append(int(pid))
        except FileNotFoundError:
            continue
    return found


def plan(running):
    answer = running.get("/v1/plan?wait=30")
    equal(answer.status, 200, "GET /v1/plan")
    return answer


def put(running, name, **members):
    answer = running.request("PUT", f"/v1/workloads/{name}", workload(name, **members))
    if answer.status not in (200, 201):
        raise AssertionError(f"PUT {name} was answered {answer.status}: {answer.body[:200]}")


def planning(running):
    answer = running.get("/readyz")
    equal(answer.status, 200, "GET /readyz")
    return answer.json().get("planning")


def poison(folder):
    store = os.path.join(folder, "poison.sqlite")
    running = Controller(store, environment={"PARVA_WORKER_FAULTS": "optimal:trap:poison"})
    try:
        with check("P1: a demand that crashes the planner is served by a stand-in, and that is to be seen"):
            put(running, "good")
            equal(plan(running).json()["planner"], "optimal")
            put(running, "poison")
            after = plan(running)
            equal(after.headers["Parva-Demand-Revision"], "2")
            equal(after.json()["unplaced"], [])
            state = planning(running)
            equal((state["code"], state["demandRevision"], state["resort"]), ("worker_crashed", 2, "parvagpu"))
            if "SIGILL" not in state["message"]:
                raise AssertionError(state["message"])
            metrics = running.get("/metrics").body.decode()
            # It is tried again after a while.
            crashes = re.search(r'parva_planner_worker_restarts_total{reason="worker_crashed"} (\d+)', metrics)
            equal((int(crashes[1]) >= 2, "parva_planning_degraded 1\n" in metrics), (True, True), "metrics")
            line = until(lambda: [line for line in list(running.log) if "a planner failed" in line])[0]
            if "SIGILL" not in line or "demand_revision=2" not in line:
                raise AssertionError(line)
        with check("P1: a stored demand that crashes the planner does not keep the controller down"):
            running.restart()
            equal(plan(running).json()["unplaced"], [])
            equal(until(lambda: planning(running))["code"], "worker_crashed")
        with check("P1: a preview that crashes the planner ends with 500 and hurts nobody"):
            body = {"workloads": [workload("poison-too")]}
            answer = running.request("POST", "/v1/plan/preview", body)
            equal((answer.status, answer.json()["code"]), (500, "planning_failed"))
            equal(running.get("/healthz").status, 200)
        with check("P1: without the poison all is well again"):
            equal(running.request("DELETE", "/v1/workloads/poison").status, 204)
            equal(plan(running).json()["planner"], "optimal")
            until(lambda: planning(running) is None)
    finally:
        running.kill()


def everything_fails(folder):
    faults = "optimal:trap:poison,parvagpu:exit:poison,standing:trap:poison"
    running = Controller(os.path.join(folder, "all.sqlite"), environment={"PARVA_WORKER_FAULTS": faults})
    try:
        with check("P1: where every planner fails, the plan in force stays and the new workload says why it waits"):
            put(running, "good")
            before = plan(running)
            put(running, "poison")
            after = plan(running)
            equal(after.body, before.body)
            equal(running.get("/v1/workloads/good").json()["status"]["state"], "planned")
            status = running.get("/v1/workloads/poison").json()["status"]
            equal((status["state"], status["code"]), ("pending", "planning_failed"))
            equal(planning(running)["resort"], None)
    finally:
        running.kill()


def kills(folder):
    generator = random.Random(SEED)
    print(f"# seed {SEED}, {SECONDS} s", flush=True)
    # By the rule that costs a fresh process nothing, so that plans come between the kills, too.
    running = Controller(os.path.join(folder, "kills.sqlite"), "--admission", "half-slo")
    acknowledged, failures, over = {}, [], threading.Event()

    def write(number):
        own = random.Random(SEED + number)
        while not over.is_set():
            name, rate = f"w{number}-{own.randrange(200)}", own.randint(1, 300)
            try:
                put(running, name, rate=rate)
                acknowledged[name] = rate
                if own.random() < 0.1:
                    equal(running.request("DELETE", f"/v1/workloads/{name}").status, 204)
                    del acknowledged[name]
            except Exception as error:  # noqa: BLE001: reported below
                failures.append(repr(error))
                over.set()

    clients = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    try:
        with check("P1: a planning process killed at random moments, under writes, loses nothing"):
            for client in clients:
                client.start()
            struck, end = 0, time.monotonic() + SECONDS
            while time.monotonic() < end and not over.is_set():
                time.sleep(generator.random() * 0.3)
                for pid in workers(running):
                    try:
                        os.kill(pid, generator.choice([signal.SIGSEGV, signal.SIGILL, signal.SIGKILL]))
                        struck += 1
                    except ProcessLookupError:
                        pass
            over.set()
            for client in clients:
                client.join()
            equal(failures, [])
            if struck < SECONDS:
                raise AssertionError(f"only {struck} processes were there to be killed")
            # There may have been no plan at all until now.
            until(lambda: running.get("/readyz").status == 200)
            until(lambda: planning(running) is None)
            demand = running.get("/v1/workloads?limit=1000").json()
            until(lambda: plan(running).headers["Parva-Demand-Revision"] == str(demand["revision"]))
            final = plan(running)
            equal({w["id"]: w["rate"] for w in demand["workloads"]}, acknowledged)
            equal((final.json()["planner"], final.json()["unplaced"]), ("optimal", []))
            served = {s["workload"] for gpu in final.json()["gpus"] for s in gpu["segments"]}
            equal(served, set(acknowledged))
            print(f"# {struck} processes killed, {demand['revision']} changes, plan {final.headers['Parva-Plan-Revision']}")
        with check("P1: a planning process outlives neither SIGKILL nor SIGTERM of its controller"):
            for end in [running.kill, running.stop]:
                put(running, "last")
                plan(running)
                left = until(lambda: workers(running))
                end()
                until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in left))
                if end == running.kill:
                    running.start()
    finally:
        over.set()
        if running.process.poll() is None:
            running.kill()


with tempfile.TemporaryDirectory(prefix="parva-test-") as place:
    poison(place)
    everything_fails(place)
    kills(place)
finish()
