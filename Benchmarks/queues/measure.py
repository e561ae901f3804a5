#!/usr/bin/env python3
"""Both forms of queue, measured through stand-in model servers beside what the simulator says of the same segments.

Every pair of a model and a segment is loaded with all that is certified of it. Servers, rates and objectives are stretched in time by
one factor, which changes no share and leaves the scheduling of this machine out of it as far as it goes. A pair holds where the measured
share within the SLO is at least the mean of the simulated runs less three of their standard deviations: they are as long.

    PARVA=BINARY measure.py [--pairs N] [--seconds N] [--rate N] [--together N]
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PARVA = os.environ["PARVA"]
SERVER = os.path.join(os.path.dirname(PARVA), "StandInModelServer")
MODELS = [("bert", 600), ("resnet50", 60), ("densenet121", 90), ("inceptionv3", 80), ("mobilenetv2", 40), ("vgg16", 120)]

parser = argparse.ArgumentParser()
parser.add_argument("--pairs", type=int, default=20)
parser.add_argument("--seconds", type=float, default=60, help="of load for each pair")
parser.add_argument("--rate", type=float, default=40, help="requests/s for each pair")
parser.add_argument("--together", type=int, default=3, help="pairs at a time")
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()


def cli(*arguments):
    return json.loads(subprocess.run([PARVA, *arguments, "-o", "json"], capture_output=True, check=True).stdout)


def write(folder, name, value):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path


def demand(model, slo, queue, rate):
    return [{"id": "x", "model": model, "rate": rate, "slo": {"latencyMs": slo}, "queue": queue}]


def pairs(folder):
    """Segments of plans for small and large rates, each once, in turn of the models."""
    found = {}
    for model, slo in MODELS:
        for queue in ("shared", "perProcess"):
            for rate in (50, 400, 4000):
                workloads = write(folder, "demand.json", demand(model, slo, queue, rate))
                plan = cli("plan", "--workloads", workloads, "--margin", "0", "--deadline", "3")
                for segment in (one for gpu in plan["gpus"] for one in gpu["segments"]):
                    # One process has one queue in both forms: such a segment counts once.
                    if segment["processes"] > 1 or queue == "perProcess":
                        key = (segment["profile"], segment["batch"], segment["processes"])
                        found.setdefault((model, slo, queue), {}).setdefault(key, (plan, segment))
    turns = [[(one, *pick) for pick in list(rest.values())] for one, rest in found.items()]
    return [turn[n] for n in range(max(map(len, turns))) for turn in turns if n < len(turn)][:options.pairs]


def simulated(folder, model, slo, queue, plan, segment, seconds):
    """Shares within the SLO of runs over one segment alone, loaded with its capacity."""
    rate = segment["capacity"]
    alone = dict(plan, gpus=[dict(plan["gpus"][0], segments=[dict(segment, id="x/0", load=rate)])])
    workloads = write(folder, "alone.json", demand(model, slo, queue, rate))
    result = cli(
        "simulate", write(folder, "plan.json", alone), "--workloads", workloads, "--duration", str(seconds), "--seeds", "20")
    return result["workloads"][0]["attainmentBySeed"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def servers(model, queue, segment, drift):
    count = segment["processes"] if queue == "perProcess" else 1
    started = []
    for _ in range(count):
        port = free_port()
        instances = ["--instances", "1"] if queue == "perProcess" else []
        process = subprocess.Popen(
            [SERVER, "--port", str(port), "--model", model, "--batch", str(segment["batch"]), "--processes",
             str(segment["processes"]), "--profile-id", str(segment["profileId"]), "--drift", str(drift), *instances],
            stderr=subprocess.DEVNULL)
        started.append((port, process))
    for port, _ in started:
        end = time.monotonic() + 60
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > end:
                raise SystemExit("a server does not start")
            time.sleep(0.05)
    return started


async def exchange(idle, port):
    reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    idle.append((reader, writer))
    return b" 200 " in head.split(b"\r\n")[0]


async def measure(seed, ports, rate, slo, seconds):
    """Share within the SLO of a Poisson stream that is dealt to the ports at random, each request counted from when it was due."""
    draw, tasks, latencies = random.Random(seed), set(), []
    idle = {port: [] for port in ports}

    async def send(due, port):
        good = await exchange(idle[port], port)
        latencies.append((due, time.monotonic() - due if good else float("inf")))
    # As the simulator does, it begins with an empty queue and a sixth that is not counted.
    start = due = time.monotonic()
    while due < start + seconds * 7 / 6:
        due += draw.expovariate(rate)
        if (left := due - time.monotonic()) > 0:
            await asyncio.sleep(left)
        tasks.add(asyncio.create_task(send(due, draw.choice(ports))))
    await asyncio.gather(*tasks)
    counted = [latency for due, latency in latencies if due >= start + seconds / 6]
    return sum(1 for one in counted if one * 1000 <= slo) / len(counted), len(counted)


async def main():
    with tempfile.TemporaryDirectory(prefix="parva-queues-") as folder:
        chosen = pairs(folder)
        rows, bad = [], 0
        for first in range(0, len(chosen), options.together):
            batch = chosen[first:first + options.together]
            running = []
            for (model, slo, queue), plan, segment in batch:
                drift = max(1.0, segment["capacity"] / options.rate)
                started = servers(model, queue, segment, drift)
                running.append((drift, started))
            measured = await asyncio.gather(*(
                measure(f"{options.seed}/{first + n}", [port for port, _ in started], segment["capacity"] / drift, slo * drift,
                        options.seconds)
                for n, (((_, slo, _), _, segment), (drift, started)) in enumerate(zip(batch, running))))
            for _, started in running:
                for _, process in started:
                    process.terminate()
                    process.wait()
            for ((model, slo, queue), plan, segment), (drift, _), (share, count) in zip(batch, running, measured):
                shares = simulated(folder, model, slo, queue, plan, segment, options.seconds / drift)
                mean, error = statistics.mean(shares), 3 * statistics.stdev(shares)
                # Where the runs are all alike, chance has one request in three still.
                error = max(error, 3 / count)
                holds = share >= mean - error
                bad += not holds
                rows.append((
                    model, segment["profile"], str(segment["batch"]), str(segment["processes"]), queue,
                    f"{segment['capacity']:.1f}", f"{drift:.1f}", str(count), f"{100 * share:.2f} %", f"{100 * mean:.2f} %",
                    f"{100 * error:.2f} %", "yes" if holds else "NO"))
                print("  ".join(rows[-1]), flush=True)
    head = ("model", "segment", "b", "p", "queue", "capacity/s", "slower", "requests", "measured", "simulated", "3 sd", "holds")
    table = [head, *rows]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    print("\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in table))
    sys.exit(1 if bad else 0)


asyncio.run(main())
