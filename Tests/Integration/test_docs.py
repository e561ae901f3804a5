#!/usr/bin/env python3
"""Examples of the documentation: every workload that stands there can be applied, and every call of a verb that talks to a controller is
one that the verb understands."""

import glob
import json
import os
import re
import shlex
import tempfile

from controller import ROOT, Controller, check, equal, finish
from test_client import Client, one

#: Verbs that need nothing but a controller, and what makes them go on without end.
VERBS = ("get", "describe", "watch", "logs", "top", "diff", "apply", "delete", "create", "rollout", "rollback", "pin", "unpin", "token",
         "audit", "context", "window")
ENDLESS = {"-f": "logs", "--follow": "audit", "--watch": None, "-w": None}
#: A workload that lacks a member of an example.
REST = {"id": "web", "model": "resnet50", "rate": 50, "slo": {"latencyMs": 200}, "labels": {"team": "vision"}}


def blocks(text):
    """What stands fenced or indented, each with the line before its first and its language."""
    lines, found, at = text.split("\n"), [], 0
    while at < len(lines):
        fence = re.match(r"```(\w*)$", lines[at])
        if fence:
            end = next(number for number in range(at + 1, len(lines)) if lines[number] == "```")
            found.append((at + 1, fence.group(1), lines[at + 1:end]))
            at = end
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1]):
            end = next((number for number in range(at, len(lines)) if lines[number] and not lines[number].startswith("    ")), len(lines))
            found.append((at, "", [line[4:] for line in lines[at:end]]))
            at = end - 1
        at += 1
    return found


def documents(language, lines):
    """The workload of a block, whole or with what its example leaves out; none where it is something else."""
    text = re.sub(r"\s#.*", "", "\n".join(lines))
    keys = set(re.findall(r"^(\w+):", text, re.M))
    if language not in ("", "yaml") or not keys or "..." in text:
        return []
    if {"id", "slo"} <= keys or keys == {"workloads"}:
        return [text + "\n"]
    if keys <= {"schedule", "placement", "arrivals", "launch", "queue", "replicas", "survive", "moveCost", "labels", "allowPartial"}:
        rest = {name: value for name, value in REST.items() if name not in keys}
        return ["".join(f"{name}: {json.dumps(value)}\n" for name, value in rest.items()) + text + "\n"]
    return []


def calls(lines):
    """Calls of those verbs, as a shell would hand them over."""
    text = "\n".join(lines).replace("\\\n", " ")
    for line in text.split("\n"):
        found = re.match(r"(?:\$ )?parva (\w+)\b(.*)", line)
        if not found or found.group(1) not in VERBS or re.search(r"\.\.\.|[\[|]|\bNAME\b|\bID\b", found.group(2)):
            continue
        words = shlex.split(re.sub(r"\s>.*", "", line.removeprefix("$ ")), comments=True)[1:]
        verb = words[0]
        if verb == "watch":
            words[0] = "get"
        yield line, [word for word in words if not (word in ENDLESS and ENDLESS[word] in (None, verb))]


def main():
    places = [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))]
    found = []
    for path in places:
        with open(path, encoding="utf-8") as file:
            found += [(os.path.relpath(path, ROOT), *block) for block in blocks(file.read())]
    with tempfile.TemporaryDirectory(prefix="parva-docs-") as folder:
        api = Controller(os.path.join(folder, "parva.sqlite"))
        client = Client(folder, f"http://127.0.0.1:{api.port}")
        os.chdir(ROOT)
        try:
            with check("every workload of the documentation can be applied, twice"):
                count = 0
                for path, line, language, lines in found:
                    for document in documents(language, lines):
                        count += 1
                        result = client.run("apply", "-f", "-", stdin=document)
                        equal(result.returncode, 0, f"{path}:{line}: {result.stderr}")
                        again = client.must("apply", "-f", "-", stdin=document)
                        equal(again.startswith("0 created, 0 changed, "), True, f"{path}:{line}: {again}")
                equal(count >= 3, True, f"only {count} were found")
            with check("every call of a verb is understood"):
                client.must("apply", "-f", "-", stdin=json.dumps([one("web", 100), one("bert", 10)]))
                count, done = 0, 0
                for path, line, _, lines in found:
                    for text, words in calls(lines):
                        options = [] if words[0] == "context" or words[:2] == ["rollout", "plan"] else ["--retry-for", "0"]
                        result = client.run(*words, *options)
                        count, done = count + 1, done + (result.returncode in (0, 4))
                        equal("Usage:" in result.stderr, False, f"{path}:{line}: {text}: {result.stderr}")
                equal((count >= 30, done >= 20), (True, True), f"{count} calls, of which {done} were done")
        finally:
            api.kill()


if __name__ == "__main__":
    main()
    finish()
