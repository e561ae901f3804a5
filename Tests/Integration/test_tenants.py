#!/usr/bin/env python3
"""The client with the token of a namespace and with one of the fleet: ids, its part of the plan, what has
happened, and what is made."""

import contextlib
import json
import os
import random
import subprocess
import tempfile

from controller import PARVA, SEED, Controller, check, equal, finish
from fleet import until
from test_client import Client, following, one

ADMIN, TENANT, OTHER = (f"{name}-0123456789abcdefghij" for name in ("admin", "tenant", "other"))


class Fleet:
    """A controller with two namespaces, and clients of it: of everything, of `vision`, of `audio`."""

    def __init__(self, folder, *arguments):
        tokens = os.path.join(folder, "tokens")
        with open(tokens, "w", encoding="utf-8") as file:
            file.write(f"admin root {ADMIN}\noperator vis {TENANT} vision\noperator aud {OTHER} audio\n")
        self.api = Controller(os.path.join(folder, "parva.sqlite"), "--token-file", tokens, *arguments)
        self.folder = folder
        self.all, self.vision, self.audio = (self.client(token) for token in (ADMIN, TENANT, OTHER))

    def client(self, token, server=None):
        client = Client(self.folder, server or f"http://127.0.0.1:{self.api.port}")
        client.environment["PARVA_TOKEN"] = token
        return client

    def ids(self):
        return {row["id"]: row["rate"] for row in json.loads(self.all.must("get", "workloads", "-o", "json"))["workloads"]}


@contextlib.contextmanager
def fleet(*arguments):
    with tempfile.TemporaryDirectory(prefix="parva-tenants-") as folder:
        running = Fleet(folder, *arguments)
        try:
            for name in ("vision", "audio"):
                equal(running.all.must("create", "namespace", name), f"namespaces/{name} created\n")
            yield running
        finally:
            if running.api.process.poll() is None:
                running.api.kill()


def printed(rows, draw):
    """A document of workloads, in one of the ways in which they are written."""
    form = draw.choice(["list", "object", "lines"] + (["alone"] if len(rows) == 1 else []))
    if form == "lines":
        return form, "".join(json.dumps(row) + "\n" for row in rows)
    document = {"list": rows, "object": {"workloads": rows}, "alone": rows[0]}[form]
    return form, json.dumps(document)


def said(id, namespace, draw):
    """The id of a workload of a namespace with that before it, beside it, or left out where it goes without saying."""
    forms = [{"id": f"{namespace}:{id}"}, {"id": id, "namespace": namespace}]
    return draw.choice(forms + ([{"id": id}] if draw.random() < 0.7 else []))


def ids():
    with fleet() as there:
        callers = {
            "its token": (there.vision, []), "its token and its name": (there.vision, ["--namespace", "vision"]),
            "a token of all and its name": (there.all, ["--namespace", "vision"]), "a token of all": (there.all, []),
        }
        with check(f"whoever applies, whatever form ids have: twice is once, get and apply is nothing, delete is those (seed {SEED})"):
            draw = random.Random(SEED)
            wanted = {}
            for round in range(16):
                name, (client, options) = draw.choice(list(callers.items()))
                rows, own = [], {}
                for id in draw.sample("abcdef", draw.randint(1, 4)):
                    home = draw.choice(["vision", "default"]) if client is there.all and not options else "vision"
                    form = {"id": id} if home == "default" else said(id, home, draw)
                    if client is there.all and not options and form == {"id": id}:
                        home = "default"
                    rate = draw.choice([10, 20, 30])
                    rows.append(one(None, rate, **draw.choice([{}, {"labels": {"team": "x"}}])) | form)
                    own["vision:" + id if home == "vision" else id] = rate
                form, text = printed(rows, draw)
                path = os.path.join(there.folder, "demand." + ("ndjson" if form == "lines" else "json"))
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                what = f"round {round}, {name}: {text}"
                client.must("apply", "-f", path, *options)
                wanted |= own
                equal(there.ids(), wanted, what)
                equal(client.must("apply", "-f", path, *options), f"0 created, 0 changed, {len(rows)} unchanged\n", what)
                client.must("diff", "-f", path, *options)
                for other, (reader, more) in callers.items():
                    shown = reader.must("get", "workloads", "-o", draw.choice(["json", "yaml"]), *more)
                    end = reader.must("apply", "-f", "-", *more, stdin=shown)
                    equal(end.startswith("0 created, 0 changed, "), True, f"{what}; {other}: {end}")
                shown = there.vision.must("get", "workloads", "-o", "yaml")
                equal(there.all.must("apply", "-f", "-", "--namespace", "vision", stdin=shown).startswith("0 created, 0 ch"), True, what)
                if draw.random() < 0.5:
                    names = client.must("delete", "-f", path, *options).splitlines()
                    equal(len(names), len(rows), what)
                    wanted = {id: rate for id, rate in wanted.items() if id not in own}
                    equal(there.ids(), wanted, what)
        with check("one that is shown by itself can be applied, by either of its names"):
            there.vision.must("apply", "-f", "-", stdin=json.dumps(one("solo", 10)))
            for name in ("solo", "vision:solo"):
                shown = there.vision.must("get", "workload", name, "-o", "yaml")
                equal(there.vision.must("apply", "-f", "-", stdin=shown), "0 created, 0 changed, 1 unchanged\n", name)
            equal(there.all.must("get", "workload", "solo", "--namespace", "vision", "-o", "name"), "workloads/vision:solo\n")
            equal(there.all.must("get", "workloads", "--namespace", "vision", "-o", "name").count("vision:"),
                  there.vision.must("get", "workloads", "-o", "name").count("\n"))
            equal("vision:solo" in there.all.must("top", "--namespace", "vision"), True)
        with check("what is of another namespace is refused before anything is sent, with its place"):
            for row in ({"id": "audio:x"}, {"id": "x", "namespace": "audio"}, {"id": "x", "namespace": "default"}):
                text = json.dumps([one("x", 1) | row])
                for client, options in list(callers.values())[:3]:
                    result = client.run("apply", "-f", "-", *options, stdin=text)
                    equal((result.returncode, "the namespace vision can be named" in result.stderr), (2, True), result.stderr)
            there.vision.refused(2, "another namespace", "get", "workload", "audio:x")
            there.vision.refused(2, "for the namespace vision alone", "get", "workloads", "--namespace", "audio")
            there.all.refused(2, "has a bare id, x", "get", "workload", "default:x")
            there.all.refused(2, "--namespace is for", "get", "nodes", "--namespace", "vision")
            both = json.dumps([one("x", 1), one("vision:x", 1)])
            equal("is already that" in there.vision.run("apply", "-f", "-", stdin=both).stderr, True)
        with check("a context may name the namespace that is spoken of"):
            token = os.path.join(there.folder, "admin")
            with open(token, "w", encoding="utf-8") as file:
                file.write(ADMIN)
            there.all.must("context", "set", "vis", "--server", f"http://127.0.0.1:{there.api.port}", "--token-file", token,
                           "--namespace", "vision")
            equal(there.all.must("get", "workload", "solo", "--context", "vis", "-o", "name"), "workloads/vision:solo\n")
            equal("  in vision" in there.all.must("context", "list"), True)
            there.all.must("context", "set", "vis", "--namespace", "")
            there.all.refused(2, "404 not_found", "get", "workload", "solo", "--context", "vis")
        with check("what -o name prints can be given to other verbs; each that is asked for is tried and told of"):
            names = there.vision.must("get", "workloads", "-o", "name").split()
            equal(there.vision.must("get", *names, "-o", "name").split(), names)
            there.vision.must("apply", "-f", "-", stdin=json.dumps([one("u", 1), one("v", 1)]))
            result = there.vision.run("delete", "workload", "u", "none", "v")
            equal((result.returncode, result.stdout), (2, "workloads/u deleted\nworkloads/v deleted\n"))
            equal("workloads/none: 404 not_found" in result.stderr, True, result.stderr)
            result = there.vision.run("get", "workload", "solo", "none", "-o", "name")
            equal((result.returncode, result.stdout), (2, "workloads/solo\n"), result.stderr)
            equal("workloads/none: 404" in result.stderr, True, result.stderr)
            there.vision.refused(2, "another kind", "delete", "workloads/solo", "nodes/n")
            equal("labels" in there.vision.must("get", "workloads", "-o", "wide").splitlines()[0]
                  or "percentile" in there.vision.must("get", "workloads", "-o", "wide").splitlines()[0], True)


def plans():
    with fleet() as there:
        there.vision.must("apply", "-f", "-", stdin=json.dumps([one("web", 300), one("lost", 10, model="nobody-has-this")]))
        there.audio.must("apply", "-f", "-", stdin=json.dumps([one("hidden", 300)]))
        there.all.must("get", "plan")
        outputs = {}
        with check("a namespace's token is shown its own part of the plan in every form, and nothing of others"):
            for form in ("table", "wide", "name", "json", "yaml"):
                outputs[form] = there.vision.must("get", "plan", "-o", form)
            outputs["describe"] = there.vision.must("describe", "plan")
            for form, text in outputs.items():
                equal("web" in text, True, f"{form}: {text}")
                for word in ("hidden", "audio", "uuid", "node"):
                    equal(word in text, False, f"{word} in {form}: {text}")
            equal({line.rsplit("/", 1)[0] for line in outputs["name"].splitlines()}, {"segments/web"})
            table = outputs["table"].splitlines()
            equal(table[0].split()[:3], ["segment", "workload", "model"])
            equal("lost: not served, no_profile" in outputs["table"], True, outputs["table"])
            equal(table[-1].startswith("plan revision ") and table[-1].endswith(" for 1 workload of the namespace vision"),
                  True, table[-1])
            equal(json.loads(outputs["json"])["namespace"], "vision")
            for word in ("namespace: vision", "quota:", "use:", "segments:"):
                equal(word in outputs["describe"], True, word)
        with check("and is shown it again when it changes"):
            with following(there.vision, "watch", "plan") as shows:
                shows("of the namespace vision")
                there.vision.must("apply", "-f", "-", stdin=json.dumps(one("web", 2500)))
                shows("of the namespace vision")
        with check("whoever sees all has a row a segment, too"):
            rows = there.all.must("get", "plan", "-o", "wide")
            for word in ("vision:web", "audio:hidden", "GPU", "pool"):
                equal(word in rows, True, rows)
            equal("segments/audio:hidden/0\n" in there.all.must("get", "plan", "-o", "name"), True)
            equal("│" in there.all.must("get", "plan"), True, "the drawing")
            there.all.refused(2, "takes no --namespace", "get", "plan", "--namespace", "vision")
        with check("what is the fleet's is refused with the reason"):
            for kind in ("nodes", "plans", "operations", "windows"):
                there.vision.refused(2, "403 namespace_insufficient", "get", kind)
            equal(there.vision.must("get", "namespaces", "-o", "name"), "namespaces/vision\n")


def logs():
    with fleet() as there:
        def lines(*options, client=there.vision, name="web"):
            rows = client.must("logs", "workload", name, "-o", "ndjson", *options).splitlines()
            return [json.loads(row) for row in rows]

        def texts(**more):
            return [line["text"] for line in lines(**more)]

        with check("logs of a workload tell each thing as it was then, in order, after its end too"):
            there.vision.must("apply", "-f", "-", stdin=json.dumps(one("web", 100)))
            equal(texts()[0], "created: 100 requests/s of resnet50 within 205 ms")
            until("a plan", lambda: any("gives it" in text for text in texts()))
            first = next(text for text in texts() if "gives it" in text)
            there.vision.must("apply", "-f", "-", stdin=json.dumps(one("web", 2500)))
            until("another plan", lambda: len({text for text in texts() if "gives it" in text}) > 1)
            there.vision.must("delete", "workload", "web")
            until("its end", lambda: texts()[-1].startswith("deleted"))
            told = lines()
            times = [line["time"] for line in told]
            equal(times, sorted(times), "order")
            equal(first in [line["text"] for line in told], True, "the first plan as it was told")
            words = [line["text"] for line in told if line["source"] == "workload"]
            equal(words, ["created: 100 requests/s of resnet50 within 205 ms", "changed: 2500 requests/s of resnet50 within 205 ms",
                          "deleted: it is registered no more"])
            equal([line["text"] for line in lines("--limit", "1")], words[-1:])
        with check("they are the same for a token of all, under either name, and not for another namespace's"):
            of_all = [line for line in lines(client=there.all, name="vision:web") if line["source"] == "workload"]
            equal([line["text"] for line in of_all], words)
            equal([row["text"] for row in lines("--namespace", "vision", client=there.all) if row["source"] == "workload"], words)
            there.audio.refused(2, "404 not_found", "logs", "workload", "web")
            there.vision.refused(2, "404 not_found", "logs", "workload", "never")
            there.vision.refused(2, "403 namespace_insufficient", "logs", "plan")
        with check("what comes is followed"):
            there.vision.must("apply", "-f", "-", stdin=json.dumps(one("next", 100)))
            with following(there.vision, "logs", "workloads/next", "-f", "--interval", "0.2") as shows:
                shows("created: 100")
                there.vision.must("apply", "-f", "-", stdin=json.dumps(one("next", 200)))
                shows("changed: 200")


def making():
    with fleet() as there:
        with check("a namespace is made, tried, made anew with other bounds, and judged before anything is sent"):
            create = ("create", "namespace", "robots", "--gpus", "2.5", "--workloads", "3", "--rate", "100", "--weight", "2")
            equal(there.all.must(*create, "--dry-run", status=4), "namespaces/robots would be created\n")
            equal(there.all.must(*create), "namespaces/robots created\n")
            there.all.refused(2, "409 already_exists", *create)
            made = json.loads(there.all.must("get", "namespace", "robots", "-o", "json"))
            equal((made["quota"], made["weight"]), ({"gpus": 2.5, "workloads": 3, "rate": 100}, 2))
            equal(there.all.must("create", "ns", "robots", "--gpus", "4", "--rate", "none", "--replace"), "namespaces/robots replaced\n")
            made = json.loads(there.all.must("get", "namespace", "robots", "-o", "json"))
            equal((made["quota"], made["weight"]), ({"gpus": 4, "workloads": 3}, 2), "what is not given stays")
            there.all.refused(2, "weight", "create", "namespace", "x", "--weight", "0")
            there.all.refused(2, "name must be", "create", "namespace", "X")
            there.vision.refused(2, "403", "create", "namespace", "mine")
        with check("profiles are put for all or for a namespace, and shown, described and deleted there"):
            profile = {"model": "mine", "product": "A100-80GB", "points": [
                {"profile": "1g.10gb", "batch": 8, "processes": 1, "throughput": 100, "latencyMs": 20}]}
            path = os.path.join(there.folder, "profile.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(profile, file)
            which = ("--product", "A100-80GB")
            equal(there.vision.must("create", "profile", "-f", path), "profiles/mine on A100-80GB created\n")
            there.all.refused(2, "404", "get", "profile", "mine", *which)
            equal(json.loads(there.all.must("get", "profile", "mine", *which, "--namespace", "vision", "-o", "json"))["namespace"], "vision")
            equal(there.all.must("create", "profile", "-f", path, "--namespace", "audio", "--dry-run", status=4),
                  "profiles/mine on A100-80GB would be created\n")
            equal(there.all.must("create", "profile", "-f", path, "--namespace", "audio"), "profiles/mine on A100-80GB created\n")
            equal(there.all.must("create", "profile", "-f", path, "--namespace", "audio"), "profiles/mine on A100-80GB replaced\n")
            equal("points:" in there.vision.must("describe", "profile", "mine", *which), True)
            equal(there.all.must("get", "profiles", "--namespace", "vision", "-o", "name").count("profiles/mine\n"), 1)
            equal(there.vision.must("delete", "profile", "mine", *which), "profiles/mine deleted\n")
            equal(there.all.must("delete", "profile", "mine", *which, "--namespace", "audio"), "profiles/mine deleted\n")
            there.all.refused(2, "404", "describe", "profile", "mine", *which, "--namespace", "audio")
            there.all.refused(2, "--product is for profiles", "get", "nodes", "--product", "A100-80GB")
        with check("of subscribers those of the namespace are shown and deleted, and not the fleet's of the same name"):
            hook = {"url": "https://example.com/hook", "types": ["plan.published"], "enabled": False}
            headers = {"Authorization": f"Bearer {ADMIN}"}
            for id in ("ci", "vision:ci", "audio:ci"):
                equal(there.api.request("PUT", f"/v1/webhooks/{id}", hook, headers).status, 201, id)
            equal(there.all.must("get", "webhooks", "--namespace", "vision", "-o", "name"), "webhooks/vision:ci\n")
            equal(there.all.must("delete", "webhook", "ci", "--namespace", "vision"), "webhooks/ci deleted\n")
            equal(there.all.must("get", "webhooks", "-o", "name").split(), ["webhooks/audio:ci", "webhooks/ci"])
            equal(there.audio.must("get", "webhook", "audio:ci", "-o", "name"), "webhooks/ci\n")
        with check("top goes by the rate of now"):
            timed = one("timed", 10, schedule=[{"from": "00:00", "to": "24:00", "timeZone": "UTC", "rate": 500}])
            there.audio.must("apply", "-f", "-", stdin=json.dumps(timed))
            equal("500.0" in there.audio.must("top"), True, there.audio.must("top"))
            there.audio.must("delete", "workload", "timed")
        with check("bash is offered ids with a colon in them, as it splits them"):
            script = os.path.join(there.folder, "completion.bash")
            with open(script, "w", encoding="utf-8") as file:
                file.write(there.all.must("--generate-completion-script", "bash"))
            there.vision.must("apply", "-f", "-", stdin=json.dumps([one("web", 10), one("bert", 10)]))
            link = os.path.join(there.folder, "parva")
            os.symlink(PARVA, link)
            for words, line, wanted in (
                    (["vi"], "vi", ["vision:bert", "vision:web"]), (["vision", ":"], "vision:", ["bert", "web"]),
                    (["vision", ":", "w"], "vision:w", ["web"]), (["vision", ":", "web", ""], "vision:web ", ["vision:bert", "vision:web"])):
                asked = subprocess.run(
                    ["bash", "-c", """. "$1"; compopt() { :; }; COMP_LINE="parva get workloads $2"; COMP_POINT=${#COMP_LINE}; shift 2
                     COMP_WORDS=("$PARVA_LINK" get workloads "$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                     __parva_whole_words "$PARVA_LINK" "${@: -1}" ""; printf '%s\\n' "${COMPREPLY[@]}" """, "bash", script, line, *words],
                    env={**there.all.environment, "PARVA_LINK": link}, capture_output=True, text=True, timeout=60)
                equal(sorted(set(asked.stdout.split())), wanted, f"{words}: {asked.stderr}")
        with check("a shell is offered what the namespace has"):
            there.vision.must("apply", "-f", "-", stdin=json.dumps([one("web", 10), one("bert", 10)]))
            for client, words, wanted in (
                    (there.vision, ["workloads"], {"web", "bert"}), (there.all, ["workloads"], {"vision:web", "vision:bert"}),
                    (there.all, ["--namespace", "audio", "workloads"], set())):
                words = ["get", *words, ""]
                offered = client.run("---completion", "get", "--", "positional@1", str(len(words) - 1), "0", *words).stdout
                equal(set(offered.split()), wanted, f"{words}")


def demanding():
    with fleet("--require-if-match") as there:
        with check("a controller that changes what exists under If-Match alone is changed as any other"):
            path = os.path.join(there.folder, "profile.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"model": "resnet50", "product": "A100-80GB", "points": [
                    {"profile": "7g.80gb", "batch": 8, "processes": 1, "throughput": 900, "latencyMs": 20}]}, file)
            for _ in range(2):
                equal(there.all.must("create", "ns", "vision", "--gpus", "4", "--replace"), "namespaces/vision replaced\n")
                there.all.must("create", "profile", "-f", path)
                there.vision.must("create", "profile", "-f", path)
                there.vision.must("apply", "-f", "-", stdin=json.dumps([one("web", 10), one("bert", 10)]))
                there.vision.must("apply", "-f", "-", stdin=json.dumps([one("web", 20), one("bert", 10)]))
                equal(there.vision.must("delete", "workload", "web", "--dry-run", status=4), "workloads/web would be deleted\n")
                equal(there.vision.must("delete", "workload", "web", "bert"), "workloads/web deleted\nworkloads/bert deleted\n")
                there.vision.refused(2, "404 not_found", "delete", "workload", "web")
            equal(there.vision.must("delete", "profile", "resnet50", "--product", "A100-80GB"), "profiles/resnet50 deleted\n")
            equal(there.all.must("delete", "namespace", "audio"), "namespaces/audio deleted\n")


if __name__ == "__main__":
    for part in (ids, plans, logs, making, demanding):
        part()
    finish()
