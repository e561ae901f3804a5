"""What goes wrong around the page: addresses that somebody has made up, answers that are none, a network that is cut, clocks that
differ, tokens that are taken away."""

import contextlib
import http.server
import json
import os
import signal
import socket
import threading

from chromium import HOLD
from controller import Controller, check, equal, free_port
from fleet import until

READER, ADMIN = "reader-0123456789abcdefghij", "admin-0123456789abcdefghijk"


class Relay:
    """A port that passes bytes on to another, until it is cut; then nobody is there."""

    def __init__(self, port):
        self.target, self.port, self.pairs = port, free_port(), []
        self.listen()

    def listen(self):
        self.socket = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()

    def accept(self, listening):
        while True:
            try:
                inner = listening.accept()[0]
            except OSError:
                return
            outer = socket.create_connection(("127.0.0.1", self.target))
            self.pairs.append((inner, outer))
            for ends in ((inner, outer), (outer, inner)):
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    @staticmethod
    def carry(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for pair in self.pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def addresses(room):
    with check("an address that is written wrongly or names nothing leads somewhere, also at the start"):
        page = room.browser.open(f"{room.url}#/workloads/%E0%A4%A")
        page.says("There is no such workload", "main")
        for address, text in (
                ("#/constructor", "GPUs in the plan"), ("#/plan?from=-1&to=99999999999999999999", "What differs"), ("#/__proto__/x", "GPUs in the plan"),
                ("#/workloads?sort=__proto__&state=constructor", "0 of"), ("#/fleet?size=constructor", "gpu-2"),
                ("#/activity/%00", "not a valid path"), ("#//workloads//", "photos")):
            page.run(f"location.hash = {json.dumps(address)}")
            page.says(text, "main")
        equal(page.faults, [], "faults")
        page.close()
    with check("the link to the content leads there and nowhere else; going back finds the place"):
        page = room.browser.open(f"{room.url}#/workloads", height=300)
        page.wait("the table", "document.querySelector('.table-body a')")
        page.run("document.querySelector('.skip').click()")
        equal(page.run("[document.activeElement.id, location.hash]"), ["main", "#/workloads"], "where one is")
        page.run("scrollTo(0, 90)")
        page.run("location.hash = '#/workloads/photos'")
        page.says("Promised and seen")
        equal(page.run("scrollY"), 0, "a new view")
        page.run("history.back()")
        page.wait("the place in the table", "scrollY === 90 && document.querySelector('.table-body a')")
        page.close()


def answers(room):
    with check("an answer that is none is said and asked for again; what was read stays"):
        left = [None]
        page = room.browser.open(room.url, instead=lambda url: left[0] if "/v1/plan?" in url else None)
        page.wait("the fleet", "document.querySelector('.seg.up')")
        for rate, answer, text in (
                (901, (502, "text/html", "<h1>" + "bad gateway " * 20_000), "The controller answered 502."),
                (902, (200, "text/html", "<title>Sign in to the guest network</title>"), "No controller answers here: text/html")):
            left[0] = answer
            # A new plan is read at once.
            room.rate(rate)
            page.says(f"Live in part: the plan could not be read: {text}", "header")
            equal(page.run("document.querySelectorAll('.seg.up').length > 0"), True, "what was read")
            left[0] = None
            page.wait("the plan", "!document.querySelector('header').innerText.includes('in part')")
        equal(page.faults, [], "faults")
        page.close()
    with check("who never answers is given up, and asked again"):
        held = []

        def never(url):
            if "/v1/plan?" in url and not held:
                held.append(url)
                return HOLD
            return None
        page = room.browser.open(room.url, instead=never, script="""{ const given = AbortSignal.timeout.bind(AbortSignal);
          AbortSignal.timeout = (wait) => { window.patience = wait; return given(250); }; }""")
        page.says("proven", ".facts")
        equal((len(held), page.run("window.patience")), (1, 120_000), "requests that nobody answered")
        page.close()
    with check("a refusal by somebody in between, without a word, asks for a token and lets one go on without"):
        refused = []
        page = room.browser.open(room.url, instead=lambda url: (401, "text/plain", "") if refused and "/v1/" in url else None)
        page.wait("the fleet", "document.querySelector('.seg.up')")
        refused.append(True)
        room.rate(903)
        page.says("The controller answered 401.", "dialog")
        page.click("Not now", "dialog")
        page.says("Sign in", "header")
        page.close()


def network(room):
    with check("a cut network is said, and the stream is taken up where it was; clocks may differ by a day"):
        relay = Relay(room.api.port)
        page = room.browser.open(f"http://127.0.0.1:{relay.port}/#/workloads", script="{ const given = Date.now; Date.now = () => given() + 86400e3; }")
        page.says("photos", ".table-body")
        page.says("Live", "header")
        room.rate(911)
        page.says("911/s", ".table-body")
        relay.cut()
        page.says("Disconnected", "header")
        room.rate(912)
        relay.listen()
        page.wait("it to be asked for at once", "(document.querySelector('.link button')?.click(), document.querySelector('header').innerText.includes('Live'))")
        page.says("912/s", ".table-body")
        resumed = [one["Last-Event-ID"] for one in page.fields if "Last-Event-ID" in one]
        equal(len(resumed) > 0 and all(one.isdigit() for one in resumed), True, f"{resumed} after which it went on")
        page.run("location.hash = '#/workloads/photos'")
        page.says("ago", "[aria-labelledby=conditions]")
        equal(page.run("/\\d h ago/.test(document.querySelector('main').innerText)"), False, "ages by the wrong clock")
        page.close()
    with check("three tabs of one window are live at once: each holds one of the six connections"):
        tabs = [room.browser.open(room.url, beside=room.page) for _ in range(2)]
        for tab in tabs:
            tab.says("Live", "header")
            tab.says("proven", ".facts")
        streams = {one.rsplit("/v1", 1)[1] for tab in tabs for one in tab.requests if one.endswith("/events")}
        equal(streams, {"/events"}, "streams of a tab")
        for tab in tabs:
            tab.close()


def foreign(room):
    with check("a page of somebody else cannot change anything through a browser that reaches the controller"):
        # Another port is another origin; of the same host, so that the browser lets it ask at all.
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as other:
            threading.Thread(target=other.serve_forever, daemon=True).start()
            page = room.browser.open(f"http://127.0.0.1:{other.server_port}/")
            page.wait("the page", "document.title === 'other'")
            before = room.api.get("/v1/operations").json()
            for how in ("fetch(URL, { method: 'POST', mode: 'no-cors' })", "new Promise((done) => { const sent = new XMLHttpRequest(); "
                        "sent.onloadend = done; sent.open('POST', URL); sent.send(); })", "navigator.sendBeacon(URL, '')"):
                url = json.dumps(f"{room.url}v1/plan/pin")
                page.run(f"Promise.resolve({how.replace('URL', url)}).then(() => new Promise((done) => setTimeout(done, 50)))")
            equal((room.api.get("/v1/plan/pin").json(), room.api.get("/v1/operations").json()), ({"pinned": False}, before), "what it changed")
            # The same from no page is done.
            equal(room.api.request("POST", "/v1/plan/pin").status // 100, 2, "pinned by a program")
            equal(room.api.request("DELETE", "/v1/plan/pin").status // 100, 2, "released by it")
            page.close()
            other.shutdown()


class Empty(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>other</title>")

    def log_message(self, *_):
        pass


def identities(room):
    tokens = os.path.join(room.folder, "passing")

    def write(*lines):
        with open(tokens, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
    write(f"reader viewer {READER}", f"admin owner {ADMIN}")
    guarded = Controller(os.path.join(room.folder, "passing.sqlite"), "--token-file", tokens, "--admission", "half-slo")
    try:
        with check("a token that no request can carry is not taken; one that is taken away is asked for anew, and nothing of it stays"):
            page = room.browser.open(f"http://127.0.0.1:{guarded.port}/#/health")
            page.type("dialog input", "pässwört-of-somebody")
            page.click("Sign in", "dialog")
            equal(page.run("document.querySelector('dialog input').matches(':invalid')"), True, "whether it is refused")
            page.type("dialog input", ADMIN)
            page.click("Sign in", "dialog")
            page.says("owner, admin", "header")
            page.says("No node is registered", "main")
            page.run("window.first = true")
            write(f"reader viewer {READER}")
            guarded.process.send_signal(signal.SIGHUP)
            page.says("The token is none of those", "dialog")
            page.type("dialog input", READER)
            page.click("Sign in", "dialog")
            page.says("viewer, reader", "header")
            equal(page.run("[typeof window.first, location.hash]"), ["undefined", "#/health"], "what stays")
            page.close()
    finally:
        guarded.kill()
    until("the controller to be gone", lambda: guarded.process.poll() is not None)
