"""A day of demand in compressed time: a controller that applies by itself, and simulated nodes as processes of their own.

usage: day.py [--shapes all|waves] [--nodes N] [--workloads N] [--steps N] [--seconds S] [--calm OPTIONS] [--svg FILE] (by
scripts/day); PARVA names the binary.
Every step has rates of its own; each is on the nodes before the next comes. Prints a table and draws a picture.
"""

import argparse
import csv
import datetime
import json
import math
import os
import random
import tempfile
import threading
import time

from controller import SEED, SHARED, Controller, cli
from fleet import Node, ready, until

MODELS = {"resnet50": 60, "bert": 300, "densenet121": 80, "mobilenetv2": 60, "vgg19": 120, "inceptionv3": 90}
#: Shapes of the day: the noise of every rate of every step, and how plans are kept calm beside it.
NOISE = {"all": 0.03, "waves": 0.02}
CALM = {
    "all": "--dead-band 5% --move-cost 0.05",
    "waves": "--dead-band 5% --move-cost 0.06"}
#: What the simulated machine has eight of.
MACHINE, PRODUCT = "dgx-a100", "A100-80GB"


def trace(path, steps):
    """Requests of a recording by step, with a mean of 1: its whole length is the day."""
    with open(path, newline="") as file:
        times = [datetime.datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in csv.DictReader(file)]
    counts = [0] * steps
    for one in times:
        counts[min(steps - 1, int((one - times[0]) / (times[-1] - times[0]) * steps))] += 1
    return [max(0.05, one * steps / len(times)) for one in counts]


def shapes(steps, chosen):
    """What the rate of a workload is over the day, with a mean of about 1: functions of the dice; how many are recorded."""
    def tide(dice):
        turn = dice.gauss(0, 0.1)
        return [1 + 0.3 * math.sin(2 * math.pi * (step / steps + turn)) for step in range(steps)]

    if chosen == "waves":
        return [tide], 0

    def wave(dice):
        turn, swing = dice.uniform(0, 1), dice.uniform(0.2, 0.6)
        return [1 + swing * math.sin(2 * math.pi * (step / steps + turn)) for step in range(steps)]

    def hours(dice):
        begin, end, low = dice.uniform(0.25, 0.4), dice.uniform(0.65, 0.8), dice.uniform(0.2, 0.5)
        def rise(at, where):
            return 1 / (1 + math.exp(-(at - where) * 40))
        return [low + (1.6 - low) * (rise(step / steps, begin) - rise(step / steps, end)) for step in range(steps)]

    def steady(_):
        return [1.0] * steps

    found = [wave, hours, wave, steady]
    folder = os.path.join(SHARED, "data", "traces")
    for name in ("azure-llm-2023-code.csv", "azure-llm-2023-conv.csv"):
        if os.path.exists(os.path.join(folder, name)):
            recorded = trace(os.path.join(folder, name), steps)
            found.append(lambda dice, recorded=recorded: recorded)
    return found, len(found) - 4


def demands(count, steps, chosen):
    dice = random.Random(SEED)
    kinds, traces = shapes(steps, chosen)
    courses = []
    for number in range(count):
        base = 700 * math.exp(dice.gauss(0, 0.6))
        courses.append([base * one * math.exp(dice.gauss(0, NOISE[chosen])) for one in kinds[number % len(kinds)](dice)])
    names = list(MODELS)
    return traces, [
        {f"w{number:02}": {
            "id": f"w{number:02}", "model": names[number % len(names)], "rate": round(course[step], 1),
            "slo": {"latencyMs": MODELS[names[number % len(names)]]}} for number, course in enumerate(courses)}
        for step in range(steps)]


class Watch(threading.Thread):
    """The least share of the lesser of its last two rates that any workload has, looked at again and again."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api, self.floors, self.least, self.looks, self.is_over = api, {}, math.inf, 0, threading.Event()
        self.lock = threading.Lock()
        self.start()

    def turn(self, floors):
        with self.lock:
            self.floors = floors

    def run(self):
        while not self.is_over.is_set():
            with self.lock:
                floors = self.floors
            up = capacities(self.api)
            least, name = min(((up.get(name, 0) / floor, name) for name, floor in floors.items()), default=(math.inf, ""))
            if least < 1 - 1e-6:
                states = self.api.get("/v1/fleet").json()["nodes"]
                print(f"day: {name} has {least:.3f} of what it is to keep; nodes: {states}", flush=True)
            self.least = min(self.least, least)
            self.looks += bool(floors)
            self.is_over.wait(0.05)

    def stop(self):
        self.is_over.set()
        self.join()


def capacities(api):
    listed = api.get("/v1/workloads?limit=1000").json()["workloads"]
    return {one["id"]: one["status"].get("capacityUp") or 0.0 for one in listed}


def places(plan):
    """What stands where, as whoever uses it would notice."""
    return {
        (gpu["uuid"], one["profileId"], one["start"], one["workload"], one["batch"], one["processes"])
        for gpu in plan["gpus"] for one in gpu["segments"]}


def settled(api, revision):
    """Whether every node has at least this revision, and nothing is left to do but to wait for lower rates."""
    fleet = api.get("/v1/fleet").json()["autoApply"]
    if fleet["state"] not in ("settled", "holding"):
        return None
    plan = api.get("/v1/plan")
    current = int(plan.headers["Parva-Plan-Revision"])
    if current < revision or f"revision {current}" not in fleet["message"]:
        return None
    # What a node has verified counts once it has said so itself.
    listed = [one["status"] for one in api.get("/v1/workloads?limit=1000").json()["workloads"]]
    is_up = all(one.get("capacityUp", 0) >= one.get("capacityPlanned", 0) * (1 - 1e-9) for one in listed)
    return plan.json() if is_up else None


def play(name, options, steps, count, seconds):
    """One day; answers what came of it at each step."""
    course = {"name": name, "gpus": [], "moved": [], "segments": [], "ratio": [], "unserved": 0, "seconds": 0.0}
    with tempfile.TemporaryDirectory(prefix="parva-day-") as folder:
        api = Controller(
            os.path.join(folder, "parva.sqlite"), "--heartbeat", "5", "--admission", "half-slo", "--auto-apply", *options)
        nodes, watch = [], None
        try:
            url = f"http://127.0.0.1:{api.port}"
            nodes = [Node(f"gpu-{number}", folder, url, MACHINE, zone=f"rack-{number % 2}") for number in range(count)]
            ready(api, count)
            before, last, began = set(), None, time.monotonic()
            for number, wanted in enumerate(steps):
                end = time.monotonic() + seconds
                response = api.request("PUT", "/v1/workloads", {"workloads": list(wanted.values())})
                assert response.status in (200, 201), response.body
                if watch:
                    watch.turn({one: min(row["rate"], last[one]["rate"]) for one, row in wanted.items()})
                revision = int(api.get("/v1/plan").headers["Parva-Plan-Revision"])
                until(f"step {number} to be on the nodes", lambda: settled(api, revision), 300)
                threading.Event().wait(max(0, end - time.monotonic()))
                plan = until(f"step {number} to stand", lambda: settled(api, revision), 300)
                now = places(plan)
                course["gpus"].append(len(plan["gpus"]))
                course["segments"].append(len(now))
                course["moved"].append(len(now - before) if number else 0)
                course["unserved"] += len(plan.get("unplaced", []))
                up = capacities(api)
                course["ratio"].append(min(up[one] / row["rate"] for one, row in wanted.items()))
                before, last = now, wanted
                watch = watch or Watch(api)
            course["seconds"] = time.monotonic() - began
            watch.stop()
            course["least"] = watch.least
            course["looks"] = watch.looks
            assert plan["gpus"][0]["product"] == PRODUCT, plan["gpus"][0]["product"]
        finally:
            if watch:
                watch.is_over.set()
            for one in [*nodes, api]:
                if one.process.poll() is None:
                    one.kill()
    return course


def least(steps, count):
    """GPUs that are proven least for each step."""
    found = []
    with tempfile.TemporaryDirectory(prefix="parva-day-") as folder:
        pools, workloads = os.path.join(folder, "pools.json"), os.path.join(folder, "workloads.json")
        with open(pools, "w") as file:
            json.dump({"pools": [{"name": "all", "product": PRODUCT, "count": count}]}, file)
        for wanted in steps:
            with open(workloads, "w") as file:
                json.dump({"workloads": list(wanted.values())}, file)
            plan = json.loads(cli(
                "plan", "--workloads", workloads, "--pools", pools, "--admission", "half-slo", "-o", "json"))
            found.append(plan["summary"]["gpuCount"] - int(plan["summary"]["gap"]))
    return found


# The picture


def picture(least, courses):
    colours = ["#9aa0a6", "#d9822b", "#1f6fb2"]
    width, left, plot = 860, 56, 780
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 640" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        "<title>A day of demand through the controller: GPUs, moved segments and capacity</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>']
    for index, name in enumerate(["proven least", *(one["name"] for one in courses)]):
        x = left + 150 * index
        parts.append(f'<rect x="{x}" y="14" width="18" height="4" fill="{colours[index]}"/>'
                     f'<text x="{x + 24}" y="20" fill="#333">{name.strip("`")}</text>')

    def panel(top, height, title, rows, colours, low, high):
        parts.append(f'<text x="{left}" y="{top - 8}" fill="#333">{title}</text>')
        for index in range(5):
            value = low + (high - low) * index / 4
            y = top + height * (1 - index / 4)
            parts.append(f'<line x1="{left}" x2="{left + plot}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e6e8"/>'
                         f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{value:g}</text>')
        for row, colour in zip(rows, colours):
            points = []
            for index, value in enumerate(row):
                y = top + height * (1 - (min(value, high) - low) / (high - low))
                points += [f"{left + plot * at / len(row):.1f},{y:.1f}" for at in (index, index + 1)]
            parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{" ".join(points)}"/>')

    rows = [least, *(one["gpus"] for one in courses)]
    low, high = min(map(min, rows)) // 4 * 4, -(-max(map(max, rows)) // 4) * 4
    panel(56, 200, "GPUs", rows, colours, low, max(high, low + 4))
    moved = [one["moved"] for one in courses]
    panel(300, 120, "segments moved at a step", moved, colours[1:], 0, -(-max(1, *map(max, moved)) // 4) * 4)
    ratios = [one["ratio"] for one in courses]
    panel(464, 120, "least capacity of any workload, as a share of its rate", ratios, colours[1:], 0.8, 2)
    for hour in range(0, 25, 4):
        parts.append(f'<text x="{left + plot * hour / 24:.1f}" y="610" text-anchor="middle" fill="#555">{hour} h</text>')
    return "\n".join([*parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", choices=list(CALM), default="all")
    parser.add_argument("--calm", help="options of the second course")
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--workloads", type=int, default=24)
    parser.add_argument("--steps", type=int, default=96)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--svg")
    options = parser.parse_args()
    traces, steps = demands(options.workloads, options.steps, options.shapes)
    calm = options.calm or CALM[options.shapes]
    ways = [("as rates come", []), (f"`{calm}`", calm.split())]
    courses, fewest = [], []
    proof = threading.Thread(target=lambda: fewest.extend(least(steps, 8 * options.nodes)))
    proof.start()
    for name, arguments in ways:
        courses.append(play(name, arguments, steps, options.nodes, options.seconds))
        print(f"day: {name}: {courses[-1]['seconds']:.0f} s, {courses[-1]['looks']} looks", flush=True)
    proof.join()
    print(f"day: {options.workloads} workloads, {traces} of the shapes recorded, {options.steps} steps, "
          f"{8 * options.nodes} GPUs, seed {SEED}\n")
    print("| | GPUs, mean | above the least, mean | most | segments | moved a step | share | least capacity on the way "
          "| at the end of a step | not served |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for one in courses:
        above = [(gpus - low) / low for gpus, low in zip(one["gpus"], fewest)]
        count = len(fewest)
        print(f"| {one['name']} | {sum(one['gpus']) / count:.1f} | {sum(above) / count:.1%} | {max(above):.1%} "
              f"| {sum(one['segments']) / count:.0f} | {sum(one['moved']) / (count - 1):.1f} "
              f"| {sum(one['moved']) / max(1, sum(one['segments'][1:])):.1%} | {one['least']:.3f} "
              f"| {min(one['ratio']):.3f} | {one['unserved']} |")
    if options.svg:
        with open(options.svg, "w") as file:
            file.write(picture(fewest, courses))


if __name__ == "__main__":
    main()
