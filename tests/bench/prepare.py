"""What the benchmark needs before it measures: files, certificates, servers, stored logins."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from measure import is_there

ENDPOINT = "https://id.example/authorize"
URL = f"pkce-url --client-id cli --authorization-endpoint {ENDPOINT} --scope openid"


def write(file, content, mode=0o600):
    path = Path(file)
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)


def output(command, stdin=None):
    return subprocess.run(command, shell=True, input=stdin, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def a_program_that_runs(argv):
    """A server in the background, and the first line that it prints."""
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield server, server.stdout.readline()
    finally:
        server.kill()
        server.wait()


def prepare_browser():
    """A browser that returns at once and follows the redirects in the background, by the names that peers call it."""
    os.mkdir("bin")
    write("bin/xdg-open", '#!/bin/sh\npkce-idp --visit "$1" >/dev/null 2>&1 &\n', 0o700)
    os.environ["PATH"] = f"{os.getcwd()}/bin:{os.environ['PATH']}"
    os.environ["BROWSER"] = "xdg-open"


def prepare_documents():
    write("new.json", output("pkce-gen"))
    kept = {"token_endpoint": "https://id.example/token", "access_token": "a" * 800, "token_type": "Bearer",
            "expires_at": 4000000000}
    output("pkce-store kept", str(kept).replace("'", '"'))


def prepare_certificates():
    """A certificate authority of this run, a certificate for localhost, and the system's bundle with this authority."""
    output("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 "
           "-subj /CN=bench 2>/dev/null")
    output("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr "
           "-subj /CN=localhost 2>/dev/null")
    write("san", "subjectAltName=DNS:localhost\n")
    output("openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile san -out server.pem 2>/dev/null")
    bundles = [Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt")]
    bundle = next((each for each in bundles if each.exists()), None)
    write("system.pem", (bundle.read_text(encoding="utf-8") if bundle else "") + Path("ca.pem").read_text())


@contextlib.contextmanager
def an_oidc_agent(port):
    """An oidc-agent with a kept token of the server of this run; whether that worked."""
    if not is_there("oidc-agent") or not is_there("oidc-gen"):
        yield False
        return
    agent = output("oidc-agent")
    os.environ["OIDC_SOCK"] = re.search(r"OIDC_SOCK=([^;]+)", agent)[1]
    os.environ["OIDC_ENCRYPTION_PW"] = "bench"
    os.makedirs(".oidc-agent", mode=0o700, exist_ok=True)
    done = subprocess.run(
        ["oidc-gen", "--manual", f"--issuer=http://127.0.0.1:{port}", "--client-id=cli", "--client-secret=s", "--rt=r",
         "--redirect-uri=http://localhost:8080", "--scope=openid", "--confirm-yes", "--prompt=none", "--pw-env",
         "--no-url-call", "kept"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    try:
        yield done.returncode == 0
    finally:
        os.kill(int(re.search(r"OIDCD_PID=(\d+)", agent)[1]), signal.SIGTERM)
        shutil.rmtree(Path(os.environ["OIDC_SOCK"]).parent, ignore_errors=True)
        del os.environ["OIDC_SOCK"], os.environ["OIDC_ENCRYPTION_PW"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
