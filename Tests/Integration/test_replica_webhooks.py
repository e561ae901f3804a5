#!/usr/bin/env python3
"""Subscribers of controllers that take over from each other, killed while messages are on their way: each is told of every plan at
least once, in order, and under one id."""

import contextlib
import http.client
import random
import re
import tempfile

from controller import SEED, check, equal, finish, workload
from fleet import until
from receiver import Receiver, verify
from replicas import HAS_ETCD, cluster, without_etcd

TAKEOVERS = 4
OPTIONS = ["--webhook-allow-network", "127.0.0.0/8", "--webhook-retry-pause", "0.05", "--keep-plans", "1000"]


def asked(replica, method, path, body=None):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return replica.ask(method, path, body, timeout=15)
    return None


def done(cluster, dice, method, path, body):
    """Through any replica, until it is acknowledged; what may have been done is done again."""
    def attempt():
        answer = asked(dice.choice(cluster.replicas), method, path, body)
        return answer if answer is not None and answer.status // 100 == 2 else None
    return until(f"{method} {path}", attempt)


def main(folder):
    dice, receiver = random.Random(SEED), Receiver()
    with cluster(folder, members=1, lease=2, is_wired=False, options=OPTIONS) as over:
        secrets = {}
        for name in ("quick", "failing"):
            made = done(over, dice, "POST", "/v1/webhooks", {"url": receiver.url(f"/{name}"), "types": ["plan.published"]})
            secrets[name] = made.json()["secret"]
        first = done(over, dice, "GET", "/v1/plan?consistent=true", None).json()["revision"]
        rate = 0
        for _ in range(TAKEOVERS):
            # Some are refused at first: what is behind them waits.
            receiver.plan["/failing"] = [dice.choice([204, 500, 503]) for _ in range(6)]
            for _ in range(dice.randrange(2, 6)):
                rate += 50
                done(over, dice, "PUT", "/v1/workloads/a", workload("a", rate=rate))
                done(over, dice, "GET", "/v1/plan?wait=30&consistent=true", None)
            # Another change is on its way to a plan, and messages to their subscribers.
            rate += 50
            done(over, dice, "PUT", "/v1/workloads/a", workload("a", rate=rate))
            leader = until("a leader", over.leader)
            leader.kill()
            until("another leader", over.leader)
            over.start(leader)
        over.until_writable()
        last = done(over, dice, "GET", "/v1/plan?wait=30&consistent=true", None).json()["revision"]
        stored = [one["revision"] for one in done(over, dice, "GET", "/v1/plans?limit=100&consistent=true", None).json()["plans"]]
        wanted = sorted(one for one in stored if first < one <= last)
        equal(len(wanted) > 2 * TAKEOVERS, True, f"that there were many plans ({wanted})")
        for name, secret in secrets.items():
            with check(f"the subscriber {name} is told of all {len(wanted)} plans over {TAKEOVERS} take-overs, in order"):
                told = []

                def is_whole():
                    told[:] = [one for one in receiver.revisions(f"/{name}") if one > first]
                    return len(told) >= len(wanted) or told != wanted[:len(told)]
                until(f"all of {wanted} to be told, not only {told}", is_whole)
                equal(told, wanted, "what was told first, in order")
            with check(f"what came to {name} twice came under one id, and every message is signed"):
                ids = {}
                for headers, body in receiver.messages(f"/{name}", "plan.published"):
                    revision = int(re.search(rb'"revision":(\d+)', body)[1])
                    ids.setdefault(revision, set()).add(verify(secret, {key.lower(): value for key, value in headers.items()}, body))
                equal({revision: len(those) for revision, those in ids.items() if len(those) != 1}, {}, "ids of one message")


if not HAS_ETCD:
    without_etcd("webhooks over take-overs")
else:
    with tempfile.TemporaryDirectory(prefix="parva-webhooks-") as folder:
        main(folder)
finish()
