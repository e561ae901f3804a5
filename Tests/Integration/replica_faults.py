"""Schedules of faults over members, controllers and the wires between them, drawn from a seed."""

import contextlib
import dataclasses
import http.client
import time

from reach import Reach
from replicas import ask
from wires import HOLD

#: Seconds in which faults begin, and at most how long one lasts.
BEGIN, LONGEST = 2.5, 2.5


@dataclasses.dataclass
class Fault:
    """What breaks when, and for how long. `whom` says who is meant at that moment: `leader`, `etcd leader`, or a name."""

    at: float
    seconds: float
    kind: str
    whom: str
    #: Of wires: `both`, `forth` or `back`; `refused`; or how many seconds late.
    how: str | float = "both"

    def __str__(self):
        how = "" if self.kind in ("kill", "pause", "stall", "compact", "kill all members", "kill everything") else f" ({self.how})"
        return f"{self.at:.2f} s: {self.kind} {self.whom}{how} for {self.seconds:.2f} s"


def schedule(dice, cluster):
    """One to four faults, of which several may be there at once; kills, standstills and compactions alone where there are no wires."""
    members, replicas = [one.name for one in cluster.members], [one.name for one in cluster.replicas]
    faults = []
    for _ in range(dice.choice([1, 2, 2, 3, 3, 4])):
        at, seconds = dice.uniform(0.2, BEGIN), dice.uniform(0.2, LONGEST)
        if not members:
            faults.append(Fault(at, seconds / 3, dice.choice(["kill", "kill", "pause"]), "leader"))
            continue
        kinds = ["kill", "kill", "pause", "pause", "slow", "from members"]
        if dice.random() < 0.4:
            whom, kinds = dice.choice([*members, "etcd leader", "etcd leader"]), [*kinds, "from all"]
        else:
            whom, kinds = dice.choice([*replicas, *["leader"] * 3]), [*kinds, "from members", "from one member", "from replicas"]
        kind = dice.choice(kinds if cluster.wires else [one for one in kinds if one in ("kill", "pause")])
        how = dice.choice(["both", "both", "forth", "back", "refused"])
        if kind == "slow":
            how = dice.choice([0.01, 0.05, 0.2])
        if dice.random() < 0.15:
            # What replicas listen to stands still without breaking, or what they would hear of is forgotten.
            stalls = [("stall", dice.choice([*replicas, "leader"])), ("stall", "leader")] if cluster.wires else []
            kind, whom = dice.choice([*stalls, ("compact", "")])
        if dice.random() < 0.08:
            kind, whom = dice.choice(["kill all members", "kill everything"]), ""
        faults.append(Fault(at, seconds, kind, whom, how))
    return sorted(faults, key=lambda one: one.at)


class Play:
    """A schedule as it is carried out: `run` ends when everything is as before, and `done` says whom it has met."""

    def __init__(self, cluster, faults, dice):
        self.cluster, self.faults, self.dice, self.done = cluster, faults, dice, []
        self.reach = Reach([one.name for one in cluster.members], [one.name for one in cluster.replicas])
        self.runs = {one.name: one.starts for one in cluster.replicas}

    def run(self):
        begin = time.monotonic()
        events = [(one.at, number, one, True) for number, one in enumerate(self.faults)]
        events += [(one.at + one.seconds, number, one, False) for number, one in enumerate(self.faults)]
        undo = {}
        for at, number, fault, is_begin in sorted(events, key=lambda event: event[:2]):
            time.sleep(max(0.0, begin + at - time.monotonic()))
            if is_begin:
                undo[number] = self.begin(fault)
                self.done.append(f"{fault}: {undo[number][0]}")
            else:
                undo[number][1]()

    def party(self, whom):
        """Who is meant; the leader of the moment where there is one, else anybody of its kind."""
        if whom == "leader":
            return self.cluster.leader() or self.dice.choice(self.cluster.replicas)
        if whom == "etcd leader":
            return self.cluster.leading_member() or self.dice.choice(self.cluster.members)
        return next(one for one in self.cluster.parties if one.name == whom)

    def begin(self, fault):
        """Breaks it; who was met, and what mends it."""
        if fault.kind.startswith("kill "):
            met = self.cluster.members + (self.cluster.replicas if fault.kind == "kill everything" else [])
            for one in met:
                self.end(one, one.kill)
            return "", lambda: self.start(met)
        if fault.kind == "compact":
            self.compact()
            return "", lambda: None
        party = self.party(fault.whom)
        if fault.kind == "kill":
            self.end(party, party.kill)
            return party.name, lambda: self.start([party])
        if fault.kind == "pause":
            self.end(party, party.pause)
            return party.name, lambda: self.resume(party)
        wires = self.wires(fault, party)
        how = {"stalled": True} if fault.kind == "stall" else self.ways(fault.how)
        for source, target, is_turned in wires:
            if fault.kind != "slow":
                self.reach.note((source, target), False)
            turned = {{"forth": "back", "back": "forth"}.get(way, way): value for way, value in how.items()}
            self.cluster.wires.set(source, target, **(turned if is_turned else how))
        whole = {"refused": False, "stalled": False, "forth": 0.0, "back": 0.0}

        def mend():
            for source, target, _ in wires:
                self.cluster.wires.set(source, target, **whole)
                self.reach.note((source, target), True)
        return party.name, mend

    def end(self, party, how):
        """Kills or stops it."""
        self.reach.note(party.name, False)
        how()

    def resume(self, party):
        party.resume()
        self.note(party)

    def note(self, party):
        """That it runs, where it does; a replica that was started has its copy once it answers."""
        if party.is_up and (party.name not in self.runs or party.starts in (self.runs[party.name], party.well)):
            self.reach.note(party.name, True)

    def compact(self):
        """etcd forgets all but what is there now."""
        for one in self.cluster.members:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                there = ask(one.own_client, "POST", "/v3/maintenance/status", {}, timeout=1).json()
                ask(one.own_client, "POST", "/v3/kv/compaction", {"revision": there["header"]["revision"]}, timeout=1)
                return

    def start(self, parties):
        for one in parties:
            if one.process is None:
                self.cluster.start(one)
                self.note(one)

    def mend(self):
        """Everything runs and nothing is cut any more."""
        self.cluster.mend()
        for wire in [what for what in self.reach.changes if isinstance(what, tuple)]:
            self.reach.note(wire, True)
        for one in [*self.cluster.members, *self.cluster.replicas]:
            self.note(one)

    def reached(self, operations):
        """Who could speak to whom, by the first answers of replicas that were started, too."""
        first = {}
        for one in operations:
            if one.outcome == "ok" and one.run > self.runs[one.replica]:
                first[one.replica, one.run] = min(one.end, first.get((one.replica, one.run), one.end))
        for (name, _), moment in first.items():
            self.reach.note(name, True, moment)
        return self.reach

    @staticmethod
    def ways(how):
        if how == "refused":
            return {"refused": True}
        late = how if isinstance(how, float) else HOLD
        return {way: late for way in ("forth", "back") if how in ("both", way) or isinstance(how, float)}

    def wires(self, fault, party):
        """The wires between a party and those it is cut from, in both directions: from whom, to whom, and whether `forth`
        leads to the party."""
        members = [one.name for one in self.cluster.members if one is not party]
        replicas = [one.name for one in self.cluster.replicas if one is not party]
        others = {
            "slow": members + replicas, "from all": members + replicas, "from members": members, "from replicas": replicas, "stall": members,
            "from one member": members and [self.dice.choice(members)]}[fault.kind]
        return [wire for one in others for wire in ((party.name, one, False), (one, party.name, True))]
