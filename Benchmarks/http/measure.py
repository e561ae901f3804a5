"""The server's cost per request beside named references, in one interleaved run: ratios of its own user and system time.

usage: measure.py PARVA FOLDER [ROUNDS [SECONDS]]    FOLDER holds bare-loop and paced-client
Run by scripts/benchmark http.
"""

import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PARVA, TOOLS = sys.argv[1:3]
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
SECONDS = float(sys.argv[4]) if len(sys.argv) > 4 else 2
TICKS = os.sysconf("SC_CLK_TCK")
CONNECTIONS = 64


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


class Server:
    """A process with its children; `cpu` is what they have used so far, in seconds."""

    def __init__(self, name, arguments, port):
        self.name, self.port = name, port
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(port)

    def pids(self):
        children = open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()
        return [self.process.pid, *map(int, children)]

    def cpu(self):
        total = 0
        for pid in self.pids():
            fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def bare(body):
    port = free_port()
    return Server("bare loop", [f"{TOOLS}/bare-loop", str(port), str(body)], port)


def nginx(folder, certificate=None):
    port = free_port()
    secure = "" if certificate is None else f"""
        ssl_certificate {certificate}.pem; ssl_certificate_key {certificate}-key.pem; ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; ssl_prefer_server_ciphers on;"""
    path = f"{folder}/nginx-{port}.conf"
    with open(path, "w") as file:
        file.write(f"""
            daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log {folder}/nginx.log;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type application/json;
                client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
                uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
                server {{
                    listen 127.0.0.1:{port} {"" if certificate is None else "ssl"}; {secure}
                    root {folder}/files;
                    location = /healthz {{ return 200 '{{"status":"ok"}}'; }}
                }}
            }}""")
    return Server("nginx", ["nginx", "-c", path], port)


def parva(folder, *options):
    port = free_port()
    arguments = [PARVA, "serve", "--listen", f"127.0.0.1:{port}", "--store", f"{folder}/{port}.sqlite",
                 "--loops", "1", "--log-level", "error", *options]
    return Server("parva", arguments, port)


def request(server, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    return response.status, response.read()


def load(server, path, *options, scheme="http"):
    """Runs wrk once; returns the server's microseconds of CPU per request, and requests per second."""
    before = server.cpu()
    output = subprocess.run(
        ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS:g}s", *options,
         f"{scheme}://127.0.0.1:{server.port}{path}"], capture_output=True, text=True, check=True).stdout
    used = server.cpu() - before
    count = int(re.search(r"(\d+) requests in", output).group(1))
    if count == 0:
        sys.exit(f"{server.name} answered nothing: {output}")
    return used / count * 1e6, float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))


def compare(title, runs, reference, target):
    """Each of `runs` is (server, function without arguments); all take turns. Prints medians and the ratio."""
    costs = {server.name: [] for server, _ in runs}
    rates = {server.name: [] for server, _ in runs}
    for _, run in runs:
        run()
    for _ in range(ROUNDS):
        for server, run in runs:
            cost, rate = run()
            costs[server.name].append(cost)
            rates[server.name].append(rate)
    print(f"\n{title}")
    for name, values in costs.items():
        print(f"  {name:10} {statistics.median(values):7.2f} us CPU a request ({min(values):.2f} to {max(values):.2f}), "
              f"{statistics.median(rates[name]):9.0f} requests/s")
    if reference:
        ratio = statistics.median(a / b for a, b in zip(costs["parva"], costs[reference]))
        print(f"  parva / {reference}: {ratio:.2f}   (target: {target})")
    sys.stdout.flush()
    return {name: statistics.median(values) for name, values in costs.items()}


def make_plan(server):
    """Registers workloads until the plan's JSON has 16 KB; returns its bytes."""
    number = 0
    while True:
        batch = [{"id": f"w{number + part}", "model": "resnet50", "rate": 4000, "slo": {"latencyMs": 200}}
                 for part in range(2)]
        number += len(batch)
        status, _ = request(server, "POST", "/v1/workloads/batch", json.dumps({"workloads": batch}))
        assert status == 201, status
        _, plan = request(server, "GET", "/v1/plan")
        if len(plan) >= 16_000:
            return plan


def post_script(folder, server):
    body = json.dumps({"id": "w0", "model": "resnet50", "rate": 829.5, "slo": {"latencyMs": 204.5, "percentile": 0.99},
                       "arrivals": {"process": "poisson"}, "priority": 0,
                       "labels": {"team": "vision", "region": "eu-west-1", "owner": "somebody.example.com"}})
    body += " " * (300 - len(body))
    assert len(body) == 300, len(body)
    status, answer = request(server, "POST", "/v1/workloads", body)
    assert status == 409, answer
    path = f"{folder}/post.lua"
    with open(path, "w") as file:
        file.write(f"wrk.method = 'POST'\nwrk.body = [[{body}]]\nwrk.headers['Content-Type'] = 'application/json'\n")
    return path


def paced(server, path, rate):
    output = subprocess.run(
        [f"{TOOLS}/paced-client", str(server.port), path, str(CONNECTIONS), str(int(rate)), "0.3"],
        capture_output=True, text=True, check=True).stdout
    return tuple(map(float, output.split()))


def prefer(server, policy, priority):
    """Sets how the threads of a server and those of this process, which its children inherit, are scheduled."""
    for pid in [os.getpid(), *server.pids()]:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setscheduler(int(thread), policy, os.sched_param(priority))


def latency(servers):
    """Client and server are first in line, because a wait for a core that others hold is many times what is measured.

    Even so the kernel lets others have 50 ms of a second. A run is short, so that this is in few of them, and the run
    in the middle is what counts.
    """
    print("\nLatency of GET /healthz at half of the highest rate, from when a request was due; 15 runs of 0.3 s in turn")
    try:
        for server in servers:
            prefer(server, os.SCHED_FIFO, 1)
    except PermissionError:
        print("  without the right to real-time priority: what else runs on this machine is in these figures")
    rates = {server.name: statistics.median(load(server, "/healthz")[1] for _ in range(3)) for server in servers}
    runs = {server.name: [] for server in servers}
    for _ in range(15):
        for server in servers:
            runs[server.name].append(paced(server, "/healthz", rates[server.name] / 2))
    for server in servers:
        prefer(server, os.SCHED_OTHER, 0)
        median, high = (statistics.median(values) for values in zip(*runs[server.name]))
        best = min(high / median for median, high in runs[server.name])
        print(f"  {server.name:10} {rates[server.name] / 2:.0f} requests/s: median {median:.0f} us, 99th percentile "
              f"{high:.0f} us, {high / median:.2f} x; in the best run {best:.2f} x (target: 2)")


def idle_memory(server, count):
    before = server.memory()
    sockets = []
    for index in range(count):
        # Connections of one address are bounded: they come from several.
        one = socket.socket()
        one.bind((f"127.0.0.{2 + index // 2500}", 0))
        one.connect(("127.0.0.1", server.port))
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        one.recv(4096)
        sockets.append(one)
    after = server.memory()
    print(f"\n{count} idle keep-alive connections: {after:.0f} MB resident, {before:.0f} MB before (target: under 100 MB)")
    for one in sockets:
        one.close()


def main():
    with tempfile.TemporaryDirectory(prefix="parva-benchmark-") as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-keyout", f"{folder}/tls-key.pem", "-out", f"{folder}/tls.pem"],
            check=True, capture_output=True)
        os.mkdir(f"{folder}/files")
        servers = []

        def start(server):
            servers.append(server)
            return server

        try:
            ours, small, peer = start(parva(folder)), start(bare(15)), start(nginx(folder))
            plan = make_plan(ours)
            with open(f"{folder}/files/plan.json", "wb") as file:
                file.write(plan)
            os.chmod(folder, 0o755)
            large = start(bare(len(plan)))
            trio = [small, peer, ours]

            def run(server, path, *options, **more):
                return server, lambda: load(server, path, *options, **more)

            compare("GET /healthz, keep-alive, 64 connections",
                    [run(server, "/healthz") for server in trio], "bare loop", "at most 1.3")
            compare(f"GET of a plan of {len(plan)} bytes, keep-alive",
                    [run(large, "/"), run(peer, "/plan.json"), run(ours, "/v1/plan")], "nginx", "at most 1")
            posted = compare("POST of a workload of 300 bytes, decoded, found to be registered, answered 409",
                             [run(small, "/healthz"), run(ours, "/v1/workloads", "-s", post_script(folder, ours))],
                             None, "")
            scale = posted["bare loop"] / 6.1
            print(f"  half of the best Swift framework's 47 us, times this machine's factor {scale:.2f}: "
                  f"{23.5 * scale:.1f} us (target); parva: {posted['parva']:.1f} us")
            compare("GET /healthz, a new connection per request",
                    [run(server, "/healthz", "-H", "Connection: close") for server in trio],
                    "bare loop", "at most 1.2")
            certificate = f"{folder}/tls"
            secure = start(parva(folder, "--tls-certificate", f"{certificate}.pem", "--tls-key", f"{certificate}-key.pem"))
            secure_peer = start(nginx(folder, certificate))
            compare("GET /healthz, a new TLS connection per request, P-256 key",
                    [run(server, "/healthz", "-H", "Connection: close", scheme="https")
                     for server in (secure_peer, secure)], "nginx", "0.9 to 1.1")
            latency(trio)
            idle_memory(ours, 10_000)
        finally:
            for server in servers:
                server.stop()


main()
