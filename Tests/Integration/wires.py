"""Wires between processes of this machine that can be cut, without any privilege: a TCP proxy before every port, which knows by
its process who has opened a connection. Runs as a process of its own, so that it takes no time from the clients of a test.

A wire leads from one party to another and carries bytes there (`forth`) and back (`back`), each way in one of these modes:

    pass            bytes go through
    hold            bytes wait until the way is mended, as TCP sends again what a network has lost
    slow SECONDS    each piece of at most 64 KiB is that late

and a wire as a whole can be `refused`: what is open breaks, what is opened ends at once; or `stalled`: what is open comes to a
standstill and stays open, what is opened passes."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys

PASS, HOLD = 0.0, None
NETLINK_SOCK_DIAG = 4


def inode_of(port, peer):
    """Inode of the socket of this machine that leads from 127.0.0.1:port to 127.0.0.1:peer, as the kernel knows it (sock_diag(7)): a
    table of all sockets takes too long to read where there are thousands. None where there is none."""
    here = socket.inet_aton("127.0.0.1") + bytes(12)
    ident = struct.pack("!HH", port, peer) + here + here + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
    # Family, protocol, no extensions, any state.
    body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + ident
    by_family, request, error = 20, 1, 2
    message = struct.pack("=IHHII", 16 + len(body), by_family, request, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        kernel.send(message)
        answer = kernel.recv(8192)
    if struct.unpack_from("=H", answer, 4)[0] == error:
        return None
    # Behind the message's head: 4 bytes, the ident's 48, expiry, two queues and the owner.
    return struct.unpack_from("=I", answer, 16 + 4 + 48 + 16)[0]


def opener(port, peer, processes):
    """Who of `processes` (names by process id) has the socket that leads from 127.0.0.1:port to 127.0.0.1:peer; None where none has."""
    if inode := inode_of(port, peer):
        for process, name in processes.items():
            with contextlib.suppress(OSError):
                folder = f"/proc/{process}/fd"
                for one in os.listdir(folder):
                    with contextlib.suppress(OSError):
                        if os.readlink(f"{folder}/{one}") == f"socket:[{inode}]":
                            return name
    return None


def are_possible():
    """Whether this machine tells whose a connection is; some containers do not."""
    with contextlib.suppress(OSError, struct.error), socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as one:
            return opener(one.getsockname()[1], server.getsockname()[1], {os.getpid(): "me"}) == "me"
    return False


class Wire:
    """How bytes go from one party to another, and the connections over it."""

    def __init__(self):
        self.ways = {"forth": PASS, "back": PASS}
        self.refused = False
        self.changed = asyncio.Event()
        self.writers = set()
        #: Those that carry nothing and do not break, while others pass: as behind a wall that has forgotten them.
        self.stalled = set()

    def set(self, **ways):
        """Of what is not named nothing changes."""
        self.refused = ways.pop("refused", self.refused)
        if (stalled := ways.pop("stalled", None)) is not None:
            self.stalled = set(self.writers) if stalled else set()
        self.ways.update(ways)
        self.changed.set()
        self.changed = asyncio.Event()
        if self.refused:
            for writer in self.writers:
                writer.transport.abort()

    async def pump(self, way, reader, writer):
        """Carries bytes until there are no more."""
        while data := await reader.read(1 << 16):
            while self.ways[way] is HOLD or writer in self.stalled:
                await self.changed.wait()
            if self.ways[way]:
                await asyncio.sleep(self.ways[way])
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def carry(self, reader, writer, port):
        """A connection that was opened, on to the port behind it; what breaks on one side breaks on the other."""
        ends = [writer]
        try:
            if not self.refused:
                there, other = await asyncio.open_connection("127.0.0.1", port)
                ends.append(other)
                self.writers.update(ends)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self.pump("forth", reader, other))
                    both.create_task(self.pump("back", there, writer))
        except* OSError:
            pass  # Nobody listens there, or not any more.
        finally:
            self.writers.difference_update(ends)
            for one in ends:
                one.transport.abort()


class Exchange:
    """All wires, and what the other process says about them: a line of JSON a command, answered by a line."""

    def __init__(self):
        self.processes, self.wires, self.servers = {}, {}, []

    def wire(self, source, target):
        return self.wires.setdefault((source, target), Wire())

    async def listen(self, target, port, behind):
        async def accept(reader, writer):
            source = opener(writer.get_extra_info("peername")[1], port, self.processes)
            await self.wire(source, target).carry(reader, writer, behind)
        self.servers.append(await asyncio.start_server(accept, "127.0.0.1", port, backlog=512))

    async def obey(self, kind, **told):
        if kind == "listen":
            await self.listen(**told)
        elif kind == "processes":
            self.processes = {int(one): name for one, name in told["processes"].items()}
        elif kind == "set":
            self.wire(told.pop("source"), told.pop("target")).set(**told)
        elif kind == "mend":
            for one in self.wires.values():
                one.set(forth=PASS, back=PASS, refused=False, stalled=False)

    async def run(self):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            await self.obey(**json.loads(line))
            print("{}", flush=True)
        # Connections that are open break with the process.
        os._exit(0)


class Wires:
    """The other process, as a test has it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, kind, **told):
        """Returns once it is so."""
        self.process.stdin.write(json.dumps({"kind": kind, **told}) + "\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            raise AssertionError(f"the wires have ended with {self.process.wait()}")

    def listen(self, target, port, behind):
        """What comes to `port` goes to `behind`, which is a port of the party `target`."""
        self.tell("listen", target=target, port=port, behind=behind)

    def know(self, processes):
        """Names of parties by process id; connections that are open keep their wires."""
        self.tell("processes", processes=processes)

    def set(self, source, target, **ways):
        """`forth` and `back`: PASS, HOLD, or seconds that every piece is late; `refused` and `stalled`: true or false."""
        self.tell("set", source=source, target=target, **ways)

    def mend(self):
        self.tell("mend")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Exchange().run())
