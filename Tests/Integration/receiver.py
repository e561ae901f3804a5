"""A receiver of webhooks, which verifies what it gets by the lines of docs/webhooks.md."""

import http.server
import os
import re
import threading
import time

from controller import ROOT

with open(os.path.join(ROOT, "docs", "webhooks.md"), encoding="utf-8") as page:
    exec(re.search(r"```python\n(.*?)```", page.read(), re.S)[1])  # defines verify


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what comes by path; answers what `plan` says, one after the other, then 204."""

    daemon_threads = True

    def __init__(self, address="127.0.0.1", context=None):
        self.got, self.plan, self.lock = {}, {}, threading.Lock()
        super().__init__((address, 0), self.Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with self.server.lock:
                self.server.got.setdefault(self.path, []).append((dict(self.headers), body))
                plan = self.server.plan.get(self.path)
                answer = plan.pop(0) if isinstance(plan, list) and plan else plan if isinstance(plan, int) else 204
            if answer == "hang":
                time.sleep(3)
                answer = 204
            self.send_response(answer)
            if answer in (301, 302, 307, 308):
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    def handle_error(self, *_):
        pass

    def messages(self, path, kind=None):
        with self.lock:
            seen = [(headers, body) for headers, body in self.got.get(path, [])]
        return [m for m in seen if kind is None or f'"type":"{kind}"'.encode() in m[1]]

    def revisions(self, path):
        """Of the plans that it was told of, in order, repetitions left out."""
        found = []
        for _, body in self.messages(path, "plan.published"):
            revision = int(re.search(rb'"revision":(\d+)', body)[1])
            if revision not in found:
                found.append(revision)
        return found

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"
