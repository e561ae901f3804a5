"""A Chromium without a window, driven by its DevTools protocol over a pipe: nothing else is needed."""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time


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

    def open(self, url, width=1440, height=900, scheme="light", alter=None):
        """A tab; `alter` makes another text of what comes from the lists of the interface."""
        return Page(self, url, width, height, scheme, alter)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        shutil.rmtree(self._folder, ignore_errors=True)


class Page:
    """One tab with a storage of its own."""

    def __init__(self, chromium, url, width, height, scheme, alter):
        self.chromium, self.requests, self.faults, self.alter = chromium, [], [], alter
        self.context = chromium.call("Target.createBrowserContext")["browserContextId"]
        self.target = chromium.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = chromium.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        chromium.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        if alter:
            self.call("Fetch.enable", patterns=[
                {"urlPattern": f"*/v1/{one}", "requestStage": "Response"}
                for one in ("workloads*", "plan\\?*", "plans*", "nodes*", "operations*", "profiles*", "whoami*")])
        self.size(width, height)
        self.scheme(scheme)
        self.go(url)

    def call(self, method, **parameters):
        return self.chromium.call(method, self.session, **parameters)

    def heard(self, method, parameters):
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Fetch.requestPaused":
            threading.Thread(target=self._altered, args=(parameters,), daemon=True).start()
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

    def _altered(self, paused):
        body = self.call("Fetch.getResponseBody", requestId=paused["requestId"])
        text = base64.b64decode(body["body"]).decode() if body["base64Encoded"] else body["body"]
        headers = [one for one in paused["responseHeaders"] if one["name"].lower() not in ("content-encoding", "content-length")]
        self.call("Fetch.fulfillRequest", requestId=paused["requestId"], responseCode=paused["responseStatusCode"],
                  responseHeaders=headers, body=base64.b64encode(self.alter(text).encode()).decode())

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
        self.chromium.call("Target.disposeBrowserContext", browserContextId=self.context)
