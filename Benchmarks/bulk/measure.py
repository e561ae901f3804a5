#!/usr/bin/env python3
"""Many workloads in one request: registered, planned and read back; one change of them while readers ask for the plan; many
rates in one PATCH. usage: measure.py PARVA PACED_CLIENT [WORKLOADS [ROUNDS]]"""

import contextlib
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

PARVA, PACED = sys.argv[1:3]
WORKLOADS = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 5
MODELS = ["bert", "densenet121", "densenet169", "inceptionv3", "mobilenetv2", "resnet101", "resnet152", "resnet50", "vgg16", "vgg19"]
RATES = 10_000


def request(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    with contextlib.closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        body = response.read()
        if response.status >= 300 and response.status != 304:
            raise SystemExit(f"{method} {path}: {response.status} {body[:500]!r}")
        return response, body


def peaks(pid):
    """MiB at most, of the controller and of the processes that it plans in."""
    found = {}
    for one in os.listdir("/proc"):
        if one.isdigit():
            with contextlib.suppress(OSError):
                status = open(f"/proc/{one}/status").read()
                parent = re.search(r"^PPid:\s+(\d+)", status, re.M)
                peak = re.search(r"^VmHWM:\s+(\d+)", status, re.M)
                if peak and (int(one) == pid or int(parent[1]) == pid):
                    found["controller" if int(one) == pid else "planning"] = int(peak[1]) / 1024
    return found


def planned(port, revision):
    """Seconds until a plan covers a demand revision."""
    begun = time.monotonic()
    while True:
        response, _ = request(port, "HEAD", "/v1/plan?wait=60")
        if int(response.headers["Parva-Demand-Revision"]) >= revision:
            return time.monotonic() - begun


def spread(values, unit="ms", factor=1000):
    return f"{statistics.median(values) * factor:.0f} {unit} ({min(values) * factor:.0f} to {max(values) * factor:.0f})"


def main():
    generator = random.Random(1)
    workloads = [
        {"id": f"w{index}", "model": generator.choice(MODELS), "rate": round(generator.uniform(1, 30), 2), "slo": {"latencyMs": 400}}
        for index in range(WORKLOADS)]
    body = "\n".join(json.dumps(one, separators=(",", ":")) for one in workloads)
    with tempfile.TemporaryDirectory(prefix="parva-bulk-") as folder:
        begun = time.monotonic()
        process = subprocess.Popen(
            [PARVA, "serve", "--listen", "127.0.0.1:0", "--store", f"{folder}/parva.sqlite", "--log-level", "info"],
            stderr=subprocess.PIPE, text=True)
        try:
            port = next(int(found[1]) for found in (re.search(r"addresses=127\.0\.0\.1:(\d+)", line) for line in process.stderr) if found)
            subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
            started = time.monotonic()
            request(port, "POST", "/v1/workloads/batch", body, Content_Type="application/x-ndjson", Prefer="return=minimal")
            registered = time.monotonic()
            planned(port, 1)
            covered = time.monotonic()
            _, plan = request(port, "GET", "/v1/plan")
            _, lines = request(port, "GET", "/v1/workloads", Accept="application/x-ndjson")
            read = time.monotonic()
            count = lines.count(b"\n")
            if count != WORKLOADS:
                raise SystemExit(f"{count} workloads were read back")
            memory = peaks(process.pid)
            print(f"{WORKLOADS} workloads, {len(body) >> 20} MiB as lines, {os.cpu_count()} cores")
            print(f"from cold to read back   {read - begun:.2f} s: started {started - begun:.2f}, registered {registered - started:.2f}, "
                  f"planned {covered - registered:.2f}, plan ({len(plan) >> 20} MiB) and list ({len(lines) >> 20} MiB) read {read - covered:.2f}")
            print(f"memory at most           {sum(memory.values()):.0f} MiB: " + ", ".join(f"{name} {size:.0f}" for name, size in memory.items()))
            again, revision = [], 1
            readers = subprocess.Popen(
                [PACED, str(port), "/v1/plan?wait=0&after=1000000000", "8", "1000", str(3 * ROUNDS)], stdout=subprocess.PIPE, text=True)
            for index in range(ROUNDS):
                time.sleep(1)
                response, _ = request(
                    port, "PATCH", "/v1/workloads", json.dumps([{"id": f"w{index}", "rate": 20 + index}]),
                    Content_Type="application/merge-patch+json", Prefer="return=minimal")
                revision += 1
                again.append(planned(port, revision))
            print(f"one change planned       {spread(again)}")
            print(f"reads of the plan beside it, 1,000 a second: median and p99 in us {readers.communicate()[0].strip()}")
            for name, headers in (("answered in full", {}), ("return=minimal", {"Prefer": "return=minimal"})):
                taken = []
                for _ in range(ROUNDS):
                    rates = [{"id": f"w{index}", "rate": round(generator.uniform(1, 30), 2)} for index in generator.sample(range(WORKLOADS), min(RATES, WORKLOADS))]
                    text = json.dumps(rates)
                    start = time.monotonic()
                    request(port, "PATCH", "/v1/workloads", text, Content_Type="application/merge-patch+json", **headers)
                    taken.append(time.monotonic() - start)
                    revision += 1
                    planned(port, revision)
                print(f"PATCH of {len(rates)} rates, {name:<17} {spread(taken)}")
        finally:
            process.kill()
            process.wait()


main()
