#!/usr/bin/env python3
"""A registration's trace, from the request through the commit, the planning and the operation to the node's apply, as a collector
gets it from the two processes; and that a collector which is away or slow holds up nothing."""

import http.server
import json
import os
import re
import socket
import tempfile
import threading
import time

from controller import Controller, check, equal, finish, workload
from fleet import Node, ready, until, verified

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


class Collector:
    """Takes OTLP over HTTP as JSON, judges its form, and keeps the spans."""

    def __init__(self):
        self.spans, self.faults, self.lock = [], [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    equal(self.path, "/v1/traces", "path")
                    equal(self.headers["Content-Type"], "application/json", "type")
                    outer.take(json.loads(body))
                except Exception as error:  # noqa: BLE001: told by the check that asks for faults
                    outer.faults.append(f"{type(error).__name__}: {error}")
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, document):
        equal(list(document), ["resourceSpans"], "members")
        for resource in document["resourceSpans"]:
            equal(sorted(resource), ["resource", "scopeSpans"], "members of resourceSpans")
            of = attributes(resource["resource"]["attributes"])
            for scope in resource["scopeSpans"]:
                equal(scope["scope"]["name"], "parva", "scope")
                for span in scope["spans"]:
                    judge(span)
                    with self.lock:
                        self.spans.append({**span, "service": of["service.name"], "attributes": attributes(span["attributes"])})

    def trace(self, trace):
        with self.lock:
            return [one for one in self.spans if one["traceId"] == trace]


def attributes(rows):
    found = {}
    for row in rows:
        equal(sorted(row), ["key", "value"], "members of an attribute")
        [(kind, value)] = row["value"].items()
        equal(kind in ("stringValue", "intValue") and isinstance(value, str), True, f"value {row}")
        found[row["key"]] = value if kind == "stringValue" else int(value)
    return found


def judge(span):
    """Ids are hex, times are text of nanoseconds, and what is needed is there."""
    equal(bool(re.fullmatch("[0-9a-f]{32}", span["traceId"]) and re.fullmatch("[0-9a-f]{16}", span["spanId"])), True, f"{span}")
    if "parentSpanId" in span:
        equal(bool(re.fullmatch("[0-9a-f]{16}", span["parentSpanId"])), True, f"{span}")
    begin, end = span["startTimeUnixNano"], span["endTimeUnixNano"]
    equal(isinstance(begin, str) and isinstance(end, str) and int(begin) <= int(end), True, f"times of {span}")
    equal(abs(int(begin) / 1e9 - time.time()) < 3600, True, f"times of {span}")
    equal(span["kind"] in (1, 2, 3) and span["status"]["code"] in (0, 2), True, f"{span}")


def chain(spans, leaf):
    """Names from a span up to the caller's."""
    by_id = {one["spanId"]: one for one in spans}
    names = [leaf["name"]]
    while (up := leaf["parentSpanId"]) in by_id:
        leaf = by_id[up]
        names.append(leaf["name"])
    return names, up


def metric(program, outcome):
    text = program.get("/metrics").body.decode()
    return int(re.search(rf'^parva_trace_spans_total{{outcome="{outcome}"}} (\d+)$', text, re.M)[1])


def run(folder):
    collector = Collector()
    api = Controller(
        os.path.join(folder, "parva.sqlite"), "--heartbeat", "1", "--auto-apply", "--admission", "half-slo",
        "--otlp-endpoint", collector.url)
    node = None
    try:
        node = Node(
            "gpu-1", folder, f"http://127.0.0.1:{api.port}", "dgx-a100", "--otlp-endpoint", collector.url)
        ready(api, 1)
        with check("a registration is one trace, from the caller's span to the node's apply"):
            answer = api.request("POST", "/v1/workloads", workload("photos"), HEADERS)
            equal(answer.status, 201, answer.body)
            leaf = until("the node's apply to be told of", lambda: next(
                (one for one in collector.trace(TRACE) if one["name"] == "apply"), None))
            verified(api)
            until("the operation to be told of", lambda: "apply plan" in [one["name"] for one in collector.trace(TRACE)])
            spans = until("the push to be told of", lambda: (
                lambda found: found if {"push to node", "POST /v1/apply"} <= {one["name"] for one in found} else None)(
                    collector.trace(TRACE)))
            names, above = chain(spans, leaf)
            equal(names, ["apply", "POST /v1/apply", "push to node", "apply plan", "planning", "store commit",
                          "POST /v1/workloads"], "spans from the last to the first")
            equal(above, CALLER, "the first one's parent")
            by_name = {one["name"]: one for one in spans}
            equal({name: by_name[name]["service"] for name in names}, {
                name: "parva-node" if name in ("apply", "POST /v1/apply") else "parva-controller" for name in names}, "services")
            equal({name: by_name[name]["kind"] for name in names}, {
                "apply": 1, "POST /v1/apply": 2, "push to node": 3, "apply plan": 1, "planning": 1, "store commit": 1,
                "POST /v1/workloads": 2}, "kinds")
            request = by_name["POST /v1/workloads"]["attributes"]
            equal((request["http.response.status_code"], request["http.route"]), (201, "/v1/workloads"), "the request")
            equal(by_name["apply"]["attributes"]["parva.status"], "verified", "the apply")
            equal(len({one["spanId"] for one in spans}), len(spans), "ids are their own")

        with check("what its caller does not record is not traced, and reads are not unless their caller does"):
            other = TRACE[::-1]
            api.request("POST", "/v1/workloads", workload("quiet"), {"traceparent": f"00-{other}-{CALLER}-00"})
            api.get("/v1/plan")
            read = "1" * 32
            api.request("GET", "/v1/plan", headers={"traceparent": f"00-{read}-{CALLER}-01"})
            until("the read to be told of", lambda: collector.trace(read))
            equal(collector.trace(other), [], "spans of what is not recorded")
            untraced = [one for one in collector.spans if one["name"].startswith("GET ") and one["traceId"] != read]
            equal(untraced, [], "reads without a trace")
            equal(collector.faults, [], "faults of form")
            equal(metric(api, "exported") > 0, True, "exported spans")
    finally:
        for program in (node, api):
            if program:
                program.kill()

    with check("a collector that never answers holds up no request, and what it does not take is counted"):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(1)
            api = Controller(
                os.path.join(folder, "other.sqlite"), "--admission", "half-slo", "--otlp-endpoint",
                f"http://127.0.0.1:{silent.getsockname()[1]}")
            try:
                for number in range(20):
                    equal(api.request("POST", "/v1/workloads", workload(f"w{number}")).status, 201)
                until("spans to be given up", lambda: metric(api, "refused") > 0)
                equal(metric(api, "exported"), 0, "exported spans")
            finally:
                api.kill()


with tempfile.TemporaryDirectory(prefix="parva-traces-") as room:
    run(room)
finish()
