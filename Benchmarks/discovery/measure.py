"""What it costs a controller that many Envoys ask it: processor time, memory, and bytes of its answers.

Each Envoy asks for listeners, routes, clusters and for each workload's endpoints, again 1 to 2 s after each answer, with the 77 KB that
an Envoy 1.40 says of itself in every question. Nothing changes meanwhile, as nearly always.

    measure.py PARVA [PROXIES [SECONDS [WORKLOADS]]]
"""

import asyncio
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request

parva, proxies, seconds, workloads = sys.argv[1], *(int(one) for one in (sys.argv[2:] + ["1000", "30", "6"][len(sys.argv) - 2:]))
TYPES = {
    "listeners": "listener.v3.Listener", "routes": "route.v3.RouteConfiguration", "clusters": "cluster.v3.Cluster",
    "endpoints": "endpoint.v3.ClusterLoadAssignment"}
#: As many extensions, with names as long, as an Envoy 1.40 lists.
EXTENSIONS = [{"category": "envoy.filters.network", "name": f"envoy.filters.network.extension_{n}",
               "type_urls": [f"type.googleapis.com/envoy.extensions.filters.network.extension_{n}.v3.Extension"]}
              for n in range(435)]
EXTENSIONS = json.dumps(EXTENSIONS, separators=(",", ":"))


class Figures:
    answers = changes = received = faults = 0


def question(node, kind, names, version):
    body = (f'{{"version_info":"{version}","node":{{"id":"{node}","cluster":"parva","metadata":{{"parva":{{"listen_port":10000}}}},'
            f'"extensions":{EXTENSIONS}}},"resource_names":{json.dumps(names)},'
            f'"type_url":"type.googleapis.com/envoy.config.{TYPES[kind]}"}}')
    head = (f"POST /v3/discovery:{kind} HTTP/1.1\r\nHost: parva\r\nContent-Type: application/json\r\n"
            f"x-envoy-expected-rq-timeout-ms: 10000\r\nContent-Length: {len(body)}\r\n\r\n")
    return (head + body).encode()


async def subscription(number, port, node, kind, names):
    version, message = "", question(node, kind, names, "")
    await asyncio.sleep(random.uniform(0, 5))
    reader = None
    while True:
        try:
            if reader is None:
                # One address may have 4,096 connections.
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(f"127.0.1.{1 + number % 200}", 0))
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length and b" 304 " not in head else b""
        except (OSError, asyncio.IncompleteReadError):
            Figures.faults += 1
            reader = None
            await asyncio.sleep(1)
            continue
        Figures.answers += 1
        Figures.received += len(head) + len(body)
        if b" 200 " in head:
            Figures.changes += 1
            version = json.loads(body)["version_info"]
            message = question(node, kind, names, version)
        await asyncio.sleep(random.uniform(1, 2))


def used(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status") as file:
        memory = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), memory


async def main(folder):
    log = open(os.path.join(folder, "log"), "w+")
    server = subprocess.Popen(
        [parva, "serve", "--listen", "127.0.0.1:0", "--store", os.path.join(folder, "s.sqlite")], stderr=log)
    node, tasks = None, []
    try:
        port = None
        while port is None:
            await asyncio.sleep(0.1)
            with open(log.name) as file:
                found = re.search(r"addresses=127\.0\.0\.1:(\d+)", file.read())
            port = int(found[1]) if found else None
        url = f"http://127.0.0.1:{port}"
        node = subprocess.Popen(
            [parva, "node", "run", "--simulate", "dgx-a100", "--name", "n1", "--state-dir", os.path.join(folder, "n1"),
             "--listen", "127.0.0.1:0", "--controller", url],
            stderr=subprocess.DEVNULL, env={**os.environ, "PARVA_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
        demand = [{"id": f"w{n}", "model": "resnet50", "rate": 10, "slo": {"latencyMs": 200}} for n in range(workloads)]
        request = urllib.request.Request(
            f"{url}/v1/workloads", json.dumps({"workloads": demand}).encode(), {"Content-Type": "application/json"}, method="PUT")
        urllib.request.urlopen(request, timeout=60).read()
        while True:
            with urllib.request.urlopen(f"{url}/v1/plan?wait=60", timeout=90) as answer:
                if json.load(answer)["gpus"] and all(one["uuid"] for one in json.load(
                        urllib.request.urlopen(f"{url}/v1/plan", timeout=90))["gpus"]):
                    break
            await asyncio.sleep(0.5)
        number = 0
        for proxy in range(proxies):
            for kind, names in [("listeners", []), ("routes", ["parva"]), ("clusters", []),
                                *(("endpoints", [f"workload/w{n}"]) for n in range(workloads))]:
                tasks.append(asyncio.create_task(subscription(number, port, f"edge-{proxy}", kind, names)))
                number += 1
        # Each has what there is, and has said so.
        while Figures.changes < number:
            await asyncio.sleep(1)
        await asyncio.sleep(15)
        before, start = used(server.pid), time.monotonic()
        counted = (Figures.answers, Figures.received, Figures.changes, Figures.faults)
        await asyncio.sleep(seconds)
        after, length = used(server.pid), time.monotonic() - start
        answers = Figures.answers - counted[0]
        print(f"{proxies} Envoys, {workloads} workloads, {number} subscriptions, {length:.0f} s: "
              f"{(after[0] - before[0]) / length:.2f} cores, {after[1]:.0f} MB resident, {answers / length:.0f} questions/s, "
              f"{1e6 * (after[0] - before[0]) / max(1, answers):.0f} us each, {(Figures.received - counted[1]) / max(1, answers):.0f} "
              f"bytes an answer, {Figures.changes - counted[2]} changes, {Figures.faults - counted[3]} faults", flush=True)
    finally:
        for one in tasks:
            one.cancel()
        for one in [node, server]:
            if one:
                one.kill()
                one.wait()


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
with tempfile.TemporaryDirectory(prefix="parva-discovery-") as folder:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main(folder))
    sys.stdout.flush()
os._exit(0)
