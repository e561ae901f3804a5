"""Who ran and who could speak to whom while a schedule of faults was played."""

import bisect
import time


class Reach:
    """What was so when, of members of etcd and replicas by their names. Everything runs and reaches everybody until something else
    is noted. A wire leads from who opens connections to who is asked, and is whole or not: what is late is not cut."""

    def __init__(self, members, replicas):
        self.members, self.replicas = list(members), list(replicas)
        #: By name, or by the two ends of a wire: times, and what was so from each on.
        self.changes = {}

    def note(self, what, is_so, moment=None):
        """From `moment` on, or from now: of a name whether it runs, of a pair of names whether the wire is whole."""
        times, values = self.changes.setdefault(what, ([], []))
        moment = time.monotonic() if moment is None else moment
        place = bisect.bisect_right(times, moment)
        times.insert(place, moment)
        values.insert(place, is_so)

    def was(self, what, moment):
        times, values = self.changes.get(what, ((), ()))
        place = bisect.bisect_right(times, moment)
        return place == 0 or values[place - 1]

    def reaches(self, source, target, moment):
        return self.was(target, moment) and self.was((source, target), moment)

    def knows(self, replica, moment):
        """Whether it reaches a member that reaches most of all members, so that it hears of everything; where there are none it has all."""
        def decides(member):
            return 2 * sum(one == member or self.was(one, moment) and self.was((member, one), moment) and self.was((one, member), moment)
                           for one in self.members) > len(self.members)
        return not self.members or any(self.reaches(replica, one, moment) and decides(one) for one in self.members)

    def could_answer(self, replica, moment):
        """Whether the replica, or another one that it reaches, hears of everything."""
        return self.knows(replica, moment) or any(
            self.reaches(replica, one, moment) and self.knows(one, moment) for one in self.replicas if one != replica)

    def longest(self, replica, begin, end):
        """Seconds of the longest stretch between two moments in which somebody could answer what the replica is asked."""
        moments = sorted({begin, end, *(moment for times, _ in self.changes.values() for moment in times if begin < moment < end)})
        longest = stretch = 0.0
        for first, second in zip(moments, moments[1:]):
            stretch = stretch + second - first if self.could_answer(replica, first) else 0.0
            longest = max(longest, stretch)
        return longest
