#!/usr/bin/env python3
"""What the client does while a controller is away: what may be sent again is, and is done once; nothing else is."""

import http.client
import json
import random
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from controller import PARVA, SEED, check, equal, finish, free_port
from test_client import one
from test_tenants import ADMIN, TENANT, fleet


class Weather:
    """Stands before a controller: takes requests by a schedule of what happens to each."""

    def __init__(self, port):
        weather = self
        self.schedule = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fate = weather.schedule.pop(0) if weather.schedule else "pass"
                if fate == "drop":
                    self.close_connection = True
                    return
                if fate in ("no leader", "busy", "much later"):
                    code = "rate_limited" if fate == "busy" else "not_leader"
                    wait = "60" if fate == "much later" else "0"
                    return self.answer(429 if fate == "busy" else 503, {"code": code, "detail": "wait"}, {"Retry-After": wait})
                link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                link.request(self.command, self.path, body=body, headers={
                    name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")})
                got = link.getresponse()
                data = got.read()
                link.close()
                if fate == "lose":
                    self.close_connection = True
                    return
                if fate == "unclear":
                    return self.answer(503, {"code": "outcome_unknown", "detail": "it may have been done"}, {})
                self.send_response(got.status)
                for name in ("Content-Type", "ETag", "Retry-After"):
                    if got.headers[name]:
                        self.send_header(name, got.headers[name])
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def answer(self, status, problem, headers):
                data = json.dumps(problem).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/problem+json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = take

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def absence():
    port = free_port()
    with fleet("--listen", f"127.0.0.1:{port}") as there:
        # Under an address that stays when it is started anew.
        there.all, there.vision = (there.client(token, f"http://127.0.0.1:{port}") for token in (ADMIN, TENANT))

        def changes(method):
            rows = json.loads(there.all.must("audit", "-o", "json", "--limit", "0"))["entries"]
            return sum(row["changed"] and row["method"] == method for row in rows)

        with check("a controller that is started anew meanwhile is waited for, and what was asked is done once"):
            away = there.client(TENANT, f"http://127.0.0.1:{port}")
            text = json.dumps([one(f"w{number}", 10) for number in range(4)])
            for verb, wanted in ((["apply", "-f", "-"], "4 created"), (["apply", "-f", "-"], "4 unchanged"),
                                 (["get", "workloads"], "w3"), (["delete", "-f", "-"], "w3 deleted")):
                there.api.kill()
                going = subprocess.Popen([PARVA, *verb, "--retry-for", "60s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True, env=away.environment)
                going.stdin.write(text)
                going.stdin.close()
                line = going.stderr.readline()
                equal("it is tried again for up to 60 s" in line, True, line)
                there.api.start()
                output = going.stdout.read()
                equal((going.wait(), wanted in output), (0, True), f"{verb}: {output} {going.stderr.read()}")
        weather = Weather(port)
        far = there.client(TENANT, weather.url)
        with check("for as long as it is said, and no longer"):
            gone = there.client(TENANT, "http://127.0.0.1:1")
            gone.refused(1, "it is tried again for up to 1 s", "get", "workloads", "--retry-for", "1s")
            result = gone.run("get", "workloads", "--retry-for", "0")
            equal((result.returncode, "tried again" in result.stderr), (1, False), result.stderr)
            weather.schedule = ["much later"]
            far.refused(1, "503 not_leader: wait", "get", "workloads", "--retry-for", "20s")
            equal(weather.schedule, [], "what was asked for a time after the end of patience is not waited for")
            gone.refused(2, "--retry-for must be", "get", "workloads", "--retry-for", "soon")
        with check(f"whatever happens on the way, edits end as the file has them, and each is done once (seed {SEED})"):
            draw = random.Random(SEED)
            fates = ["drop", "no leader", "busy", "lose", "unclear"] + 3 * ["pass"]
            wanted, made, changed, deleted = {}, changes("POST"), changes("PUT"), changes("DELETE")
            for round in range(10):
                rows = [one(f"r{number}", draw.choice([1, 2, 3])) for number in draw.sample(range(8), 4)]
                new = {row["id"]: row["rate"] for row in rows}
                made += bool(new.keys() - wanted.keys())
                changed += sum(id in wanted and wanted[id] != rate for id, rate in new.items())
                weather.schedule = [draw.choice(fates) for _ in range(24)]
                before = list(weather.schedule)
                far.must("apply", "-f", "-", "--retry-for", "60s", stdin=json.dumps(rows))
                wanted |= new
                if draw.random() < 0.4:
                    weather.schedule = [draw.choice(fates) for _ in range(12)]
                    far.must("delete", "workload", *new, "--retry-for", "60s")
                    deleted += len(new)
                    wanted = {id: rate for id, rate in wanted.items() if id not in new}
                weather.schedule = []
                equal(there.ids(), {f"vision:{id}": rate for id, rate in wanted.items()}, f"round {round}: {before}")
            equal((changes("POST"), changes("PUT"), changes("DELETE")), (made, changed, deleted), "changes")
        with check("what may have been done and would be done twice is not sent again, what was surely not is"):
            away = there.client(ADMIN, weather.url)
            create = ("token", "create", "--role", "reader", "--name")
            for fate, left in (("lose", 1), ("unclear", 2)):
                weather.schedule = [fate]
                away.refused(1, "", *create, fate)
                equal(len(json.loads(there.all.must("token", "list", "-o", "json"))["tokens"]), left, fate)
            for fate in ("no leader", "busy"):
                weather.schedule = [fate]
                result = away.run(*create, fate.replace(" ", "-"))
                equal((result.returncode, "it is tried again for up to 10 s" in result.stderr), (0, True), result.stderr)
            equal(len(json.loads(there.all.must("token", "list", "-o", "json"))["tokens"]), 4)
            # A change that somebody else has overtaken is refused, in doubt as well.
            there.vision.must("apply", "-f", "-", stdin=json.dumps(one("mine", 1)))
            weather.schedule = ["pass", "pass", "drop"]
            result = far.run("apply", "-f", "-", stdin=json.dumps(one("mine", 2)))
            equal((result.returncode, there.ids()["vision:mine"]), (0, 2), result.stderr)


if __name__ == "__main__":
    absence()
    finish()
