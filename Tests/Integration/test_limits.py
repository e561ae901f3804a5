"""Limits of a controller: read again on SIGHUP, a common budget for large bodies, and places that nobody gets all of."""

import contextlib
import json
import os
import signal
import socket
import tempfile

from controller import check, controller, equal, finish, workload
from fleet import until

READER, OTHER = "reader-token-0123456789abcdef", "other-token-0123456789abcdef"
MIB = 1 << 20


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def reread(folder):
    """A file of options that is changed while the controller runs."""
    path = f"{folder}/parva.yaml"

    def write(text):
        with open(path, "w") as file:
            file.write(text)

    def told(text):
        return sum(text in line for line in api.log)

    def hang_up(text):
        before = told(text)
        api.process.send_signal(signal.SIGHUP)
        until(f"the line '{text}'", lambda: told(text) > before)
        return [line for line in api.log if text in line][-1]

    with open(f"{folder}/tokens", "w") as file:
        file.write(f"operator ci {READER}\noperator other {OTHER}\n")
    write("rate-limit: 1000/60\nmax-streams-per-caller: 1\n")
    with controller("--token-file", f"{folder}/tokens", "--config", path, "--max-streams", "7") as api:
        def get(where="/v1/workloads"):
            return api.get(where, **bearer(READER))
        def stream():
            one = socket.create_connection(("127.0.0.1", api.port))
            one.settimeout(20)
            one.sendall(f"GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {READER}\r\n\r\n".encode())
            return one, one.recv(4096).split(b" ")[1]
        with contextlib.ExitStack() as open_streams:
            def opened():
                one, status = stream()
                open_streams.callback(one.close)
                return status
            with check("limits are those of the file at the start"):
                equal(get().headers["RateLimit-Policy"], '"requests";q=1000;w=60', "policy")
                equal([opened(), opened()], [b"200", b"429"], "streams")
            with check("SIGHUP brings the limits of the file, says what has changed, and leaves what is open"):
                write("rate-limit: 500/30\nmax-streams-per-caller: 3\nmax-body-memory-mib: 64\n")
                line = hang_up("read limits again")
                for part in ("rate-limit 1000/60 -> 500/30", "max-streams-per-caller 1 -> 3", "max-body-memory-mib 512 -> 64"):
                    if part not in line:
                        raise AssertionError(line)
                equal("max-streams 7" in line, False, "what stayed is named")
                equal(get().headers["RateLimit-Policy"], '"requests";q=500;w=30', "policy")
                equal([opened(), opened(), opened()], [b"200", b"200", b"429"], "streams beside the first")
            with check("the command line goes before the file, and nothing that stayed is told"):
                write("rate-limit: 500/30\nmax-streams-per-caller: 3\nmax-body-memory-mib: 64\nmax-streams: 1\n")
                if "changed=nothing" not in hang_up("read limits again").replace('"', ""):
                    raise AssertionError(api.log[-1])
            for what, text in [("a value that is none", "rate-limit: quickly\n"), ("an option that is none", "rate-limits: 1/1\n"),
                               ("no YAML", "rate-limit: [\n"), ("a value out of range", "max-body-memory-mib: 1\n"), ("no file", None)]:
                with check(f"SIGHUP with {what} keeps the limits and says why"):
                    write(text) if text else os.unlink(path)
                    line = hang_up("limits not read again; the old ones stay")
                    if text and text.split(":")[0] not in line and "is not YAML" not in line:
                        raise AssertionError(line)
                    equal(get().headers["RateLimit-Policy"], '"requests";q=500;w=30', "policy")
            with check("a lower limit counts from the next request on, and none at all takes it away"):
                write("rate-limit: 2/600\nkeep-plans: 7\n")
                hang_up("read limits again")
                until("the next requests to be refused", lambda: get().status == 429)
                if "keep-plans" not in hang_up("count from the next start on have changed"):
                    raise AssertionError(api.log[-1])
                with check("hang-ups that come while one is heeded are one, and the last one is heeded"):
                    write("rate-limit: 3/600\n")
                    before = told("read limits again")
                    for _ in range(300):
                        api.process.send_signal(signal.SIGHUP)
                    until("the last limits", lambda: told("rate-limit 2/600 -> 3/600") == 1)
                    hang_up("read limits again")
                    equal(told("read limits again") - before < 250, True, "fewer than were sent")
                write("access-log: false\n")
                hang_up("read limits again")
                answer = get()
                equal((answer.status, answer.headers.get("RateLimit-Policy")), (200, None), "status and policy")


def budget(folder):
    """80 MiB for large bodies, 64 of them for one caller; some come in slowly."""
    with open(f"{folder}/tokens", "w") as file:
        file.write(f"operator ci {READER}\noperator other {OTHER}\n")
    with controller("--token-file", f"{folder}/tokens", "--max-body-memory-mib", "80") as api, contextlib.ExitStack() as held:
        def begin(framing, sent=0, token=READER):
            head = f"PUT /v1/workloads HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            one = held.enter_context(socket.create_connection(("127.0.0.1", api.port)))
            one.settimeout(20)
            one.sendall(f"{head}{framing}\r\n\r\n".encode())
            piece = b" " * MIB
            for _ in range(sent):
                with contextlib.suppress(ConnectionError):
                    one.sendall(b"100000\r\n" + piece + b"\r\n" if framing.startswith("Transfer") else piece)
            return one

        def bytes_held():
            metrics = api.get("/metrics", **bearer(READER)).body.decode()
            return next(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("parva_http_body_bytes "))

        def answer(one):
            data = b""
            while b"\r\n\r\n" not in data or b"}" not in data:
                part = one.recv(65536)
                if not part:
                    break
                data += part
            return data

        with check("bodies that are on their way count by what has come"):
            first = begin(f"Content-Length: {60 * MIB}", sent=40)
            until("40 MiB to be held", lambda: bytes_held() == 40 * MIB)
        with check("nobody gets more than a share, and is told so before it is sent"):
            refused = answer(begin(f"Content-Length: {30 * MIB}\r\nExpect: 100-continue"))
            if not refused.startswith(b"HTTP/1.1 429 ") or b"Retry-After: 1\r\n" not in refused or b'"body_share_full"' not in refused:
                raise AssertionError(refused)
        with check("a large body for which no room is left is refused before it is sent"):
            refused = answer(begin(f"Content-Length: {50 * MIB}\r\nExpect: 100-continue", token=OTHER))
            if not refused.startswith(b"HTTP/1.1 503 ") or b"Retry-After: 1\r\n" not in refused or b'"body_memory_full"' not in refused:
                raise AssertionError(refused)
        with check("one whose length is not known is refused when the room is used up, and gives back what it took"):
            refused = answer(begin("Transfer-Encoding: chunked", sent=45, token=OTHER))
            if not refused.startswith(b"HTTP/1.1 503 ") or b'"body_memory_full"' not in refused:
                raise AssertionError(refused[:300])
            until("40 MiB to be held", lambda: bytes_held() == 40 * MIB)
        with check("small requests pass meanwhile, and large ones that fit"):
            many = [workload(f"w{number}", rate=3) for number in range(400)]
            equal(api.request("POST", "/v1/workloads", workload("one", rate=3), bearer(READER)).status, 201, "status")
            text = json.dumps(many)
            equal(len(text) < 65536, True, "small")
            equal(api.request("PUT", "/v1/workloads", many, bearer(READER)).status, 200, "status")
            large = json.dumps(many) + " " * MIB
            answered = api.request("PUT", "/v1/workloads?dryRun=true", large.encode(), {**bearer(READER), "Content-Type": "application/json"})
            equal(answered.status, 200, "status of a large one")
        with check("what has come of the first is judged when it is whole, and given back"):
            first.sendall(b" " * (20 * MIB - 2) + b"[]")
            if not answer(first).startswith(b"HTTP/1.1 200 "):
                raise AssertionError("not answered")
            until("nothing to be held", lambda: bytes_held() == 0)
        with check("a client that goes away gives back what it has sent"):
            gone = begin(f"Content-Length: {60 * MIB}", sent=10)
            until("10 MiB to be held", lambda: bytes_held() == 10 * MIB)
            gone.close()
            until("nothing to be held", lambda: bytes_held() == 0)


with tempfile.TemporaryDirectory(prefix="parva-limits-") as work:
    reread(work)
    budget(work)
finish()
