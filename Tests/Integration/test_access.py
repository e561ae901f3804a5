"""Who may reach the controller: addresses, TLS, client certificates, tokens, and their renewal on SIGHUP; judged with
curl and openssl. Certificates are made afresh."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from controller import PARVA, check, controller, equal, finish, skip

READER, WRITER = "reader-0123456789abcdefghij", "writer-0123456789abcdefghij"
AGENT = "agent-0123456789abcdefghijk"
ADMIN = "admin-0123456789abcdefghijk"


def run(*arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, **options)


def must(*arguments, **options):
    result = run(*arguments, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)} ended with {result.returncode}: {result.stderr[-500:]}")
    return result.stdout


def authority(folder, name):
    must("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}-key.pem", "-out", f"{folder}/{name}.pem")


def certificate(folder, issuer, name, subject, file=None):
    """A certificate for 127.0.0.1, in `file` (default: its name)."""
    file = file or name
    must("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
         "-keyout", f"{folder}/{file}-key.pem", "-out", f"{folder}/{name}.csr")
    with open(f"{folder}/extensions", "w") as extensions:
        extensions.write("subjectAltName=IP:127.0.0.1")
    must("openssl", "x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{issuer}.pem", "-CAkey",
         f"{folder}/{issuer}-key.pem", "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/extensions", "-out",
         f"{folder}/{file}.pem")


def curl(folder, url, *options):
    """Status as text, "000" where there was no answer."""
    return run("curl", "-s", "-o", f"{folder}/body", "-w", "%{http_code}", "--cacert", f"{folder}/ca.pem", *options,
               url).stdout


def bearer(token):
    return ["-H", f"Authorization: Bearer {token}"]


def refusals(folder):
    tls = ["--tls-certificate", f"{folder}/server.pem", "--tls-key", f"{folder}/server-key.pem"]
    cases = [
        ("any address", ["--listen", "0.0.0.0:0"]), ("every address", ["--listen", "*:0"]),
        ("TLS without credentials", ["--listen", "0.0.0.0:0", *tls]),
        ("tokens without TLS", ["--listen", "0.0.0.0:0", "--token-file", f"{folder}/tokens"]),
        ("a key without its certificate", ["--tls-key", f"{folder}/server-key.pem"]),
        ("a CA without a certificate", ["--tls-client-ca", f"{folder}/ca.pem"]),
        ("a token file that is not there", ["--token-file", f"{folder}/nothing"]),
        ("a token file with a short token", ["--token-file", f"{folder}/short"]),
    ]
    with open(f"{folder}/short", "w") as file:
        file.write("read a s3cret\n")
    for name, options in cases:
        with check(f"parva serve refuses {name}"):
            result = run(PARVA, "serve", "--store", f"{folder}/refused.sqlite", *options)
            equal(result.returncode if result.returncode != 64 else 2, 2, "exit status")
            if "s3cret" in result.stderr or not result.stderr:
                raise AssertionError(result.stderr)


def tokens_over_tls(folder):
    with open(f"{folder}/tokens", "w") as file:
        file.write(f"# test\nread dashboard {READER}\nwrite ci {WRITER}\nnode gpu-1 {AGENT}\n")
    tls = ["--tls-certificate", f"{folder}/server.pem", "--tls-key", f"{folder}/server-key.pem"]
    with controller(*tls, "--token-file", f"{folder}/tokens", "--access-log") as api:
        url = f"https://127.0.0.1:{api.port}"
        body = ["-d", '{"id": "a", "model": "resnet50", "rate": 5, "slo": {"latencyMs": 200}}']
        for name, wanted, path, options in [
            ("health needs no token", "200", "/healthz", []),
            ("reading needs a token", "401", "/v1/workloads", []),
            ("a reader reads", "200", "/v1/workloads", bearer(READER)),
            ("a reader does not write", "403", "/v1/workloads", bearer(READER) + body),
            ("a writer writes", "201", "/v1/workloads", bearer(WRITER) + body),
            ("a wrong token is refused", "401", "/v1/workloads", bearer(READER + "x")),
        ]:
            with check(f"over TLS, {name}"):
                equal(curl(folder, url + path, *options), wanted, "status")
        with check("an agent's token is for its node, whatever the size of the body"):
            node = ["-T", f"{folder}/node", "-X", "PUT", "-H", "Content-Type: application/json"]
            with open(f"{folder}/node", "w") as file:
                file.write('{"address": "http://127.0.0.1:1"}')
            state = ["-T", f"{folder}/state", "-X", "POST", "-H", "Content-Type: application/json"]
            with open(f"{folder}/state", "w") as file:
                file.write(" " * 200_000 + "{}")
            for wanted, path, options in [
                ("201", "/v1/nodes/gpu-1", node), ("403", "/v1/nodes/gpu-2", node), ("200", "/v1/nodes/gpu-1", []),
                ("422", "/v1/nodes/gpu-1/status", state), ("403", "/v1/nodes/gpu-2/status", state),
                ("403", "/v1/plan", []), ("403", "/v1/nodes", []), ("403", "/v1/nodes/gpu-1", ["-X", "DELETE"]),
            ]:
                equal(curl(folder, url + path, *options, *bearer(AGENT)), wanted, f"{path} {options[-3:]}")
        with check("a large body without a token is refused before it is sent"):
            with open(f"{folder}/large", "wb") as file:
                file.truncate(50_000_000)
            result = run("curl", "-s", "-o", f"{folder}/body", "-w", "%{http_code} %{size_upload}", "--cacert",
                         f"{folder}/ca.pem", "--expect100-timeout", "60", "-T", f"{folder}/large", "-X", "POST", f"{url}/v1/workloads/batch").stdout
            status, sent = result.split()
            equal(status, "401", "status")
            if int(sent) > 10_000_000:
                raise AssertionError(f"{sent} bytes were taken")
        with check("TLS 1.2 and 1.3 are spoken, 1.1 and other protocols than http/1.1 are not"):
            def handshake(*options):
                return run("openssl", "s_client", "-connect", f"127.0.0.1:{api.port}", "-CAfile", f"{folder}/ca.pem",
                           *options, stdin=subprocess.DEVNULL)
            for version in ("-tls1_2", "-tls1_3"):
                output = handshake(version, "-alpn", "h2,http/1.1").stdout
                if "ALPN protocol: http/1.1" not in output or "Verify return code: 0" not in output:
                    raise AssertionError(output)
            for options in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-alpn", "h2"]):
                if handshake(*options).returncode == 0:
                    raise AssertionError(f"{options} was accepted")
        with check("a session is resumed by its ticket"):
            first = ["openssl", "s_client", "-connect", f"127.0.0.1:{api.port}", "-tls1_2", "-CAfile", f"{folder}/ca.pem"]
            must(*first, "-sess_out", f"{folder}/session", stdin=subprocess.DEVNULL)
            if "Reused, TLSv1.2" not in must(*first, "-sess_in", f"{folder}/session", stdin=subprocess.DEVNULL):
                raise AssertionError("the session was not resumed")
        with check("the access log tells who asked, and no token"):
            log = "".join(api.log)
            if not re.search(r"method=POST .*path=/v1/workloads .*principal=ci .*status=201", log):
                raise AssertionError(log[-1500:])
            if READER in log or WRITER in log:
                raise AssertionError("a token is in the log")
        with check("SIGHUP brings new tokens and a new certificate, without a restart"):
            certificate(folder, "ca", "renewed", "/CN=renewed", "server")
            with open(f"{folder}/tokens", "w") as file:
                file.write("read next next-token-0123456789abcdef\n")
            api.process.send_signal(signal.SIGHUP)
            wait_for_log(api, "read certificates and tokens again", 1)
            equal(curl(folder, f"{url}/v1/workloads", *bearer(READER)), "401", "status with the old token")
            equal(curl(folder, f"{url}/v1/workloads", *bearer("next-token-0123456789abcdef")), "200", "status")
            shown = run("openssl", "s_client", "-connect", f"127.0.0.1:{api.port}", stdin=subprocess.DEVNULL).stdout
            if "CN = renewed" not in shown and "CN=renewed" not in shown:
                raise AssertionError("the old certificate is still shown")
        with check("SIGHUP with broken files keeps what was in force"):
            with open(f"{folder}/tokens", "w") as file:
                file.write("nonsense\n")
            api.process.send_signal(signal.SIGHUP)
            wait_for_log(api, "the old ones stay", 1)
            equal(curl(folder, f"{url}/v1/workloads", *bearer("next-token-0123456789abcdef")), "200", "status")
        with check("a secured controller ends with SIGTERM"):
            equal(api.stop(), 0, "exit status")


def made_tokens(folder):
    """Tokens by the command line, with nothing but --require-token: the first comes from a line of the token file."""
    with open(f"{folder}/first", "w") as file:
        file.write(f"admin root {ADMIN}\n")
    with controller("--token-file", f"{folder}/first", "--access-log") as api:
        url = f"http://127.0.0.1:{api.port}"
        def token(*arguments, admin=ADMIN):
            return run(PARVA, "token", *arguments, "--server", url, env={**os.environ, "PARVA_TOKEN": admin})
        with check("a token that is made lets in with its role, and is shown once"):
            made = token("create", "--role", "reader", "--name", "page", "--ttl", "1h")
            equal(made.returncode, 0, made.stderr)
            secret = made.stdout.strip()
            if not re.fullmatch(r"parva_[A-Za-z0-9_-]{43}", secret):
                raise AssertionError(secret)
            equal(curl(folder, f"{url}/v1/workloads", *bearer(secret)), "200", "reading")
            equal(curl(folder, f"{url}/v1/workloads", "-d", "{}", *bearer(secret)), "403", "writing")
            equal(curl(folder, f"{url}/v1/tokens", *bearer(secret)), "403", "tokens")
            listed = token("list").stdout
            if "page" not in listed or secret in listed:
                raise AssertionError(listed)
        with check("an agent with its node's token registers and reports, for that node alone"):
            made = token("create", "--role", "node", "--node", "gpu-1")
            agent = subprocess.Popen(
                [PARVA, "node", "run", "--simulate", "dgx-a100", "--name", "gpu-1", "--state-dir", f"{folder}/gpu-1",
                 "--listen", "127.0.0.1:0", "--insecure", "--controller", url], stderr=subprocess.PIPE, text=True,
                env={**os.environ, "PARVA_TOKEN": made.stdout.strip()})
            try:
                for _ in range(600):
                    curl(folder, f"{url}/v1/nodes/gpu-1", *bearer(secret))
                    with open(f"{folder}/body") as body:
                        if '"state":"ready"' in body.read():
                            break
                    time.sleep(0.1)
                else:
                    raise AssertionError("the node is not ready")
                equal(curl(folder, f"{url}/v1/nodes/gpu-2", "-X", "PUT", "-d", '{"address": "http://127.0.0.1:1"}',
                           *bearer(made.stdout.strip())), "403", "another node")
            finally:
                agent.terminate()
                agent.wait(timeout=60)
                agent.stderr.close()
        with check("a revoked token lets nobody in, and its open stream ends; a restart changes nothing of that"):
            made = token("create", "--role", "reader", "--name", "gone")
            lost = made.stdout.strip()
            stream = subprocess.Popen(["curl", "-sN", *bearer(lost), f"{url}/v1/events"], stdout=subprocess.PIPE, text=True)
            equal(stream.stdout.readline(), ": events\n", "first line")
            equal(token("revoke", made.stderr.split()[0]).returncode, 0, "exit status")
            equal(stream.wait(timeout=60), 0, "exit status of curl")
            stream.stdout.close()
            equal(curl(folder, f"{url}/v1/workloads", *bearer(lost)), "401", "reading")
            api.restart()
            url = f"http://127.0.0.1:{api.port}"
            equal(curl(folder, f"{url}/v1/workloads", *bearer(lost)), "401", "reading after a restart")
            equal(curl(folder, f"{url}/v1/workloads", *bearer(secret)), "200", "reading with the other token")
        with check("a token in the place of an id reaches neither the audit nor the log"):
            equal(token("revoke", secret).returncode, 2, "exit status")
            for path in ("tokens", "workloads"):
                equal(curl(folder, f"{url}/v1/{path}/{secret}", "-X", "DELETE", *bearer(ADMIN)), "404", path)
            for _ in range(600):
                curl(folder, f"{url}/v1/audit", *bearer(ADMIN))
                with open(f"{folder}/body") as body:
                    text = body.read()
                if text.count("parva_...") >= 4:
                    break
                time.sleep(0.1)
            else:
                raise AssertionError(text[:500])
            if secret in text:
                raise AssertionError("a token is in the audit")
        with check("what lets in stands in no log"):
            log = "".join(api.log)
            for one in (ADMIN, secret, lost):
                if one in log:
                    raise AssertionError("a token is in the log")


def wait_for_log(api, text, times):
    for _ in range(1200):
        if "".join(api.log).count(text) >= times:
            return
        time.sleep(0.05)
    raise AssertionError(f"no '{text}' in the log: {''.join(api.log)[-1000:]}")


def namespaces(folder):
    with open(f"{folder}/tokens", "w") as file:
        file.write(f"admin root {ADMIN}\noperator file-vision {WRITER} vision\n")
    with controller("--token-file", f"{folder}/tokens", "--max-streams-per-caller", "3") as api:
        def cli(*arguments):
            return must(PARVA, *arguments, "--server", f"http://127.0.0.1:{api.port}",
                        env={**os.environ, "PARVA_TOKEN": ADMIN}).strip()

        def ask(token, method, path, body=None):
            return api.request(method, path, body, headers={"Authorization": f"Bearer {token}"})

        def web(name, rate=5):
            return {"id": name, "model": "resnet50", "rate": rate, "slo": {"latencyMs": 200}}
        for name in ("speech", "vision"):
            equal(ask(ADMIN, "POST", "/v1/namespaces", {"name": name, "quota": {"rate": 20}}).status, 201, "made")
        speech = cli("token", "create", "--role", "operator", "--name", "speech-ci", "--namespace", "speech")
        with check("two namespaces use one id, each sees its own, and others see both"):
            equal(ask(speech, "POST", "/v1/workloads", web("web")).status, 201, "speech")
            equal(ask(WRITER, "POST", "/v1/workloads", web("web", 7)).status, 201, "vision")
            equal(ask(speech, "GET", "/v1/workloads").json()["workloads"][0]["rate"], 5, "rate")
            equal(ask(WRITER, "GET", "/v1/workloads/web").json()["rate"], 7, "rate")
            equal(cli("get", "workloads", "-o", "name"), "workloads/speech:web\nworkloads/vision:web", "all")
            equal(cli("get", "namespaces", "-o", "name"),
                  "namespaces/default\nnamespaces/speech\nnamespaces/vision", "namespaces")
            plan = ask(speech, "GET", "/v1/plan?wait=60")
            equal(plan.json()["segments"][0]["id"], "web/0", "segment")
            for word in (b"vision:", b"gpu", b"node", b"uuid"):
                if word in plan.body:
                    raise AssertionError(plan.body)
        with check("what is another's is what does not exist, and the fleet is nobody's"):
            ask(WRITER, "POST", "/v1/workloads", web("hidden"))
            answers = [ask(speech, "GET", f"/v1/workloads/{name}") for name in ("hidden", "absent")]
            for answer, name in zip(answers, (b"hidden", b"absent")):
                equal(answer.status, 404, "status")
                answer.body = answer.body.replace(name, b"").replace(answer.headers["X-Request-Id"].encode(), b"")
            equal(answers[0].body, answers[1].body, "bodies")
            for path in ("/v1/nodes", "/v1/fleet", "/v1/plans", "/metrics", "/v1/operations", "/v1/audit"):
                equal(ask(speech, "GET", path).json()["code"], "namespace_insufficient", path)
        with check("a namespace's credentials together hold so many streams, and shut nobody else out"):
            def stream(token):
                one = socket.create_connection(("127.0.0.1", api.port), timeout=30)
                one.sendall(f"GET /v1/plan/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
                return one, one.recv(4096)
            held = [stream(token) for token in (speech, cli(
                "token", "create", "--role", "reader", "--name", "speech-2", "--namespace", "speech"), speech, WRITER, ADMIN)]
            for _, answer in held:
                equal(answer[:12], b"HTTP/1.1 200", "a stream")
            one, answer = stream(speech)
            one.close()
            if b" 429 " not in answer or b"too_many_open" not in answer or b"The namespace speech has 3" not in answer:
                raise AssertionError(answer)
            for one, _ in held:
                one.close()
            for _ in range(100):
                one, answer = stream(speech)
                one.close()
                if answer.startswith(b"HTTP/1.1 200"):
                    break
                time.sleep(0.1)
            else:
                raise AssertionError(answer)
        with check("a profile of one's own counts for one's own workloads"):
            profile = {"model": "own", "product": "A100-80GB", "points": [
                {"profile": "1g.10gb", "batch": 1, "processes": 1, "throughput": 90, "latencyMs": 9}]}
            path = "/v1/profiles/own?product=A100-80GB"
            equal(ask(speech, "PUT", path, profile).status, 201, "made")
            equal(ask(WRITER, "GET", path).json()["code"], "not_found", "another's")
            equal(ask(ADMIN, "GET", path + "&namespace=speech").json()["namespace"], "speech", "for an admin")
            equal(ask(speech, "DELETE", path).status, 204, "gone")
        with check("a quota refuses by how much, and the namespace goes when it is empty"):
            refused = ask(speech, "POST", "/v1/workloads", web("more", 30)).json()
            equal(refused["code"], "quota_exceeded", "code")
            if "35" not in refused["detail"] or "15 too many" not in refused["detail"]:
                raise AssertionError(refused["detail"])
            equal(ask(ADMIN, "DELETE", "/v1/namespaces/speech").json()["code"], "namespace_in_use", "code")
            api.restart()
            equal(ask(speech, "GET", "/v1/namespaces").json()["namespaces"][0]["use"]["rate"], 5, "use")


def client_certificates(folder):
    options = ["--tls-certificate", f"{folder}/server.pem", "--tls-key", f"{folder}/server-key.pem",
               "--tls-client-ca", f"{folder}/ca.pem"]
    known = ["--cert", f"{folder}/client.pem", "--key", f"{folder}/client-key.pem"]
    with controller(*options) as api:
        url = f"https://127.0.0.1:{api.port}/v1/workloads"
        with check("with a client CA alone, a client certificate is the way in"):
            equal(curl(folder, url, *known), "200", "status with one")
            equal(curl(folder, url), "000", "status without one")
            equal(curl(folder, url, "--cert", f"{folder}/stranger.pem", "--key", f"{folder}/stranger-key.pem"), "000",
                  "status with another authority's")
    with open(f"{folder}/tokens", "w") as file:
        file.write(f"read dashboard {READER}\n")
    with controller(*options, "--token-file", f"{folder}/tokens") as api:
        url = f"https://127.0.0.1:{api.port}/v1/workloads"
        with check("with tokens too, either will do"):
            equal(curl(folder, url, *known), "200", "status with a certificate")
            equal(curl(folder, url, *bearer(READER)), "200", "status with a token")
            equal(curl(folder, url), "401", "status with neither")


def socket_activation(folder):
    """What systemd does: descriptor 3 is a listening socket, LISTEN_PID and LISTEN_FDS say so."""
    def start(listener, *options):
        def hand_over():
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ["LISTEN_PID"] = str(os.getpid())
        script = "import os,sys; os.environ['LISTEN_PID']=str(os.getpid()); os.environ['LISTEN_FDS']='1'; os.execv(sys.argv[1], sys.argv[1:])"
        return subprocess.Popen(
            [sys.executable, "-c", script, PARVA, "serve", "--listen", "systemd", "--store",
             f"{folder}/activated.sqlite", *options], preexec_fn=hand_over, pass_fds=[3], stderr=subprocess.PIPE, text=True)
    with check("sockets that systemd hands over are served"), socket.create_server(("127.0.0.1", 0)) as listener:
        process = start(listener)
        try:
            port = listener.getsockname()[1]
            equal(curl(folder, f"http://127.0.0.1:{port}/healthz", "--retry", "20", "--retry-connrefused"), "200", "status")
        finally:
            process.terminate()
            equal(process.wait(timeout=30), 0, "exit status")
            process.stderr.close()
    with check("an open socket from systemd is refused without credentials"), socket.create_server(("", 0)) as listener:
        process = start(listener)
        _, errors = process.communicate(timeout=30)
        equal(process.returncode, 2, "exit status")
        if "--tls-certificate" not in errors:
            raise AssertionError(errors)


def events(folder):
    with check("plan events arrive as they happen, and end with the controller"), controller() as api:
        stream = subprocess.Popen(["curl", "-sN", f"http://127.0.0.1:{api.port}/v1/plan/events"], stdout=subprocess.PIPE,
                                  text=True)
        lines = iter(stream.stdout.readline, "")
        equal(next(line for line in lines if line.startswith("id:")), "id: 1\n", "first id")
        api.request("POST", "/v1/workloads", {"id": "a", "model": "resnet50", "rate": 5, "slo": {"latencyMs": 200}})
        equal(next(line for line in lines if line.startswith("id:")), "id: 2\n", "second id")
        equal(api.stop(), 0, "exit status")
        equal(stream.wait(timeout=30), 0, "exit status of curl")
        stream.stdout.close()


if not all(map(shutil.which, ("curl", "openssl"))):
    skip("who may reach the controller", "curl or openssl is not installed")
    finish()
with tempfile.TemporaryDirectory(prefix="parva-access-") as work:
    authority(work, "ca")
    authority(work, "other")
    certificate(work, "ca", "server", "/CN=server")
    certificate(work, "ca", "client", "/O=Parva/CN=client")
    certificate(work, "other", "stranger", "/CN=stranger")
    with open(f"{work}/tokens", "w") as token_file:
        token_file.write(f"read dashboard {READER}\n")
    refusals(work)
    tokens_over_tls(work)
    made_tokens(work)
    namespaces(work)
    client_certificates(work)
    socket_activation(work)
    events(work)
finish()
