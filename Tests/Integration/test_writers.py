"""The controller is killed at random moments beneath many writers of every kind. After each kill the store is judged by what
the writers were answered.

usage: test_writers.py [--moments N] [--writers N]"""

import argparse
import http.client
import json
import random
import threading

from controller import SEED, check, controller, equal, finish, workload

#: Workloads that each writer has for itself: single ones, and a pair that is only ever changed as one.
SINGLE, PAIR = 3, 2


class Writer:
    """One client. It knows of each of its workloads every state that it may be in: the one that was acknowledged last and,
    where an answer is missing, the one that was asked for."""

    def __init__(self, number, seed):
        self.generator = random.Random(seed)
        self.singles = [f"w{number}-{part}" for part in range(SINGLE)]
        self.pair = [f"p{number}-{part}" for part in range(PAIR)]
        #: Of each single workload, and of the pair under its first id: possible (rate, ETag), rate None where it is not there.
        self.states = {name: [(None, None)] for name in [*self.singles, self.pair[0]]}
        self.answered, self.asked = set(), set()
        self.number, self.count, self.fault = number, 0, None

    def step(self, api, connection, run):
        """One change. Raises OSError or HTTPException where there was no answer."""
        self.count += 1
        rate = float(self.generator.randint(1, 10_000))
        identity = f"r{run}-{self.number}-{self.count}"
        headers = {"X-Request-Id": identity}
        if self.generator.random() < 0.4:
            name = self.pair[0]
            there = self.states[name][0][0] is not None
            if there:
                method, path = "PATCH", "/v1/workloads"
                body = [{"id": one, "rate": rate} for one in self.pair]
            else:
                method, path = "POST", "/v1/workloads/batch"
                body = [workload(one, rate=rate) for one in self.pair]
        else:
            name = self.generator.choice(self.singles)
            there = self.states[name][0][0] is not None
            path = f"/v1/workloads/{name}"
            if there and self.generator.random() < 0.25:
                method, body, rate = "DELETE", None, None
            elif there and self.generator.random() < 0.5:
                method, body = "PATCH", {"rate": rate}
            else:
                method, body = "PUT", workload(name, rate=rate)
            if there and self.generator.random() < 0.5 and self.states[name][0][1]:
                headers["If-Match"] = self.states[name][0][1]
        if rate == self.states[name][0][0]:
            return
        before = self.states[name]
        # Until the answer is there, both are possible.
        self.states[name] = [*before, (rate, None)]
        self.asked.add(identity)
        response = api.request(method, path, body, headers, connection=connection)
        if response.status not in (200, 201, 204):
            raise AssertionError(f"{method} {path} was answered {response.status}: {response.body[:300]!r}")
        self.states[name] = [(rate, response.headers["ETag"] if name in self.singles else None)]
        self.answered.add(response.headers["X-Request-Id"])

    def run(self, api, run):
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
        try:
            while True:
                self.step(api, connection, run)
        except (http.client.HTTPException, OSError):
            pass
        except Exception as error:  # noqa: BLE001: told where it can be seen
            self.fault = error
        finally:
            connection.close()

    def judge(self, there, tags):
        """What is there is what was acknowledged or asked for last; it is then what is known."""
        for name, possible in self.states.items():
            rate = there.get(name)
            if name == self.pair[0]:
                equal([there.get(one) for one in self.pair], [rate] * PAIR, f"rates of the pair {self.pair}")
            if rate not in [one for one, _ in possible]:
                raise AssertionError(f"{name} is at {rate}, and may be at {possible}")
            told = next(tag for one, tag in possible if one == rate)
            if told and revision(tags[name]) != revision(told):
                raise AssertionError(f"{name} has the ETag {tags[name]} after the kill and was told {told} before it")
            self.states[name] = [(rate, tags.get(name) if name in self.singles else None)]


def revision(tag):
    """What If-Match compares: the rest of a tag is of the status, too."""
    return tag.strip('"').split(".")[0]


def registered(api):
    """All workloads that are there by id: rate, and revision as the beginning of an ETag."""
    rates, tags, cursor = {}, {}, ""
    while cursor is not None:
        page = api.get(f"/v1/workloads?limit=1000&cursor={cursor}").json()
        for one in page["workloads"]:
            rates[one["id"]], tags[one["id"]] = one["rate"], f'"{one["revision"]}"'
        cursor = page["nextCursor"]
    return rates, tags


def audited(api, writers):
    """One row for each change that was acknowledged, and none for what nobody has asked for."""
    rows = [json.loads(line) for line in api.get("/v1/audit", Accept="application/x-ndjson").body.splitlines()]
    stored = [row["requestId"] for row in rows if row["changed"]]
    equal(len(stored), len(set(stored)), "rows of changes, each of another request")
    answered = set().union(*(writer.answered for writer in writers))
    asked = set().union(*(writer.asked for writer in writers))
    if answered - set(stored):
        raise AssertionError(f"acknowledged and not in the audit: {sorted(answered - set(stored))[:10]}")
    if set(stored) - asked:
        raise AssertionError(f"in the audit and asked by nobody: {sorted(set(stored) - asked)[:10]}")
    chains = {}
    for row in sorted(rows, key=lambda row: row["number"]):
        if not row["changed"] or not row["resource"].startswith("workloads/w"):
            continue
        before = chains.get(row["resource"])
        equal(row.get("before"), before, f"what the audit says of {row['resource']} before {row['requestId']}")
        chains[row["resource"]] = row.get("after")
    return len(stored), chains


def campaign(moments, count):
    generator = random.Random(SEED)
    name = (f"{moments} kills at random moments under {count} writers: what was acknowledged is there, nothing is half done, ETags "
            f"go on, and the audit has one row a change (seed {SEED})")
    with check(name), controller() as api:
        writers = [Writer(number, generator.random()) for number in range(count)]
        for run in range(moments):
            known = sum(len(writer.answered) for writer in writers)
            threads = [threading.Thread(target=writer.run, args=(api, run), daemon=True) for writer in writers]
            for thread in threads:
                thread.start()
            # A random moment, but never before anything was acknowledged: else there is nothing to lose.
            moment = threading.Event()
            while sum(len(writer.answered) for writer in writers) <= known and any(one.is_alive() for one in threads):
                moment.wait(0.001)
            moment.wait(generator.uniform(0, 0.1))
            api.kill()
            for thread in threads:
                thread.join()
            for writer in writers:
                if writer.fault:
                    raise writer.fault
            api.start()
            there, tags = registered(api)
            for writer in writers:
                writer.judge(there, tags)
            mine = {name for writer in writers for name in [*writer.singles, *writer.pair]}
            equal(set(there) - mine, set(), "workloads that nobody has registered")
        changes, chains = audited(api, writers)
        for name, after in chains.items():
            workload_id = name.split("/")[1]
            equal(after.split(".")[0] if after else None, revision(tags[workload_id]) if workload_id in tags else None,
                  f"the revision of {workload_id} and that of its last row")
        plan = api.get("/v1/plan?wait=60").json()
        placed = {segment["workload"] for gpu in plan["gpus"] for segment in gpu["segments"]}
        placed |= {one["workload"] for one in plan["unplaced"]}
        equal(placed, set(there), "workloads of the plan")
        acknowledged = sum(len(writer.answered) for writer in writers)
        if acknowledged < moments * 2:
            raise AssertionError("the test killed too early to prove anything")
        print(f"  {acknowledged} changes acknowledged, {changes} in the audit, {len(there)} workloads at the end", flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("--moments", type=int, default=20)
parser.add_argument("--writers", type=int, default=32)
arguments = parser.parse_args()
campaign(arguments.moments, arguments.writers)
finish()
