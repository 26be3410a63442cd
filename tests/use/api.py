"""An HTTP API that checks the credential of each request with the authorization server, and looks for it wherever other
processes could read it. As a program it is an API that responds to every good request; a server of another kind imports
it, derives from Request and calls serve(Request).

    python api.py --issuer URL --log FILE --tokens FILE [--tls CERTIFICATE KEY]

prints its port when it listens, and logs one line per request: method, path, scheme, and good, bad or none; and
argv:PROGRAM or environ:PROGRAM for each process that had the token there at that moment.

    python api.py --look TOKENS DIRECTORY...

prints disk:FILE for each file below a directory that has one of the tokens in it."""

import argparse
import base64
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TIMEOUT = 20


def encodings(token):
    """What the token looks like in a file: as it is, and in base64, at whichever offset."""
    yield token.encode()
    for padding in range(3):
        # The first and the last characters depend on what stands next to the token.
        yield base64.b64encode(b"\0" * padding + token.encode())[4:-4]


def exposures(token):
    """argv:PROGRAM and environ:PROGRAM for each other process that has the token there."""
    found = set()
    needles = list(encodings(token))
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        for place, file in ("argv", "cmdline"), ("environ", "environ"):
            try:
                text = (process / file).read_bytes()
                program = (process / "comm").read_text().strip()
            except OSError:  # It has ended, or is another user's.
                continue
            if any(needle in text for needle in needles):
                found.add(f"{place}:{program}")
    return sorted(found)


def look(tokens, directories):
    """disk:FILE for each file below the directories that has one of the tokens in it."""
    needles = [needle for token in tokens for needle in encodings(token)]
    for directory in map(pathlib.Path, directories):
        # A directory that is removed just now is left out.
        files = [pathlib.Path(place, name) for place, _, names in os.walk(directory) for name in names]
        for file in sorted(files):
            if file.is_symlink() or not file.is_file():
                continue
            try:
                content = file.read_bytes()
            except FileNotFoundError:  # It was removed just now.
                continue
            if any(needle in content for needle in needles):
                yield f"disk:{file.relative_to(directory)}"


class Issuer:
    """The authorization server, and whether a token is good there."""

    def __init__(self, url):
        with urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=TIMEOUT) as response:
            self.metadata = json.load(response)

    def person(self, token):
        """Who an access token or an ID token belongs to, or None."""
        return self.person_of_id_token(token) if token.count(".") == 2 else self.person_of_access_token(token)

    def person_of_access_token(self, token):
        request = urllib.request.Request(self.metadata["userinfo_endpoint"])
        try:
            request.add_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                return json.load(response)["sub"]
        except urllib.error.HTTPError:
            return None

    def person_of_id_token(self, token):
        try:
            payload = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except ValueError:
            return None
        document = self.metadata | {"id_token": token, "client_id": "pkce-tools"}
        if "nonce" in claims:
            document["nonce"] = claims["nonce"]
        verify = subprocess.run(
            ["pkce-verify"], input=json.dumps(document), capture_output=True, text=True, timeout=TIMEOUT
        )
        return claims.get("sub") if verify.returncode == 0 else None


class Request(BaseHTTPRequestHandler):
    """A request to the API. Derived servers replace credential, challenges, public and respond."""

    protocol_version = "HTTP/1.1"
    body = b""
    person = None

    def credential(self):
        """The scheme and the token of the request: the bearer, or the password of Basic authentication."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                return scheme, base64.b64decode(value).decode().partition(":")[2]
            except ValueError:
                return scheme, ""
        return scheme, value

    def challenges(self):
        """What WWW-Authenticate of a 401 says, one value each."""
        return ["Bearer"]

    def public(self):
        """Whether this path is for everybody."""
        return False

    def respond(self):
        """Responds to a request that is public, or whose token is good: self.person is whose it is."""
        self.send(200, {"sub": self.person, "path": self.path})

    def send(self, status, body=b"", media_type="application/json", headers=()):
        """Sends a response: bytes as they are, text in UTF-8, anything else as JSON."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_request(self):
        self.body = self.read_body()
        scheme, token = self.credential()
        self.person = self.server.check(token) if token else None
        self.server.log(
            f"{self.command} {self.path} {scheme or '-'} {'good' if self.person else 'bad' if token else 'none'}"
        )
        if self.person or (self.public() and not token):
            self.respond()
        else:
            self.send(401, {"error": "unauthorized"}, headers=[("WWW-Authenticate", c) for c in self.challenges()])

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_request
    do_PROPFIND = do_REPORT = do_MKCOL = handle_request

    def log_message(self, *_):
        pass


class Checks:
    """Checks tokens, and logs what was seen; for servers that speak something else than HTTP too."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.issuer = Issuer(arguments.issuer)
        self.lock = threading.Lock()

    def check(self, token):
        """Whose the token is, or None; where else it could be read is looked for now, and logged."""
        with self.lock, open(self.arguments.tokens, "a") as tokens:
            print(token, file=tokens)
        found = exposures(token)
        person = self.issuer.person(token)
        for line in found:
            self.log(line)
        return person

    def log(self, line):
        with self.lock, open(self.arguments.log, "a") as log:
            print(line, file=log)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def parser():
    """The options of every server."""
    options = argparse.ArgumentParser()
    options.add_argument("--issuer", required=True)
    options.add_argument("--log", required=True)
    options.add_argument("--tokens", required=True)
    options.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    return options


def serve(request, options=None):
    """Serves on a free port of 127.0.0.1, which it prints. A server with options of its own adds them to parser(), and
    finds their values in self.server.arguments of a request."""
    arguments = (options or parser()).parse_args()
    checks = Checks(arguments)
    server = Server(("127.0.0.1", 0), request)
    server.arguments, server.check, server.log = arguments, checks.check, checks.log
    server.scheme = "http"
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.scheme = "https"
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--look"]:
        with open(sys.argv[2]) as file:
            print(*look(set(file.read().split()), sys.argv[3:]), sep="\n")
    else:
        serve(Request)
