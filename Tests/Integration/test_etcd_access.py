#!/usr/bin/env python3
"""How etcd lets controllers in: TLS by an authority of its own, client certificates, users with a role for the prefix alone and
tokens that end by themselves; against three members as they are installed."""

import contextlib
import os
import subprocess
import tempfile
import threading
import time

from controller import PARVA, Controller, check, equal, finish, free_port, workload
from fleet import until
from replicas import HAS_ETCD, without_etcd

#: Seconds that a token of etcd's is good for.
TOKEN = 2


def must(*arguments, **options):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


class Members:
    """Three members that want TLS and a certificate of their authority."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        self.clients = [free_port() for _ in range(3)]
        self.peers = [free_port() for _ in range(3)]
        must("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=authority", "-keyout", self.file("ca-key.pem"), "-out", self.file("ca.pem"))
        for file, word in (("right", "secret-word\n"), ("wrong", "secret-typo\n")):
            with open(self.file(file), "w") as out:
                out.write(word)
        # The gateway shows the member's own certificate to the member, which takes none with a name there.
        for name, subject in (("member", "/O=etcd"), ("plain", "/O=parva"), ("named", "/O=parva/CN=parva")):
            self.certificate(name, subject)
        must("openssl", "genrsa", "-out", self.file("token-key.pem"), "2048")
        must("openssl", "rsa", "-in", self.file("token-key.pem"), "-pubout", "-out", self.file("token.pem"))

    def file(self, name):
        return os.path.join(self.folder, name)

    def certificate(self, name, subject):
        must("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
             "-keyout", self.file(f"{name}-key.pem"), "-out", self.file(f"{name}.csr"))
        with open(self.file("extensions"), "w") as extensions:
            extensions.write("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth")
        must("openssl", "x509", "-req", "-in", self.file(f"{name}.csr"), "-CA", self.file("ca.pem"), "-CAkey",
             self.file("ca-key.pem"), "-CAcreateserial", "-days", "2", "-extfile", self.file("extensions"), "-out",
             self.file(f"{name}.pem"))

    def start(self, *numbers):
        for number in numbers:
            client, peer = f"https://127.0.0.1:{self.clients[number]}", f"http://127.0.0.1:{self.peers[number]}"
            log = open(self.file(f"etcd-{number}.log"), "ab")
            self.processes[number] = subprocess.Popen(
                ["etcd", "--name", f"m{number}", "--data-dir", self.file(f"m{number}"), "--log-level", "error",
                 "--heartbeat-interval", "50", "--election-timeout", "500", "--listen-client-urls", client,
                 "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", ",".join(f"m{n}=http://127.0.0.1:{self.peers[n]}" for n in range(3)),
                 "--cert-file", self.file("member.pem"), "--key-file", self.file("member-key.pem"), "--client-cert-auth",
                 "--trusted-ca-file", self.file("ca.pem"), "--auth-token",
                 f"jwt,pub-key={self.file('token.pem')},priv-key={self.file('token-key.pem')},sign-method=RS256,ttl={TOKEN}s"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            log.close()

    def kill(self, *numbers):
        for number in numbers or list(self.processes):
            process = self.processes.pop(number)
            process.kill()
            process.wait()

    def ctl(self, *arguments):
        return must(
            "etcdctl", "--endpoints", ",".join(f"127.0.0.1:{port}" for port in self.clients), "--cacert", self.file("ca.pem"),
            "--cert", self.file("plain.pem"), "--key", self.file("plain-key.pem"), *arguments,
            env=dict(os.environ, ETCDCTL_API="3"))

    def until_healthy(self):
        def healthy():
            with contextlib.suppress(AssertionError):
                self.ctl("endpoint", "health")
                return True
            return False
        until("the members", healthy)

    def place(self, prefix="parva"):
        return "etcd://" + ",".join(f"127.0.0.1:{port}" for port in self.clients) + f"/{prefix}"

    def options(self, certificate="plain", user="parva", word="right"):
        given = ["--etcd-ca", self.file("ca.pem")]
        if certificate:
            given += ["--etcd-certificate", self.file(f"{certificate}.pem"), "--etcd-key", self.file(f"{certificate}-key.pem")]
        if user:
            given += ["--etcd-user", user, "--etcd-password-file", self.file(word)]
        return given


class Beginning:
    """`parva serve` that need not come to listen."""

    def __init__(self, store, *options):
        self.process = subprocess.Popen(
            [PARVA, "serve", "--listen", "127.0.0.1:0", "--advertise", f"http://127.0.0.1:{free_port()}", "--store", store,
             "--log-level", "info", *options], stderr=subprocess.PIPE, text=True)
        self.said = ""
        self.reading = threading.Thread(target=self.read, daemon=True)
        self.reading.start()

    def read(self):
        for line in self.process.stderr:
            self.said += line

    def until_says(self, what):
        until(f"'{what}' to be said", lambda: what in self.said or (self.process.poll() is not None and self.said))
        if what not in self.said:
            raise AssertionError(f"it says: {self.said}")

    def ended(self):
        """The exit status, and what it has said."""
        status = self.process.wait(60)
        self.reading.join(5)
        return status, self.said

    def end(self):
        self.process.kill()
        self.process.wait()


def waits(store, options, what):
    one = Beginning(store, *options)
    try:
        one.until_says("waiting for the store")
        one.until_says(what)
        equal(one.process.poll(), None, "whether it ended")
    finally:
        one.end()


def refused(store, options, *words):
    status, said = Beginning(store, *options).ended()
    equal((status, [word for word in words if word not in said]), (2, []), said)
    if "secret" in said:
        raise AssertionError(f"a password is told: {said}")


def serving(members, *, options, prefix="parva"):
    return Controller(
        members.place(prefix), "--lease", "10", "--advertise", f"http://127.0.0.1:{free_port()}", *options)


def role(api, wanted):
    until(wanted, lambda: api.get("/readyz").status == 200 and api.get("/readyz").headers["Parva-Role"] == wanted)


def put(api, name):
    """Whether it was taken; how it was refused otherwise."""
    done = api.request("PUT", f"/v1/workloads/{name}", workload(name))
    return True if done.status in (200, 201) else f"{done.status} {done.body.decode()[:200]}, {''.join(api.log[-3:])}"


def certificates(members):
    """As long as etcd has no users, a certificate of the authority is enough."""
    waits(members.place(), members.options(certificate=None, user=None), "bad certificate")
    waits(members.place(), [], "does not answer")
    refused(members.place(), members.options(), "has no users")
    api = serving(members, options=members.options(certificate="named", user=None))
    try:
        role(api, "leader")
        equal(put(api, "before"), True, "a write")
    finally:
        api.stop()


def users(members):
    members.ctl("user", "add", "root:root-word")
    members.ctl("user", "grant-role", "root", "root")
    members.ctl("user", "add", "parva:secret-word")
    members.ctl("role", "add", "parva")
    members.ctl("role", "grant-permission", "parva", "readwrite", "parva/", "parva0")
    members.ctl("user", "grant-role", "parva", "parva")
    members.ctl("auth", "enable")
    refused(members.place(), members.options(user=None), "user name is empty")
    refused(members.place(), members.options(word="wrong"), "does not take user parva")
    refused(members.place(), members.options(certificate="named"), "CommonName")
    refused(members.place("other"), members.options(), "permission denied", "readwrite")
    # With users, nothing of what the store needs is beyond a role for its prefix: snapshots and compaction among it.
    apis = [serving(members, options=members.options())]
    try:
        role(apis[0], "leader")
        apis.append(serving(members, options=members.options()))
        role(apis[1], "follower")
        equal(apis[1].get("/v1/workloads/before").status, 200, "what was there before there were users")
        begun = time.monotonic()
        number = 0
        while time.monotonic() - begun < 2.5 * TOKEN:
            number += 1
            equal(put(apis[0], f"w{number}"), True, f"write {number}, {time.monotonic() - begun:.1f} s")
            equal(apis[1].get("/readyz").status, 200, "the follower")
            time.sleep(0.1)
        members.kill(1, 2)
        until("a refusal", lambda: put(apis[0], "lost") is not True)
        # Nobody can say whether the password is right.
        late = Beginning(members.place(), *members.options())
        try:
            late.until_says("waiting for the store")
            time.sleep(1)
            equal(late.process.poll(), None, late.said)
            members.start(1, 2)
            late.until_says("serving")
        finally:
            late.end()
        until("writes again", lambda: any(put(api, "again") is True for api in apis))
        equal(apis[0].process.poll(), None, "whether a controller ended")
    finally:
        for api in apis:
            api.stop()
    file = members.file("copy")
    must(PARVA, "backup", file, "--store", members.place(), *members.options())
    must(PARVA, "restore", file, "--store", members.place(), "--force", *members.options())


def main():
    name = "members of etcd are trusted by their authority, and take certificates of it"
    if not HAS_ETCD:
        return without_etcd(name)
    with tempfile.TemporaryDirectory(prefix="parva-access-") as folder:
        members = Members(folder)
        try:
            members.start(0, 1, 2)
            members.until_healthy()
            with check(name):
                certificates(members)
            with check("users of etcd need no more than the prefix, tokens are renewed, and what is wrong is told as what it is"):
                users(members)
        finally:
            members.kill()


main()
finish()
