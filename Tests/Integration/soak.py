"""Load of every kind on one controller for a while. usage: soak.py MINUTES (by scripts/soak)"""

import contextlib
import http.client
import json
import os
import random
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

from controller import SEED, controller, workload
from fleet import Node, ready

MINUTES = float(sys.argv[1])


class Load:
    """What all clients share: when to end, what was answered, and what went wrong."""

    def __init__(self, port, context):
        self.port, self.context = port, context
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.answers, self.failures = {}, []

    def connection(self):
        if self.context:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, connection, wanted, method, path, body=None, headers=None):
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        response.read()
        with self.lock:
            self.answers[response.status] = self.answers.get(response.status, 0) + 1
        if response.status not in wanted:
            raise AssertionError(f"{method} {path} was answered {response.status}")
        return response

    def run(self, client, generator):
        while not self.over.is_set():
            connection = self.connection()
            try:
                for _ in range(generator.randint(1, 200)):
                    if self.over.is_set():
                        break
                    client(self, connection, generator)
            except Exception as error:  # noqa: BLE001: reported at the end
                with self.lock:
                    self.failures.append(f"{client.__name__}: {error!r}")
                if len(self.failures) > 20:
                    self.over.set()
            finally:
                connection.close()


def read(load, connection, generator):
    path = generator.choice([
        "/healthz", "/readyz", "/v1/plan", "/v1/workloads?limit=5", "/metrics", "/openapi.yaml", "/v1/nodes", "/v1/fleet",
        "/v1/operations?limit=5"])
    coding = generator.choice([{}, {"Accept-Encoding": "gzip"}])
    load.ask(connection, {200}, "GET", path, headers=coding)


def write(load, connection, generator):
    name = f"s{generator.randrange(40)}"
    if generator.random() < 0.3:
        load.ask(connection, {204, 404}, "DELETE", f"/v1/workloads/{name}")
    else:
        body = json.dumps(workload(name, rate=generator.uniform(1, 500)))
        load.ask(connection, {200, 201}, "PUT", f"/v1/workloads/{name}", body, {"Content-Type": "application/json"})


def poll(load, connection, generator):
    answer = load.ask(connection, {200}, "GET", "/v1/plan")
    revision = answer.headers["Parva-Plan-Revision"]
    load.ask(connection, {200, 304}, "GET", f"/v1/plan?after={revision}&wait={generator.randint(0, 2)}")


def watch(load, connection, generator):
    connection.request("GET", "/v1/plan/events")
    response = connection.getresponse()
    for _ in range(generator.randint(1, 6)):
        response.readline()
    # Events go on without us: the connection cannot be used again.
    connection.close()


def break_rules(load, connection, generator):
    connection.connect()
    text = generator.choice([
        b"GET / HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01" * 30,
        b"GET /" + b"a" * 20000, b"POST /v1/workloads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
    connection.sock.sendall(text)
    answer = connection.sock.recv(4096)
    connection.close()
    if answer and b" 4" not in answer[:13]:
        raise AssertionError(f"broken request answered with {answer[:60]}")


def drop(load, connection, generator):
    connection.connect()
    connection.sock.sendall(generator.choice([
        b"GET /heal", b"GET /v1/plan?after=9999999&wait=30 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/workloads HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
        b"GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n" * 9]))
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def size(process):
    with open(f"/proc/{process.pid}/status") as status:
        resident = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024
    return resident, len(os.listdir(f"/proc/{process.pid}/fd"))


def soak(options, context, minutes, folder):
    with controller("--heartbeat", "1", "--auto-apply", *options) as api, contextlib.ExitStack() as stack:
        # Nodes in several zones, where agents can be told of the controller without more: plans are pushed all the time.
        nodes = [] if context else [
            Node(f"gpu-{number}", folder, f"http://127.0.0.1:{api.port}", zone=f"zone-{number % 3}") for number in range(4)]
        for node in nodes:
            stack.callback(node.kill)
        if nodes:
            ready(api, len(nodes))
        load = Load(api.port, context)
        # The first plan: until it is there, the controller is not ready and says so.
        first = load.connection()
        load.ask(first, {200}, "GET", "/v1/plan")
        first.close()
        clients = [read, read, write, poll, watch, break_rules, drop]
        threads = [
            threading.Thread(target=load.run, args=(client, random.Random(SEED + index)))
            for index, client in enumerate(clients)]
        for thread in threads:
            thread.start()
        load.over.wait(minutes * 6)
        early = size(api.process)
        load.over.wait(minutes * 54)
        late = size(api.process)
        load.over.set()
        for thread in threads:
            thread.join()
        kind = "TLS" if context else "plain"
        print(f"soak: {kind}: {sum(load.answers.values())} answers {dict(sorted(load.answers.items()))}; resident "
              f"{early[0]:.0f} MB after a tenth of the time, {late[0]:.0f} MB at the end; {late[1]} descriptors", flush=True)
        status = api.stop()
        for failure in load.failures[:10]:
            print(f"soak: {failure}")
        return not load.failures and status == 0 and late[0] < early[0] * 1.5 + 20 and len(load.answers) > 0


def main():
    print(f"soak: seed {SEED}, {MINUTES:g} minutes in two halves", flush=True)
    with tempfile.TemporaryDirectory(prefix="parva-soak-") as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out",
             f"{folder}/certificate.pem"], check=True, capture_output=True)
        context = ssl.create_default_context(cafile=f"{folder}/certificate.pem")
        context.check_hostname = False
        options = ["--tls-certificate", f"{folder}/certificate.pem", "--tls-key", f"{folder}/key.pem"]
        fine = [soak([], None, MINUTES / 2, folder), soak(options, context, MINUTES / 2, folder)]
    sys.exit(0 if all(fine) else 1)


main()
