"""Schedules of faults over members, controllers and the wires between them, drawn from a seed."""

import contextlib
import dataclasses
import http.client
import time

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
        #: Whether a replica was killed, stopped or cut off from another: what one has shown, no other may be able to give it.
        self.is_apart = False

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
                one.kill()
            self.is_apart |= fault.kind == "kill everything"
            return "", lambda: self.start(met)
        if fault.kind == "compact":
            self.compact()
            return "", lambda: None
        party = self.party(fault.whom)
        self.is_apart |= fault.kind in ("kill", "pause") and party in self.cluster.replicas
        if fault.kind == "kill":
            party.kill()
            return party.name, lambda: self.start([party])
        if fault.kind == "pause":
            party.pause()
            return party.name, party.resume
        wires = self.wires(fault, party)
        how = {"stalled": True} if fault.kind == "stall" else self.ways(fault.how)
        replicas = {one.name for one in self.cluster.replicas}
        self.is_apart |= any({source, target} <= replicas for source, target, _ in wires)
        for source, target, is_turned in wires:
            turned = {{"forth": "back", "back": "forth"}.get(way, way): value for way, value in how.items()}
            self.cluster.wires.set(source, target, **(turned if is_turned else how))
        whole = {"refused": False, "stalled": False, "forth": 0.0, "back": 0.0}

        def mend():
            for source, target, _ in wires:
                self.cluster.wires.set(source, target, **whole)
        return party.name, mend

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
