"""The controller's page in a real Chromium, before a controller with simulated nodes. No GPU is behind any of it."""

import json
import os
import sys
import tempfile
import time

from chromium import Chromium
from controller import Controller, check, equal, finish
from dashboard_faults import ADMIN, READER, addresses, answers, foreign, identities, network
from dashboard_scripts import scripts
from fleet import Node, ended, ready, until, verified

METHODS = ["get", "put", "post", "patch", "delete"]
VIEWS = ["fleet", "workloads", "workloads/photos", "plan", "try", "activity", "health"]
#: What would run, if any of it were taken for markup.
HOSTILE = "<img src=x onerror=\"window.owned=1\"><script>window.owned=1</script>"


def workload(name, model, rate, latency, **more):
    return {"id": name, "model": model, "rate": rate, "slo": {"latencyMs": latency}, **more}


DEMAND = [
    workload("photos", "resnet50", 900, 200, labels={"team": "vision"}), workload("assistant", "bert", 40, 3000),
    workload("scans", "densenet121", 300, 250, labels={"team": "medicine"}),
]


class Room:
    """A controller, two nodes and a browser."""

    def __init__(self, folder):
        self.folder = folder
        self.api = Controller(os.path.join(folder, "parva.sqlite"), "--heartbeat", "60")
        self.url = f"http://127.0.0.1:{self.api.port}/"
        self.nodes = [Node(f"gpu-{number}", folder, self.url[:-1], zone=f"rack-{number}") for number in (1, 2)]
        ready(self.api, 2)
        self.change("POST", "/v1/workloads/batch", {"workloads": DEMAND}, 201)
        until("a plan of them", lambda: self.api.get("/v1/plan?wait=60").json()["gpus"], 120)
        ended(self.api, self.change("POST", "/v1/plan/apply", None, 202).headers["Location"])
        verified(self.api)
        self.browser = Chromium()
        self.page = self.browser.open(self.url)

    def change(self, method, path, body, status):
        answer = self.api.request(method, path, body)
        equal(answer.status, status, f"{method} {path}: {answer.body[:300]}")
        return answer

    def rate(self, value, name="photos"):
        return self.change("PATCH", f"/v1/workloads/{name}", {"rate": value}, 200)

    def at(self, view):
        self.page.run(f"location.hash = '#/{view}'")

    def end(self):
        self.browser.close()
        for program in [*self.nodes, self.api]:
            if program.process.poll() is None:
                program.kill()


def fleet(room):
    page = room.page
    with check("the fleet shows every segment of the plan on its GPU, and says what is simulated"):
        plan = room.api.get("/v1/plan?wait=60").json()
        wanted = sorted(segment["id"] for gpu in plan["gpus"] for segment in gpu["segments"])
        # What stands is drawn before the plan has come, which knows the names of its segments.
        page.wait("all segments", f"""JSON.stringify([...document.querySelectorAll('.fleet .seg.up')]
          .map((one) => one.getAttribute('aria-label').split(',')[0]).sort()) === {json.dumps(json.dumps(wanted, separators=(',', ':')))}""")
        width = page.run("""(() => { const one = document.querySelector('.fleet .seg.up'); const [, size] = one.style.gridColumn.split('span ');
          return one.getBoundingClientRect().width / one.parentNode.getBoundingClientRect().width / Number(size) * 8; })()""")
        if not 0.9 < width <= 1.01:
            raise AssertionError(f"a slice is {width} of its share wide")
        page.says("all simulated")
        page.says("rack-2")
    with check("pointer and keyboard tell what a segment is"):
        page.point(".fleet .seg.up")
        page.says("certified", ".tip")
        page.says("GPU-", ".tip")
        page.says("not observed", ".tip")
        page.key("Escape")
        page.wait("the tip to go", "document.querySelector('.tip').hidden")
        page.run("document.querySelector('.fleet [tabindex=\"0\"]').focus()")
        page.key("ArrowRight")
        second = page.wait("the second segment", "document.activeElement.dataset.at !== '1.0.0' && document.activeElement.dataset.at")
        page.says("load", ".tip")
        page.key("ArrowLeft")
        page.wait("the way back", f"document.activeElement.dataset.at !== {json.dumps(second)}")
        page.key("End")
        page.wait("the last node", "document.activeElement.getAttribute('aria-label').includes('gpu-')")
        page.key("Escape")
    with check("a search keeps the nodes that match, and stands in the address"):
        page.type(".find input", "gpu-2")
        page.wait("one node", "document.querySelectorAll('.node-row').length === 1 && location.hash.includes('find=gpu-2')")
        page.run("history.replaceState(null, '', '#/fleet'); dispatchEvent(new HashChangeEvent('hashchange'))")
        page.wait("both nodes", "document.querySelectorAll('.node-row').length === 2")


def workloads(room):
    page = room.page
    with check("the table of workloads is searched, filtered and sorted by its address"):
        room.at("workloads?sort=-rate&q=team=")
        names = "[...document.querySelectorAll('.table-body [role=row] a')].map((one) => one.textContent).join()"
        page.wait("two by label, the faster first", f"{names} === 'photos,scans'")
        page.click("Rate", ".table-head")
        page.wait("the other order", f"{names} === 'scans,photos' && location.hash.includes('sort=rate')")
        page.run("window.old = true; location.reload()")
        page.wait("the same after a reload", f"!window.old && {names} === 'scans,photos'")
        equal(page.run("document.querySelector('[aria-sort]').getAttribute('aria-sort')"), "ascending", "what a reader is told")
    with check("a change shows without a reload"):
        page.run("window.still = true")
        began = time.monotonic()
        room.rate(950)
        page.says("950/s", ".table-body")
        print(f"  {time.monotonic() - began:.2f} s after the change was sent", flush=True)
        equal(page.run("window.still"), True, "the same page")
    with check("a workload's page has its segments, conditions and history"):
        room.at("workloads/photos")
        for text in ("Promised and seen", "planned capacity", "team=vision", "CapacityUp", "capacity planned", "photos/0"):
            page.says(text)


def plan(room):
    page = room.page
    with check("the plan shows GPUs over revisions, what changed, and any two beside each other"):
        room.at("plan")
        page.wait("both lines", "document.querySelector('.chart .line.one') && document.querySelector('.chart .line.two')")
        page.says("What the last revision changed")
        page.says("demand revision")
        first = page.run("[...document.querySelector('select[name=from]').options].at(-1).value")
        page.run(f"(() => {{ const one = document.querySelector('select[name=from]'); one.value = '{first}'; one.dispatchEvent(new Event('change')); }})()")
        page.wait("the first revision", f"location.hash.includes('from={first}')")
        page.says("What differs")
        page.says("NEW")
    with check("a plan is pinned with its reason, an earlier one brought back, and released"):
        page.click("Pin this plan", "[aria-labelledby=plan-now]")
        page.type("dialog input", "a release week")
        page.click("Pin this plan", "dialog")
        page.says("is pinned since", "[aria-labelledby=plan-now]")
        page.says("a release week", "[aria-labelledby=plan-now]")
        page.click("Release")
        page.wait("the release", "document.querySelector('[aria-labelledby=plan-now]').innerText.includes('Pin this plan')")
        newest = room.api.get("/v1/plan?wait=60").json()["revision"]
        applied = room.api.get("/v1/operations?limit=1").json()["operations"][0]["planRevision"]
        page.run(f"location.hash = '#/plan?from={applied}&to={newest}'")
        page.click(f"Bring back revision {applied}")
        page.type("dialog input", "the newest one is wrong")
        page.click("Bring back", "dialog")
        page.says(f"Revision {newest + 1} is pinned since", "[aria-labelledby=plan-now]")
        page.run("location.hash = '#/plan'")
        page.says(f"revision {applied} was brought back", "[aria-labelledby=changes]")
        page.click("Release")
        page.says(f"{newest + 2}, for demand revision", "[aria-labelledby=plan-now]")
    with check("the way to a plan is told, and an apply begun there ends verified"):
        room.rate(6000)
        page.click("Show the way")
        page.says("Wave 1")
        page.says("every workload keeps its rate")
        page.click(f"Apply revision {room.api.get('/v1/plan').json()['revision']}")
        verified(room.api)
        page.says("Every node that is heard has what the plan wants of it.")


def rollout(room):
    page = room.page
    with check("a roll-out is paused, resumed, aborted and rolled back by its buttons"):
        room.at("plan")
        for node in room.nodes:
            node.freeze()
        try:
            # What replaces every segment of it is up before those go: there is a second wave, which an abort keeps from beginning.
            room.change("PATCH", "/v1/workloads/photos", {"model": "resnet101"}, 200)
            page.click(f"Apply revision {room.api.get('/v1/plan').json()['revision']}")
            location = "/v1/operations/" + page.wait("the operation", "document.querySelector('[aria-labelledby=roll-out] a')?.hash.split('/').at(-1)")

            def status(wanted):
                until(f"the operation to be {wanted}", lambda: newest(room)["status"] == wanted)
                page.says(wanted.replace("_", " "), "[aria-labelledby=roll-out]")
            status("running")
            # The way is told of an operation that somebody else may have begun.
            page.says("waves done", "[aria-labelledby=roll-out]")
            page.says("· now", "[aria-labelledby=roll-out]")
            page.click("Pause", "[aria-labelledby=roll-out]")
            status("paused")
            page.click("Resume", "[aria-labelledby=roll-out]")
            status("running")
            page.click("Abort", "[aria-labelledby=roll-out]")
            page.says("the rest never begins", "dialog")
            page.click("Abort", "dialog")
            until("the abort to be asked for", lambda: newest(room)["rollout"].get("ending") == "abort")
        finally:
            for node in room.nodes:
                node.thaw()
        status("aborted")
        equal(location.rsplit("/", 1)[1] in {one["id"] for one in room.api.get("/v1/operations").json()["operations"]}, True, "the operation")
        page.click("Roll back", "[aria-labelledby=roll-out]")
        page.click("Roll back", "dialog")
        status("rolled_back")
        page.click("Apply revision")
        verified(room.api)
    with check("operations and events are listed, and an operation has its steps"):
        room.at("activity")
        page.says("rolled back")
        page.says("is verified")
        page.click("apply-")
        page.says("began")
        page.says("steps")


def newest(room):
    return room.api.get("/v1/operations?limit=1").json()["operations"][0]


def trial(room):
    page = room.page
    with check("a trial shows its plan and stores nothing; applied, it is a change under If-Match"):
        room.at("try?change=assistant")
        before = room.api.get("/v1/workloads").json()["revision"]
        slide = """(() => { const one = document.querySelector('input[type=range]'); if (!one) return false; one.value = %s;
          one.dispatchEvent(new Event('input', { bubbles: true })); return true; })()"""
        page.wait("the slider", slide % "0.6")
        page.says("at least needed")
        equal(room.api.get("/v1/workloads").json()["revision"], before, "the demand's revision")
        room.rate(41, "assistant")
        page.click("Register 1 change")
        page.says("Somebody else changed it meanwhile")
        page.click("Register 1 change")
        page.says("1 change registered")
        equal(room.api.get("/v1/workloads/assistant").json()["rate"], 159.2, "the rate")
    with check("a workload that is tried and registered is there"):
        page.click("Add a workload")
        for name, value in (("id", "fresh"), ("model", "mobilenetv2"), ("rate", "120"), ("latency", "90")):
            page.type(f".adder-form input[name={name}]", value)
        page.click("Add to the trial")
        page.says("at least needed")
        page.click("Register 1 change")
        until("the workload", lambda: room.api.get("/v1/workloads/fresh").status == 200)


def hostile(room):
    with check("names, labels and messages that want to be scripts are text"):
        # The interface takes no such names; the page does not rely on that.
        written = json.dumps(HOSTILE)[1:-1]
        page = room.browser.open(room.url, alter=lambda text: text.replace("scans", written).replace("medicine", written)
                                 .replace("densenet121", written).replace("rack-1", written).replace("requests/s", written))
        page.says("<img src=x onerror", ".fleet")
        page.point(".fleet .seg.up")
        page.says("GPU-", ".tip")
        for view, text in (("workloads", HOSTILE), ("plan?from=1&to=2", HOSTILE), ("activity", "Events"), ("health", "Controller"),
                           ("try", "What if"), ("workloads/photos", "<script>window.owned=1</script> are known to run"),
                           ("workloads/%3Cimg%20src%3Dx%20onerror%3Dwindow.owned%3D1%3E", "<img src=x onerror=window.owned=1>")):
            page.run(f"location.hash = '#/{view}'")
            page.says(text, "main")
        equal(page.run("[typeof window.owned, document.querySelectorAll('main img, main script, .tip img').length]"), ["undefined", 0], "scripts that ran")
        equal(page.faults, [], "faults")
        page.close()
    with check("names as long as there are stick out of nothing at 360 pixels, and are not cut to nothing"):
        page = room.browser.open(room.url, width=360, alter=lambda text: text.replace("scans", "s" * 253).replace("medicine", "m" * 200)
                                 .replace("densenet121", "d" * 253).replace("rack-1", "r" * 253).replace("requests/s", "q" * 300))
        for view in VIEWS:
            page.run(f"location.hash = '#/{view}'")
            page.wait("the view to be drawn", "document.querySelector('.view > div > *') && !document.querySelector('main').innerText.includes('Reading')")
            equal(page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, f"what sticks out of {view}")
        page.close()


def accessible(room):
    with open(os.environ["AXE"], encoding="utf-8") as file:
        axe = file.read()
    page = room.browser.open(room.url)
    # Of the rules those of contrast alone look at colours.
    for scheme, rules in (("light", ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]), ("dark", ["color-contrast"])):
        with check(f"axe-core finds nothing wrong in any view, {scheme}"):
            page.scheme(scheme)
            for view in VIEWS:
                page.run(f"location.hash = '#/{view}'")
                page.wait("the view to be drawn", "document.querySelector('.view > div > *') && !document.querySelector('main').innerText.includes('Reading')")
                if page.run("typeof axe") == "undefined":
                    page.run(f"{axe}; true")
                found = page.run(f"axe.run({{ runOnly: {rules} }})" + """.then(({ violations }) =>
                  violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((one) => one.html.slice(0, 160) + ' ' + (one.any[0]?.message ?? '')).join(' | ')}`))""")
                equal(found, [], view)
    with check("nothing has to be scrolled sideways at 360 pixels, nor at 4K"):
        for width in (360, 3840):
            page.size(width, 800)
            for view in VIEWS:
                page.run(f"location.hash = '#/{view}'")
                page.wait("the view to be drawn", "document.querySelector('.view > div > *')")
                page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                equal(page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, f"what sticks out of {view} at {width}")
    page.close()


def reference(room):
    with check("the HTTP interface is drawn from its description, and searched"):
        page = room.browser.open(f"{room.url}docs")
        page.says("Register one workload", "main")
        operations = "document.querySelectorAll('article.operation').length"
        paths = room.api.get("/openapi.json").json()["paths"]
        equal(page.run(operations), sum(name in METHODS for path in paths.values() for name in path))
        page.type("#sought", "rollback")
        page.wait("the operations with that word", f"{operations} < 10 && {operations} > 0")
        with open(os.environ["AXE"], encoding="utf-8") as file:
            page.run(f"{file.read()}; true")
        equal(page.run("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) => "
                       "violations.map(({ id, nodes }) => id + nodes[0].html.slice(0, 200)))"), [])
        page.size(360, 800)
        equal(page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, "what sticks out at 360")
        equal(page.faults, [], "faults")
        page.close()


def lost(room):
    page = room.page
    with check("the page says when the controller is gone, and goes on by itself when it is back"):
        room.at("workloads")
        page.says("Live", "header")
        room.api.kill()
        page.says("Disconnected", "header")
        page.says("what is shown is old", "header")
        room.api.start()
        page.says("Live", "header")
        room.rate(777)
        page.says("777/s", ".table-body")


def little(room):
    tokens = os.path.join(room.folder, "tokens")
    with open(tokens, "w", encoding="utf-8") as file:
        file.write(f"reader viewer {READER}\nadmin owner {ADMIN}\n")
    guarded = Controller(os.path.join(room.folder, "guarded.sqlite"), "--token-file", tokens, "--admission", "half-slo")
    url = f"http://127.0.0.1:{guarded.port}/#/try"

    def tried(page):
        page.click("Add a workload")
        for name, value in (("id", "mine"), ("model", "resnet50"), ("rate", "120"), ("latency", "190")):
            page.type(f".adder-form input[name={name}]", value)
        page.click("Add to the trial")
        page.says("at least needed")
    try:
        with check("a token is asked for and kept for the tab alone; what it does not allow is hidden"):
            page = room.browser.open(url)
            page.says("This controller asks who you are", "dialog")
            page.type("dialog input", "nonsense-that-nobody-knows")
            page.click("Sign in", "dialog")
            page.says("The token is none of those", "dialog")
            page.type("dialog input", READER)
            page.click("Sign in", "dialog")
            page.says("viewer, reader", "header")
            page.says("reads only", "header")
            tried(page)
            page.says("may preview, but not register")
            equal(page.run("[...document.querySelectorAll('button')].some((one) => one.textContent.startsWith('Register'))"), False, "a button for it")
            kept = page.run("JSON.stringify([Object.values(sessionStorage), Object.values(localStorage), document.cookie, location.href])")
            equal(json.loads(kept)[0], [READER], "what the tab keeps")
            equal(READER in json.dumps(json.loads(kept)[1:]), False, "the token elsewhere")
            page.close()
        with check("a change that the controller refuses is told, and then hidden"):
            page = room.browser.open(url, alter=lambda text: text.replace('"may":["read"]', '"may":["read","change"]'))
            page.type("dialog input", READER)
            page.click("Sign in", "dialog")
            page.says("viewer, reader", "header")
            tried(page)
            page.click("Register 1 change")
            page.says("this needs operator", ".toast")
            page.says("reads only", "header")
            page.says("may preview, but not register")
            equal(guarded.request("GET", "/v1/workloads", headers={"Authorization": f"Bearer {READER}"}).json()["workloads"], [], "what is registered")
            page.close()
        with check("who may read the audit sees it"):
            page = room.browser.open(url)
            page.type("dialog input", ADMIN)
            page.click("Sign in", "dialog")
            page.says("owner, admin", "header")
            tried(page)
            page.click("Register 1 change")
            page.says("1 change registered")
            page.run("location.hash = '#/activity'")
            page.says("workloads/mine", "[aria-labelledby=audit]")
            page.run("location.hash = '#/plan'")
            page.says("asked for by owner", "[aria-labelledby=changes]")
            page.run("location.hash = '#/health'")
            for text in ("takes writes", "commit", "up for", "this controller alone", "planning"):
                page.says(text, "[aria-labelledby=controller]")
            page.close()
    finally:
        guarded.kill()


with tempfile.TemporaryDirectory(prefix="parva-dashboard-") as folder:
    room = Room(folder)
    try:
        for part in (fleet, workloads, plan, rollout, trial, hostile, accessible, reference, addresses, answers, network, foreign, scripts, lost,
                     little, identities):
            # Names of parts as arguments: those alone.
            if sys.argv[1:] and part.__name__ not in sys.argv[1:]:
                continue
            began = time.monotonic()
            part(room)
            print(f"  {part.__name__}: {time.monotonic() - began:.1f} s", flush=True)
        with check("the page asked nobody but its controller, and nothing of it was refused by its policy"):
            equal([one for one in room.page.requests if not one.startswith(room.url)], [], "requests elsewhere")
            equal(room.page.faults, [], "faults")
    finally:
        room.end()
finish()
