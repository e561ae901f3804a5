"""An open-loop Poisson load: requests come when they are due, whatever became of those before, and each counts from then.

As a program it reads the workloads of a controller, sends each its declared rate through a proxy, and prints how many
requests kept their SLO, by workload:

    python3 traffic_load.py --controller http://127.0.0.1:8080 --proxy 127.0.0.1:8088 [--seconds 20] [--share 0.8]
"""

import argparse
import asyncio
import json
import random
import threading
import time
import urllib.request

#: A request that takes longer has failed.
TIMEOUT = 30
#: Seconds after which a connection is not used again: proxies close what is idle, HAProxy's file of Parva after 60 s.
IDLE = 20


class Sample:
    """One request: when it was due (by the monotonic clock), how long after that it was answered, and what went wrong."""

    __slots__ = ("workload", "due", "latency", "fault", "server")

    def __init__(self, workload, due, latency, fault, server=None):
        self.workload, self.due, self.latency, self.fault, self.server = workload, due, latency, fault, server


class Load:
    """Sends to `host:port` from a thread of its own until `stop`; `rates` may be changed meanwhile (requests/s by workload)."""

    def __init__(self, host, port, rates, seed=1, path="/infer"):
        self.host, self.port, self.path = host, port, path
        self.rates = dict(rates)
        self.samples = []
        self._seed = seed
        self._idle = []
        self._over = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        """Sends nothing new; returns when all that was sent is answered or has failed."""
        self._over = True
        self._thread.join(TIMEOUT + 60)
        return self.samples

    async def _run(self):
        self._tasks = set()
        await asyncio.gather(*(self._send_all(workload) for workload in self.rates))
        if self._tasks:
            await asyncio.wait(self._tasks)
        for _, _, writer in self._idle:
            writer.close()

    async def _send_all(self, workload):
        # A stream for each, so that a workload meets the same gaps whatever the others do.
        draw = random.Random(f"{self._seed}/{workload}")
        due = time.monotonic()
        while not self._over:
            due += draw.expovariate(1) / max(self.rates[workload], 1e-3)
            while not self._over and (left := due - time.monotonic()) > 0:
                await asyncio.sleep(min(left, 0.2))
            if self._over:
                return
            task = asyncio.create_task(self._send(workload, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, workload, due):
        fault, server = None, None
        try:
            status, server = await asyncio.wait_for(self._exchange(workload), TIMEOUT)
            if status != 200:
                fault = f"status {status}, {server}"
        except Exception as error:  # noqa: BLE001: whatever goes wrong is a failed request
            fault = type(error).__name__
        self.samples.append(Sample(workload, due, time.monotonic() - due, fault, server))

    def _kept(self):
        """A connection that is open, and was used so lately that no proxy is about to close it as idle; None where there is none."""
        while self._idle:
            used, reader, writer = self._idle.pop()
            if not reader.at_eof() and time.monotonic() - used < IDLE:
                return reader, writer
            writer.close()
        return None

    async def _exchange(self, workload):
        reader, writer = self._kept() or await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(
                f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nx-parva-workload: {workload}\r\n"
                "Content-Length: 0\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
            fields = dict(line.split(":", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(fields["content-length"]))
        except BaseException:
            writer.close()
            raise
        if fields.get("connection", "").strip() == "close":
            writer.close()
        else:
            self._idle.append((time.monotonic(), reader, writer))
        status = int(head[0].split()[1])
        if status != 200:
            return status, body[:120].decode("latin-1")
        answer = json.loads(body)
        return status, f"{answer.get('segment')} on {answer.get('port')}"


def figures(samples, slos, since=0.0, until=float("inf")):
    """By workload: requests that were due in a stretch of time, failed ones, share within the SLO, median and 99th percentile."""
    result = {}
    for workload, slo in slos.items():
        own = [one for one in samples if one.workload == workload and since <= one.due < until]
        latencies = sorted(one.latency * 1000 for one in own if one.fault is None)
        within = sum(1 for latency in latencies if latency <= slo)
        result[workload] = {
            "requests": len(own), "failed": len(own) - len(latencies), "share": within / len(own) if own else None,
            "p50": latencies[len(latencies) // 2] if latencies else None,
            "p99": latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)] if latencies else None}
    return result


def table(found, slos):
    rows = [("workload", "requests", "failed", "SLO ms", "p50 ms", "p99 ms", "within SLO")]
    for workload, one in found.items():
        number = "{:.0f}".format
        rows.append((
            workload, str(one["requests"]), str(one["failed"]), number(slos[workload]),
            *(number(one[key]) if one[key] is not None else "-" for key in ("p50", "p99")),
            f"{100 * one['share']:.2f} %" if one["share"] is not None else "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--controller", required=True, help="URL of the controller, which knows the workloads")
    parser.add_argument("--proxy", required=True, help="HOST:PORT to send requests to")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--share", type=float, default=1, help="share of the declared rates to send")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with urllib.request.urlopen(options.controller + "/v1/workloads?limit=1000") as answer:
        workloads = json.load(answer)["workloads"]
    host, port = options.proxy.rsplit(":", 1)
    slos = {one["id"]: one["slo"]["latencyMs"] for one in workloads}
    load = Load(host, int(port), {one["id"]: one["rate"] * options.share for one in workloads}, options.seed).start()
    time.sleep(options.seconds)
    print(table(figures(load.stop(), slos), slos))


if __name__ == "__main__":
    main()
