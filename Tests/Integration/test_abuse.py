"""Clients that mean harm: the controller keeps answering, and gives the memory back.

usage: test_abuse.py [full]     `full` uses the counts that docs/http.md reports; otherwise they are a small part of it
All connections stay on the loopback addresses 127.0.0.0/8. A prober asks /healthz all the while; how long the slowest
answer took is printed, and judged only by a bound that no working server misses.
"""

import contextlib
import multiprocessing
import os
import re
import resource
import select
import socket
import struct
import sys
import time

from controller import check, controller, equal, finish

FULL = sys.argv[1:] == ["full"]
HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
RESET = struct.pack("ii", 1, 0)


def connect(port, source=2):
    """Each address may hold 4,096 connections, so attackers come from several."""
    one = socket.socket()
    one.settimeout(30)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((f"127.0.0.{source}", 0))
    one.connect(("127.0.0.1", port))
    return one


def reset(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    one.close()


def read_to_end(one):
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := one.recv(65536):
            parts.append(part)
    return b"".join(parts)


def probe(port, over, results):
    """Asks for /healthz over one kept connection and over new ones, in turn, until `over` is set."""
    count, slowest = 0, 0.0

    def ask(one):
        one.sendall(HEAD + b"\r\n")
        answer = one.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
            raise AssertionError(f"/healthz was answered with {answer[:100]}")

    try:
        with connect(port, 1) as kept:
            while count < 2 or not over.wait(0.01):
                started = time.monotonic()
                if count % 2:
                    with connect(port, 1) as fresh:
                        ask(fresh)
                else:
                    ask(kept)
                slowest = max(slowest, time.monotonic() - started)
                count += 1
        results.put((count, slowest, None))
    except Exception as error:  # noqa: BLE001: reported by the check
        results.put((count, slowest, repr(error)))


@contextlib.contextmanager
def probing(port):
    """Probes in a process of its own, so that the attack does not slow the clock that judges it."""
    over, results = multiprocessing.Event(), multiprocessing.Queue()
    prober = multiprocessing.Process(target=probe, args=(port, over, results))
    prober.start()
    try:
        yield
    finally:
        over.set()
        count, slowest, failure = results.get(timeout=60)
        prober.join()
    if failure or slowest > 20:
        raise AssertionError(f"{failure} after {count} probes, the slowest took {slowest:.1f} s")
    print(f"  {count} probes, the slowest took {slowest * 1000:.1f} ms", flush=True)


def slow_loris(port, count, seconds):
    """Heads that never end, a byte a second. The server gives each ten seconds."""
    attackers = [connect(port, 2 + index // 2500) for index in range(count)]
    for one in attackers:
        one.sendall(HEAD)
    for _ in range(seconds):
        time.sleep(1)
        for one in attackers:
            with contextlib.suppress(OSError):
                one.send(b"x")
    if seconds >= 12:
        for one in attackers:
            if b" 408 " not in read_to_end(one):
                raise AssertionError("a slow head was not answered with 408")
    for one in attackers:
        one.close()


def tiny_chunks(port, count, chunks):
    attackers = [connect(port) for _ in range(count)]
    for one in attackers:
        one.sendall(b"POST /v1/workloads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(chunks):
        for one in attackers:
            one.sendall(b"1\r\n{\r\n")
    for one in attackers:
        one.sendall(b"0\r\n\r\n")
        answer = one.recv(4096)
        if not answer.startswith(b"HTTP/1.1 400 "):
            raise AssertionError(f"answered with {answer[:100]}")
        one.close()


def endless(port, head, block, status):
    """Sends up to 1 GB; returns how much the server took before it had enough."""
    one = connect(port)
    one.sendall(head)
    sent, answer = 0, b""
    with contextlib.suppress(ConnectionError):
        while sent < 1 << 30 and not answer:
            sent += one.send(block)
            if select.select([one], [], [], 0)[0]:
                answer = one.recv(4096)
    if not answer:
        with contextlib.suppress(OSError):
            answer = one.recv(4096)
    one.close()
    # The answer may have been lost to a reset, when we sent too fast to see it; that we were cut off is what counts.
    if answer and not answer.startswith(b"HTTP/1.1 " + status):
        raise AssertionError(f"answered with {answer[:100]}")
    if sent > 16 << 20:
        raise AssertionError(f"{sent} bytes were taken")


def half_closed(port, count):
    whole, broken = [connect(port) for _ in range(count)], [connect(port) for _ in range(count)]
    for one in whole:
        one.sendall(b"GET /v1/plan HTTP/1.1\r\nHost: a\r\n\r\n")
        one.shutdown(socket.SHUT_WR)
    for one in broken:
        one.sendall(HEAD)
        one.shutdown(socket.SHUT_WR)
    for one in whole:
        if not read_to_end(one).startswith(b"HTTP/1.1 200 "):
            raise AssertionError("a half-closed client got no answer")
        one.close()
    for one in broken:
        equal(read_to_end(one), b"", "answer to a broken request")
        one.close()


STATES = {
    "connected": [], "in the request line": [b"GET /hea"], "in the head": [HEAD], "before the answer": [HEAD + b"\r\n"],
    "in a body": [b"POST /v1/workloads HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{"],
    "in a chunk size": [b"POST /v1/workloads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e"],
    "in a chunk": [b"POST /v1/workloads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nabc"],
    "while an answer is made": [b"GET /v1/plan?after=1000000&wait=20 HTTP/1.1\r\nHost: a\r\n\r\n"],
    "in a large answer": [b"GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n" * 20],
    "in a stream": [b"GET /v1/plan/events HTTP/1.1\r\nHost: a\r\n\r\n"],
    "among pipelined requests": [(HEAD + b"\r\n") * 50 + HEAD],
    "after an error": [b"nonsense\r\n\r\n"],
}


def resets(port, count):
    for sent in STATES.values():
        for _ in range(0, count, 50):
            batch = [connect(port) for _ in range(50)]
            for one in batch:
                for part in sent:
                    one.sendall(part)
            for index, one in enumerate(batch):
                # Half of them reset what has been answered, half what is on its way.
                if index % 2 and sent:
                    select.select([one], [], [], 0.002)
                reset(one)


def slow_readers(port, count, requests):
    """Many answers asked for and none read: back-pressure, not buffers."""
    readers = [connect(port) for _ in range(count)]
    for one in readers:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.send(b"GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n" * requests)
    time.sleep(1)
    for one in readers:
        reset(one)


def open_and_drop(port, count):
    for index in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.bind((f"127.0.1.{1 + index % 200}", 0))
        one.connect(("127.0.0.1", port))
        one.close()


def floods(mebibytes):
    """Bodies that are large, of elements of a few bytes, or of faults alone."""
    size = mebibytes << 20

    def full(head, piece, tail=b""):
        return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail

    same = b'{"id":"a","model":"m","rate":1,"slo":{"latencyMs":5}}'
    numbered = b",".join(b'{"id":"n%d"}' % number for number in range(size // 17))
    rates = b",".join(b'{"id":"n%d","rate":1}' % number for number in range(size // 26))
    json, lines, csv = "application/json", "application/x-ndjson", "text/csv"
    wide = b"[" + b'"x",' * 200_000 + b"1]"
    header = b"id,model,rate,latency_ms\n"
    return [
        ("numbers", json, full(b"[1", b",1", b"]")),
        ("numbers in a list under its key", json, full(b'{"workloads":[1', b",1", b"]}")),
        ("numbers beside a list", json, full(b'{"workloads":[],"x":[1', b",1", b"]}")),
        ("objects of one key", json, full(b'[{"x":1}', b',{"x":1}', b"]")),
        ("objects of many keys", json, full(b'[{"":1', b',"":1', b"}]")),
        ("lists in lists", json, full(b"[" + wide, b"," + wide, b"]")),
        ("workloads of one id", json, full(b"[" + same, b"," + same, b"]")),
        ("ids alone", json, b"[" + numbered + b"]"),
        ("rates of nobody", json, b"[" + rates + b"]"),
        ("blanks", json, full(b"[", b" ", b"]")),
        ("a text", json, full(b'["', b"x", b'"]')),
        ("no text at all", json, full(b"[", b"\n", b"\xff]")),
        ("lines of nothing", lines, full(same + b"\n", b"\n")),
        ("lines of empty objects", lines, full(b"", b"{}\n")),
        ("lines of one id", lines, full(b"", same + b"\n")),
        ("one line", lines, full(b"[1", b",1", b"]")),
        ("rows of nothing", csv, full(header, b"\n")),
        ("rows that are wrong", csv, full(header, b"a,b,c,d\n")),
        ("rows that are short", csv, full(header, b",\n")),
        ("rows of one id", csv, full(header, b"a,m,1,5\n")),
        ("rows of workloads", csv, header + b"".join(b"w%d,m,1,5\n" % number for number in range(size // 15))),
        ("a list in YAML", "application/yaml", (b"- 1\n" * (1 << 20))[: min(size, 4 << 20)]),
    ]


def flood(port, method, path, kind, body):
    """Sends one of them; it is answered in few words: a refusal, or that nothing is asked by blanks."""
    one = connect(port)
    one.settimeout(120)
    one.sendall(
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n".encode() + body)
    answer = read_to_end(one)
    one.close()
    if not re.match(rb"HTTP/1.1 (20[01]|4(00|04|09|13|15|22)) ", answer) or len(answer) > 100_000:
        raise AssertionError(f"answered with {len(answer)} bytes, {answer[:200]}")


def highest(process, work):
    """The most memory that a process has had, in MB, while something was done to it."""
    with open(f"/proc/{process.pid}/clear_refs", "w") as clear:
        clear.write("5")
    work()
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


def memory(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def wait_for_quiet(process, wanted):
    for _ in range(600):
        if descriptors(process) <= wanted:
            return
        time.sleep(0.1)
    raise AssertionError(f"{descriptors(process)} descriptors are open, {wanted} were before")


def attacks(full):
    def scale(most, few):
        return most if full else few

    return [
        (f"slow-loris with {scale(5000, 300)} connections",
         slow_loris, (scale(5000, 300), scale(13, 2))),
        (f"{scale(200, 20)} bodies in chunks of one byte", tiny_chunks, (scale(200, 20), scale(5000, 500))),
        ("a header of 1 GB", endless, (HEAD + b"X: ", b"x" * 65536, b"431")),
        ("headers of 1 GB together", endless, (HEAD, b"X: y\r\n" * 10000, b"431")),
        ("a request line of 1 GB", endless, (b"GET /", b"x" * 65536, b"414")),
        ("a chunked body of 1 GB", endless, (
            b"POST /v1/workloads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n",
            b"413")),
        (f"{scale(4000, 400)} half-closed sockets", half_closed, (scale(2000, 200),)),
        (f"{scale(500, 50)} resets in each of {len(STATES)} states", resets, (scale(500, 50),)),
        (f"{scale(200, 20)} clients that do not read", slow_readers, (scale(200, 20), 1000)),
        (f"{scale(100_000, 5_000)} connections opened and dropped", open_and_drop, (scale(100_000, 5_000),)),
    ]


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with controller() as api:
        process = api.process
        # Everything once, so that what stays afterwards is not what any use leaves behind.
        for _, attack, arguments in attacks(False):
            attack(api.port, *arguments)
        quiet = descriptors(process)
        wait_for_quiet(process, quiet)
        time.sleep(1)
        quiet, before = descriptors(process), memory(process)
        highest_seen = before
        for name, attack, arguments in attacks(FULL):
            with check(f"answers throughout {name}"):
                with probing(api.port):
                    attack(api.port, *arguments)
                    highest_seen = max(highest_seen, memory(process))
        with check("descriptors and memory are given back"):
            wait_for_quiet(process, quiet)
            after = memory(process)
            print(f"  resident: {before:.0f} MB before, {highest_seen:.0f} MB at most, {after:.0f} MB after")
            if after > before + 40:
                raise AssertionError(f"{before:.0f} MB became {after:.0f} MB")
        size = 64 if FULL else 6
        for name, kind, body in floods(size):
            # What it takes: the body as it came and as it is read, and what a few thousand refusals, all the workloads that a
            # controller keeps, or a tree of YAML take. As trees these bodies would take a hundred times their size.
            most = after + 3 * len(body) / (1 << 20) + (600 if FULL else 350)
            routes = [("POST", "/v1/workloads/batch"), ("PUT", "/v1/workloads"), ("POST", "/v1/plan/preview")]
            if kind == "application/json":
                routes.append(("PATCH", "/v1/workloads"))
            for method, path in routes if FULL else routes[:1] + routes[3:]:
                with check(f"{method} {path} with {len(body) / (1 << 20):.0f} MiB of {name} takes little memory"):
                    started = time.monotonic()
                    peak = highest(process, lambda: flood(api.port, method, path, kind, body))
                    print(f"  {peak:.0f} MB at most, {time.monotonic() - started:.1f} s", flush=True)
                    if peak > most:
                        raise AssertionError(f"{after:.0f} MB became {peak:.0f} MB, more than {most:.0f} MB")
        with check("memory of such bodies is given back but for what an allocator holds"):
            wait_for_quiet(process, quiet)
            left = memory(process)
            print(f"  resident: {after:.0f} MB before, {left:.0f} MB after")
            if left > after + 120:
                raise AssertionError(f"{after:.0f} MB became {left:.0f} MB")
        with check("the controller ends as if nothing had been"):
            equal(api.stop(), 0, "exit status")


main()
finish()
