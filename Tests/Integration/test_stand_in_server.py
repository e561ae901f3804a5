"""The stand-in model server as a process: what it answers, how it batches under load, and that it ends without losing a request."""

import concurrent.futures
import http.client
import json
import os
import re
import signal
import subprocess
import threading

from controller import PARVA, check, equal, finish
from fleet import until

SERVER = os.path.join(os.path.dirname(PARVA), "StandInModelServer")


class Server:
    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [SERVER, "--port", "0", "--model", "bert", *arguments], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            raise AssertionError(f"the server ended with {self.process.wait()}")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
            return response.status, json.loads(body) if body[:1] == b"{" else body.decode()
        finally:
            connection.close()

    def health(self):
        return self.get("/healthz")

    def end(self):
        self.process.kill()
        self.process.wait()


with check("it says of every answer that it is simulated"):
    server = Server("--latency", "1:5", "--workload", "w", "--segment", "w/0")
    status, answer = server.get("/infer", "POST")
    equal(status, 200)
    equal([answer[key] for key in ("simulated", "model", "workload", "segment", "batch")], [True, "bert", "w", "w/0", 1])
    equal(answer["port"], server.port, "the port that it listens on")
    equal(answer["executedMs"] >= 5, True, "it takes as long as it was told")
    equal(server.get("/v2/models/other/infer", "POST")[0], 404)
    equal(server.health(), (200, {"simulated": True, "model": "bert", "status": "ready", "inFlight": 0}))
    equal('parva_stand_in_requests_total{model="bert",segment="w/0",workload="w"} 1\n' in server.get("/metrics")[1], True)
    server.end()

with check("it takes its times from a profile, times the drift"):
    server = Server("--profile-id", "19", "--batch", "4", "--processes", "2", "--drift", "1.1")
    executed = server.get("/")[1]["executedMs"]
    server.end()
    # The least that a batch of bert takes in the built-in profile is its launch of 9.3 ms.
    equal(executed >= 9.3 * 1.1, True, f"{executed} ms")
    ended = subprocess.run([SERVER, "--port", "0", "--model", "bert", "--profile-id", "1"], capture_output=True, text=True)
    equal(ended.returncode != 0 and "bert" in ended.stderr, True, "a profile that is none is named")

with check("what waits is executed together, up to the limit, by each instance; what was taken is answered at SIGTERM, and nothing else"):
    server = Server("--latency", "1:7000", "--batch", "4", "--processes", "2")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        # One each for the two instances; while those run, five more wait.
        first = [pool.submit(server.get, "/")]
        until("the first to run", lambda: server.health()[1]["inFlight"] == 1)
        first.append(pool.submit(server.get, "/"))
        until("the second to run", lambda: server.health()[1]["inFlight"] == 2)
        rest = [pool.submit(server.get, "/") for _ in range(5)]
        until("all to be there", lambda: server.health()[1]["inFlight"] == 7)
        server.process.send_signal(signal.SIGTERM)
        until("the drain to begin", lambda: server.health()[0] == 503)
        equal(server.get("/")[0], 503, "a new request")
        answers = [one.result() for one in first + rest]
    equal([one[0] for one in answers], [200] * 7)
    equal(max(one[1]["batch"] for one in answers) <= 4, True, "the limit")
    equal(max(one[1]["batch"] for one in answers) > 1, True, "some were executed together")
    equal(server.process.wait(60), 0, "its exit status")

finish()
