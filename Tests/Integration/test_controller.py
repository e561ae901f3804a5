"""The main job over a real socket: demand in, plan out, nothing lost, and a clear answer to whatever else comes."""

import contextlib
import http.client
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

from controller import (
    HAS_PUBLISHED, PARVA, PUBLISHED, SEED, check, cli, controller, equal, finish, scenario, skip, workload)

KILLS = int(os.environ.get("PARVA_KILLS", "25"))


def unnamed(plan):
    """The document of a plan without the revisions that the controller names it by."""
    return re.sub(rb'  "(revision|demandRevision)": [0-9]+,\n', b"", plan.body, count=2)


def scenario_six():
    names = [
        "scenario 6 posted as a batch gives the plan of the command line, byte for byte",
        "scenario 6 needs at most the published number of GPUs",
        "kill -9 right after the 201 loses nothing: same plan, same ETag",
        "scenario 6 with planner parvagpu gives the plan of the command line, byte for byte"]
    if not HAS_PUBLISHED:
        for name in names:
            skip(name, "../shared/data is absent")
        return
    body = scenario(6)
    # Where no clock cuts a plan, it is the same everywhere.
    profiles = ["--profiles", f"{PUBLISHED}/profiles", "--deadline", "60"]
    with controller(*profiles) as api:
        with check(names[0]):
            created = api.request("POST", "/v1/workloads/batch", body, {"Content-Type": "application/json"})
            equal(created.status, 201, "status")
            plan = api.get("/v1/plan?wait=60")
            wanted = cli("plan", "--workloads", "-", *profiles, "-o", "json", stdin=body)
            equal(unnamed(plan), wanted, "plan")
        with check(names[1]):
            document = plan.json()
            equal(document["unplaced"], [], "unplaced")
            if not 1 <= document["summary"]["gpuCount"] <= 17:
                raise AssertionError(f"{document['summary']['gpuCount']} GPUs")
        with check(names[2]):
            api.restart()
            again = api.get("/v1/plan?wait=60")
            equal(again.body, plan.body, "plan")
            equal(again.headers["ETag"], plan.headers["ETag"], "ETag")
            equal(api.get("/v1/plan", If_None_Match=plan.headers["ETag"]).status, 304, "status")
            listed = api.get("/v1/workloads").json()["workloads"]
            equal(len(listed), len(json.loads(body)["workloads"]), "number of workloads")
    with check(names[3]):
        options = ["--planner", "parvagpu", "--admission", "half-slo", "--max-processes", "3", *profiles]
        with controller(*options) as api:
            api.request("POST", "/v1/workloads/batch", body, {"Content-Type": "application/json"})
            wanted = cli("plan", "--workloads", "-", *options, "-o", "json", stdin=body)
            equal(unnamed(api.get("/v1/plan?wait=60")), wanted, "plan")


def durability():
    """Writers register one after another; the controller is killed at a random moment. What was answered 201 is there
    after the restart, what was not answered is there whole or not at all, and the plan covers what is there. The audit has a
    row for each batch that is there, and for no other."""
    generator = random.Random(SEED)
    name = f"{KILLS} kills at random moments lose nothing that was acknowledged (seed {SEED})"
    with check(name), controller() as api:
        acknowledged, attempted, answered, number = set(), set(), set(), 0
        for _ in range(KILLS):
            survives = generator.randint(0, 20)
            timer = None
            connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
            try:
                while True:
                    number += 1
                    ids = [f"w{number}-{part}" for part in range(generator.randint(1, 5))]
                    attempted.add(tuple(ids))
                    if survives == 0:
                        # The kill races the request: the response may or may not make it.
                        timer = threading.Timer(generator.uniform(0, 0.004), api.kill)
                        timer.start()
                    body = [workload(one, rate=generator.uniform(1, 50)) for one in ids]
                    response = api.request("POST", "/v1/workloads/batch", body, connection=connection)
                    equal(response.status, 201, "status")
                    acknowledged.update(ids)
                    answered.add(response.headers["X-Request-Id"])
                    survives -= 1
                    if survives < 0:
                        timer.join()
            except (http.client.HTTPException, OSError):
                pass
            if timer:
                timer.join()
            connection.close()
            api.start()
            there, cursor = set(), ""
            while cursor is not None:
                page = api.get(f"/v1/workloads?limit=1000&cursor={cursor}").json()
                there.update(one["id"] for one in page["workloads"])
                cursor = page["nextCursor"]
            if acknowledged - there:
                raise AssertionError(f"lost: {sorted(acknowledged - there)}")
            for batch in attempted:
                if len(there.intersection(batch)) not in (0, len(batch)):
                    raise AssertionError(f"half a batch is there: {batch}")
            rows = [json.loads(line) for line in api.get("/v1/audit", Accept="application/x-ndjson").body.splitlines()]
            stored = {row["requestId"] for row in rows if row["changed"]}
            if answered - stored:
                raise AssertionError(f"no row in the audit: {sorted(answered - stored)}")
            equal(len(stored), sum(1 for batch in attempted if there.issuperset(batch)), "rows of changes in the audit")
            acknowledged |= there
            plan = api.get("/v1/plan?wait=60").json()
            placed = {segment["workload"] for gpu in plan["gpus"] for segment in gpu["segments"]}
            equal(placed, there, "workloads of the plan")
        if len(acknowledged) < KILLS:
            raise AssertionError("the test killed too early to prove anything")


def backup():
    """A copy beneath a controller that is written to, and that copy in place of what a kill -9 left."""
    with check("a backup beneath writers, restored after a kill -9, serves what was acknowledged before it, with its plan"), \
            tempfile.TemporaryDirectory(prefix="parva-backup-") as folder:
        store, copy = os.path.join(folder, "parva.sqlite"), os.path.join(folder, "copy.sqlite")
        with controller(store=store) as api:
            equal(api.request("POST", "/v1/workloads/batch", [workload(f"w{n}") for n in range(20)]).status, 201, "status")
            before = api.get("/v1/plan?wait=60")
            is_over = threading.Event()
            late = []

            def write():
                while not is_over.is_set():
                    late.append(f"late{len(late)}")
                    api.request("POST", "/v1/workloads", workload(late[-1]))
            writer = threading.Thread(target=write)
            writer.start()
            try:
                cli("backup", copy, "--store", store)
            finally:
                is_over.set()
                writer.join()
            equal(os.stat(copy).st_mode & 0o777, 0o600, "who may read it")
            refused = subprocess.run(
                [PARVA, "restore", copy, "--store", store, "--force"], stderr=subprocess.PIPE, text=True)
            equal((refused.returncode, "has this store open" in refused.stderr), (2, True), refused.stderr)
            api.kill()
            refused = subprocess.run([PARVA, "restore", copy, "--store", store], stderr=subprocess.PIPE, text=True)
            equal((refused.returncode, "--force" in refused.stderr), (2, True), refused.stderr)
            cli("restore", copy, "--store", store, "--force")
            api.start()
            there = {one["id"] for one in api.get("/v1/workloads?limit=1000").json()["workloads"]}
            equal({f"w{n}" for n in range(20)} <= there, True, "what was acknowledged before")
            equal(there <= {f"w{n}" for n in range(20)} | set(late), True, "nothing else")
            plan = api.get("/v1/plan?wait=60")
            equal({s["workload"] for gpu in plan.json()["gpus"] for s in gpu["segments"]}, there, "the plan")
            equal(int(plan.headers["Parva-Plan-Revision"]) >= int(before.headers["Parva-Plan-Revision"]), True, "its revision")
            api.kill()
            cli("restore", store + ".before-restore", "--store", store, "--force")
            api.start()
            there = {one["id"] for one in api.get("/v1/workloads?limit=1000").json()["workloads"]}
            equal({f"w{n}" for n in range(20)} | set(late), there, "what was kept of the store before")


def unserved():
    with controller() as api:
        with check("a workload without a profile and one with an unreachable SLO are told, and hinder nobody"):
            body = [workload("good"), workload("unknown", model="no-such-model"),
                    workload("hasty", slo={"latencyMs": 0.01})]
            equal(api.request("POST", "/v1/workloads/batch", body).status, 201, "status")
            plan = api.get("/v1/plan?wait=60").json()
            equal({one["workload"]: one["code"] for one in plan["unplaced"]},
                  {"unknown": "no_profile", "hasty": "slo_unreachable"}, "unplaced")
            equal({s["workload"] for gpu in plan["gpus"] for s in gpu["segments"]}, {"good"}, "placed")
            states = {one["id"]: one["status"]["state"] for one in api.get("/v1/workloads").json()["workloads"]}
            equal(states, {"good": "planned", "unknown": "unserved", "hasty": "unserved"}, "states")


def hostile():
    cases = [
        ("broken JSON", "POST", "/v1/workloads", b'{"id":', {}, 400, "invalid_syntax", None),
        ("NaN", "POST", "/v1/workloads", b'{"id":"a","model":"m","rate":NaN,"slo":{"latencyMs":1}}', {}, 400,
         "invalid_syntax", None),
        ("1e308 requests/s", "POST", "/v1/workloads", b'{"id":"a","model":"m","rate":1e308,"slo":{"latencyMs":1}}',
         {}, 422, "out_of_range", "/rate"),
        ("an unknown key", "POST", "/v1/workloads", b'{"id":"a","model":"m","rate":1,"slo":{"latencyMs":1},"x":1}',
         {}, 422, "unknown_key", "/x"),
        ("an id twice in a batch", "POST", "/v1/workloads/batch",
         json.dumps({"workloads": [workload("a"), workload("a")]}).encode(), {}, 422, "duplicate", "/workloads/1/id"),
        ("deep nesting", "POST", "/v1/workloads", b"[" * 100_000, {}, 400, "invalid_syntax", None),
        ("bytes that are no text", "POST", "/v1/workloads", bytes(range(256)), {}, 400, None, None),
        ("an unknown path", "GET", "/v2/workloads", None, {}, 404, "not_found", None),
        ("a method that is not there", "PATCH", "/v1/plan", b"{}", {}, 405, "method_not_allowed", None),
        ("a media type nobody reads", "POST", "/v1/workloads", b"<a/>", {"Content-Type": "text/xml"}, 415,
         "unsupported_media_type", None),
        ("an unacceptable format", "GET", "/v1/plan", None, {"Accept": "image/png"}, 406, "not_acceptable", None),
    ]
    with controller() as api:
        for name, method, path, body, headers, status, code, pointer in cases:
            with check(f"{name} is refused with {status} {code or 'problem'}"):
                response = api.request(method, path, body, headers)
                equal(response.status, status, "status")
                equal(response.headers["Content-Type"], "application/problem+json", "type")
                problem = response.json()
                if code:
                    equal(problem["code"], code, "code")
                equal(problem.get("pointer"), pointer, "pointer")
                equal(problem["requestId"], response.headers["X-Request-Id"], "request id")
        for path in ["/v1/workloads", "/v1/workloads/batch"]:
            with check(f"a body of 100 MB to {path} is refused before it is sent"):
                with socket.create_connection(("127.0.0.1", api.port), timeout=30) as raw:
                    raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n".encode())
                    answer = raw.recv(65536).decode()
                    equal(answer.split("\r\n")[0].split()[1], "413", "status")
        with check("a 100 MB body that is sent all the same does no harm"):
            try:
                response = api.request("POST", "/v1/workloads", b" " * 100_000_000)
                equal(response.status, 413, "status")
            except (ConnectionError, http.client.HTTPException):
                pass  # closed while the client was still sending
            equal(api.get("/healthz").status, 200, "health")
        with check("after all that nothing is registered and the controller is well"):
            equal(api.get("/v1/workloads").json()["workloads"], [], "workloads")
            equal(api.get("/v1/plan?after=0&wait=60").status, 200, "the first plan")
            equal(api.get("/readyz").status, 200, "readiness")
            equal(api.stop(), 0, "exit status")


def command():
    def refused(*arguments):
        done = subprocess.run([PARVA, "serve", *arguments], stderr=subprocess.PIPE, text=True, timeout=60)
        equal(done.returncode, 2, "exit status")
        return done.stderr

    with check("listening beyond this machine is refused"):
        for address in ["0.0.0.0:0", "[::]:0", "*:0", "192.168.1.1:8080", "example.org:80", "127.0.0.1.example.org:80"]:
            if "--tls-certificate" not in refused("--listen", address):
                raise AssertionError(f"{address} got another refusal")
    with tempfile.TemporaryDirectory(prefix="parva-test-") as folder:
        with controller(store=f"{folder}/s.sqlite") as api:
            with check("a store in use is refused to a second controller"):
                if "Another process" not in refused("--listen", "127.0.0.1:0", "--store", f"{folder}/s.sqlite"):
                    raise AssertionError("no word about the other process")
            with check("a port in use is refused with its address"):
                busy = subprocess.run(
                    [PARVA, "serve", "--listen", f"127.0.0.1:{api.port}", "--store", f"{folder}/t.sqlite"],
                    stderr=subprocess.PIPE, text=True, timeout=60)
                if busy.returncode == 0 or f"127.0.0.1:{api.port}" not in busy.stderr:
                    raise AssertionError(busy.stderr)
    with check("SIGTERM ends a long poll and then the controller, with 0"):
        with controller() as api:
            equal(api.get("/v1/plan?wait=60").status, 200, "status")
            waiting = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
            waiting.request("GET", "/healthz")
            equal(waiting.getresponse().read() != b"", True, "health")
            waiting.request("GET", "/v1/plan?after=1000&wait=60")
            # Nothing tells that it has come to wait.
            time.sleep(1)
            equal(api.stop(), 0, "exit status")
            equal(waiting.getresponse().status, 304, "status of the long poll")
    with check("a Unix socket serves as well"):
        with tempfile.TemporaryDirectory(prefix="parva-test-") as folder:
            path = f"{folder}/parva.sock"
            with controller("--listen", f"unix:{path}") as api:
                with socket.socket(socket.AF_UNIX) as raw:
                    raw.connect(path)
                    raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    equal(raw.recv(65536).split()[1], b"200", "status")
                equal(api.stop(), 0, "exit status")


def schedule():
    """A rate that rises in some minutes; the lead is such that the plan for it is due within seconds."""
    # So far away that a slow machine is through with the rest before it.
    step = (int(time.time()) // 60 + 3) * 60
    begin, end = (time.strftime("%H:%M", time.gmtime(at)) for at in (step, step + 3600))
    entry = {"from": begin, "to": end.replace("00:00", "24:00"), "timeZone": "UTC", "rate": 20000}
    body = workload("curve", rate=50, schedule=[entry])
    due = int(time.time()) + 20
    with controller("--schedule-lead", str(step - due)) as api:
        with check("a plan follows a schedule by itself, ahead of the rate, and previews tell it before"):
            equal(api.request("POST", "/v1/workloads", json.dumps(body), {"Content-Type": "application/json"}).status, 201)
            before = api.get("/v1/plan?wait=60").json()
            equal(time.time() < due, True, "whether a plan was there before the next was due")
            one = {"workloads": [workload("other", rate=1)]}
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(step))
            ahead = api.request(
                "POST", f"/v1/plan/preview?base=registered&at={at}", json.dumps(one), {"Content-Type": "application/json"})
            if ahead.json()["plan"]["summary"]["gpuCount"] <= before["summary"]["gpuCount"]:
                raise AssertionError("the preview is no larger")
            for _ in range(600):
                after = api.get("/v1/plan?wait=60").json()
                if after["revision"] > before["revision"]:
                    break
                time.sleep(0.1)
            if not after["summary"]["gpuCount"] > before["summary"]["gpuCount"] or time.time() > step:
                raise AssertionError(f"{after['summary']} after {before['summary']}")
            equal(api.get("/v1/plans").json()["plans"][0]["cause"]["triggers"], ["schedule"])
        with check("a schedule outlives kill -9, and the client shows the rate of now and the next"):
            api.restart()
            told = cli("describe", "workload", "curve", "--server", f"http://127.0.0.1:{api.port}").decode()
            if "nextRate" not in told or "timeZone: UTC" not in told:
                raise AssertionError(told)
            again = api.get("/v1/workloads/curve").json()
            equal((again["status"]["rate"], again["status"]["nextRate"]["rate"]), (50, 20000))
    with check("parva plan takes the highest rate of a schedule, and with --at that of its time"):
        file = json.dumps({"workloads": [body]})
        most, least = (
            json.loads(cli("plan", "--workloads", "-", *options, "-o", "json", stdin=file.encode()))["summary"]["gpuCount"]
            for options in ([], ["--at", "2027-01-31T" + time.strftime("%H:%M:%SZ", time.gmtime(step - 7200))]))
        if not most > least:
            raise AssertionError(f"{most} and {least} GPUs")


def held():
    options = ["--dead-band", "10%", "--hold", "3600", "--hold-depth", "0.005%"]
    with controller(*options) as api:
        def rate(name, value):
            api.request("PUT", f"/v1/workloads/{name}", workload(name, rate=value))

        def planned(name):
            plan = api.get("/v1/plan?wait=60").json()
            return round(sum(one["load"] for gpu in plan["gpus"] for one in gpu["segments"] if one["workload"] == name), 6)

        def follows(name, value):
            end = time.monotonic() + 30
            while planned(name) != value and time.monotonic() < end:
                time.sleep(0.01)
            equal(planned(name), value, f"planned rate of {name}")

        with check("plans follow a rate up at once, not down within the dead band, and a deep fall sooner than the hold time"):
            for name in ("still", "deep"):
                rate(name, 100)
                follows(name, 100)
            rate("still", 95)
            rate("deep", 0.5)
            follows("deep", 0.5)
            equal(planned("still"), 100, "planned rate within the dead band")
            holds = api.get("/v1/fleet").json()["holds"]["workloads"]
            equal([(one["id"], one["rate"], one["plannedRate"], "until" in one) for one in holds],
                  [("still", 95, 100, False)], "holds")
            rate("deep", 101)
            follows("deep", 101)

    with check("a depth that is no share is refused"):
        done = subprocess.run(
            [PARVA, "serve", "--hold-depth", "101%"], capture_output=True, text=True, timeout=60)
        equal(done.returncode, 2, "exit code")
        equal("--hold-depth must be 0% to 100%" in done.stderr, True, done.stderr)


def capacities():
    """What is known of capacities: found in the store by the controller that follows a kill, where it can be read."""
    body = {"workloads": [workload(f"w{n}", slo={"latencyMs": 90 + 17 * n}) for n in range(6)]}
    with tempfile.TemporaryDirectory(prefix="parva-capacities-") as folder:
        store = os.path.join(folder, "parva.sqlite")

        def rows(statement):
            with contextlib.closing(sqlite3.connect(store, timeout=30)) as link, link:
                return link.execute(statement).fetchall()

        def tried():
            """Loads tried since the start, once the first planning is over."""
            end = time.monotonic() + 30
            while time.monotonic() < end:
                text = api.get("/metrics").body.decode()
                figure = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line[:1] not in ("#", "")}
                if figure["parva_planning_duration_seconds_count"] >= 1:
                    return figure["parva_planner_tried_loads_total"]
                time.sleep(0.05)
            raise AssertionError("no planning ended")

        def kept(more):
            """Rows of the store, once there are more."""
            end = time.monotonic() + 30
            while time.monotonic() < end:
                count = rows("SELECT count(*) FROM capacity")[0][0]
                if count > more:
                    return count
                time.sleep(0.05)
            raise AssertionError(f"no more than {more} rows")

        with controller(store=store) as api:
            with check("after a kill -9, the next controller plans with the capacities that the one before has found"):
                equal(api.request("POST", "/v1/workloads/batch", body["workloads"]).status, 201, "status")
                plan = api.get("/v1/plan?wait=60")
                equal(tried() > 0, True, "whether loads were tried")
                count = kept(0)
                api.restart()
                equal(tried(), 0, "loads tried anew")
                equal(unnamed(api.get("/v1/plan?wait=60")), unnamed(plan), "plan")
            with check("damaged capacities are found out anew, and the plan is the same"):
                api.kill()
                rows("UPDATE capacity SET facts = CAST(substr(facts, 1, 30) || x'00' || substr(facts, 32) AS BLOB)"
                     " WHERE number % 2 = 0")
                rows("UPDATE capacity SET facts = x'' WHERE number % 2 = 1")
                api.start()
                equal(tried() > 0, True, "whether loads were tried")
                equal(unnamed(api.get("/v1/plan?wait=60")), unnamed(plan), "plan")
                # Those that took their places have numbers of their own.
                kept(0)
                end = time.monotonic() + 30
                while rows(f"SELECT count(*) FROM capacity WHERE number > {count}") == [(0,)] and time.monotonic() < end:
                    time.sleep(0.05)
                api.restart()
                equal(tried(), 0, "loads tried anew")


def profiles():
    """Profiles are put, planned with, and still there after a kill; taken away, their workloads say so."""
    form = cli("profiles", "suggest", "--model", "own", "-o", "csv").decode().splitlines()
    rows = [line.split(",")[:5] for line in form[1:]]
    csv = form[0] + "\n" + "".join(
        ",".join(row) + f",{1000 * int(row[3]) * int(row[4]) / latency:.3f},{latency:.3f},\n"
        for row in rows for latency in [5 + 3 * int(row[3]) * int(row[4]) / int(row[2][0])])
    filled = cli("profiles", "fit", "-", "-o", "csv", stdin=csv.encode())
    with controller() as api:
        with check("a fitted profile put with curl's defaults is planned with, and says so"):
            equal(api.request("POST", "/v1/workloads", workload("mine", model="own")).status, 201, "status")
            equal(api.get("/v1/plan?wait=60").json()["unplaced"][0]["code"], "no_profile", "code")
            put = api.request("PUT", "/v1/profiles/own", filled, {"Content-Type": "text/csv"})
            equal(put.status, 201, "status")
            plan = api.get("/v1/plan?wait=60")
            equal(plan.json()["unplaced"], [], "unplaced")
            equal(plan.json()["summary"]["profileSource"], "filled", "source")
        with check("kill -9 right after the 201 of a profile loses nothing: same profile, same plan, same ETags"):
            again = api.request("PUT", "/v1/profiles/other", filled.replace(b"own,", b"other,"),
                                {"Content-Type": "text/csv"})
            equal(again.status, 201, "status")
            before = api.get("/v1/profiles/other")
            api.restart()
            after = api.get("/v1/profiles/other")
            equal((after.body, after.headers["ETag"]), (before.body, before.headers["ETag"]), "profile")
            equal(unnamed(api.get("/v1/plan?wait=60")), unnamed(plan), "plan")
            equal(api.get("/v1/profiles/own", Accept="text/csv").body, filled, "what was put")
        with check("a profile taken away leaves its workloads unserved, with the reason, across a kill"):
            equal(api.request("DELETE", "/v1/profiles/own").status, 204, "status")
            api.restart()
            equal(api.get("/v1/profiles/own").status, 404, "status")
            equal(api.get("/v1/plan?wait=60").json()["unplaced"][0]["code"], "no_profile", "code")


scenario_six()
durability()
backup()
unserved()
profiles()
schedule()
held()
capacities()
hostile()
command()
finish()
