"""A real Envoy before launched servers on simulated nodes. No GPU is behind any of it."""

import os
import re
import tempfile

from controller import Controller, check, equal, finish, free_port
from envoys import SERVER, Envoy, Load, put, same, told, validate
from fleet import Node, ready, until

with tempfile.TemporaryDirectory(prefix="parva-traffic-") as folder:
    with check("Envoy finds its bootstrap valid, with and without TLS and a token"):
        validate("plain", "--controller", "http://127.0.0.1:8080")
        token = os.path.join(folder, "token")
        with open(token, "w") as file:
            file.write("reader-token-0123456789abcdef\n")
        validate(
            "secured", "--controller", "https://parva.example:8443", "--token-file", token, "--admin-port", "9901",
            "--ca", "/etc/ssl/certs/ca-certificates.crt")
        validate("replicas", "--controller", "http://127.0.0.1:8080,http://127.0.0.1:8081", "--controller", "http://127.0.0.1:8082")
        validate(
            "secured replicas", "--controller", "https://one.example:8443", "--controller", "https://127.0.0.2:8443",
            "--token-file", token)

    with open(os.path.join(folder, "server.py"), "w") as file:
        file.write(SERVER)
    admin = free_port()
    api = Controller(
        os.path.join(folder, "parva.sqlite"), "--heartbeat", "3", "--admission", "half-slo", "--auto-apply",
        "--drain-time", "8", "--observe", f"http://127.0.0.1:{admin}", "--observe-interval", "1")
    url = f"http://127.0.0.1:{api.port}"
    nodes, envoys = [], []
    try:
        nodes += [Node(name, folder, url, "dgx-a100", zone=f"zone-{name[-1]}") for name in ("n0", "n1")]
        ready(api, 2)
        put(api, folder, {"a": 900, "b": 400})
        envoys.append(Envoy(folder, [url], "edge", admin=admin))
        envoy = envoys[0]

        with check("what Envoy holds is the table of endpoints, and requests reach their workload by header and by path"):
            same(api, envoy, 2)
            for name in ("a", "b"):
                equal(until(f"an answer of {name}", lambda: envoy.ask("/x?y=1", x_parva_workload=name)[0] == 200), True)
                status, text = envoy.ask("/x?y=1", x_parva_workload=name)
                equal((status, text.split()[0], text.split()[2]), (200, name, "/x?y=1"), "by header")
                status, text = envoy.ask(f"/w/{name}/v2/infer?y=1")
                equal((status, text.split()[0], text.split()[2]), (200, name, "/v2/infer?y=1"), "by path")
            equal(envoy.ask("/x", x_parva_workload="none")[0], 404, "a workload that nobody knows")

        with check("servers that go are drained first: no request fails while the demand moves"):
            loads = [Load(envoy, name) for name in ("a", "b") for _ in range(2)]
            for rates in ({"a": 300, "b": 2500}, {"a": 2500, "b": 200}, {"a": 900, "b": 400}):
                put(api, folder, rates)
                until("the plan to stand", lambda: all(
                    one["status"].get("matchesPlan") for one in api.get("/v1/nodes").json()["nodes"]), 120)
                same(api, envoy, 2)
            for load in loads:
                load.stop()
            equal([bad for load in loads for bad in load.bad], [], "failed requests")
            equal(all(load.count > 20 for load in loads), True, "requests were sent")

        with check("what Envoy counts of a workload and of its segments stands beside what it declares"):
            load = Load(envoy, "a")

            def seen():
                status = api.get("/v1/workloads/a").json()["status"]
                found = status.get("observed")
                return status if found and found["requests"] >= 10 and found["withinSloAtLeast"] else None
            status = until("requests to be seen", seen)
            load.stop()
            equal(load.bad, [], "failed requests")
            found = status["observed"]
            equal(found["failed"], 0, "failed requests by Envoy's count")
            equal(0 < found["p50Ms"] <= found["p99Ms"], True, f"latencies {found}")
            equal(0 < found["withinSloAtLeast"] <= found["withinSloAtMost"] <= 1, True, f"share {found}")
            known = {one["segment"] for one in api.get("/v1/endpoints?workload=a").json()["endpoints"]}
            equal({one["id"] for one in found["segments"]} <= known and len(found["segments"]) > 0, True, f"segments {found}")
            # By segment every try counts, by workload what was answered.
            equal(sum(one["rate"] for one in found["segments"]) > found["rate"] / 2, True, f"rates {found}")
            equal([one["type"] for one in status["conditions"]][-1], "AsPlanned", "the condition")
            text = api.get("/metrics").body.decode()
            equal(len(re.findall(r'^parva_observed_requests_per_second\{workload="a"\} [0-9.]+$', text, re.M)), 1, "the metric")

        with check("a controller that is away and comes back changes nothing for requests"):
            before = told(api)
            load = Load(envoy, "a")
            api.kill()
            seen = load.count
            until("requests without a controller", lambda: load.count > seen + 20)
            api.start()
            until("the nodes to have spoken", lambda: api.get("/v1/endpoints").status == 200)
            same(api, envoy, 2)
            load.stop()
            equal(load.bad, [], "failed requests")
            until("the table to be as before the restart", lambda: told(api) == before)

        with check("what an Envoy refuses is found and shown"):
            # An address that no machine has (RFC 5737).
            envoys.append(Envoy(folder, [url], "wrong", "--listen-address", "192.0.2.1"))
            shown = until("the refusal to be shown", lambda: next(
                (one for one in api.get("/v1/proxies").json()["proxies"]
                 if one["id"] == "wrong" and one["state"] == "refusing"), None))
            equal([one["type"] for one in shown["subscriptions"] if "refused" in one], ["listeners"], "what is refused")
            until("the other proxy to be current", lambda: {
                one["id"]: one["state"] for one in api.get("/v1/proxies").json()["proxies"]}["edge"] == "current")
            text = api.get("/metrics").body.decode()
            equal(re.search(r"^parva_proxies_refusing (\d+)$", text, re.M).group(1), "1", "proxies that refuse")
    finally:
        for one in [*envoys]:
            one.stop()
        for one in [*nodes, api]:
            if one.process.poll() is None:
                one.stop()
finish()
