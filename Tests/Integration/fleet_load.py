"""A large fleet on one controller, played by this process over real HTTP: no GPU and no agent is behind it.

usage: fleet_load.py [NODES [INTERVAL]] (by scripts/fleet-load); PARVA names the binary. Prints what the controller took of a
core, and how much it wrote, while the nodes register, while they are only heard, during a first apply and during an apply
that changes nothing.
"""

import asyncio
import http.client
import json
import os
import sys
import tempfile
import time

from controller import Controller
from fleet import SECRET, Node

NODES = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
INTERVAL = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
ZONES = 4
TICKS = os.sysconf("SC_CLK_TCK")


class Agent:
    """One node: its state as a real agent would report it, and what it was told."""

    def __init__(self, name, template):
        self.name = name
        text = json.dumps(template)
        for gpu in template["observed"]["gpus"]:
            text = text.replace(gpu["uuid"], f"GPU-{name}-{gpu['index']}")
        self.state = {**json.loads(text), "name": name}
        self.changed = asyncio.Event()
        self.body = None

    def apply(self, wanted):
        """Everything stands at once."""
        self.state["verified"] = {"revision": wanted["revision"]}
        places = {gpu["uuid"]: gpu["instances"] for gpu in wanted["gpus"]}
        self.state["owned"] = []
        for gpu in self.state["observed"]["gpus"]:
            sizes = {one["id"]: one["size"] for one in gpu["profiles"]}
            gpu["instances"] = [
                {"id": index + 1, "profileId": one["profileId"], "start": one["start"], "size": sizes[one["profileId"]],
                 "computes": []} for index, one in enumerate(places.get(gpu["uuid"], []))]
            self.state["owned"] += [
                {"gpu": gpu["uuid"], "profileId": one["profileId"], "start": one["start"], "instance": one["id"]}
                for one in gpu["instances"]]
        self.body = None
        self.changed.set()

    def heartbeat(self):
        self.body = self.body or json.dumps(self.state, sort_keys=True).encode()
        return self.body


class Connection:
    """A kept HTTP/1.1 connection to the controller."""

    def __init__(self, port):
        self.port, self.writer = port, None

    async def send(self, method, path, body):
        # The controller closes connections that rest for long.
        if self.writer is None or self.reader.at_eof():
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            .encode() + body)
        status, headers = await head(self.reader)
        answer = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(status.split()[1]), answer


async def head(reader):
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    return lines[0], {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines[1:] if one)}


async def serve(agents, reader, writer):
    """What the agents answer: the node is the last part of the id that the controller signs."""
    try:
        while True:
            request, headers = await head(reader)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if request.startswith("POST"):
                wanted = json.loads(body)
                name = headers["webhook-id"].partition(".")[2]
                agents[name].apply(wanted)
                answer = {"id": f"op-{wanted['revision']}", "kind": "apply", "revision": wanted["revision"],
                          "status": "verified", "simulated": True, "steps": [], "problems": []}
                text = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                             + f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        writer.close()


async def run(agent, number, port, own):
    """Registers one node and sends its heartbeats; a change is told at once."""
    connection = Connection(port)
    await asyncio.sleep(number * 0.01)
    spec = {"address": f"http://127.0.0.1:{own}", "webhookSecret": SECRET, "zone": f"zone-{number % ZONES}"}
    status, answer = await connection.send("PUT", f"/v1/nodes/{agent.name}", json.dumps(spec).encode())
    assert status in (200, 201), answer
    while True:
        agent.changed.clear()
        status, answer = await connection.send("POST", f"/v1/nodes/{agent.name}/status", agent.heartbeat())
        assert status == 200, answer
        try:
            await asyncio.wait_for(agent.changed.wait(), INTERVAL)
        except asyncio.TimeoutError:
            pass


class Meter:
    """CPU time and bytes written by the controller from one look to the next."""

    def __init__(self, process):
        self.process = process
        self.last = self.now()

    def now(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"/proc/{self.process.pid}/io") as file:
            written = next(int(line.split()[1]) for line in file if line.startswith("write_bytes"))
        return time.monotonic(), (int(fields[11]) + int(fields[12])) / TICKS, written

    def say(self, what):
        before, self.last = self.last, self.now()
        seconds, cpu, written = (b - a for a, b in zip(before, self.last))
        print(f"fleet-load: {what}: {seconds:.1f} s, {100 * cpu / seconds:.1f} % of a core ({cpu:.2f} s), "
              f"{written / 1e6:.1f} MB written", flush=True)


async def ask(connection, method, path, body=b""):
    status, answer = await connection.send(method, path, body)
    assert status < 300, (path, status, answer)
    return json.loads(answer)


async def all_nodes(connection, limit=1000):
    """Every page of the nodes, and the seconds that each took from question to answer."""
    nodes, cursor, times = [], "", []
    while cursor is not None:
        began = time.monotonic()
        status, answer = await connection.send("GET", f"/v1/nodes?limit={limit}&cursor={cursor}", b"")
        times.append(time.monotonic() - began)
        assert status == 200, (status, answer)
        page = json.loads(answer)
        nodes += page["nodes"]
        cursor = page["nextCursor"]
    return nodes, times


async def pages(connection):
    """What a page of the nodes takes."""
    times = sorted([one for _ in range(20) for one in (await all_nodes(connection, 100))[1]])
    print(f"fleet-load: a page of 100 nodes: {1e3 * times[len(times) // 2]:.1f} ms, "
          f"{1e3 * times[len(times) * 99 // 100]:.1f} ms for the slowest of 100", flush=True)


def resident(process):
    """MB that a process holds, and the most that it held."""
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file)
    return [int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]


async def settled(connection):
    """The plan's revision once all nodes are ready."""
    while True:
        nodes, _ = await all_nodes(connection)
        ready = sum(one["status"]["state"] == "ready" for one in nodes)
        if ready == NODES:
            return
        await asyncio.sleep(1)


async def apply(connection, meter, what):
    operation = await ask(connection, "POST", "/v1/plan/apply")
    while operation["status"] == "running":
        operation = await ask(connection, "GET", f"/v1/operations/{operation['id']}?wait=60")
    assert operation["status"] == "verified", operation["status"]
    meter.say(f"{what} ({sum(not one.get('unchanged') for one in operation['nodes'])} nodes pushed to)")


async def load(api, template):
    agents = {f"n{number:04}": Agent(f"n{number:04}", template) for number in range(NODES)}
    server = await asyncio.start_server(lambda r, w: serve(agents, r, w), "127.0.0.1", 0, limit=1 << 22)
    own = server.sockets[0].getsockname()[1]
    connection = Connection(api.port)
    await ask(connection, "POST", "/v1/workloads/batch", json.dumps({"workloads": [
        {"id": f"w{number}", "model": "resnet50", "rate": 900, "slo": {"latencyMs": 200}} for number in range(40)]}).encode())
    meter = Meter(api.process)
    tasks = [asyncio.create_task(run(one, number, api.port, own)) for number, one in enumerate(agents.values())]
    await settled(connection)
    meter.say(f"{NODES} nodes register")
    plans = (await ask(connection, "GET", "/v1/plans?limit=200"))["plans"]
    print(f"fleet-load: plan revisions so far: {plans[0]['revision']}", flush=True)
    meter.say("between")
    await asyncio.sleep(3 * INTERVAL)
    meter.say(f"heartbeats every {INTERVAL:g} s that say nothing new")
    nodes, _ = await all_nodes(connection)
    print(f"fleet-load: ready after it: {sum(one['status']['state'] == 'ready' for one in nodes)}", flush=True)
    meter.say("all of GET /v1/nodes in one page")
    await pages(connection)
    meter.say("200 pages of it")
    await apply(connection, meter, "a first apply")
    await asyncio.sleep(INTERVAL)
    meter.say("its heartbeats")
    await apply(connection, meter, "an apply that changes nothing")
    for agent in agents.values():
        agent.state["services"] = []
    end = time.monotonic() + 3 * INTERVAL
    while time.monotonic() < end:
        for agent in agents.values():
            agent.state["faults"] = [{"gpu": "x", "xid": 13, "count": int(end - time.monotonic()) + 1, "last": "now"}]
            agent.body = None
        await asyncio.sleep(INTERVAL / 2)
    meter.say(f"heartbeats every {INTERVAL:g} s that each say something new")
    print("fleet-load: the controller holds %.0f MB, and held %.0f MB at most" % tuple(resident(api.process)), flush=True)
    for task in tasks:
        failed = task.done() and task.exception()
        assert not failed, failed
        task.cancel()
    server.close()


def state(node):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    connection.request("GET", "/v1/state")
    return json.load(connection.getresponse())


def main():
    with tempfile.TemporaryDirectory(prefix="parva-load-") as folder:
        api = Controller(os.path.join(folder, "parva.sqlite"), "--heartbeat", str(INTERVAL), "--admission", "half-slo",
                         "--keep-plans", "2000")
        node = None
        try:
            node = Node("template", folder, f"http://127.0.0.1:{api.port}")
            template = state(node)
            node.kill()
            api.request("DELETE", "/v1/nodes/template?force=true")
            template["services"] = []
            asyncio.run(load(api, template))
        finally:
            for one in (node, api):
                if one and one.process.poll() is None:
                    one.kill()


if __name__ == "__main__":
    main()
