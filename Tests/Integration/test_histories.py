"""The judge of histories is judged: against trying every order, with histories that are right by how they were made, and with
each kind of fault put into one."""

import copy
import itertools
import random

from controller import SEED, check, equal, finish
from histories import RECOVERY, History, Operation, after, unexplained
from reach import Reach


def played(dice, clients, count, keys=("w",), unknown=0.1):
    """What clients of a faultless register would tell: every operation takes effect at a moment between its start and its end,
    and of some writes the answer is lost, whether they had an effect or not."""
    states, revision, free, wanted, rate, told = {}, 0, [0.0] * clients, [], 0.0, {0}
    for _ in range(count):
        client = dice.randrange(clients)
        start = free[client] + dice.expovariate(1)
        moment = start + dice.expovariate(1)
        free[client] = moment + dice.expovariate(1)
        wanted.append((moment, start, free[client]))
    history = History()
    for moment, start, end in sorted(wanted):
        rate += 1
        key = dice.choice(keys)
        state = states.get(key)
        one = Operation(dice.choice(["put", "patch", "read", "read", "delete", "list"]), "parva-0", start, key, end=end, outcome="ok")
        one.is_consistent = True
        if one.kind in ("put", "patch"):
            one.rate = rate
        if one.is_write and dice.random() < 0.5:
            # Nobody can know a revision that nobody was told.
            one.match = state[1] if state and state[1] in told and dice.random() < 0.7 else dice.choice(sorted(told))
        if one.kind == "read":
            one.seen = state
        elif one.kind == "list":
            one.seen, one.revision, one.key = {key: state for key, state in states.items() if state}, revision, ""
        elif one.match is not None and (state is None or state[1] != one.match):
            one.outcome = "mismatch"
        elif state is None and one.kind != "put":
            one.outcome = "absent"
        elif dice.random() < unknown / 2:
            one.outcome = "refused"
        else:
            has_effect = True
            if dice.random() < unknown:
                # Until the end of time it may come; that it does not is the end of time.
                one.outcome, one.end, has_effect = "unknown", float("inf"), dice.random() < 0.5
            if has_effect:
                revision += 1
                states[key] = None if one.kind == "delete" else (rate, revision)
                if one.outcome == "ok" and one.kind != "delete":
                    one.revision, one.created = revision, state is None
        told.update(each[1] for each in ([one.seen] if one.kind == "read" else (one.seen or {}).values()) if each)
        told.update([one.revision] if one.revision else [])
        history.operations.append(one)
    return history


def in_some_order(operations):
    """The definition: some order of them, without some that have no answer, keeps to time and explains all of it."""
    known = [one for one in operations if one.outcome not in ("unknown", "refused")]
    open_ends = [one for one in operations if one.outcome == "unknown"]
    for size in range(len(open_ends) + 1):
        for chosen in itertools.combinations(open_ends, size):
            for order in itertools.permutations([*known, *chosen]):
                if any(late.end < early.start for early, late in itertools.combinations(order, 2)):
                    continue
                state = None
                for one in order:
                    states = after(state, one)
                    if not states:
                        break
                    state = states[0]
                else:
                    return True
    return False


def spoilt(dice, history):
    """One thing is other than it was; that may be a fault or not."""
    one = dice.choice(history.operations)
    what = dice.choice(["seen", "seen", "outcome", "time", "match"])
    if what == "seen" and one.kind == "read":
        writes = [each for each in history.operations if each.rate is not None]
        write = dice.choice(writes) if writes else None
        one.seen = (write.rate, write.revision or 9) if write and dice.random() < 0.8 else None
    elif what == "outcome" and one.is_write:
        one.outcome, one.end = dice.choice(["ok", "absent", "mismatch", "refused"]), min(one.end, one.start + 3)
    elif what == "time" and one.outcome != "unknown":
        shift = dice.uniform(-8, 8)
        one.start, one.end = one.start + shift, one.end + shift
    elif what == "match" and one.is_write:
        one.match = dice.choice([None, dice.randint(0, 6)])
    return history


def same_as_trying_everything(dice):
    verdicts = {True: 0, False: 0}
    for _ in range(3000):
        history = played(dice, 3, dice.randint(1, 6), unknown=0.3)
        history.operations = [one for one in history.operations if one.kind != "list"]
        if history.operations and dice.random() < 0.8:
            spoilt(dice, history)
        before = copy.deepcopy(history.operations)
        history.resolve()
        for one, resolved in zip(before, history.operations):
            one.revision = resolved.revision
        wanted = in_some_order(before)
        verdicts[wanted] += 1
        if (unexplained(history.operations) is None) != wanted:
            raise AssertionError(f"judged {not wanted}: {history.operations}")
    if min(verdicts.values()) < 300:
        raise AssertionError(f"too few of one kind: {verdicts}")


def faultless(dice):
    for unknown in (0.05, 0.5):
        for _ in range(15):
            equal(played(dice, 12, 600, ("a", "b", "c"), unknown).verdicts(), [], f"verdicts, {unknown} without an answer")


def fault(kind, history, dice):
    """Puts a fault of a kind into a history that has none; whether there was a place for it."""
    operations = sorted(history.operations, key=lambda one: one.start)
    writes = [one for one in operations if one.kind in ("put", "patch") and one.outcome == "ok"]
    write = dice.choice(writes[len(writes) // 4:])
    latest = max(one.end for one in operations if one.outcome != "unknown")
    if kind == "a lost write":
        # Nothing else happens to the workload, and it is read as it was before.
        history.operations = [one for one in operations if one.key != write.key or one.start < write.start or one is write]
        history.operations = [one for one in history.operations if one is write or one.key != write.key or one.end < write.start]
        history.operations = [one for one in history.operations if one.outcome != "unknown" and one.kind != "list"]
        history.operations.append(Operation(
            "read", "parva-1", latest + 1, write.key, end=latest + 2, outcome="ok", is_consistent=True, seen=None))
    elif kind == "two winners":
        twin = copy.copy(write)
        twin.rate, twin.revision, twin.created = 1e6, write.revision + 0.5, False
        base = next((one for one in writes if one.key == write.key and one.end < write.start), None)
        if base is None:
            return False
        write.match = twin.match = base.revision
        write.created = False
        history.operations.append(twin)
    elif kind == "an older answer":
        history.operations.append(Operation(
            "list", "parva-1", write.end + 0.1, end=write.end + 0.2, outcome="ok", seen={}, revision=write.revision - 1,
            staleness=0.05))
    elif kind == "an answer that goes back":
        for shift, revision in ((1, 50), (2, 49)):
            history.operations.append(Operation(
                "list", "parva-1", latest + shift, end=latest + shift + 0.5, outcome="ok", seen={}, revision=revision, run=1))
    elif kind == "an invented state":
        history.operations.append(Operation(
            "read", "parva-1", latest + 1, write.key, end=latest + 2, outcome="ok", seen=(-1.0, 1)))
    elif kind == "a state of the future":
        history.operations.append(Operation(
            "read", "parva-1", write.start - 2, write.key, end=write.start - 1, outcome="ok", seen=(write.rate, write.revision)))
    elif kind == "a refused write that is seen":
        write.outcome = "refused"
        history.operations.append(Operation(
            "read", "parva-1", latest + 1, write.key, end=latest + 2, outcome="ok", seen=(write.rate, write.revision)))
    elif kind == "one revision twice":
        other = dice.choice([one for one in writes if one is not write])
        other.revision = write.revision
    elif kind == "a torn list":
        before = [one for one in writes if one.key == write.key and one.end < write.start]
        if not before:
            return False
        history.operations.append(Operation(
            "list", "parva-1", latest + 1, end=latest + 2, outcome="ok", revision=write.revision,
            seen={write.key: (before[-1].rate, before[-1].revision)}))
    elif kind == "two states of one revision":
        for rate in (write.rate, write.rate):
            history.operations.append(Operation(
                "read", "parva-1", latest + 1, write.key, end=latest + 2, outcome="ok",
                seen=(rate, write.revision + len(history.operations))))
    elif kind == "a read that fails":
        history.operations.append(Operation("read", "parva-1", latest + 1, write.key, end=latest + 2, status=503))
    elif kind == "a replica that cannot read what it has shown, though others are there":
        history.operations.append(behind(write, latest))
    return True


def behind(write, latest):
    return Operation("read", "parva-1", latest + 1, write.key, told=latest + 1 + 2 * RECOVERY, status=503, detail="copy_too_old b''")


MEMBERS, REPLICAS = ["etcd-0", "etcd-1", "etcd-2"], ["parva-0", "parva-1", "parva-2"]


def excused(*changes):
    """Whether a read that parva-1 did not answer is no fault, where these were not so from some moment of it to another: parts of it."""
    history, one = History(), behind(Operation("put", "parva-1", 0.0, "w"), 0.0)
    history.reach = Reach(MEMBERS, REPLICAS)
    for what, first, last in changes:
        for is_so, part in ((False, first), (True, last)):
            history.reach.note(what, is_so, one.start + part * (one.told - one.start))
    history.operations.append(one)
    return not history.verdicts()


def reach_in_steps(dice):
    """Looks at many moments what `longest` finds by those at which something changes."""
    names = MEMBERS + REPLICAS
    there = Reach(MEMBERS, REPLICAS)
    for _ in range(dice.randrange(1, 30)):
        pair = dice.sample(names, 2)
        there.note(dice.choice([pair[0], tuple(pair), tuple(pair)]), dice.random() < 0.4, float(dice.randrange(20)))
    begin = dice.randrange(10)
    end = begin + dice.randrange(1, 10)
    longest = stretch = 0
    for step in range(begin, end):
        stretch = stretch + 1 if there.could_answer("parva-1", step + 0.5) else 0
        longest = max(longest, stretch)
    equal(there.longest("parva-1", begin, end), longest, f"the longest stretch from {begin} to {end} of {there.changes}")
    return 0 < longest < end - begin


KINDS = [
    "a lost write", "two winners", "an older answer", "an answer that goes back", "an invented state", "a state of the future",
    "a refused write that is seen", "one revision twice", "a torn list", "two states of one revision", "a read that fails",
    "a replica that cannot read what it has shown, though others are there"]


dice = random.Random(SEED)
with check(f"the verdict on small histories, right and wrong ones, is that of trying every order (seed {SEED})"):
    same_as_trying_everything(dice)
with check("histories of twelve clients of faultless registers have no fault"):
    faultless(dice)
for kind in KINDS:
    with check(f"{kind} is found"):
        tried = 0
        for _ in range(200):
            history = played(dice, 6, 60, keys=("a", "b"), unknown=0.05)
            if len([one for one in history.operations if one.kind in ("put", "patch") and one.outcome == "ok"]) < 8:
                continue
            if fault(kind, history, dice):
                tried += 1
                if not history.verdicts():
                    raise AssertionError(f"no fault is seen in {history.operations}")
            if tried == 20:
                break
        equal(tried, 20, "histories with this fault")
with check("a replica may say that it cannot read what it has shown only where nobody could give it that"):
    cut_off = [(("parva-1", one), 0, 1) for one in MEMBERS]
    alone = [("parva-0", 0, 1), (("parva-1", "parva-2"), 0, 1)]
    equal(excused(*cut_off, *alone), True, "without anybody to ask")
    equal(excused(*cut_off, alone[0]), False, "with another replica")
    equal(excused(*cut_off[:2], *alone), False, "with a member of etcd")
    equal(excused(*alone), False, "with etcd")
    equal(excused(("etcd-0", 0, 1), ("etcd-1", 0, 1)), True, "where too few members run")
    equal(excused(("etcd-0", 0, 1)), False, "where enough members run")
    equal(excused(*cut_off, alone[0], *((("parva-2", one), 0, 1) for one in MEMBERS)), True, "with a replica that is cut off as well")
    equal(excused(*cut_off, alone[0], (("parva-1", "parva-2"), 0, 0.4)), False, "with another one for long enough")
    equal(excused(*cut_off, alone[0], (("parva-1", "parva-2"), 0, 0.6)), True, "with another one for a moment")
    equal(excused(("etcd-0", 0, 1), (("etcd-1", "etcd-2"), 0, 1)), True, "where members do not reach each other")
with check("how long somebody could have answered is found by the moments at which something changes"):
    equal(sum(reach_in_steps(dice) for _ in range(2000)) > 200, True, "cases in which it is a part of the time")
finish()
