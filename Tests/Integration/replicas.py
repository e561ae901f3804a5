"""Members of etcd and controllers over them as processes of this machine, with wires between them that can be cut."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from controller import PARVA, Response, free_port, skip
from fleet import SECRET, until
from wires import Wires

HAS_ETCD = shutil.which("etcd") is not None and shutil.which("etcdctl") is not None


def slowness():
    """1 on a machine where a process starts as quickly as it should, up to 4 on one that has far too much to do: a lease of a second
    is then over before anybody can renew it."""
    slowest = 0
    for _ in range(8):
        begun = time.monotonic()
        subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
        slowest = max(slowest, time.monotonic() - begun)
    return min(4, max(1, round(slowest / 0.06)))


#: How many times as long as usual everything may take here.
SLOWNESS = slowness()


def without_etcd(name):
    """Skips a test, where it may be skipped."""
    if os.environ.get("PARVA_CI") == "1":
        sys.exit(f"not ok - {name}: etcd-server and etcd-client are not installed")
    skip(name, "no etcd and etcdctl on the PATH (Debian: etcd-server, etcd-client)")


def etcdctl(cluster, *arguments, stdin=None):
    """What `etcdctl` says to the first member, which has to take it."""
    done = subprocess.run(
        ["etcdctl", "--endpoints", f"127.0.0.1:{cluster.members[0].client}", *arguments], env=dict(os.environ, ETCDCTL_API="3"),
        input=stdin, capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


class Party:
    """A process that is killed, stopped and started again, always on the same ports. What it says is appended to a file."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.process, self.is_paused, self.starts = None, False, 0
        #: How often it was killed or stopped, counted before that happens; and the start after which it last answered well.
        self.disturbances, self.well, self.is_ending = 0, 0, False
        self.log = os.path.join(folder, f"{name}.log")

    def command(self):
        raise NotImplementedError

    @property
    def is_up(self):
        return self.process is not None and self.process.poll() is None and not self.is_paused

    def start(self):
        self.starts += 1
        with open(self.log, "ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PARVA_WEBHOOK_SECRET": SECRET})

    def kill(self):
        """SIGKILL; nothing where it does not run."""
        if self.process is None:
            return
        self.disturbances, self.is_ending = self.disturbances + 1, True
        self.process.kill()
        self.process.wait()
        self.process, self.is_paused, self.is_ending = None, False, False

    def pause(self):
        if self.is_up:
            self.disturbances += 1
            self.is_paused = True
            self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        if self.is_paused:
            self.process.send_signal(signal.SIGCONT)
            self.is_paused = False

    def said(self, most=4000):
        with open(self.log, "rb") as log:
            return log.read()[-most:].decode(errors="replace")


def ask(port, method, path, body=None, headers=None, timeout=20.0):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    with contextlib.closing(connection):
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, body, headers or {})
        return Response(connection.getresponse())


def takes(replicas, body):
    """Whether one of them has taken a workload, or had it; with `until`, how long writes are not answered."""
    for one in replicas:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if one.ask("POST", "/v1/workloads", body, timeout=3).status in (201, 409):
                return True
    return False


class Member(Party):
    """One of etcd's. `client` and `peer` are the ports of the wires to it."""

    def __init__(self, name, folder, wires, quick):
        super().__init__(name, folder)
        self.own_client, self.own_peer = free_port(), free_port()
        self.client, self.peer = self.own_client, self.own_peer
        if wires:
            self.client, self.peer = free_port(), free_port()
            wires.listen(name, self.client, self.own_client)
            wires.listen(name, self.peer, self.own_peer)
        self.quick, self.all = quick, []

    def command(self):
        # Half of the usual times: a lease may then be as short as a second, and etcd's own elections do not hide Parva's.
        quick = ["--heartbeat-interval", "50", "--election-timeout", "500"] if self.quick else []
        return [
            "etcd", "--name", self.name, "--data-dir", os.path.join(self.folder, self.name), "--log-level", "warn", *quick,
            "--listen-client-urls", f"http://127.0.0.1:{self.own_client}",
            "--advertise-client-urls", f"http://127.0.0.1:{self.client}",
            "--listen-peer-urls", f"http://127.0.0.1:{self.own_peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{self.peer}",
            "--initial-cluster", ",".join(f"{one.name}=http://127.0.0.1:{one.peer}" for one in self.all)]

    def leads(self):
        """Whether it says that it leads the members."""
        try:
            status = ask(self.own_client, "POST", "/v3/maintenance/status", {}, timeout=1).json()
            return status["leader"] == status["header"]["member_id"]
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False


class Replica(Party):
    """One of the controllers. `port` is where clients reach it, `advertised` where the others do."""

    def __init__(self, name, folder, wires, store, options):
        super().__init__(name, folder)
        self.port = self.advertised = free_port()
        self.store, self.options = store, options
        if wires:
            self.advertised = free_port()
            wires.listen(name, self.advertised, self.port)

    def command(self):
        return [
            PARVA, "serve", "--listen", f"127.0.0.1:{self.port}", "--store", self.store, "--log-level", "info",
            *(["--advertise", f"http://127.0.0.1:{self.advertised}"] if "://" in self.store else []), *self.options]

    def ask(self, method, path, body=None, headers=None, timeout=20.0):
        return ask(self.port, method, path, body, headers, timeout)

    def role(self):
        """`leader` or `follower`; nil where it does not answer."""
        try:
            return self.ask("GET", "/v1/plan?after=0&wait=0", timeout=1).headers["Parva-Role"]
        except (OSError, http.client.HTTPException):
            return None


class Machine(Party):
    """A simulated node, which knows all controllers."""

    def __init__(self, name, folder, wires, replicas):
        super().__init__(name, folder)
        self.port = free_port()
        self.reached = free_port() if wires else self.port
        if wires:
            wires.listen(name, self.reached, self.port)
        self.replicas = replicas

    def command(self):
        controllers = [part for one in self.replicas for part in ("--controller", f"http://127.0.0.1:{one.advertised}")]
        return [
            PARVA, "node", "run", "--simulate", "A100-80GBx1", "--name", self.name, "--zone", self.name,
            "--state-dir", os.path.join(self.folder, self.name), "--listen", f"127.0.0.1:{self.port}",
            "--advertise", f"http://127.0.0.1:{self.reached}", *controllers]

    def state(self):
        return ask(self.port, "GET", "/v1/state", timeout=2).json()


class Cluster:
    """Members, controllers over them, and nodes; or a single controller over SQLite, which has to pass the same tests.

    - lease: seconds; none for the default, with etcd's usual times.
    - is_wired: whether there are wires that can be cut; figures are taken without."""

    def __init__(self, folder, members=3, replicas=3, nodes=0, lease=None, is_wired=True, options=()):
        self.folder, self.lock, self.probes = folder, threading.Lock(), 0
        self.wires = Wires() if is_wired else None
        quick = lease is not None
        self.members = [Member(f"etcd-{n}", folder, self.wires, quick) for n in range(members)]
        for one in self.members:
            one.all = self.members
        store = os.path.join(folder, "parva.sqlite")
        if members:
            store = "etcd://" + ",".join(f"127.0.0.1:{one.client}" for one in self.members) + "/parva"
            options = [*options, *(["--lease", str(lease)] if lease else [])]
        self.replicas = [Replica(f"parva-{n}", folder, self.wires, store, options) for n in range(replicas)]
        self.nodes = [Machine(f"gpu-{n}", folder, self.wires, self.replicas) for n in range(nodes)]
        self.parties = [*self.members, *self.replicas, *self.nodes]

    @property
    def is_replicated(self):
        return bool(self.members)

    def start(self, party):
        with self.lock:
            party.start()
            if self.wires:
                self.wires.know({one.process.pid: one.name for one in self.parties if one.process})

    def start_all(self):
        for one in [*self.members, *self.replicas]:
            self.start(one)
        self.until_writable()
        for one in self.nodes:
            self.start(one)
        until("the nodes to be ready", lambda: self.nodes_ready() == len(self.nodes))

    def mend(self):
        """Everything runs and nothing is cut; then nodes, replicas and members find each other by themselves."""
        if self.wires:
            self.wires.mend()
        for one in self.parties:
            one.resume()
            if one.process is None or one.process.poll() is not None:
                self.start(one)

    def nodes_ready(self):
        try:
            nodes = self.replicas[0].ask("GET", "/v1/nodes").json().get("nodes", [])
        except (OSError, http.client.HTTPException):
            return 0
        return sum(one["status"]["state"] == "ready" for one in nodes)

    def leader(self):
        """The replica that says that it leads; none where none does."""
        if not self.is_replicated:
            return self.replicas[0] if self.replicas[0].is_up else None
        return next((one for one in self.replicas if one.is_up and one.role() == "leader"), None)

    def leading_member(self):
        return next((one for one in self.members if one.is_up and one.leads()), None)

    def until_writable(self, seconds=120):
        """Until a write through every replica is acknowledged; each is of the same workload, `probe`."""
        def writable(one):
            self.probes += 1
            try:
                done = one.ask("PUT", "/v1/workloads/probe", {
                    "id": "probe", "model": "resnet50", "rate": self.probes, "slo": {"latencyMs": 200}}, timeout=3)
                return done.status in (200, 201)
            except (OSError, http.client.HTTPException):
                return False
        for one in self.replicas:
            try:
                until(f"{one.name} to take writes", lambda: writable(one), seconds)
            except AssertionError as error:
                raise AssertionError(f"{error}: {one.said(1500)}") from error

    def close(self):
        for one in [*self.nodes, *self.replicas, *self.members]:
            one.kill()
        if self.wires:
            self.wires.close()


@contextlib.contextmanager
def cluster(folder, **options):
    """A cluster that runs, and is gone afterwards; its files stay in `folder`."""
    one = Cluster(folder, **options)
    try:
        one.start_all()
        yield one
    finally:
        one.close()
