"""The page before a large fleet: what the first picture takes, the tab's memory, and the controller's time for it (by
scripts/dashboard-load). This process plays the agents; no GPU is behind any of them.

usage: dashboard_load.py [NODES [WORKLOADS]]; PARVA names the binary.
"""

import asyncio
import json
import os
import sys
import tempfile
import threading
import time

NODES = int(sys.argv[1]) if len(sys.argv) > 1 else 1250
WORKLOADS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
#: Seconds between two heartbeats, as the controller counts them; two may be missed.
HEARTBEAT = 300
#: The agents are silent for longer than what is measured, so that the controller has the page alone to answer.
sys.argv[1:] = [str(NODES), str(3 * HEARTBEAT - 50)]

from chromium import Chromium  # noqa: E402
from controller import Controller  # noqa: E402
from fleet import Node, ended, until  # noqa: E402
from fleet_load import Agent, Meter, run, serve, state  # noqa: E402

MODELS = ["resnet50", "densenet121", "mobilenetv2", "vgg16", "inceptionv3", "bert", "resnet101", "vgg19"]
#: Seconds for which the page stands open while the controller's time is measured.
LOOK = 120
#: Seconds for what a change or a page has left to do.
SETTLE = 20


def say(text):
    print(f"dashboard-load: {text}", flush=True)


def play(agents, port):
    """The agents, in a thread of their own."""
    async def all_of_them():
        server = await asyncio.start_server(lambda r, w: serve(agents, r, w), "127.0.0.1", 0, limit=1 << 22)
        own = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(run(agent, number, port, own) for number, agent in enumerate(agents.values())))
    threading.Thread(target=lambda: asyncio.run(all_of_them()), daemon=True).start()


def resident(browser):
    """MB of the largest process that draws a tab, without the pages of the program that it shares with others."""
    sizes = []
    for one in browser.call("SystemInfo.getProcessInfo")["processInfo"]:
        if one["type"] == "renderer":
            with open(f"/proc/{one['id']}/status", encoding="utf-8") as file:
                sizes += [int(line.split()[1]) / 1024 for line in file if line.startswith("RssAnon")]
    return max(sizes)


def weigh(browser, page):
    held = resident(browser)
    page.call("HeapProfiler.collectGarbage")
    heap = {one["name"]: one["value"] for one in page.call("Performance.getMetrics")["metrics"]}["JSHeapUsedSize"]
    say(f"the tab holds {held:.0f} MB, {resident(browser):.0f} MB once garbage is collected, {heap / 1e6:.0f} MB of it objects")


def scroll(page, what, pixels):
    """Scrolls for five seconds, and says how the main thread of the tab has spent each frame."""
    def counters():
        return {one["name"]: one["value"] for one in page.call("Performance.getMetrics")["metrics"]}
    before = counters()
    times = page.run("""new Promise((done) => { const times = []; const end = performance.now() + 5000;
      const step = (now) => { times.push(now); scrollBy(0, %d); if (now < end) requestAnimationFrame(step); else done(times); };
      requestAnimationFrame(step); })""" % pixels)
    after = counters()
    frames = len(times) - 1
    spent = {name: 1000 * (after[name] - before[name]) / frames
             for name in ("TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration")}
    say(f"{what} by {pixels} pixels a frame: {frames / (times[-1] - times[0]) * 1000:.0f} frames/s; of the main thread's processor time each takes "
        f"{spent['TaskDuration']:.1f} ms, of it {spent['ScriptDuration']:.1f} ms script, {spent['RecalcStyleDuration']:.1f} ms styles, "
        f"{spent['LayoutDuration']:.1f} ms layout")
    page.run("scrollTo(0, 0)")


def measure(api, url):
    time.sleep(SETTLE)
    meter = Meter(api.process)
    browser = Chromium()
    try:
        page = browser.open("about:blank")
        # The processor's time of the main thread, whatever else the machine does.
        page.call("Performance.enable", timeDomain="threadTicks")
        began = time.monotonic()
        page.go(url)
        page.wait("the first picture", "document.querySelectorAll('.fleet .gpu').length > 20", 120)
        say(f"GPUs drawn after {time.monotonic() - began:.2f} s")
        page.wait("segments", "document.querySelectorAll('.fleet .seg').length > 20", 120)
        say(f"their segments drawn after {time.monotonic() - began:.2f} s")
        page.wait("all workloads", "!document.querySelector('.facts').innerText.includes('being read')", 300)
        say(f"all workloads read after {time.monotonic() - began:.2f} s")
        meter.say("the page's first reading")
        time.sleep(LOOK)
        meter.say(f"{LOOK} s with the page open")
        weigh(browser, page)
        scroll(page, "GPUs scrolled", 90)
        began = time.monotonic()
        page.run("location.hash = '#/workloads?sort=-rate'")
        page.wait("the table", "document.querySelectorAll('.table-body [role=row]').length > 10")
        say(f"workloads sorted and drawn in {time.monotonic() - began:.2f} s")
        scroll(page, "workloads scrolled", 90)
        began = time.monotonic()
        page.type(".find input", "w99")
        page.wait("the search", "document.querySelector('[role=status].quiet').innerText.includes(' of ')")
        say(f"searched in {time.monotonic() - began:.2f} s")
        weigh(browser, page)
        began = time.monotonic()
        page.run("location.hash = '#/plan'")
        page.wait("the plan", "document.querySelector('[aria-labelledby=plan-now]') && !document.querySelector('main').innerText.includes('Reading')", 120)
        say(f"plan view drawn in {time.monotonic() - began:.2f} s")
        weigh(browser, page)
    finally:
        browser.close()
    time.sleep(SETTLE)
    meter.say("the views above")
    time.sleep(LOOK)
    meter.say(f"{LOOK} s after the page was closed")


with tempfile.TemporaryDirectory(prefix="parva-load-") as folder:
    api = Controller(os.path.join(folder, "parva.sqlite"), "--heartbeat", str(HEARTBEAT), "--admission", "half-slo")
    try:
        node = Node("template", folder, f"http://127.0.0.1:{api.port}")
        template = {**state(node), "services": []}
        node.kill()
        api.request("DELETE", "/v1/nodes/template?force=true")
        agents = {f"n{number:04}": Agent(f"n{number:04}", template) for number in range(NODES)}
        play(agents, api.port)
        until("all nodes to be ready", lambda: api.get("/v1/fleet").json()["nodes"]["ready"] == NODES, 300)
        began = time.monotonic()
        answer = api.request("POST", "/v1/workloads/batch", json.dumps([
            {"id": f"w{number}", "model": MODELS[number % len(MODELS)], "rate": 5 + number % 40, "slo": {"latencyMs": 5000 if number % 8 == 5 else 400}}
            for number in range(WORKLOADS)]), {"Content-Type": "application/json", "Prefer": "return=minimal"})
        assert answer.status == 201, answer.body[:300]
        until("a plan", lambda: api.get("/v1/plan?wait=60").headers.get("Parva-Demand-Revision") not in (None, "0"), 600)
        size = len(api.get("/v1/plan?wait=0").body)
        plans = api.get("/v1/plans?limit=1").json()["plans"][0]
        say(f"{NODES} nodes, {WORKLOADS} workloads: {plans['gpuCount']} GPUs planned, {plans['unplaced']} left out, {size / 1e6:.1f} MB, after {time.monotonic() - began:.0f} s")
        location = api.request("POST", "/v1/plan/apply").headers["Location"]
        say(f"applied: {ended(api, location)['status']}")
        measure(api, os.environ.get("PAGE") or f"http://127.0.0.1:{api.port}/")
    finally:
        api.kill()
