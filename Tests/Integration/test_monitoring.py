#!/usr/bin/env python3
"""What an operator's tools are given: /metrics in the form that promtool asks for, rules with their tests, and dashboards whose
every query is asked of a real Prometheus that reads a controller and the agent of a simulated node."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from controller import ROOT, Controller, check, equal, finish, free_port, skip
from fleet import Node, ready, until, verified

PACKAGING = os.path.join(ROOT, "packaging")
RULES = os.path.join(PACKAGING, "prometheus", "parva.rules.yaml")
TESTS = os.path.join(PACKAGING, "prometheus", "parva.test.yaml")
WORKLOADS = [
    {"id": name, "model": model, "rate": 100, "slo": {"latencyMs": 200}}
    for name, model in (("detect", "resnet50"), ("photos", "mobilenetv2"))]
#: What Grafana puts in their places.
VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$workload": ".*", "$node": ".*"}


def prometheus_there():
    """Whether Debian's prometheus is there; CI installs it."""
    if shutil.which("prometheus") and shutil.which("promtool"):
        return True
    if os.environ.get("PARVA_CI") != "1" or not shutil.which("apt-get"):
        return False
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    for _ in range(3):
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "prometheus"]):
            subprocess.run(
                [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", *command],
                stdout=sys.stderr, check=False)
        if shutil.which("promtool"):
            break
    # The package starts a Prometheus of its own where there is a systemd.
    if shutil.which("systemctl"):
        subprocess.run(
            [*as_root, "systemctl", "disable", "--now", "prometheus"], stdout=sys.stderr, stderr=sys.stderr, check=False)
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


def promtool(*arguments, stdin=None):
    """Standard output and error of promtool, which must end with 0."""
    run = subprocess.run(
        ["promtool", *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    equal(run.returncode, 0, f"promtool {' '.join(arguments[:2])} says {run.stdout}; its status")
    return run.stdout


class Prometheus:
    """Debian's, over the controller's own list of targets."""

    def __init__(self, folder, controller):
        self.url = f"http://127.0.0.1:{free_port()}"
        path = os.path.join(folder, "prometheus.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""
global: {{ scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 1s }}
rule_files: [ "{RULES}" ]
scrape_configs:
  - job_name: parva
    http_sd_configs: [ {{ url: "http://127.0.0.1:{controller.port}/v1/prometheus-targets", refresh_interval: 1s }} ]
""")
        promtool("check", "config", path)
        self.log = open(os.path.join(folder, "prometheus.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={os.path.join(folder, 'tsdb')}",
             f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"],
            stdout=self.log, stderr=self.log)

    def get(self, path, **query):
        """The data of an answer; a refusal is an error with Prometheus' own words."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error.read().decode()}") from error

    def is_up(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f"prometheus ended: {self.log.read()}")
        try:
            return self.get("/api/v1/status/runtimeinfo")
        except OSError:
            return None

    def series(self, query):
        return self.get("/api/v1/query", query=query)["result"]

    def firing(self):
        return {
            one["labels"]["alertname"] for one in self.get("/api/v1/alerts")["alerts"] if one["state"] == "firing"}


def queries():
    """Dashboard, panel, whether it may be empty, and query, of every panel and variable."""
    found = []
    for path in sorted(glob.glob(os.path.join(PACKAGING, "grafana", "*.json"))):
        with open(path, encoding="utf-8") as file:
            board = json.load(file)
        name = os.path.basename(path)
        for panel in board["panels"]:
            may_be_empty = panel.get("description", "").startswith("Empty ")
            found += [(name, panel["title"], may_be_empty, one["expr"]) for one in panel.get("targets", [])]
        for one in board["templating"]["list"]:
            values = re.fullmatch(r"label_values\((.*), (\w+)\)", one["query"])
            if values:
                found.append((name, one["name"], False, f"group by ({values[2]}) ({values[1]})"))
        found += [(name, one["name"], True, one["expr"]) for one in board["annotations"]["list"]]
    for name, text in VARIABLES.items():
        found = [(*one[:3], one[3].replace(name, text)) for one in found]
    return found


def run(folder):
    with check("promtool finds the rules and their tests right, and every alert is seen firing and not firing"):
        promtool("check", "rules", RULES)
        promtool("test", "rules", TESTS)
        with open(TESTS, encoding="utf-8") as file:
            names = set(re.findall(r"^  - name: (.*)$", file.read(), re.M))
        with open(RULES, encoding="utf-8") as file:
            alerts = re.findall(r"^ +- alert: (\w+)$", file.read(), re.M)
        equal(len(alerts) > 30, True, f"{len(alerts)} alerts")
        equal([one for one in alerts if not {f"{one} fires", f"{one} does not"} <= names], [], "alerts without tests")

    api = Controller(
        os.path.join(folder, "parva.sqlite"), "--heartbeat", "1", "--auto-apply", "--admission", "half-slo")
    node = prometheus = None
    try:
        node = Node("gpu-1", folder, f"http://127.0.0.1:{api.port}")
        ready(api, 1)
        answer = api.request("POST", "/v1/workloads/batch", {"workloads": WORKLOADS})
        equal(answer.status, 201, answer.body)
        prometheus = Prometheus(folder, api)
        until("the plan to have every workload", lambda: len(
            {one["workload"] for gpu in api.get("/v1/plan").json()["gpus"] for one in gpu["segments"]}) == len(WORKLOADS))
        verified(api)
        until("Prometheus to answer", prometheus.is_up)

        with check("promtool finds nothing to say about the metrics of controller and agent"):
            for program in (api, node):
                text = urllib.request.urlopen(f"http://127.0.0.1:{program.port}/metrics", timeout=30).read().decode()
                equal(promtool("check", "metrics", stdin=text), "", "what promtool says")

        with check("every query of every dashboard is answered, with series unless its panel says that it may be empty"):
            asked = queries()
            equal(len(asked) > 100, True, f"{len(asked)} queries")
            for name, panel, _, query in asked:
                try:
                    prometheus.series(query)
                except AssertionError as error:
                    raise AssertionError(f"{name}, {panel}: {error}") from error

            def empty():
                return [f"{name}, {panel}: {query}" for name, panel, may, query in asked
                        if not may and not prometheus.series(query)]
            end = time.monotonic() + 60
            while (left := empty()) and time.monotonic() < end:
                time.sleep(0.5)  # Prometheus reads and works out by its own clock: there is no event to wait for.
            equal(left, [], "queries without series")

        with check("every metric of the rules is served, and no alert fires in a healthy fleet"):
            text = "".join(
                urllib.request.urlopen(f"http://127.0.0.1:{one.port}/metrics", timeout=30).read().decode()
                for one in (api, node))
            told = set(re.findall(r"^# TYPE (\w+) ", text, re.M))
            with open(RULES, encoding="utf-8") as file:
                named = set(re.findall(r"\b(?:parva|process)_\w+", file.read())) - {"parva_kind", "parva_node"}
            equal({one for one in named if one not in told and one.removesuffix("_bucket") not in told}, set(),
                  "metrics that nobody serves")
            broken = [
                (one["name"], one["lastError"]) for group in prometheus.get("/api/v1/rules")["groups"]
                for one in group["rules"] if one["health"] == "err"]
            equal(broken, [], "rules that cannot be worked out")
            until("no alert to fire", lambda: prometheus.firing() == set())

        with check("the error that a GPU reports fires its alert, the first of its kind too"):
            with open(os.path.join(node.folder, "simulated", "events"), "a", encoding="utf-8") as file:
                file.write("0 63 -1 -1\n")
            until("the alert to fire", lambda: "ParvaGPUErrors" in prometheus.firing())
    finally:
        if prometheus:
            prometheus.process.kill()
            prometheus.process.wait()
        for program in (node, api):
            if program:
                program.kill()


if not prometheus_there():
    name = "rules and dashboards agree with a real Prometheus"
    if os.environ.get("PARVA_CI") == "1":
        print(f"not ok - {name} (prometheus could not be installed, and CI must run it)")
        sys.exit(1)
    skip(name, "the package prometheus is not installed")
    sys.exit()
with tempfile.TemporaryDirectory(prefix="parva-monitoring-") as room:
    run(room)
finish()
