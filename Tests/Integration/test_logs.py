#!/usr/bin/env python3
"""With --log-format json every line of a controller and of its agents is one object of docs/log.schema.json, through starts, refusals, roll-outs,
faults of GPUs and ends; and no line holds a secret."""

import json
import os
import re
import signal
import tempfile

from controller import ROOT, Controller, check, equal, finish, workload
from fleet import CREATE, SECRET, Node, ready, until, verified

SCHEMA = json.load(open(os.path.join(ROOT, "docs", "log.schema.json"), encoding="utf-8"))
TOKEN = "only-for-this-test-0123456789"


def faults(line):
    """What a line has against the schema, of which the words used there are known here."""
    try:
        event = json.loads(line)
    except ValueError:
        return [f"is no JSON: {line!r}"]
    found = [f"lacks {name}" for name in SCHEMA["required"] if name not in event]
    for name, value in event.items():
        rule = SCHEMA["properties"].get(name, SCHEMA["additionalProperties"])
        if not set(rule) <= {"type", "pattern", "enum"}:
            raise AssertionError(f"this test does not know all of {rule}")
        if not re.search(SCHEMA["propertyNames"]["pattern"], name):
            found.append(f"has a field {name!r}")
        if not isinstance(value, str) or value not in rule.get("enum", [value]) or not re.search(rule.get("pattern", ""), value):
            found.append(f"has {name}={value!r}")
    return [f"{fault}: {line!r}" for fault in found]


class LoggedController(Controller):
    listens = r'"addresses":"127\.0\.0\.1:(\d+)"'


class LoggedNode(Node):
    listens = r'"addresses":"127\.0\.0\.1:(\d+)"'

    def report_xid(self, gpu, xid):
        with open(os.path.join(self.folder, "simulated", "events"), "a", encoding="ascii") as file:
            file.write(f"{gpu} {xid} -1 -1\n")


def main():
    with tempfile.TemporaryDirectory(prefix="parva-logs-") as folder:
        tokens = os.path.join(folder, "tokens")
        with open(tokens, "w", encoding="utf-8") as file:
            file.write(f"admin test {TOKEN}\n")
        os.environ["PARVA_TOKEN"] = TOKEN
        said = []
        api = LoggedController(
            os.path.join(folder, "p.sqlite"), "--log-format", "json", "--access-log", "--token-file", tokens, "--auto-apply",
            "--heartbeat", "1")
        send = api.request
        api.request = lambda method, path, body=None, headers=None, connection=None: send(
            method, path, body, {"Authorization": f"Bearer {TOKEN}", **(headers or {})}, connection)
        nodes = [LoggedNode(f"n{i}", folder, f"http://127.0.0.1:{api.port}", "dgx-a100", "--log-format", "json", "--insecure")
                 for i in (1, 2)]
        try:
            with check("a fleet with JSON logs serves a demand"):
                ready(api, 2)
                for number in range(3):
                    equal(api.request("POST", "/v1/workloads", workload(f"w{number}", rate=900)).status, 201, "status")
                until("the nodes to have the plan", lambda: verified(api))
            with check("refusals, faults of the driver, of a GPU and of a node are told"):
                equal(api.request("POST", "/v1/workloads", {"id": "Bad id\n\u2028"}).status, 422, "status")
                equal(api.get("/v1/nothing/%22").status, 404, "status")
                equal(send("GET", "/v1/workloads").status, 401, "status")
                nodes[0].faults(f"fail {CREATE} 2 50 23")
                nodes[0].report_xid(0, 43)
                nodes[1].kill()
                api.request("PATCH", "/v1/workloads/w1", {"rate": 4000}, {"Content-Type": "application/merge-patch+json"})
                until("the silent node", lambda: any(one["status"]["state"] != "ready" for one in api.get("/v1/nodes").json()["nodes"]))
                said += nodes[1].log
                nodes[1].start()
                nodes[0].faults()
                until("the nodes to have the plan", lambda: verified(api))
            api.process.send_signal(signal.SIGHUP)
            for one in (*nodes, api):
                one.stop()
                said += one.log
        finally:
            for one in (api, *nodes):
                if one.process.poll() is None:
                    one.kill()
        with check(f"every line fits the schema ({len(said)} lines)"):
            found = [fault for line in said for fault in faults(line)]
            equal(found, [], f"the first of {len(found)} faults")
            messages = {json.loads(line)["message"] for line in said}
            missing = {"serving", "request", "planned", "apply ended", "listening", "no hardware is touched", "stopping"} - messages
            equal(missing, set(), "messages that were awaited")
        with check("no line holds a token or a secret"):
            equal([line for line in said if TOKEN in line or SECRET in line], [], "such lines")
        with check("a line that does not fit is found"):
            for line in ("", "plain text", "[]", '{"time":"now"}', said[0].replace('"level":"', '"level":"x'), said[0].replace("{", '{"A b":"",', 1)):
                if not (line == "[]" or faults(line)):
                    raise AssertionError(f"{line!r} passes")


main()
finish()
