"""A little OpenID Connect issuer on 127.0.0.1: keys by the openssl command, discovery, tokens, rotation; and silence."""

import base64
import http.server
import json
import subprocess
import tempfile
import threading
import time


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key of the openssl command."""

    def __init__(self, folder, name):
        self.name, self.path = name, f"{folder}/{name}.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.path, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.path, "-noout", "-modulus"], check=True,
                                 capture_output=True, text=True).stdout.split("=")[1].strip()
        self.jwk = {"kty": "RSA", "kid": name, "use": "sig", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}

    def sign(self, data):
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=data, check=True,
                              capture_output=True).stdout


class Issuer:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="parva-issuer-")
        self.key = Key(self.folder.name, "first")
        self.published = [self.key]
        self.requests = []
        self.delay = 0
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.requests.append(self.path)
                time.sleep(issuer.delay)
                if self.path == "/.well-known/openid-configuration":
                    body = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                else:
                    body = {"keys": [key.jwk for key in issuer.published]}
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rotate(self, name):
        """A new key signs; the old one stays published."""
        self.key = Key(self.folder.name, name)
        self.published.append(self.key)

    def token(self, key=None, **claims):
        key = key or self.key
        now = time.time()
        members = {"iss": self.url, "aud": "parva", "sub": "ada", "iat": now, "exp": now + 600, **claims}
        members = {name: value for name, value in members.items() if value is not None}
        signed = ".".join(b64(json.dumps(part).encode())
                          for part in ({"alg": "RS256", "typ": "JWT", "kid": key.name}, members))
        return f"{signed}.{b64(key.sign(signed.encode()))}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()
