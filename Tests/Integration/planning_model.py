"""`parva plan` against an integer program of its own, on random demands; prints `ok - NAME` or `not ok - NAME`.

Nothing of the planner is used: cuts are worked out from the placements that `parva geometry` prints, capacities from the
profile points, and HiGHS decides. Where no workload must be spread or survive losses, GPUs that are cut alike are counted together; else
each GPU is a set of variables of its own. A plan must refuse whom the program cannot serve in turn and nobody else, cost
no less than the program's least, exactly that where it says so, and its bound must not exceed it.

usage: PARVA=PATH planning_model.py [--count N] [--seed FIRST] [--processes N] [--progress] [--verbose]
"""

import argparse
import itertools
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

PARVA = os.environ["PARVA"]
PRODUCTS = ["A100-80GB", "A100-40GB", "A30-24GB", "H100-80GB-SXM", "H200-141GB", "RTX-PRO-6000-BSE-96GB", "L40S-48GB"]
SLO = 1000.0


class Product:
    """Kinds of instances and all undominated ways to cut a GPU, from placements alone."""

    def __init__(self, name):
        text = subprocess.run([PARVA, "geometry", name, "-o", "json"], check=True, capture_output=True, text=True).stdout
        shown = json.loads(text)["products"][0]
        self.name = name
        self.slices = shown["computeSlices"]
        self.kinds = sorted((p for p in shown["profiles"] if p["planned"]), key=lambda p: (p["computeSlices"], p["size"]))
        found = set()

        def walk(unit, left, counts):
            found.add(tuple(counts))
            for at in range(unit, shown["axisLength"]):
                for kind, profile in enumerate(self.kinds):
                    if at not in profile["starts"] or profile["computeSlices"] > left:
                        continue
                    if counts[kind] == profile["maxInstances"]:
                        continue
                    more = list(counts)
                    more[kind] += 1
                    walk(at + profile["size"], left - profile["computeSlices"], more)

        walk(0, self.slices, [0] * len(self.kinds))
        self.cuts = [a for a in found if not any(a != b and all(x <= y for x, y in zip(a, b)) for b in found)]


class Demand:
    """One random input, as files and as figures."""

    def __init__(self, seed, products):
        rng = random.Random(seed)
        self.seed = seed
        self.features = rng.choice(["plain", "pools", "pools", "stock", "tenants", "teams", "teams", "spread", "spread",
                                   "scarce", "large", "survive", "survive", "replicas"])
        self.objective = rng.choice(["gpus", "cost", "cost"] if self.features != "plain" else ["gpus"])
        spread = self.features in ("spread", "survive")
        count = {"plain": (2, 14), "pools": (2, 12), "stock": (2, 10), "tenants": (2, 8), "teams": (4, 9), "spread": (1, 4),
                 "scarce": (2, 6), "large": (1, 4), "survive": (1, 3), "replicas": (1, 6)}[self.features]
        number = rng.randint(*count)
        names = rng.sample(PRODUCTS, 1 if self.features in ("plain", "large") else rng.randint(1, 2 if spread else 3))
        pools = 1 if self.features in ("plain", "large") else rng.randint(1, 2) if spread else rng.randint(1, 5)
        # Several tenants that share short stocks of pools at prices of their own.
        teams = self.features == "teams"
        pools = rng.randint(3, 6) if teams else pools
        self.pools = []
        for index in range(pools):
            product = products[rng.choice(names)]
            pool = {"name": f"p{index}", "product": product.name, "hourlyCost": rng.randint(10, 60) / 10}
            if rng.random() < 0.3 and self.pools:
                pool["product"], pool["hourlyCost"] = self.pools[0]["product"], self.pools[0]["hourlyCost"]
            if spread:
                pool["count"] = rng.randint(2, 3)
                if rng.random() < 0.5:
                    nodes = [{"name": f"n{index}-{n}", "count": 1} for n in range(pool.pop("count"))]
                    pool["nodes"] = nodes
            elif teams:
                pool["count"] = rng.randint(1, 3)
            elif self.features in ("stock", "tenants", "scarce", "replicas") and rng.random() < 0.8:
                pool["count"] = rng.randint(0, 3 if self.features == "scarce" else 5)
            self.pools.append(pool)
        self.points, self.workloads = [], []
        for index in range(number):
            model = f"m{index}" if rng.random() < 0.8 or index == 0 else f"m{index - 1}"
            if model == f"m{index}":
                for name in sorted({pool["product"] for pool in self.pools}):
                    self.profile(model, products[name], rng)
            size = rng.uniform(0.1, 1.2) if spread else rng.uniform(0.1, 25 if self.features == "large" else 3)
            workload = {"id": f"w{index:02}", "model": model, "rate": round(size * 40, 3), "slo": {"latencyMs": SLO},
                        "priority": rng.randint(0, 1) if self.features == "scarce" else 0}
            placement = {}
            if self.features == "survive" and rng.random() < 0.7:
                over = "nodes" if all("nodes" in pool for pool in self.pools) and rng.random() < 0.5 else "gpus"
                workload["survive"] = {over: 1 if rng.random() < 0.8 else 2}
            if self.features == "replicas" or self.features == "survive" and rng.random() < 0.2:
                least = rng.randint(1, 4)
                limits = {"min": least} if rng.random() < 0.5 else {"max": least + rng.randint(1, 3)}
                workload["replicas"] = {**limits, "min": least} if rng.random() < 0.5 else limits
                # Who survives losses needs one more than may be lost; less is a contradiction, which is refused as such.
                if "max" in limits:
                    losses = next(iter(workload.get("survive", {}).values()), 0)
                    workload["replicas"]["max"] = max(limits["max"], losses + 1)
            if self.features == "spread" and rng.random() < 0.7:
                over = "node" if all("nodes" in pool for pool in self.pools) and rng.random() < 0.5 else "gpu"
                placement["spread"] = {"over": over, "atLeast": 2}
            if self.features in ("tenants", "spread") and rng.random() < 0.4 or teams and rng.random() < 0.7:
                workload["labels"] = {"team": rng.choice("abc" if teams else "ab")}
                placement["exclusive"] = "team"
            if len(self.pools) > 1 and rng.random() < 0.2:
                placement["excludePools"] = [rng.choice(self.pools)["name"]]
            if placement:
                workload["placement"] = placement
            self.workloads.append(workload)

    def profile(self, model, product, rng):
        for kind in product.kinds:
            if kind is not product.kinds[-1] and rng.random() < 0.2:
                continue
            rate = round(kind["computeSlices"] * rng.uniform(6, 14), 2)
            self.points.append([model, product.name, kind["name"], 1, 1, rate, 10])
            # A point beyond the rule's limit, which must not be used.
            self.points.append([model, product.name, kind["name"], 2, 1, rate * 2, SLO * 0.5])

    def write(self, folder):
        with open(f"{folder}/w.json", "w") as file:
            json.dump({"workloads": self.workloads}, file)
        with open(f"{folder}/pools.json", "w") as file:
            json.dump({"pools": self.pools}, file)
        with open(f"{folder}/p.csv", "w") as file:
            print("model,product,profile,batch,processes,throughput,latency_ms", file=file)
            for point in self.points:
                print(*point, sep=",", file=file)

    def allows(self, workload, pool):
        rules = workload.get("placement", {})
        over_nodes = rules.get("spread", {}).get("over") == "node" or "nodes" in workload.get("survive", {})
        if over_nodes and "nodes" not in pool:
            return False
        return pool["name"] not in rules.get("excludePools", [])

    def capacity(self, workload, pool, kind):
        if not self.allows(workload, pool):
            return 0
        rates = [p[5] for p in self.points
                 if p[:3] == [workload["model"], pool["product"], kind["name"]] and p[6] < 0.45 * SLO]
        return max(rates, default=0)

    def weight(self, pool):
        return pool["hourlyCost"] if self.objective == "cost" else 1

    def stock(self, pool):
        return sum(node["count"] for node in pool["nodes"]) if "nodes" in pool else pool.get("count")


class Program:
    """A mixed integer program that is built line by line."""

    def __init__(self):
        self.costs, self.most, self.rows = [], [], []

    def variable(self, cost=0.0, most=math.inf):
        self.costs.append(cost)
        self.most.append(most)
        return len(self.costs) - 1

    def row(self, terms, low, high=math.inf):
        self.rows.append((terms, low, high))

    def least(self):
        """The least cost, None where there is no solution; the time limit raises."""
        entries = [(i, column, value) for i, (terms, _, _) in enumerate(self.rows) for column, value in terms]
        matrix = coo_matrix(
            ([e[2] for e in entries], ([e[0] for e in entries], [e[1] for e in entries])),
            shape=(len(self.rows), len(self.costs))).tocsr()
        result = milp(
            numpy.array(self.costs), integrality=numpy.ones(len(self.costs)),
            bounds=Bounds(0, numpy.array(self.most)),
            constraints=LinearConstraint(matrix, [r[1] for r in self.rows], [r[2] for r in self.rows]),
            options={"mip_rel_gap": 0, "time_limit": 20})
        if result.status == 2:
            return None
        if result.status != 0:
            raise TimeoutError
        return result.fun


def tenant(workload):
    key = workload.get("placement", {}).get("exclusive")
    return key and (key, workload["labels"][key])


def counted(demand, workloads, products):
    """GPUs of one tenant and pool that are cut alike are one variable."""
    program = Program()
    covers = {w["id"]: [] for w in workloads}
    taken = {pool["name"]: [] for pool in demand.pools}
    for group in sorted({tenant(w) or () for w in workloads}):
        for pool in demand.pools:
            product = products[pool["product"]]
            cuts = [program.variable(demand.weight(pool)) for _ in product.cuts]
            taken[pool["name"]] += cuts
            for index, kind in enumerate(product.kinds):
                held = [(cut, counts[index]) for cut, counts in zip(cuts, product.cuts) if counts[index]]
                for workload in workloads:
                    rate = demand.capacity(workload, pool, kind)
                    if rate and (tenant(workload) or ()) == group:
                        bought = program.variable()
                        covers[workload["id"]].append((bought, rate))
                        held.append((bought, -1))
                program.row(held, 0)
    for pool in demand.pools:
        if demand.stock(pool) is not None:
            program.row([(cut, 1) for cut in taken[pool["name"]]], 0, demand.stock(pool))
    for workload in workloads:
        # Rates are covered to a billionth, as the planner has it.
        program.row([(x, rate / workload["rate"]) for x, rate in covers[workload["id"]]], 1 - 1e-9)
        limit_replicas(program, workload, [x for x, _ in covers[workload["id"]]])
    return program.least()


def limit_replicas(program, workload, bought):
    limits = workload.get("replicas")
    if limits:
        program.row([(x, 1) for x in bought], limits.get("min", 1), limits.get("max", math.inf))


def placed(demand, workloads, products):
    """Every GPU in stock by itself, with what stands on it; for a few of them."""
    program = Program()
    covers = {w["id"]: [] for w in workloads}
    on = {w["id"]: [] for w in workloads}
    held_by = {w["id"]: {} for w in workloads}
    for pool in demand.pools:
        product = products[pool["product"]]
        nodes = [n["name"] for n in pool.get("nodes", []) for _ in range(n["count"])] or [None] * demand.stock(pool)
        previous = None
        for index, node in enumerate(nodes):
            used = program.variable(demand.weight(pool), 1)
            if previous is not None and node is None:
                program.row([(previous, 1), (used, -1)], 0)
            previous = used
            cuts = [program.variable(0, 1) for _ in product.cuts]
            program.row([(used, 1)] + [(cut, -1) for cut in cuts], 0)
            groups = sorted({tenant(w) or () for w in workloads})
            owners = [program.variable(0, 1) for _ in groups]
            program.row([(owner, 1) for owner in owners], 0, 1)
            here = {w["id"]: [] for w in workloads}
            rates = {w["id"]: [] for w in workloads}
            for number, kind in enumerate(product.kinds):
                held = [(cut, counts[number]) for cut, counts in zip(cuts, product.cuts) if counts[number]]
                for workload in workloads:
                    rate = demand.capacity(workload, pool, kind)
                    if not rate:
                        continue
                    bought = program.variable(0, 8)
                    rates[workload["id"]].append((bought, rate))
                    covers[workload["id"]].append((bought, rate))
                    here[workload["id"]].append(bought)
                    held.append((bought, -1))
                program.row(held, 0)
            for workload in workloads:
                bought, carried = here[workload["id"]], rates[workload["id"]]
                if not bought:
                    continue
                owner = owners[groups.index(tenant(workload) or ())]
                program.row([(owner, 8)] + [(x, -1) for x in bought], 0)
                stands = program.variable(0, 1)
                program.row([(x, 1) for x in bought] + [(stands, -1)], 0)
                over_node = workload.get("placement", {}).get("spread", {}).get("over") == "node"
                over_node = over_node or "nodes" in workload.get("survive", {})
                domain = str(node if over_node else (pool["name"], index))
                on[workload["id"]].append((stands, domain))
                held_by[workload["id"]].setdefault(domain, []).extend(carried)
    for workload in workloads:
        program.row([(x, rate / workload["rate"]) for x, rate in covers[workload["id"]]], 1 - 1e-9)
        limit_replicas(program, workload, [x for x, _ in covers[workload["id"]]])
        losses = next(iter(workload.get("survive", {}).values()), 0)
        if losses:
            # Whatever domains are lost, one row a choice: without them the rest carries the rate.
            domains = sorted(held_by[workload["id"]])
            if len(domains) <= losses:
                return None
            for lost in itertools.combinations(domains, losses):
                left = [entry for domain in domains if domain not in lost for entry in held_by[workload["id"]][domain]]
                program.row([(x, rate / workload["rate"]) for x, rate in left], 1 - 1e-9)
        spread = workload.get("placement", {}).get("spread")
        if not spread:
            continue
        domains = []
        for domain in sorted({d for _, d in on[workload["id"]]}):
            holds = program.variable(0, 1)
            program.row([(s, 1) for s, d in on[workload["id"]] if d == domain] + [(holds, -1)], 0)
            domains.append((holds, 1))
        if not domains:
            return None
        program.row(domains, spread["atLeast"])
    return program.least()


def density(demand, workload, products):
    return max((demand.capacity(workload, pool, kind) * products[pool["product"]].slices / kind["computeSlices"]
                for pool in demand.pools for kind in products[pool["product"]].kinds), default=0)


def judge(demand, products, plan):
    """What is wrong with the plan, or None; and whether it says that it is proven."""
    solve = placed if demand.features in ("spread", "survive") else counted
    order = sorted(demand.workloads, key=lambda w: (-w["priority"], -density(demand, w, products), w["id"]))
    order = [w for w in order if density(demand, w, products) > 0]
    refused = {r["workload"] for r in plan.get("unplaced", [])} & {w["id"] for w in order}
    least = solve(demand, order, products)
    served = order
    if least is None:
        served = []
        for workload in order:
            cost = solve(demand, served + [workload], products)
            if cost is not None:
                served, least = served + [workload], cost
    expected = {w["id"] for w in order} - {w["id"] for w in served}
    if refused != expected:
        return f"refuses {sorted(refused)}, the program {sorted(expected)}", False
    least = least or 0
    weights = {pool["name"]: demand.weight(pool) for pool in demand.pools}
    cost = sum(weights[gpu["pool"]] for gpu in plan["gpus"])
    summary = plan["summary"]
    slack = 1e-6 * max(1, least)
    if cost < least - slack:
        return f"costs {cost}, the program {least}", False
    if summary["lowerBound"] > least + slack:
        return f"claims the bound {summary['lowerBound']}, the program finds {least}", False
    if summary["gap"] == 0 and cost > least + slack:
        return f"says that {cost} is the least, the program finds {least}", False
    return None, summary["gap"] == 0, cost > least + slack


def run(products, seed):
    demand = Demand(seed, products)
    with tempfile.TemporaryDirectory() as folder:
        demand.write(folder)
        given = ["--workloads", f"{folder}/w.json", "--profiles", f"{folder}/p.csv", "--pools", f"{folder}/pools.json"]
        done = subprocess.run(
            [PARVA, "plan", *given, "--admission", "half-slo", "--objective", demand.objective, "--headroom", "off",
             "--certificate", "--allow-partial", "-o", "json"], capture_output=True, text=True)
        # 3 says that some are refused, which is to be judged.
        if done.returncode not in (0, 3):
            return seed, demand.features, f"parva plan ended with {done.returncode}: {done.stderr[:300]}", False, False
        with open(f"{folder}/plan.json", "w") as file:
            file.write(done.stdout)
        # As long as a search of its own takes on a busy machine: only what is said is judged here.
        checked = subprocess.run(
            [PARVA, "validate", f"{folder}/plan.json", "--deadline", "60", *given], capture_output=True, text=True)
        if checked.returncode != 0:
            return seed, demand.features, f"parva validate: {checked.stdout[:300]}{checked.stderr[:300]}", False, False
        try:
            wrong, *rest = judge(demand, products, json.loads(done.stdout))
        except TimeoutError:
            return seed, demand.features, None, None, False
        return seed, demand.features, wrong, rest[0], rest[1] if len(rest) > 1 else False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--progress", action="store_true", help="say every hundred demands how it stands")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    products = {name: Product(name) for name in PRODUCTS}
    wrong, proven, decided, worse, undecided = [], 0, 0, [], 0
    kinds = {}
    with ProcessPoolExecutor(given.processes) as pool:
        seeds = range(given.seed, given.seed + given.count)
        for seed, features, fault, is_proven, is_worse in pool.map(partial(run, products), seeds):
            kinds[features] = kinds.get(features, 0) + 1
            if fault:
                wrong.append(seed)
                print(f"  seed {seed} ({features}): {fault}", flush=True)
            elif is_proven is None:
                undecided += 1
            else:
                decided += 1
                proven += is_proven
                if not is_proven and given.verbose:
                    print(f"  seed {seed} ({features}): not proven{', and not the least' if is_worse else ''}")
                if is_worse:
                    worse.append(seed)
            if given.progress and (seed - given.seed) % 100 == 99:
                print(f"  to seed {seed}: {proven} of {decided} proven, {len(wrong)} wrong, {len(worse)} above the least, "
                      f"{undecided} undecided", flush=True)
    last = given.seed + given.count - 1
    print(f"  seeds {given.seed} to {last}: {dict(sorted(kinds.items()))}; {proven} of {decided} proven, "
          f"{len(worse)} above the least {worse}, {undecided} left undecided by the program")
    name = f"{given.count} plans are those of an independent integer program (seeds {given.seed} to {last})"
    print(f"{'not ok' if wrong else 'ok'} - {name}")
    share = f"97 % of them are proven ({proven} of {decided})"
    print(f"{'ok' if proven >= 0.97 * decided else 'not ok'} - {share}")
    return 1 if wrong or proven < 0.97 * decided else 0


sys.exit(main())
