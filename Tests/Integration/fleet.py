"""What the tests of the fleet share: simulated nodes as processes of their own, and waiting for what they report."""

import os
import signal
import threading
import time

from controller import Program

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CREATE = "nvmlDeviceCreateGpuInstanceWithPlacement"
DESTROY = "nvmlGpuInstanceDestroy"


class Node(Program):
    """`parva node run --simulate`; its folder outlives it, as a machine outlives an agent."""

    listens = r"listening on 127\.0\.0\.1:(\d+)"

    def __init__(self, name, folder, controller, machine="dgx-a100", *arguments, zone="rack-1"):
        self.name = name
        self.folder = os.path.join(folder, name)
        super().__init__(
            "node", "run", "--simulate", machine, "--name", name, "--state-dir", self.folder, "--listen", "127.0.0.1:0",
            "--zone", zone, "--controller", controller, *arguments, PARVA_WEBHOOK_SECRET=SECRET)

    def freeze(self):
        """The agent stands still, as a machine does that hangs, or that nothing reaches."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def faults(self, *lines):
        """What the stand-in driver is to do wrong from now on; nothing mends it."""
        path = os.path.join(self.folder, "simulated", "faults")
        if lines:
            with open(path + ".new", "w") as file:
                file.write("".join(f"{line}\n" for line in lines))
            os.rename(path + ".new", path)
        elif os.path.exists(path):
            os.remove(path)


def until(what, attempt, seconds=60):
    """The first true value of `attempt`. What is waited for has no event of its own to wait on."""
    end = time.monotonic() + seconds
    while True:
        value = attempt()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        threading.Event().wait(0.02)


def ready(api, count):
    """Returns once `count` nodes are ready."""
    def states():
        nodes = api.get("/v1/nodes").json()["nodes"]
        return nodes if [one["status"]["state"] for one in nodes] == ["ready"] * count else None
    return until(f"{count} nodes to be ready", states)


def ended(api, location):
    """The operation when it is over."""
    return until(
        "the operation to end",
        lambda: (lambda one: one if one["status"] != "running" else None)(api.get(f"{location}?wait=30").json()), 120)


def planned(api):
    """Plan revision, and for each node the places of the plan: UUID, profile id, start."""
    response = api.get("/v1/plan?wait=60")
    places = {}
    for gpu in response.json()["gpus"]:
        for segment in gpu["segments"]:
            places.setdefault(gpu["node"], set()).add((gpu["uuid"], segment["profileId"], segment["start"]))
    return int(response.headers["Parva-Plan-Revision"]), places


def standing(node):
    """Places of the instances that a node reports, with the MIG UUID of each."""
    return {
        (gpu["uuid"], one["profileId"], one["start"]): one.get("uuid")
        for gpu in node["status"]["gpus"] for one in gpu["instances"]}


def verified(api):
    """The nodes once all of them have verified what the current plan wants of them, with exactly its instances."""
    revision, places = planned(api)

    def nodes():
        nodes = api.get("/v1/nodes").json()["nodes"]
        # The instances are the node's own word, which follows the end of its operation.
        return nodes if all(
            one["status"].get("matchesPlan") and set(standing(one)) == places.get(one["name"], set())
            for one in nodes) else None
    nodes = until(f"every node to have verified revision {revision}", nodes)
    return nodes
