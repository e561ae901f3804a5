"""How few new segments any plan of scripts/day needs on average at a step, even one that knows the whole day ahead.

usage: day_bound.py [--shapes all|waves] [--workloads N] [--steps N]; PARVA names the binary; needs numpy and ../shared/data.

Segments that a workload has at a step cost at least their sizes' proven prices (`parva plan --certificate`) in GPUs, whatever
stands beside them. For a price L of a GPU the cheapest course of each workload alone - GPUs of all steps at L, one for each
segment that was not there at the step before - is found over all numbers of segments by size (dynamic programming); what that
gives for all, less L times the GPUs allowed, is a lower bound for the new segments, whichever L is taken (Lagrangian relaxation).
"""

import argparse
import json
import math
import os
import tempfile

import numpy

from controller import SEED, SHARED, cli
from day import CALM, demands

#: Memory in GiB of the instances of an A100-80GB, by compute slices.
MEMORY = {1: 9.5, 2: 19.5, 3: 39.25, 4: 39.25, 7: 79.0}
PRICES = [0, 5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320]


def capacities(model, slo):
    """Most requests/s of one instance by size: rule half-slo, at most three processes."""
    found = []
    for slices, memory in MEMORY.items():
        best = 0.0
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            for processes in (1, 2, 3):
                if processes * (model["memory_gib_per_process"] + model["memory_gib_per_sample"] * batch) > memory:
                    continue
                own = model["launch_ms"] * (1 + model["contention"] * (processes - 1)) + model["per_sample_ms"] * batch
                shared = model["saturated_ms"] * processes * batch / slices ** model["saturated_exponent"]
                latency = (own ** model["blend"] + shared ** model["blend"]) ** (1 / model["blend"])
                if latency < 0.45 * slo:
                    best = max(best, 1000 * batch * processes / latency)
        found.append(best)
    return found


def proven(steps):
    """Per step the least number of GPUs, and the prices of the sizes."""
    least, prices = [], []
    with tempfile.TemporaryDirectory(prefix="parva-day-") as folder:
        file = os.path.join(folder, "workloads.json")
        for wanted in steps:
            with open(file, "w") as out:
                json.dump({"workloads": list(wanted.values())}, out)
            plan = json.loads(cli("plan", "--workloads", file, "--admission", "half-slo", "--certificate", "-o", "json"))
            least.append(plan["summary"]["gpuCount"] - int(plan["summary"]["gap"]))
            own = {}
            for one in plan["certificate"]["parts"][0]["pools"][0]["prices"]:
                size = int(one["profile"].split("g")[0])
                own[size] = min(own.get(size, math.inf), one["price"])
            prices.append([own.get(size, 0) for size in MEMORY])
    return least, prices


def course(capacity, rates, prices, least, price):
    """The cheapest course of one workload."""
    most = [math.ceil(max(rates) / one) if one else 0 for one in capacity]
    counts = numpy.indices([one + 1 for one in most])
    carried = sum(counts[size] * capacity[size] for size in range(len(capacity)))
    best = None
    for step, rate in enumerate(rates):
        cost = price / least[step] * sum(counts[size] * prices[step][size] for size in range(len(capacity)))
        if best is not None:
            for axis in range(len(capacity)):
                # Fewer cost nothing, each more costs one.
                best = numpy.flip(numpy.minimum.accumulate(numpy.flip(best, axis), axis), axis)
                number = numpy.arange(best.shape[axis]).reshape([-1 if one == axis else 1 for one in range(best.ndim)])
                best = numpy.minimum.accumulate(best - number, axis) + number
            cost = cost + best
        best = numpy.where(carried >= rate * (1 - 1e-9), cost, math.inf)
    return best.min()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", choices=list(CALM), default="all")
    parser.add_argument("--workloads", type=int, default=24)
    parser.add_argument("--steps", type=int, default=48)
    options = parser.parse_args()
    _, steps = demands(options.workloads, options.steps, options.shapes)
    with open(os.path.join(SHARED, "data", "modelled-a100-80gb.json")) as file:
        models = json.load(file)["models"]
    least, prices = proven(steps)
    rows = [
        (capacities(models[one["model"]], one["slo"]["latencyMs"]), [step[name]["rate"] for step in steps])
        for name, one in steps[0].items()]
    values = [sum(course(*row, prices, least, price) for row in rows) for price in PRICES]
    print(f"seed {SEED}: {sum(least) / len(least):.1f} GPUs at least")
    for above in (0, 0.03, 0.05, 0.08, 0.1):
        new = max(value - price * (1 + above) * len(steps) for value, price in zip(values, PRICES))
        print(f"GPUs {above:.0%} above the least: at least {new / (len(steps) - 1):.2f} new segments a step")


if __name__ == "__main__":
    main()
