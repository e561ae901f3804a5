"""Pictures of the page for the documents (by scripts/screenshots). No GPU is behind the nodes."""

import os
import sys
import tempfile

from chromium import Chromium
from controller import ROOT, Controller, equal
from fleet import Node, ended, ready, until, verified

FOLDER = sys.argv[1]
#: What a picture may weigh.
MOST_BYTES = 200_000


def change(api, method, path, body, status):
    answer = api.request(method, path, body)
    equal(answer.status, status, f"{method} {path}")
    return answer


def picture(page, name, what, script):
    page.wait(what, script)
    page.run("document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))")
    data = page.picture()
    if len(data) > MOST_BYTES:
        raise SystemExit(f"{name} has {len(data)} bytes, more than {MOST_BYTES}")
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)
    print(f"{name}: {len(data)} bytes")


def take(api, browser, url):
    page = browser.open(url, height=790)
    page.call("Emulation.setScrollbarsHidden", hidden=True)
    picture(page, "dashboard-fleet.png", "a change that is not applied", "document.querySelector('.seg.planned') && document.querySelector('.fact.busy') && document.querySelector('.facts').innerText.includes('short of')")
    page.size(1440, 1240)
    page.run("location.hash = '#/plan'")
    page.click("Show the way")
    picture(page, "dashboard-plan.png", "the waves", "document.querySelector('.wave') && document.querySelector('.pair')")
    page.size(1440, 790)
    page.scheme("dark")
    page.run("location.hash = '#/workloads'")
    picture(page, "dashboard-workloads.png", "the table", "document.querySelectorAll('.table-body [role=row]').length > 10")
    page.size(390, 790)
    page.run("location.hash = '#/fleet'")
    picture(page, "dashboard-narrow.png", "the fleet", "document.querySelector('.fleet .seg')")


with tempfile.TemporaryDirectory(prefix="parva-pictures-") as folder:
    api = Controller(os.path.join(folder, "parva.sqlite"))
    programs = [api]
    url = f"http://127.0.0.1:{api.port}/"
    try:
        programs += [Node(f"gpu-{number}", folder, url[:-1], zone=f"rack-{number}") for number in (1, 2)]
        ready(api, 2)
        with open(os.path.join(ROOT, "examples", "scenario-4.json"), encoding="utf-8") as file:
            answer = api.request("POST", "/v1/workloads/batch", file.read(), {"Content-Type": "application/json"})
        equal(answer.status, 201, "the workloads")
        until("a plan of them", lambda: api.get("/v1/plan?wait=60").json()["gpus"], 300)
        ended(api, change(api, "POST", "/v1/plan/apply", None, 202).headers["Location"])
        verified(api)
        for changes in ([{"id": "mobilenetv2", "rate": 4200}], [{"id": "bert", "rate": 210}],
                        [{"id": "resnet50", "rate": 3400}, {"id": "vgg19", "rate": 300}, {"id": "mobilenetv2", "rate": 2318}]):
            change(api, "PATCH", "/v1/workloads", changes, 200)
            wanted = api.get("/v1/workloads?limit=1").json()["revision"]
            until("a plan of the change", lambda: api.get("/v1/plan?wait=60").json()["demandRevision"] >= wanted, 300)
        browser = Chromium()
        try:
            take(api, browser, url)
        finally:
            browser.close()
    finally:
        for program in reversed(programs):
            program.kill()
