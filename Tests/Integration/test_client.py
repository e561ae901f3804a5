#!/usr/bin/env python3
"""The verbs that talk to a controller: get, apply, delete, rollout, context; what they print, and how they end."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time

from controller import PARVA, ROOT, SEED, Controller, check, equal, finish
from fleet import Node, ready, until

SCENARIO = os.path.join(ROOT, "examples", "scenario-4.json")
TOKEN = "writer-0123456789abcdefghij"


class Client:
    """`parva` against one server, with a folder of configurations of its own."""

    def __init__(self, folder, server=None):
        self.environment = {
            **os.environ, "XDG_CONFIG_HOME": folder, "LC_ALL": "C.UTF-8", "COLUMNS": "120",
            "PARVA_SERVER": server or "", "PARVA_TOKEN": "", "PARVA_CONFIG": ""}

    def run(self, *arguments, stdin="", **environment):
        return subprocess.run(
            [PARVA, *arguments], input=stdin, capture_output=True, text=True, timeout=120,
            env={**self.environment, **environment})

    def must(self, *arguments, stdin="", status=0, **environment):
        result = self.run(*arguments, stdin=stdin, **environment)
        equal(result.returncode, status, f"exit status of {' '.join(arguments)} ({result.stdout}{result.stderr})")
        return result.stdout

    def refused(self, status, text, *arguments, **environment):
        result = self.run(*arguments, **environment)
        equal(result.returncode, status, f"exit status ({result.stdout}{result.stderr})")
        if text not in result.stderr:
            raise AssertionError(f"{text!r} is not in {result.stderr!r}")


@contextlib.contextmanager
def following(client, *arguments):
    """A verb that goes on; what is yielded returns once it has written a line with a text."""
    verb = subprocess.Popen([PARVA, *arguments], stdout=subprocess.PIPE, text=True, env=client.environment)
    end = threading.Timer(60, verb.kill)
    end.start()

    def shows(text):
        seen = []
        for line in verb.stdout:
            seen.append(line)
            if text in line:
                return
        raise AssertionError(f"no {text!r} in {seen[-20:]}")
    try:
        yield shows
    finally:
        end.cancel()
        verb.kill()
        verb.wait()


def one(id, rate, **more):
    return {"id": id, "model": "resnet50", "rate": rate, "slo": {"latencyMs": 205}, **more}


def written(folder, *workloads):
    path = os.path.join(folder, "demand.json")
    with open(path, "w") as file:
        json.dump(list(workloads), file)
    return path


def plans(folder):
    """Which plan stays, and what is told of one thing."""
    api = Controller(os.path.join(folder, "plans.sqlite"))
    client = Client(folder, f"http://127.0.0.1:{api.port}")
    try:
        client.must("apply", "-f", written(folder, one("a", 100)))
        first = int(api.get("/v1/plan?wait=60").headers["Parva-Plan-Revision"])
        with check("pin keeps the plan, unpin lets plans follow, and get plans tells why each was made"):
            equal(client.must("pin", "--reason", "audit"), f"plan revision {first} is pinned\n")
            client.must("apply", "-f", written(folder, one("a", 100), one("b", 200)))
            waiting = client.must("get", "workloads", "b", "-o", "json")
            equal(json.loads(waiting)["status"]["code"], "plan_pinned")
            client.must("unpin")
            api.get("/v1/plan?wait=60")
            table = client.must("get", "plans")
            if "changed b" not in table:
                raise AssertionError(table)
            client.refused(2, "404 not_pinned", "unpin")
        with check("windows are set by options, tried first, shown and taken away; what is wrong is said before anything is sent"):
            times = ("--days", "mon,friday", "--from", "22:00", "--to", "05:00", "--time-zone", "Europe/Berlin")
            equal(client.must("window", "allow", "nights", *times, "--dry-run", status=4), "windows/nights would be set\n")
            equal(client.must("window", "allow", "nights", *times), "windows/nights set\n")
            equal(client.must("window", "freeze", "fair", "--start", "2099-11-20T00:00:00Z", "--end", "2099-12-01T00:00:00Z",
                              "--reason", "the fair", "--even-lost-capacity"), "windows/fair set\n")
            told = {one["name"]: one for one in json.loads(client.must("get", "windows", "-o", "json"))["windows"]}
            equal((told["nights"]["days"], told["nights"]["except"]), (["monday", "friday"], ["lost-capacity"]))
            equal((told["fair"]["kind"], told["fair"]["except"]), ("freeze", []))
            for arguments, text in (((), "timeZone"), (("--days", "m", *times[2:]), "a day is"), (("--start", "soon"), "RFC 3339")):
                client.refused(2, text, "window", "freeze", "bad", *arguments)
            client.must("delete", "window", "nights", "fair")
        with check("rollback makes an earlier plan the current one and pins it"):
            said = client.must("rollback", str(first), "--reason", "b is wrong")
            equal(said, f"plan revision {first} is brought back as revision {first + 2}, which is pinned\n")
            client.refused(2, "404 not_found", "rollback", "999")
            client.must("unpin")
            # What the pin has held back follows.
            equal(api.get("/v1/plan?wait=60").status, 200, "the plan after it")
        with check("every verb that changes something can be tried, which says what it would do and does nothing"):
            def there():
                # Plans may follow by themselves meanwhile.
                rows = [(row["id"], row["revision"]) for row in api.get("/v1/workloads").json()["workloads"]]
                return rows, api.get("/v1/plan/pin").json(), api.get("/v1/tokens").json()
            before = there()
            for said, verb in [
                ("workloads/a would be deleted\n", ["delete", "workload", "a"]),
                ("the current plan would be pinned\n", ["pin", "--reason", "x"]),
                (f"plan revision {first} would be brought back as a new revision, and pinned\n", ["rollback", str(first)]),
                ("a token of the role reader named x would be made\n", ["token", "create", "--role", "reader", "--name", "x"]),
            ]:
                equal(client.must(*verb, "--dry-run", status=4), said)
            equal(client.must("delete", "workload", "none", "--ignore-not-found", "--dry-run"), "workloads/none not there\n")
            for verb in (["delete", "workload", "none"], ["unpin"], ["rollback", "999"], ["token", "revoke", "tok-x"]):
                client.refused(2, "404", *verb, "--dry-run")
            equal(there(), before, "what there is")
        with check("audit shows who has done what, by resource, caller and time, as a table and as JSON"):
            rows = json.loads(client.must("audit", "-o", "json", "--limit", "0"))["entries"]
            numbers = [row["number"] for row in rows]
            equal(numbers, sorted(numbers), "order")
            equal({row["who"] for row in rows}, {"anonymous"})
            lines = client.must("audit", "-o", "ndjson", "--limit", "0", "--since", "1h").splitlines()
            equal([json.loads(line)["number"] for line in lines][:len(numbers)], numbers)
            some = json.loads(client.must("audit", "-o", "json", "--resource", "workloads/a"))["entries"]
            equal([(row["method"], row["changed"]) for row in some], [("POST", True), ("DELETE", False)])
            equal("?dryRun=true" in some[-1]["path"], True, some)
            equal(json.loads(client.must("audit", "-o", "json", "--who", "nobody"))["entries"], [])
            equal(client.must("audit", "--since", "2100-01-01T00:00:00Z"), "nothing was done\n")
            equal("POST /v1/plan/pin" in client.must("audit", "--ascii"), True, "the table")
            equal(len(json.loads(client.must("audit", "-o", "json", "--limit", "2"))["entries"]), 2)
            client.refused(2, "--since", "audit", "--since", "yesterday")
        with check("describe shows a workload with its segments, and top those with least room first"):
            text = client.must("describe", "workload", "b")
            for word in ["conditions:", "segments:", "endpoints:", "gpu:"]:
                if word not in text:
                    raise AssertionError(text)
            client.refused(2, "404 not_found", "describe", "workload", "none")
            rows = client.must("top", "-n", "1", "--ascii").splitlines()
            equal(rows[-1], "and 1 more")
            text = client.must("describe", "plan")
            for word in ["revision:", "cause:", "scheduleLead:"]:
                if word not in text:
                    raise AssertionError(text)
        with check("logs tell what happened to a workload and who did it, and go on with what comes"):
            lines = client.must("logs", "workload", "b").splitlines()
            for words in (("change", "POST /v1/workloads"), ("workload", "created: 200 requests/s"), ("plan", "gives it"),
                          ("plan", "changed b")):
                if not any(words[0] in line.split() and words[1] in line for line in lines):
                    raise AssertionError(f"no {words} in {lines}")
            equal(lines, sorted(lines, key=lambda line: line[:24]), "order")
            equal(len(client.must("logs", "workload", "b", "--limit", "2").splitlines()), 2, "lines")
            one_of = json.loads(client.must("logs", "plan", "-o", "ndjson").splitlines()[-1])
            equal(sorted(one_of), ["of", "source", "text", "time"], "members")
            client.refused(2, "404 not_found", "logs", "workload", "nobody")
            client.refused(2, "Name the workload", "logs", "workload")
            client.refused(2, "There are logs", "logs", "window", "fair")
            equal(client.must("logs", "plan", "--since", "2099-01-01T00:00:00Z"), "")
            with following(client, "logs", "workload", "b", "-f", "--interval", "0.2", "--limit", "1") as shows:
                shows("")
                equal(api.request("PATCH", "/v1/workloads/b", json.dumps({"rate": 210})).status, 200)
                shows("PATCH /v1/workloads/b was answered 200")
        with check("watch shows rows again when they change"), following(
                client, "watch", "workloads", "b", "--interval", "0.2", "-o", "yaml") as shows:
            shows("rate: 210")
            equal(api.request("PATCH", "/v1/workloads/b", json.dumps({"rate": 220})).status, 200)
            shows("rate: 220")
        with check("diff compares files with what is registered, and revisions of the plan"):
            path = written(folder, one("a", 100), one("b", 300))
            differs = client.must("diff", "-f", path, status=4)
            equal("~ b  rate 220" in differs and differs.endswith("0 to be created, 1 to be changed, 1 unchanged\n"), True, differs)
            client.must("apply", "-f", path)
            client.must("diff", "-f", path)
            client.must("delete", "workload", "b")
            now = int(api.get("/v1/plan?wait=60").headers["Parva-Plan-Revision"])
            client.must("diff", str(now), str(now))
            equal(client.must("diff", "1", status=4), client.must("diff", "1", str(now), status=4), "a revision and now")
            client.must("apply", "-f", path)
            client.refused(2, "404 not_found", "diff", "1", "9999")
            client.refused(2, "two revisions", "diff", "1", "after.json")
        with check("namespaces and webhooks are deleted like everything else"):
            equal(api.request("POST", "/v1/namespaces", json.dumps({"name": "vision"})).status, 201)
            hook = {"url": "https://example.com/hook", "types": ["plan.published"]}
            equal(api.request("PUT", "/v1/webhooks/mine", json.dumps(hook)).status, 201)
            equal("deliveries: []" in client.must("describe", "webhook", "mine"), True, "a webhook")
            equal("weight:" in client.must("describe", "namespace", "vision"), True, "a namespace")
            equal(client.must("delete", "namespace", "vision", "--dry-run", status=4), "namespaces/vision would be deleted\n")
            equal(client.must("delete", "namespace", "vision"), "namespaces/vision deleted\n")
            equal(client.must("delete", "webhook", "mine"), "webhooks/mine deleted\n")
            client.refused(2, "404 not_found", "delete", "namespace", "vision")
            client.refused(2, "plans cannot be deleted", "delete", "plans", "1")
        with check("a shell is offered the names that the controller has"):
            offered = client.run("---completion", "get", "--", "positional@1", "1", "2", "get", "workloads", "").stdout
            if "a" not in offered.split() or "b" not in offered.split():
                raise AssertionError(f"{offered!r}")
    finally:
        api.stop()


def demand(folder):
    api = Controller(os.path.join(folder, "parva.sqlite"))
    client = Client(folder, f"http://127.0.0.1:{api.port}")
    try:
        with check("an empty controller has no workloads, in words and as JSON"):
            equal(client.must("get", "workloads"), "no workloads\n")
            equal(json.loads(client.must("get", "workloads", "-o", "json")), {"workloads": []})
        with check("apply shows what would come, then makes it, then finds nothing to do"):
            file = written(folder, one("a", 100), one("b", 50, labels={"team": "x"}))
            equal("2 to be created" in client.must("apply", "-f", file, "--dry-run", status=4), True, "dry run")
            equal(client.must("get", "wl"), "no workloads\n", "after the dry run")
            equal("2 created, 0 changed, 0 unchanged" in client.must("apply", "-f", file), True, "first")
            equal(client.must("apply", "-f", file), "0 created, 0 changed, 2 unchanged\n", "second")
            equal(client.must("apply", "-f", file, "--dry-run"), "0 to be created, 0 to be changed, 2 unchanged\n")
        with check("what changes is named member by member, and nothing else changes"):
            before = api.get("/v1/workloads/a").json()["revision"]
            output = client.must("apply", "-f", written(folder, one("a", 100), one("b", 75)))
            equal("~ b  labels.team \"x\" -> (none), rate 50 -> 75" in output, True, output)
            equal(api.get("/v1/workloads/a").json()["revision"], before, "revision of what stays")
        with check("what get prints as JSON or YAML can be applied again"):
            for form in ("json", "yaml"):
                text = client.must("get", "workloads", "-o", form)
                equal(client.must("apply", "-f", "-", stdin=text), "0 created, 0 changed, 2 unchanged\n", form)
        with check("rows by name, by selector, as names, one as a document"):
            client.must("apply", "-f", written(folder, one("c", 5, labels={"team": "y"})))
            equal(client.must("get", "workloads", "-l", "team=y", "-o", "name"), "workloads/c\n")
            equal(client.must("get", "workload", "c", "a", "-o", "name"), "workloads/c\nworkloads/a\n")
            equal(json.loads(client.must("get", "workload", "c", "-o", "json"))["rate"], 5)
        with check("the plan is the controller's own, in every form"):
            for form, kind in (("json", "application/json"), ("yaml", "application/yaml"), ("table", "text/plain")):
                equal(client.must("get", "plan", "-o", form), api.get("/v1/plan", Accept=kind).body.decode(), form)
            equal("proven" in client.must("get", "plans") or "optimal" in client.must("get", "plans"), True, "plans")
        with check("refusals end with 2, name code and place, and change nothing"):
            client.refused(2, "404 not_found", "get", "workload", "nobody")
            client.refused(2, "There are no 'thing'", "get", "thing")
            client.refused(2, "demand.json:1: rate must be", "apply", "-f", written(folder, one("d", -5)))
            client.refused(2, "more than one", "apply", "-f", SCENARIO, "-f", SCENARIO)
            client.refused(2, "404 not_found", "delete", "workload", "nobody")
            equal(client.must("get", "workloads", "-o", "name"), "workloads/a\nworkloads/b\nworkloads/c\n")
        with check("a change is refused where somebody else was faster"):
            # The file is read from a pipe that is filled only after the other change.
            path = os.path.join(folder, "race.json")
            shutil.copy(written(folder, one("a", 123)), path)
            tag = api.get("/v1/workloads/a").headers["ETag"]
            api.request("PUT", "/v1/workloads/a", one("a", 111))
            equal(api.request("PUT", "/v1/workloads/a", one("a", 123), {"If-Match": tag}).status, 412, "the old tag")
            client.must("apply", "-f", path)
            equal(api.get("/v1/workloads/a").json()["rate"], 123, "after reading anew")
        with check("delete takes away by name and by file, and can pass over what is gone"):
            client.must("delete", "workload", "c")
            file = written(folder, one("a", 1), one("b", 1), one("c", 1))
            output = client.must("delete", "-f", file, "--ignore-not-found")
            equal(output, "workloads/a deleted\nworkloads/b deleted\nworkloads/c not there\n")
        with check("ids that need escaping and thousands of rows pass over pages"):
            rows = [one(f"w{number:04}.x-y_z", 1) for number in range(2500)]
            equal("2500 created" in client.must("apply", "-f", written(folder, *rows)), True, "made")
            equal(len(client.must("get", "workloads", "-o", "name").split()), 2500, "rows")
            client.must("get", "workload", "w0001.x-y_z")
        with check(f"random edits end as the file has them, whatever stood there (seed {SEED})"):
            draw = random.Random(SEED)
            for _ in range(12):
                rows = [
                    one(f"r{number}", draw.choice([1, 2.5, 100]), **draw.choice([{}, {"priority": 3}, {"labels": {"k": "v"}}]))
                    for number in draw.sample(range(12), 8)]
                file = written(folder, *rows)
                client.must("apply", "-f", file)
                equal(client.must("apply", "-f", file), "0 created, 0 changed, 8 unchanged\n", "again")
                for row in rows:
                    equal(api.get(f"/v1/workloads/{row['id']}").json()["rate"], row["rate"], row["id"])
        with check("a controller that is gone ends verbs with 1 and says its address"):
            api.kill()
            client.refused(1, f"127.0.0.1:{api.port}", "get", "workloads", "--retry-for", "0")
    finally:
        if api.process.poll() is None:
            api.kill()


def contexts(folder):
    tokens = os.path.join(folder, "tokens")
    with open(tokens, "w") as file:
        file.write(f"write ci {TOKEN}\n")
    secret = os.path.join(folder, "token")
    with open(secret, "w") as file:
        file.write(TOKEN + "\n")
    socket = os.path.join(folder, "parva.sock")
    api = Controller(os.path.join(folder, "parva.sqlite"), "--token-file", tokens, "--listen", f"unix:{socket}")
    url = f"http://127.0.0.1:{api.port}"
    client = Client(folder)
    try:
        with check("tokens: none is told how to give one; a file, the environment and a context do"):
            client.refused(2, "401", "get", "workloads", "--server", url)
            client.refused(2, "--token-file", "get", "workloads", "--server", url)
            client.must("get", "workloads", "--server", url, "--token-file", secret)
            client.must("get", "workloads", PARVA_SERVER=url, PARVA_TOKEN=TOKEN)
            client.must("context", "set", "here", "--server", url, "--token-file", secret)
            client.must("get", "workloads")
            client.must("get", "workloads", "--server", f"unix:{socket}", "--token-file", secret)
        with check("contexts are kept, used and forgotten; the first is the current one"):
            client.must("context", "set", "other", "--server", "http://127.0.0.1:1")
            equal(client.must("context", "list"), f"* here  {url}\n  other  http://127.0.0.1:1\n")
            client.must("context", "use", "other")
            client.refused(1, "127.0.0.1:1", "get", "nodes", "--retry-for", "0")
            client.must("get", "nodes", "--context", "here")
            client.must("context", "remove", "other")
            client.refused(2, "there is no context 'other'", "get", "nodes", "--context", "other")
            with open(os.path.join(folder, "parva", "config.yaml")) as file:
                equal(TOKEN in file.read(), False, "the token in the file")
        with check("a context's token goes to no other server, and none goes over plain HTTP to another machine"):
            client.must("context", "use", "here")
            client.refused(2, "401", "get", "workloads", "--server", url)
            client.refused(
                2, "use https", "get", "workloads", "--server", "http://parva.example:8080", "--token-file", secret)
            client.refused(
                2, "use https", "export", "envoy-bootstrap", "--controller", "http://parva.example:8080", "--token-file",
                secret)
        with check("of several servers the first that answers is asked, and a bad one among them is named"):
            dead = "http://127.0.0.1:1"
            client.must("get", "workloads", "--server", f"{dead},{url}", "--token-file", secret)
            # Nothing is sent to one that does not show who it is.
            client.must("get", "workloads", "--server", f"{url.replace('http:', 'https:')},{url}", "--token-file", secret)
            client.refused(
                1, "127.0.0.1:1", "get", "workloads", "--server", f"{dead},{dead}", "--token-file", secret, "--retry-for", "0")
            client.refused(2, "--server", "get", "workloads", "--server", f"{url},,{dead}", "--token-file", secret)
            client.must("context", "set", "all", "--server", f"{dead},{url}", "--token-file", secret)
            client.must("get", "workloads", "--context", "all")
            client.must("context", "remove", "all")
        with check("a damaged configuration is named, not written over"):
            path = os.path.join(folder, "parva", "config.yaml")
            with open(path, "w") as file:
                file.write("contexts: {here: [1]}\n")
            client.refused(2, path, "get", "workloads")
            client.refused(2, path, "context", "set", "new", "--server", url)
    finally:
        api.kill()


def rollouts(folder):
    api = Controller(os.path.join(folder, "parva.sqlite"), "--heartbeat", "1", "--admission", "half-slo")
    client = Client(folder, f"http://127.0.0.1:{api.port}")
    nodes = []
    try:
        nodes = [Node(name, folder, f"http://127.0.0.1:{api.port}") for name in ("gpu-1", "gpu-2")]
        ready(api, 2)
        with check("without an operation there is no status"):
            client.refused(2, "rollout start", "rollout", "status")
        with check("a roll-out is shown beforehand, started, followed to its end, and told afterwards"):
            client.must("apply", "-f", SCENARIO)
            equal("to create" in client.must("rollout", "start", "--dry-run"), True, "dry run")
            equal(api.get("/v1/operations").json()["operations"], [], "operations after the dry run")
            output = client.must("rollout", "start")
            equal("· verified" in output, True, output)
            equal(client.must("rollout", "status").count("  verified"), 2, "nodes that are verified")
            equal(client.must("get", "operations", "-o", "name").count("operations/"), 1, "operations")
        with check("nodes say that they are simulated"):
            equal(client.must("get", "nodes").count("simulated"), 2)
        with check("a window keeps a roll-out waiting, status says so, and force goes over it"):
            end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
            freeze = {"kind": "freeze", "start": "2020-01-01T00:00:00Z", "end": end, "reason": "fair"}
            equal(api.request("PUT", "/v1/windows/fair", freeze).status, 201)
            equal("freeze" in client.must("get", "windows", "--ascii"), True, "the table")
            client.refused(2, "409 window_closed", "rollout", "start", "--no-wait")
            shown = client.run("rollout", "status")
            equal("not brought to nodes by themselves until " + end[:10] in shown.stderr and "fair" in shown.stderr, True,
                  shown.stderr)
            client.must("apply", "-f", written(folder, one("late", 50)))
            waits = client.run("get", "plan")
            equal("this plan waits until " + end[:10] in waits.stderr and "windows fair" in waits.stderr, True, waits.stderr)
            equal("waits: until=" in client.must("describe", "plan"), True, "describe plan")
            client.must("rollout", "start", "--force")
            until("nothing to wait", lambda: client.run("get", "plan").stderr == "")
            lead = api.get("/v1/fleet").json()["scheduleLead"]
            equal((lead["learnt"], lead["seconds"] <= 120), (True, True), f"{lead}")
            if not any("verified" in line for line in client.must("logs", "node", "gpu-1").splitlines() if "rollout" in line):
                raise AssertionError(client.must("logs", "node", "gpu-1"))
            client.must("delete", "workload", "late")
            client.must("rollout", "start", "--force")
            equal(client.must("delete", "window", "fair", "--dry-run", status=4), "windows/fair would be deleted\n")
            equal(client.must("delete", "window", "fair"), "windows/fair deleted\n")
            client.must("rollout", "start")
        with check("one is paused, resumed and aborted; what had begun goes on to its end"):
            for node in nodes:
                node.freeze()
            client.must("delete", "-f", SCENARIO)
            client.must("rollout", "start", "--no-wait")
            equal("paused" in client.must("rollout", "pause"), True, "pause")
            equal("running" in client.must("rollout", "resume"), True, "resume")
            client.must("rollout", "abort")
            for node in nodes:
                node.thaw()
            status = client.run("rollout", "status", "--watch")
            newest = api.get("/v1/operations?limit=1").json()["operations"][0]["status"]
            equal(status.returncode, 0 if newest == "verified" else 4, status.stdout)
            client.refused(2, "operation_over", "rollout", "resume")
        with check("a node that holds something is drained, another start takes it away"):
            client.must("apply", "-f", SCENARIO)
            client.must("rollout", "start")
            equal("draining" in client.must("delete", "node", "gpu-1"), True, "drain")
            client.must("rollout", "start")
            until("the node to be gone", lambda: client.must("get", "nodes", "-o", "name") == "nodes/gpu-2\n")
    finally:
        for one_of in (*nodes, api):
            if one_of.process.poll() is None:
                one_of.thaw() if isinstance(one_of, Node) else None
                one_of.kill()


if __name__ == "__main__":
    for part in (demand, plans, contexts, rollouts):
        with tempfile.TemporaryDirectory(prefix="parva-client-") as folder:
            part(folder)
    finish()
