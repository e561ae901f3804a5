"""A Chromium without a window, driven by its DevTools protocol over a pipe: nothing else is needed.

Where DASHBOARD names a folder, the page's scripts and styles come from there in place of those in the binary: a change of one is
seen without a build.
"""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time


FOLDER = os.environ.get("DASHBOARD")
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
#: In place of an answer that never comes.
HOLD = "hold"
LISTS = ("workloads*", "plan\\?*", "plans*", "nodes*", "operations*", "profiles*", "whoami*")


class Chromium:
    def __init__(self):
        commands, self._write = os.pipe()
        answers, inner = os.pipe()
        self._folder = tempfile.mkdtemp(prefix="parva-chromium-")
        # The protocol's pipes are descriptors 3 and 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{inner}', "-", shutil.which("chromium"), "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-sync",
             "--disable-component-update", "--remote-debugging-pipe", f"--user-data-dir={self._folder}", "about:blank"],
            pass_fds=[commands, inner], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(inner)
        self._answers, self._next, self._lock = {}, 0, threading.Lock()
        self.pages = {}
        threading.Thread(target=self._read, args=(answers,), daemon=True).start()

    def _read(self, answers):
        with os.fdopen(answers, "rb", buffering=0) as stream:
            rest = b""
            while chunk := stream.read(1 << 20):
                *messages, rest = (rest + chunk).split(b"\0")
                for message in map(json.loads, messages):
                    if "id" in message:
                        self._answers.pop(message["id"]).put(message)
                    elif page := self.pages.get(message.get("sessionId")):
                        page.heard(message["method"], message["params"])
        for waiting in list(self._answers.values()):
            waiting.put({"error": "Chromium is gone"})

    def call(self, method, session=None, /, **parameters):
        with self._lock:
            self._next += 1
            number = self._next
            waiting = self._answers[number] = queue.Queue()
            message = {"id": number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self._write, data):]
        answer = waiting.get(timeout=120)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, url, width=1440, height=900, scheme="light", alter=None, instead=None, script=None, beside=None):
        """A tab; `alter` makes another text of what comes from the lists of the interface, `instead` answers some requests to it
        itself: (status, type, text), or HOLD for never. `script` runs before those of the page; `beside`: the tab of the same window."""
        return Page(self, url, width, height, scheme, alter, instead, script, beside)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class Page:
    """One tab, with a storage and connections of its own unless it is opened beside another."""

    def __init__(self, chromium, url, width, height, scheme, alter, instead, script, beside):
        self.chromium, self.requests, self.faults, self.alter, self.instead = chromium, [], [], alter, instead
        #: Fields of each request, by name.
        self.fields = []
        self.isGuest = beside is not None
        self.context = beside.context if beside else chromium.call("Target.createBrowserContext")["browserContextId"]
        self.target = chromium.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = chromium.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        chromium.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        # Else the tab would hold every body that came, for whoever asks by the protocol.
        self.call("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)
        patterns = [{"urlPattern": f"*/v1/{one}", "requestStage": "Response"} for one in LISTS] if alter else []
        if instead:
            patterns.append({"urlPattern": "*/v1/*", "requestStage": "Request"})
        if FOLDER:
            patterns.append({"urlPattern": "*/dashboard/*", "requestStage": "Request"})
        if patterns:
            self.call("Fetch.enable", patterns=patterns)
        if script:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        self.size(width, height)
        self.scheme(scheme)
        self.go(url)

    def call(self, method, **parameters):
        return self.chromium.call(method, self.session, **parameters)

    def heard(self, method, parameters):
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
            self.fields.append(parameters["request"]["headers"])
        elif method == "Fetch.requestPaused":
            answer = self._altered if "responseStatusCode" in parameters else (
                self._from_folder if "/dashboard/" in parameters["request"]["url"] else self._answered)
            threading.Thread(target=answer, args=(parameters,), daemon=True).start()
        elif method == "Runtime.exceptionThrown":
            self.faults.append(parameters["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif method == "Log.entryAdded" and parameters["entry"]["source"] in ("security", "javascript", "violation"):
            self.faults.append(parameters["entry"]["text"])

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, scheme):
        """Light or dark, and nothing moves."""
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])

    def go(self, url):
        self.call("Page.navigate", url=url)

    def _reply(self, method, **parameters):
        """For a request that the tab may have taken back by going away."""
        try:
            self.call(method, **parameters)
        except AssertionError:
            if self.session in self.chromium.pages:
                raise

    def _altered(self, paused):
        body = self.call("Fetch.getResponseBody", requestId=paused["requestId"])
        text = base64.b64decode(body["body"]).decode() if body["base64Encoded"] else body["body"]
        headers = [one for one in paused["responseHeaders"] if one["name"].lower() not in ("content-encoding", "content-length")]
        self._reply("Fetch.fulfillRequest", requestId=paused["requestId"], responseCode=paused["responseStatusCode"],
                    responseHeaders=headers, body=base64.b64encode(self.alter(text).encode()).decode())

    def _answered(self, paused):
        answer = self.instead(paused["request"]["url"])
        if answer is None:
            self._reply("Fetch.continueRequest", requestId=paused["requestId"])
        elif answer != HOLD:
            status, kind, text = answer
            self._reply("Fetch.fulfillRequest", requestId=paused["requestId"], responseCode=status,
                        responseHeaders=[{"name": "Content-Type", "value": kind}], body=base64.b64encode(text.encode()).decode())

    def _from_folder(self, paused):
        name = paused["request"]["url"].rsplit("/", 1)[1]
        with open(os.path.join(FOLDER, name), "rb") as file:
            body = base64.b64encode(file.read()).decode()
        headers = [{"name": "Content-Type", "value": TYPES[os.path.splitext(name)[1]]}, {"name": "Cache-Control", "value": "no-store"}]
        self._reply("Fetch.fulfillRequest", requestId=paused["requestId"], responseCode=200, responseHeaders=headers, body=body)

    def run(self, script):
        """The value of an expression, or of what it promises."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"].get("exception", {}).get("description", answer))
        return answer["result"].get("value")

    def wait(self, what, script, seconds=60):
        """The first true value of an expression, looked at every 30 ms, also over a reload of the page."""
        end = time.monotonic() + seconds
        while True:
            try:
                value = self.run(
                    f"""new Promise((done) => {{
                      const end = Date.now() + {max(0, end - time.monotonic()) * 1000};
                      const look = () => {{
                        let value; try {{ value = {script}; }} catch {{ value = null; }}
                        if (value || Date.now() > end) done(value instanceof Node ? true : value); else setTimeout(look, 30);
                      }};
                      look();
                    }})""")
                break
            except AssertionError as error:
                # The document went in the middle of a look.
                if not any(word in str(error) for word in ("navigated", "context")) or time.monotonic() > end:
                    raise
        if not value:
            text = self.run("document.body.innerText")
            raise AssertionError(f"waited {seconds} s for {what}; the page says: {text[-800:]!r}")
        return value

    def says(self, text, where="body"):
        return self.wait(f"{text!r} in {where}", f"document.querySelector({json.dumps(where)})?.innerText.includes({json.dumps(text)})")

    def click(self, text, where="body", tag="button, a, summary"):
        """Presses what has that text, as soon as it is there and may be pressed."""
        self.wait(f"{text!r} to press", f"""(() => {{
          const found = [...document.querySelectorAll({json.dumps(where)} + " *")].find((one) => one.matches({json.dumps(tag)}) && !one.disabled && one.textContent.trim().startsWith({json.dumps(text)}));
          found?.click(); return !!found; }})()""")

    def type(self, selector, text):
        self.wait(f"{selector} to type in", f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one?.focus(); one?.select?.(); return !!one; }})()")
        self.call("Input.insertText", text=text)

    def key(self, key, code=None):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, windowsVirtualKeyCode={
                "ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "ArrowUp": 38, "Enter": 13, "Escape": 27, "Tab": 9, "End": 35}.get(key, 0))

    def point(self, selector):
        """Moves the pointer to the middle of an element."""
        x, y = self.wait(selector, f"""(() => {{ const one = document.querySelector({json.dumps(selector)}); one.scrollIntoView({{ block: "center" }});
          const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()""")
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self):
        self.chromium.pages.pop(self.session, None)
        if self.isGuest:
            self.chromium.call("Target.closeTarget", targetId=self.target)
        else:
            self.chromium.call("Target.disposeBrowserContext", browserContextId=self.context)
