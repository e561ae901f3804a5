"""What clients of a controller did and saw, and whether one register a workload explains it.

All times are of one monotonic clock. A state is what a workload is: none, or its rate and the revision that its last change has
(none where nobody was told it). No two writes ask for the same rate, so what is seen says who has written it."""

import dataclasses
import json
import math

#: Seconds by which `Parva-Staleness` may be wrong: it is written with milliseconds.
STALENESS_TOLERANCE = 0.001


@dataclasses.dataclass
class Operation:
    """One request. `outcome` is of what is certain:

    ok          done; of reads: answered
    absent      refused, since there is no such workload
    mismatch    refused, since it is not at the revision `match`
    refused     surely not done, for another reason
    unknown     a write that is done, or will be, or never; a read without answer"""

    kind: str  # put, patch, delete, read, list, plan
    replica: str
    start: float
    key: str = ""
    rate: float | None = None  # what a write asks for
    match: int | None = None  # its precondition
    is_consistent: bool = False
    is_whole: bool = True  # whether the process at the replica ran all the time
    run: int = 0  # which start of the replica's process it was
    end: float = math.inf
    outcome: str = "unknown"
    seen: tuple | dict | None = None  # read: state; list: states by key
    revision: int | None = None  # write: what it made; list: what it is of; plan: its own
    demand: int | None = None  # plan: the revision that it covers
    created: bool | None = None
    staleness: float | None = None
    status: int | None = None
    detail: str = ""
    request: str = ""

    @property
    def is_write(self):
        return self.kind in ("put", "patch", "delete")


def after(state, one):
    """The states that an operation can lead to: none of them, where it cannot have happened in this state."""
    if one.kind == "read":
        return [state] if one.seen == state else []
    if one.outcome == "absent":
        return [state] if state is None else []
    if one.outcome == "mismatch":
        return [state] if one.match is not None and (state is None or state[1] != one.match) else []
    if one.match is not None and (state is None or state[1] != one.match):
        return []
    if one.kind == "delete":
        return [None] if state else []
    if one.kind == "patch" and state is None or one.created is not None and one.created != (state is None):
        return []
    if state and None not in (state[1], one.revision) and one.revision <= state[1]:
        return []
    return [(one.rate, one.revision)]


class Undecided(Exception):
    """The search was given up."""


def unexplained(operations, initial=None, most=1_000_000):
    """None where the operations on one workload, each at one moment between its start and its end, explain what was answered;
    else the operations of which none can be the next, at the point that the search got furthest to.

    The search of Wing and Gong, with Lowe's memory of what was tried; writes without answer may happen or not."""
    operations = sorted(
        (one for one in operations if one.outcome != "refused" and (one.is_write or one.outcome == "ok")),
        key=lambda one: one.start)
    # Calls and returns in one list, which is linked so that what is placed is taken out of it, and put back.
    events = [(one.start, 0, number) for number, one in enumerate(operations)]
    events += [(one.end, 1, number) for number, one in enumerate(operations) if one.outcome != "unknown"]
    events.sort()
    end = len(events)
    following, before = list(range(1, end + 1)) + [0], [end] + list(range(end))
    places = {(kind, number): place for place, (_, kind, number) in enumerate(events)}
    left = sum(kind for _, kind, _ in events)

    def unlink(place):
        following[before[place]], before[following[place]] = following[place], before[place]

    def relink(place):
        following[before[place]] = before[following[place]] = place

    tried, placed, state, path, steps, furthest = set(), 0, initial, [], 0, (left, [])
    place = following[end]
    while left:
        steps += 1
        if steps > most:
            raise Undecided(f"no verdict on {len(operations)} operations after {most} steps")
        is_stuck = place == end or events[place][1] == 1
        if is_stuck and left <= furthest[0]:
            furthest = (left, candidates(events, following, operations, following[end], end))
        if is_stuck:
            if not path:
                return furthest[1]
            number, state, placed = path.pop()
            relink(places[0, number])
            if (1, number) in places:
                relink(places[1, number])
                left += 1
            # Taken out in the order of call and return, put back the other way round, each finds its neighbours.
            place = following[places[0, number]]
            continue
        number = events[place][2]
        for state_after in after(state, operations[number]):
            memory = (placed | 1 << number, state_after)
            if memory not in tried:
                tried.add(memory)
                path.append((number, state, placed))
                placed, state = memory
                if (1, number) in places:
                    unlink(places[1, number])
                    left -= 1
                unlink(places[0, number])
                place = following[end]
                break
        else:
            place = following[place]
    return None


def candidates(events, following, operations, place, end):
    """What may come next: all that begins before the first return."""
    found = []
    while place != end and events[place][1] == 0:
        found.append(operations[events[place][2]])
        place = following[place]
    return found


def brief(one):
    return json.dumps({
        field.name: getattr(one, field.name) for field in dataclasses.fields(one)
        if getattr(one, field.name) not in (None, "", field.default) and field.name != "detail"})


class History:
    """All operations of one schedule, and what was wrong with single answers. `initial` are the states at its beginning,
    `plans` the digests of plans by revision, `applies` where the accepted ones are told of."""

    def __init__(self, name="h", initial=None):
        self.name, self.initial = name, initial or {}
        self.operations, self.faults, self.plans, self.applies = [], [], {}, []

    def write(self, path):
        with open(path, "w") as file:
            for one in self.operations:
                # Infinity is no JSON, and no time either.
                fields = {name: None if value == math.inf else value for name, value in vars(one).items()}
                file.write(json.dumps(fields) + "\n")

    def verdicts(self):
        """Everything that is wrong."""
        self.operations.sort(key=lambda one: one.start)
        self.resolve()
        return [
            *self.faults, *self.invented(), *self.registers(), *self.order(), *self.backward(), *self.stale(), *self.torn(),
            *self.unanswered()]

    # What each check is about: a generator of faults.

    def states_seen(self):
        """Who saw what of which workload."""
        for one in self.operations:
            if one.kind == "read" and one.outcome == "ok" and one.seen:
                yield one, one.key, one.seen
            elif one.kind == "list" and one.outcome == "ok":
                for key, state in one.seen.items():
                    yield one, key, state

    def resolve(self):
        """Writes whose answer is missing have the revision under which somebody saw them."""
        known = {}
        for one, key, (rate, revision) in self.states_seen():
            if known.setdefault((key, rate), revision) != revision:
                self.faults.append(f"{key} at rate {rate} has the revisions {known[key, rate]} and {revision}: {brief(one)}")
        for one in self.operations:
            if one.is_write and one.outcome == "unknown":
                one.revision = known.get((one.key, one.rate))

    def invented(self):
        """Nobody sees what nobody has asked for, what was refused, or what is asked for only later."""
        asked = {(one.key, one.rate): one for one in self.operations if one.is_write and one.rate is not None}
        for one, key, (rate, revision) in self.states_seen():
            write = asked.get((key, rate))
            if write is None and self.initial.get(key) != (rate, revision):
                yield f"nobody has written {rate}: {brief(one)}"
            elif write and write.outcome not in ("ok", "unknown"):
                yield f"a refused write is seen: {brief(write)}; {brief(one)}"
            elif write and write.start > one.end:
                yield f"a write is seen before it is asked for: {brief(write)}; {brief(one)}"

    def registers(self):
        """Writes and consistent reads of each workload are those of one register."""
        keys = {}
        for one in self.operations:
            if one.is_write or one.kind == "read" and one.is_consistent:
                keys.setdefault(one.key, []).append(one)
        for key, operations in sorted(keys.items()):
            try:
                stuck = unexplained(operations, self.initial.get(key))
            except Undecided as error:
                yield f"{key}: {error}"
                continue
            if stuck is not None:
                yield f"{key} is no register; none of these can be next: " + "; ".join(map(brief, stuck))

    def order(self):
        """Revisions of acknowledged writes are unique, and those of later writes are higher, whatever they change."""
        writes = [one for one in self.operations if one.is_write and one.outcome == "ok" and one.revision]
        revisions = {}
        for one in writes:
            other = revisions.setdefault(one.revision, one)
            if other is not one:
                yield f"one revision for two writes: {brief(other)}; {brief(one)}"
        yield from self.falling(writes, lambda one: one.revision, "a write has a lower revision than one before it")

    def falling(self, operations, value, what):
        """Operations whose value is lower than that of one which ended before they began."""
        ended, highest, done = sorted(operations, key=lambda one: one.end), None, 0
        for one in sorted(operations, key=lambda one: one.start):
            while done < len(ended) and ended[done].end < one.start:
                if highest is None or value(ended[done]) > value(highest):
                    highest = ended[done]
                done += 1
            if highest is not None and value(one) < value(highest):
                yield f"{what}: {brief(highest)}; {brief(one)}"

    def backward(self):
        """What one run of a replica answers never gets older; consistent answers never do, whoever gives them."""
        groups = {}
        for one in self.operations:
            if one.outcome != "ok" or one.is_write:
                continue
            if one.kind == "list":
                groups.setdefault((one.replica, one.run, "list"), []).append((one, one.revision))
            elif one.kind == "plan" and one.revision is not None:
                groups.setdefault((one.replica, one.run, "plan"), []).append((one, one.revision))
                groups.setdefault((one.replica, one.run, "plan's demand"), []).append((one, one.demand))
            elif one.kind == "read" and one.seen:
                groups.setdefault((one.replica, one.run, one.key), []).append((one, one.seen[1]))
            if one.is_consistent and one.kind == "list":
                groups.setdefault(("all", 0, "list"), []).append((one, one.revision))
        for (replica, run, what), reads in groups.items():
            values = {id(one): value for one, value in reads}
            yield from self.falling(
                [one for one, _ in reads], lambda one: values[id(one)], f"{what} goes backwards at {replica}, run {run}")

    def stale(self):
        """An answer holds all that was acknowledged before it, less the time that it says it is old. Lists tell by their
        revision, single workloads by theirs."""
        writes = sorted(
            (one for one in self.operations if one.is_write and one.outcome == "ok" and one.revision),
            key=lambda one: one.end)
        lists = [one for one in self.operations if one.kind == "list" and one.outcome == "ok"]
        reads = [one for one in self.operations if one.kind == "read" and one.outcome == "ok"]
        for group, of_all in ((lists, True), (reads, False)):
            moments = [
                (one.start - (0 if one.is_consistent else one.staleness) - STALENESS_TOLERANCE, one) for one in group
                if one.is_consistent or one.staleness is not None]
            highest, done = {}, 0
            for moment, one in sorted(moments, key=lambda pair: pair[0]):
                while done < len(writes) and writes[done].end < moment:
                    write, done = writes[done], done + 1
                    for key in ("", write.key):
                        if key not in highest or highest[key].revision < write.revision:
                            highest[key] = write
                newest = highest.get("" if of_all else one.key)
                revision = one.revision if of_all else one.seen[1] if one.seen else math.inf
                if newest and revision < newest.revision:
                    yield f"an answer is older than it says: {brief(newest)}; {brief(one)}"

    def torn(self):
        """A list is of one moment: of each workload it has the newest state up to its revision."""
        known = {}
        for one in self.operations:
            if one.is_write and one.outcome in ("ok", "unknown") and one.revision:
                known.setdefault(one.key, set()).add(one.revision)
        for key, state in self.initial.items():
            if state:
                known.setdefault(key, set()).add(state[1])
        deleted = {one.key: one.start for one in reversed(self.operations)
                   if one.kind == "delete" and one.outcome in ("ok", "unknown")}
        for one in self.operations:
            if one.kind != "list" or one.outcome != "ok":
                continue
            for key, revisions in known.items():
                newest = max((each for each in revisions if each <= one.revision), default=None)
                state = one.seen.get(key)
                if state is None and newest and not deleted.get(key, math.inf) < one.end:
                    yield f"{key} is missing, which has revision {newest}: {brief(one)}"
                elif state and (state[1] > one.revision or newest and state[1] < newest):
                    yield f"{key} is at {state[1]} in a list of revision {one.revision}, and has {newest}: {brief(one)}"

    def unanswered(self):
        """Replicas that run answer reads, whatever else is broken."""
        for one in self.operations:
            if not one.is_write and not one.is_consistent and one.is_whole and one.outcome != "ok":
                yield f"a read failed at a replica that was up: {one.status} {one.detail} {brief(one)}"
