"""What clients of a controller did and saw, and whether one register a workload explains it.

All times are of one monotonic clock. A state is what a workload is: none, or its rate and the revision that its last change has
(none where nobody was told it). No two writes ask for the same rate, so what is seen says who has written it."""

import dataclasses
import json
import math

from reach import Reach
from replicas import SLOWNESS

#: Seconds in which who could not answer answers again once nothing stands in the way: connections, an election of etcd's members
#: and one of a leader.
RECOVERY = 1.5 * SLOWNESS
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
    told: float = math.inf  # when a read was answered that failed
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


#: By how much the revision of a write that nobody was told is taken to be above the one before: it is no revision, yet above it.
UNTOLD = 2.0 ** -20


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
    before = state[1] if state else 0
    if one.revision is None:
        return [(one.rate, before + UNTOLD)]
    return [(one.rate, one.revision)] if one.revision > before else []


class Undecided(Exception):
    """The search was given up."""


class Search:
    """What of the operations on one workload is placed, in an order that explains what was answered; the search of Wing and Gong, with
    Lowe's memory of what was tried.

    Writes without answer that nobody saw may have happened at any time or never. One of them is placed only right before an
    operation that cannot be explained without: anywhere else it could be left out, or be moved to there. One is enough, and of
    several of one kind any will do: each of them makes the workload one that nobody has seen, or takes it away."""

    def __init__(self, operations, initial):
        operations = [one for one in operations if one.outcome != "refused" and (one.is_write or one.outcome == "ok")]
        self.operations = sorted(operations, key=lambda one: one.start)
        self.state, self.placed, self.left, self.path = initial, 0, 0, []
        self.unseen = [number for number, one in enumerate(self.operations) if one.end == math.inf]
        # Calls and returns in one list, which is linked so that what is placed is taken out of it, and put back.
        sure = [(number, one) for number, one in enumerate(self.operations) if one.end < math.inf]
        self.events = sorted([(one.start, 0, number) for number, one in sure] + [(one.end, 1, number) for number, one in sure])
        self.left, self.head = len(sure), len(self.events)
        self.following = [*range(1, self.head + 1), 0]
        self.before = [self.head, *range(self.head)]
        self.places = {(kind, number): place for place, (_, kind, number) in enumerate(self.events)}

    def candidates(self):
        """What may come next: all that begins before anything else has ended, and when that is."""
        found, place = [], self.following[self.head]
        while self.events[place][1] == 0:
            found.append(self.events[place][2])
            place = self.following[place]
        return found, self.events[place][0]

    def choices(self):
        """Each candidate that the state explains, and what is between them: none, or a write that nobody saw."""
        found, (candidates, moment) = [], self.candidates()
        for number in candidates:
            states = after(self.state, self.operations[number])
            found += [(number, None, state) for state in states]
            if not states:
                kinds = {}
                for unseen in self.unseen:
                    one = self.operations[unseen]
                    if one.start <= moment and not self.placed >> unseen & 1:
                        kinds.setdefault((one.kind, one.match), unseen)
                for unseen in kinds.values():
                    for between in after(self.state, self.operations[unseen]):
                        found += [(number, unseen, state) for state in after(between, self.operations[number])]
        return found

    def place(self, number, unseen, state, choices):
        self.path.append((number, self.placed, self.state, choices))
        self.placed, self.state, self.left = self.mark(number, unseen), state, self.left - 1
        for place in (self.places[0, number], self.places[1, number]):
            self.following[self.before[place]], self.before[self.following[place]] = self.following[place], self.before[place]

    def take_back(self):
        """The choices that were left then."""
        number, self.placed, self.state, choices = self.path.pop()
        self.left += 1
        # The other way round than they were taken out, so that each finds its neighbours.
        for place in (self.places[1, number], self.places[0, number]):
            self.following[self.before[place]] = self.before[self.following[place]] = place
        return choices

    def mark(self, number, unseen):
        return self.placed | 1 << number | (0 if unseen is None else 1 << unseen)


def unexplained(operations, initial=None, most=300_000):
    """None where the operations on one workload, each at one moment between its start and its end, explain what was answered;
    else the operations of which none can be the next, at the point that the search got furthest to."""
    search, tried = Search(operations, initial), set()
    if not search.left:
        return None
    furthest, stuck, choices = search.left + 1, [], iter(search.choices())
    while True:
        if search.left < furthest:
            furthest, stuck = search.left, search.candidates()[0]
        for number, unseen, state in choices:
            memory = (search.mark(number, unseen), state)
            if memory not in tried:
                tried.add(memory)
                search.place(number, unseen, state, choices)
                break
        else:
            if not search.path:
                return [search.operations[number] for number in stuck]
            choices = search.take_back()
            continue
        if not search.left:
            return None
        if len(tried) > most:
            raise Undecided(f"no verdict on {len(search.operations)} operations after {most} steps")
        choices = iter(search.choices())


def brief(one):
    return json.dumps({
        field.name: getattr(one, field.name) for field in dataclasses.fields(one)
        if getattr(one, field.name) not in (None, "", field.default) and field.name != "detail"})


class History:
    """All operations of one schedule, and what was wrong with single answers. `initial` are the states at its beginning,
    `plans` the digests of plans by revision and demand, `applies` where the accepted ones are told of; `reach` who could speak to
    whom."""

    def __init__(self, name="h", initial=None):
        self.name, self.initial = name, initial or {}
        self.operations, self.faults, self.plans, self.applies, self.reach = [], [], {}, [], Reach((), ())

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
        """Writes whose answer is missing have the revision under which somebody saw them, and were done before that ended."""
        known, ends = {}, {}
        for one, key, (rate, revision) in self.states_seen():
            if known.setdefault((key, rate), revision) != revision:
                self.faults.append(f"{key} at rate {rate} has the revisions {known[key, rate]} and {revision}: {brief(one)}")
            ends[key, rate] = min(one.end, ends.get((key, rate), math.inf))
        for one in self.operations:
            if one.is_write and one.outcome == "unknown" and (one.key, one.rate) in known:
                one.revision, one.end = known[one.key, one.rate], ends[one.key, one.rate]

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
        """Replicas that run answer reads, whatever else is broken. One that has shown something newer than it has says so where
        nobody could give it that for long enough: it never goes back."""
        for one in self.operations:
            if one.is_write or one.is_consistent or not one.is_whole or one.outcome == "ok":
                continue
            if not one.detail.startswith("copy_too_old") or self.reach.longest(one.replica, one.start, one.told) >= RECOVERY:
                yield f"a read failed at a replica that was up: {one.status} {one.detail} {brief(one)}"
