"""Tokens of an OpenID Connect issuer at a running controller: roles, refusals, rotation, an issuer that is silent, clocks that
differ, streams that end, and what the audit and the logs say."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from controller import PARVA, Controller, check, equal, finish, skip, workload
from issuer import Issuer


def code(api, token, method="GET", path="/v1/workloads", body=None):
    answer = api.request(method, path, body=body, headers={"Authorization": f"Bearer {token}"})
    if answer.status < 400:
        return str(answer.status)
    problem = answer.json()
    if len(token) > 20 and token.split(".")[-1] in answer.body.decode() or "parva" not in answer.headers["WWW-Authenticate"]:
        raise AssertionError(answer.body)
    return f"{answer.status} {problem['code']}"


def refusals():
    for name, options, said in [
        ("an issuer without an audience", ["--oidc-issuer", "https://a.example", "--oidc-role", "reader sub=*"], "--oidc-audience"),
        ("an issuer without a role", ["--oidc-issuer", "https://a.example", "--oidc-audience", "parva"], "--oidc-role"),
        ("an issuer over plain HTTP", ["--oidc-issuer", "http://a.example", "--oidc-audience", "parva", "--oidc-role", "reader sub=*"], "https"),
        ("an audience without an issuer", ["--oidc-audience", "parva"], "--oidc-issuer"),
        ("a file of keys that is not there", ["--oidc-issuer", "https://a.example", "--oidc-audience", "parva", "--oidc-role", "reader sub=*", "--oidc-keys", "/nothing"], "/nothing"),
    ]:
        with check(f"parva serve refuses {name}"):
            result = subprocess.run([PARVA, "serve", "--listen", "127.0.0.1:0", "--store", "/dev/null/x", *options],
                                    capture_output=True, text=True, timeout=60)
            equal((result.returncode, said in result.stderr), (2, True), result.stderr)


def tokens(issuer, folder):
    options = ["--oidc-issuer", issuer.url, "--oidc-audience", "parva", "--oidc-role", "reader sub=*", "--oidc-role",
               "operator groups=gpu-team", "--oidc-role", "admin realm_access.roles=ops", "--access-log"]
    api = Controller(os.path.join(folder, "parva.sqlite"), *options)
    try:
        reader, writer = issuer.token(), issuer.token(sub="bob", groups=["staff", "gpu-team"])
        with check("an issuer's token lets in with the role of its claims"):
            equal(code(api, reader), "200")
            equal(code(api, reader, "POST", body=workload("a")), "403 scope_insufficient")
            equal(code(api, writer, "POST", body=workload("a")), "201")
            equal(code(api, writer, path="/v1/audit"), "403 scope_insufficient")
            equal(code(api, issuer.token(realm_access={"roles": ["ops"]}), path="/v1/audit"), "200")
            equal(api.request("GET", "/v1/workloads").status, 401, "status without a token")
        with check("what does not count is refused with the check that failed, whoever holds it"):
            now = time.time()
            for token, wanted in [
                (issuer.token(aud="other"), "token_audience_invalid"),
                (issuer.token(iss="http://127.0.0.1:1"), "token_issuer_invalid"),
                (issuer.token(exp=now - 61), "token_expired"), (issuer.token(nbf=now + 90), "token_not_yet_valid"),
                (issuer.token(exp=None), "token_claims_invalid"), (reader[:-8] + "AAAAAAAA", "token_signature_invalid"),
                (reader + ".x", "credentials_invalid"), ("a.b.c", "token_malformed"),
            ]:
                equal(code(api, token), f"401 {wanted}")
        with check("clocks may differ by a minute"):
            equal(code(api, issuer.token(exp=now - 30)), "200")
            equal(code(api, issuer.token(nbf=now + 30, iat=now + 30)), "200")
        with check("the audit names who was let in"):
            rows = api.request("GET", "/v1/audit", headers={
                "Authorization": f"Bearer {issuer.token(realm_access={'roles': ['ops']})}"}).json()["entries"]
            equal([row["who"] for row in rows if row["changed"]], [f"oidc:bob@{issuer.url}"])
        with check("after a rotation the first token of the new key is let in, and so are those of the old one"):
            issuer.rotate("second")
            equal(code(api, issuer.token()), "200")
            equal(code(api, reader), "200")
        stream = subprocess.Popen(
            ["curl", "-sN", "-H", f"Authorization: Bearer {issuer.token(exp=time.time() - 50)}",
             f"http://127.0.0.1:{api.port}/v1/events"], stdout=subprocess.PIPE, text=True)
        with check("a silent issuer slows nobody whose key is known, and others no longer than three seconds"):
            issuer.delay = 30
            stranger = issuer.token()
            stranger = re.sub(r"^[^.]*", "eyJhbGciOiJSUzI1NiIsImtpZCI6InRoaXJkIn0", stranger)
            waiting = subprocess.Popen(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", "-H",
                 f"Authorization: Bearer {stranger}", f"http://127.0.0.1:{api.port}/v1/workloads"],
                stdout=subprocess.PIPE, text=True)
            known = issuer.token(sub="carol")
            slowest = 0
            for _ in range(50):
                began = time.monotonic()
                equal(code(api, known), "200")
                slowest = max(slowest, time.monotonic() - began)
            status, took = waiting.communicate(timeout=60)[0].split()
            equal((status, slowest < 2.5, 2.5 < float(took) < 25), ("401", True, True), f"{slowest} {took}")
            issuer.delay = 0
        with check("a stream ends when its token runs out"):
            text = stream.communicate(timeout=60)[0]
            equal((stream.returncode, text[:8]), (0, ": events"), text)
        with check("no token stands in a log"):
            log = "".join(api.log)
            equal((reader in log, writer in log, "principal=bob" in log), (False, False, True))
        with check("a restart while the issuer is gone lets in nobody of it, until it is back"):
            issuer.server.shutdown()
            issuer.server.server_close()
            api.restart()
            equal(code(api, reader), "401 token_key_unknown")
    finally:
        api.kill()


def file_of_keys(issuer, folder):
    """Keys without a network, and a controller that other machines may reach."""
    path = os.path.join(folder, "keys.json")
    with open(path, "w") as file:
        json.dump({"keys": [issuer.key.jwk]}, file)
    configuration = os.path.join(folder, "serve.yaml")
    with open(configuration, "w") as file:
        file.write(f"oidc-issuer: {issuer.url}\noidc-audience: [other, parva]\noidc-keys: {path}\n"
                   "oidc-role: [reader sub=*]\noidc-skew: 0\n")
    api = Controller(os.path.join(folder, "file.sqlite"), "--config", configuration)
    try:
        with check("keys come from a file, too, and the settings from a configuration file"):
            equal(code(api, issuer.token()), "200")
            equal(code(api, issuer.token(exp=time.time() - 1)), "401 token_expired")
    finally:
        api.kill()


if not all(map(shutil.which, ("curl", "openssl"))):
    skip("tokens of an issuer", "curl or openssl is not installed")
    finish()
with tempfile.TemporaryDirectory(prefix="parva-issuer-") as work:
    one = Issuer()
    refusals()
    file_of_keys(one, work)
    tokens(one, work)
    one.folder.cleanup()
finish()
