"""Subscribers of the controller, with a real receiver that verifies what it gets by the lines of docs/webhooks.md."""

import contextlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time

from controller import check, controller, equal, finish, skip, workload
from fleet import until
from receiver import Receiver, verify

ALLOWED = ["--webhook-allow-network", "127.0.0.0/8", "--webhook-retry-pause", "0.05", "--webhook-timeout", "2"]
#: Of an address that documents use for the public Internet, here put on the loopback interface of a network of our own.
PUBLIC = "93.184.215.14"


def subscribe(api, name, url, **members):
    answer = api.request("PUT", f"/v1/webhooks/{name}", {"url": url, "types": ["plan.published"], **members})
    equal(answer.status, 201, f"status of {answer.body}")
    return answer.json()["secret"]


def publish(api, rate, name="a"):
    """Another plan; answers its revision."""
    answer = api.request("PUT", f"/v1/workloads/{name}", workload(name, rate=rate, labels={"team": name}))
    equal(answer.status // 100, 2, "status")
    return api.get("/v1/plan?wait=60").json()["revision"]


def state(api, name):
    return api.get(f"/v1/webhooks/{name}").json()["status"]


def closed():
    receiver = Receiver()
    with controller("--webhook-timeout", "2") as api:
        with check("without the flag a loopback URL is refused when it is named, and a name that leads there when it is dialled"):
            answer = api.request("POST", "/v1/webhooks", {"url": receiver.url("/")})
            equal((answer.status, answer.json()["code"]), (422, "target_forbidden"))
            answer = api.request("POST", "/v1/webhooks", {"url": "https://[::ffff:7f00:1]/"})
            equal(answer.json()["code"], "target_forbidden")
            subscribe(api, "name", f"https://localhost:{receiver.server_address[1]}/")
            made = api.request("POST", "/v1/webhooks/name/test").json()
            equal((made["delivered"], made["code"]), (False, "target_forbidden"), str(made))
            equal(receiver.got, {}, "what arrived")


def delivering(folder, receiver):
    # A proxy that is nobody: whoever followed it would reach nothing.
    proxies = {"http_proxy": "http://127.0.0.1:9/", "all_proxy": "http://127.0.0.1:9/"}
    os.environ.update(proxies)
    with controller(*ALLOWED, store=f"{folder}/store.sqlite") as api:
        for name in proxies:
            del os.environ[name]
        secret = subscribe(api, "first", receiver.url("/first"))
        subscribe(api, "slow", receiver.url("/slow"))
        receiver.plan["/slow"] = ["hang"] * 50
        with check("a plan is told, signed as the page says; a change of one byte is not accepted, and neither is another time"):
            revision = publish(api, 100)
            until("the message", lambda: revision in receiver.revisions("/first"))
            headers, body = receiver.messages("/first")[-1]
            name = verify(secret, headers, body)
            equal(name, headers["webhook-id"])
            for bad in [(body + b" ", None), (body, time.time() + 1000)]:
                try:
                    verify(secret, headers, *bad)
                except ValueError:
                    continue
                raise AssertionError("a wrong message was accepted")
        with check("after a 500 and a time-out the same message comes again, under its id"):
            receiver.plan["/first"] = [500, "hang"]
            seen = len(receiver.messages("/first"))
            publish(api, 2000)
            tries = until("three tries", lambda: receiver.messages("/first")[seen:][2:] and receiver.messages("/first")[seen:])
            equal(len({headers["webhook-id"] for headers, _ in tries}), 1, "ids")
            equal(len({body for _, body in tries}), 1, "bodies")
            for headers, body in tries:
                verify(secret, headers, body)
            codes = [t["code"] for t in until(
                "the end", lambda: [api.get("/v1/webhooks/first/deliveries").json()["deliveries"]]
                if not state(api, "first")["failures"] else None)[0]][:3]
            equal(codes, ["delivered", "timeout", "status_500"])
        with check("while one receiver hangs, the other is told within a moment"):
            revision = publish(api, 4000)
            until("the message", lambda: receiver.revisions("/first")[-1] == revision)
            until("the other to fail", lambda: state(api, "slow")["state"] == "failing")
        with check("a subscriber is rotated without a gap: both secrets sign, then the new one alone"):
            newer = api.request("POST", "/v1/webhooks/first/rotate-secret", {"overlapSeconds": 60}).json()["secret"]
            equal(api.request("POST", "/v1/webhooks/first/test").json()["delivered"], True)
            headers, body = receiver.messages("/first", "webhook.test")[-1]
            equal(verify(secret, headers, body), verify(newer, headers, body))
            newest = api.request("POST", "/v1/webhooks/first/rotate-secret", {"overlapSeconds": 0}).json()["secret"]
            api.request("POST", "/v1/webhooks/first/test")
            headers, body = receiver.messages("/first", "webhook.test")[-1]
            verify(newest, headers, body)
            for old in (secret, newer):
                with contextlib.suppress(ValueError):
                    verify(old, headers, body)
                    raise AssertionError("an old secret still signs")
        with check("redirects are not followed"):
            subscribe(api, "redirect", receiver.url("/redirect"))
            receiver.plan["/redirect"] = [302]
            made = api.request("POST", "/v1/webhooks/redirect/test").json()
            equal((made["delivered"], made["code"], made["status"]), (False, "redirect_refused", 302))
            equal(receiver.messages("/elsewhere"), [])
            api.request("DELETE", "/v1/webhooks/redirect")
        with check("a message that fails for too long is a dead letter, and a replay brings it, under its id"):
            subscribe(api, "dead", receiver.url("/dead"), retrySeconds=1)
            receiver.plan["/dead"] = 500
            revision = publish(api, 6000)
            letter = until("the dead letter", lambda: api.get("/v1/webhooks/dead/dead-letters").json()["deadLetters"])[0]
            equal((letter["code"], letter["type"]), ("status_500", "plan.published"))
            receiver.plan["/dead"] = 204
            equal(api.request("POST", "/v1/webhooks/dead/replay").json(), {"replaying": 1})
            until("the replay", lambda: not api.get("/v1/webhooks/dead/dead-letters").json()["deadLetters"])
            headers, body = receiver.messages("/dead")[-1]
            equal((headers["webhook-id"], body.decode()), (letter["message"], letter["body"]))
            equal(receiver.revisions("/dead"), [revision])
        with check("410 ends it; a PUT begins anew, with a gap"):
            subscribe(api, "gone", receiver.url("/gone"))
            receiver.plan["/gone"] = [410]
            publish(api, 100)
            until("the end", lambda: state(api, "gone")["state"] == "gone")
            answer = api.request("PUT", "/v1/webhooks/gone", {"url": receiver.url("/gone"), "types": ["plan.published"]})
            equal(answer.status, 200)
            until("the gap", lambda: receiver.messages("/gone", "gap"))
        with check("workloads and nodes are told by label, and when they are gone"):
            subscribe(
                api, "labels", receiver.url("/labels"), types=["workload.state_changed", "node.state_changed"],
                labelSelector="team in (b, vision)")
            publish(api, 10, "c")
            publish(api, 10, "b")
            until("news of it", lambda: any(b'"id":"b"' in body for _, body in receiver.messages("/labels")))
            api.request("DELETE", "/v1/workloads/b")
            api.request("PUT", "/v1/nodes/n1", {"address": "http://127.0.0.1:9", "labels": {"team": "vision"}})
            api.request("PUT", "/v1/nodes/n2", {"address": "http://127.0.0.1:9", "labels": {"team": "audio"}})
            api.request("DELETE", "/v1/nodes/n2?force=true")
            api.request("DELETE", "/v1/nodes/n1?force=true")
            until("the node", lambda: any(b'"removed"' in body for _, body in receiver.messages("/labels")))
            until("the workload", lambda: any(b'"conditions":[],"id":"b"' in body for _, body in receiver.messages("/labels")))
            for _, body in receiver.messages("/labels"):
                if b'"n2"' in body or b'"id":"c"' in body:
                    raise AssertionError(body)
        with check("metrics tell what was delivered and what waits, and no secret is in the log"):
            text = api.get("/metrics").body.decode()
            delivered = re.search(r'parva_webhook_tries_total\{outcome="delivered"\} (\d+)', text)
            if not delivered or int(delivered[1]) < 5 or 'parva_webhook_waiting_events{webhook="slow"}' not in text:
                raise AssertionError(text)
            if "whsec_" in "".join(api.log):
                raise AssertionError("a secret is in the log")
        crashes(api, receiver)


def crashes(api, receiver):
    with check("kill -9 between a plan and its delivery loses none, in order"):
        published = []
        for turn in range(4):
            # Nobody answers while the plan is published.
            receiver.plan["/first"] = 503
            published.append(publish(api, 1000 + 1500 * turn))
            api.restart()
            receiver.plan["/first"] = 204
        published.append(publish(api, 77))
        until("the last plan", lambda: receiver.revisions("/first")[-1] == published[-1])
        equal([r for r in receiver.revisions("/first") if r in published], published, "plans that were told")
    with check("after a crash those who are told of workloads read anew"):
        until("the gap", lambda: any(b'"restart"' in body for _, body in receiver.messages("/labels", "gap")))
        equal(receiver.messages("/first", "gap"), [])


def tenants(folder, receiver):
    keys = {name: f"{name}-0123456789abcdefghijklmnop" for name in ("east", "west", "root")}
    with open(f"{folder}/tokens", "w", encoding="utf-8") as file:
        file.write("".join(f"operator {name} {keys[name]} {name}\n" for name in ("east", "west")))
        file.write(f"admin root {keys['root']}\n")
    with controller(*ALLOWED, "--token-file", f"{folder}/tokens", store=f"{folder}/tenants.sqlite") as api:
        def ask(name, method, path, body=None):
            return api.request(method, path, body, headers={"Authorization": f"Bearer {keys[name]}"})

        secrets = {}
        for name in ("east", "west"):
            equal(ask("root", "POST", "/v1/namespaces", {"name": name}).status, 201)
            made = ask(name, "PUT", "/v1/webhooks/ci", {"url": receiver.url(f"/{name}")})
            equal(made.status, 201, f"{made.body}")
            secrets[name] = made.json()["secret"]
        with check("subscribers of a namespace are told of its workloads and of its part of plans, and of nobody else's"):
            for name in ("east", "west"):
                equal(ask(name, "POST", "/v1/workloads", workload("web", labels={"team": name})).status, 201)
            for name in ("east", "west"):
                until("a plan", lambda: receiver.messages(f"/{name}", "plan.published"))
                until("a workload", lambda: [m for m in receiver.messages(f"/{name}", "workload.state_changed")
                                             if b'"reason":"planned"' in m[1]])
                for headers, body in receiver.messages(f"/{name}"):
                    verify(secrets[name], headers, body)
                    other = {"east": b"west", "west": b"east"}[name]
                    if other in body or b"gpuCount" in body or name.encode() + b":" in body:
                        raise AssertionError(body)
            equal(ask("east", "GET", "/v1/webhooks").json()["webhooks"][0]["id"], "ci")
            equal(sorted(w["id"] for w in ask("root", "GET", "/v1/webhooks").json()["webhooks"]),
                  ["east:ci", "west:ci"])
        with check("after a crash they read anew what is theirs"):
            api.kill()
            api.start()
            gap = until("the gap", lambda: receiver.messages("/east", "gap"))[0][1]
            if b'"read":["/v1/plan","/v1/workloads"]' not in gap:
                raise AssertionError(gap)
        with check("a namespace goes when its subscribers are gone"):
            equal(ask("east", "DELETE", "/v1/workloads/web").status, 204)
            equal(ask("root", "DELETE", "/v1/namespaces/east").json()["code"], "namespace_in_use")
            equal(ask("east", "DELETE", "/v1/webhooks/ci").status, 204)
            equal(ask("root", "DELETE", "/v1/namespaces/east").status, 204)


def public():
    """Runs in a network of its own, where a public address is ours."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{PUBLIC}/32", "dev", "lo"], check=True)
    with tempfile.TemporaryDirectory(prefix="parva-test-") as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=receiver", "-addext", f"subjectAltName=IP:{PUBLIC}", "-keyout", f"{folder}/key.pem", "-out",
             f"{folder}/cert.pem"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        receiver = Receiver(PUBLIC, context)
        with controller("--webhook-ca", f"{folder}/cert.pem", "--webhook-timeout", "3") as api:
            with check("a public address is reached by https, with the guard as it is"):
                subscribe(api, "out", f"https://{PUBLIC}:{receiver.server_address[1]}/out")
                made = api.request("POST", "/v1/webhooks/out/test").json()
                equal((made["delivered"], made["code"]), (True, "delivered"), str(made))
                equal(len(receiver.messages("/out")), 1)
    finish()


if sys.argv[1:] == ["--public"]:
    public()
closed()
with tempfile.TemporaryDirectory(prefix="parva-test-") as folder:
    delivering(folder, Receiver())
    tenants(folder, Receiver())
NAME = "a public address is reached by https, with the guard as it is"
if subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], capture_output=True).returncode:
    skip(NAME, "no network of one's own can be made here")
else:
    with check("in a network of its own"):
        result = subprocess.run(
            ["unshare", "-rn", sys.executable, __file__, "--public"], capture_output=True, text=True, timeout=60)
        print(result.stdout, end="")
        equal(result.returncode, 0, result.stdout + result.stderr[-800:])
finish()
