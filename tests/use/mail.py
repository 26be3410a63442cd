"""A mail server: Debian's Dovecot, and what it asks about each token and passes each sent message on to.

    python mail.py --issuer URL --log FILE --tokens FILE --tls CERTIFICATE KEY --place DIRECTORY [--mechanisms NAMES]

prints the ports of IMAP over TLS, of submission over TLS and of submission with STARTTLS when Dovecot listens. The
mailbox is DIRECTORY/mailbox, what was sent is in DIRECTORY/sent, and what Dovecot says goes to standard error."""

import grp
import itertools
import os
import pathlib
import pwd
import random
import shutil
import socketserver
import string
import subprocess
import sys
import threading
import urllib.parse

from api import Checks, Request, Server, parser

# Dovecot refuses to read mail as root.
UNPRIVILEGED = "nobody"
PORTS = "imaps", "submissions", "submission"


class Introspection(Request):
    """RFC 7662: the token is in the body, and the response to a bad one is no error."""

    def credential(self):
        form = urllib.parse.parse_qs(self.body.decode())
        return "introspection", form.get("token", [""])[0]

    def send(self, *_, **__):
        super().send(200, {"active": bool(self.person), "sub": self.person})


class Relay(socketserver.StreamRequestHandler):
    """An SMTP server that accepts every message."""

    REPLIES = {b"EHLO": "250-relay\r\n250 8BITMIME", b"QUIT": "221 goodbye"}

    def handle(self):
        self.say("220 relay")
        while words := self.rfile.readline().upper().split():
            if words[0] == b"DATA":
                self.say("354 go on")
                self.receive()
            self.say(self.REPLIES.get(words[0], "250 relay"))

    def receive(self):
        lines = iter(self.rfile.readline, b".\r\n")
        message = b"".join(line.removeprefix(b".").replace(b"\r\n", b"\n") for line in lines)
        (self.server.sent / str(next(self.server.numbers))).write_bytes(message)

    def say(self, reply):
        self.wfile.write(f"{reply}\r\n".encode())


class RelayServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


def listening(server):
    """The port of a server, which serves from now on."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def configure(place, values):
    """Writes Dovecot's configuration: the files dovecot*.conf of this directory, with the values filled in."""
    for template in pathlib.Path(__file__).parent.glob("dovecot*.conf"):
        (place / template.name).write_text(string.Template(template.read_text()).substitute(values))


def start(place, user, group):
    """Dovecot as this user, when it listens; None if it does not."""
    process = subprocess.Popen(
        ["dovecot", "-F", "-c", place / "dovecot.conf"],
        stderr=subprocess.PIPE,
        text=True,
        # Only root can, and must, leave its groups.
        **({"user": user, "group": group, "extra_groups": []} if os.getuid() == 0 else {}),
    )
    for line in process.stderr:
        print(line, end="", file=sys.stderr, flush=True)
        if "starting up" in line:
            return process
    return None


def main():
    options = parser()
    options.add_argument("--place", required=True, type=pathlib.Path)
    options.add_argument("--mechanisms", default="oauthbearer xoauth2")
    arguments = options.parse_args()
    place = arguments.place

    introspection = Server(("127.0.0.1", 0), Introspection)
    checks = Checks(arguments)
    introspection.check, introspection.log = checks.check, checks.log
    relay = RelayServer(("127.0.0.1", 0), Relay)
    relay.sent, relay.numbers = place / "sent", itertools.count()
    relay.sent.mkdir()

    account = pwd.getpwnam(UNPRIVILEGED) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    values = {
        "place": place,
        "user": account.pw_name,
        "group": grp.getgrgid(account.pw_gid).gr_name,
        "mechanisms": arguments.mechanisms,
        "introspection": listening(introspection),
        "relay": listening(relay),
    }
    for name, file in zip(("certificate", "key"), arguments.tls):
        values[name] = place / name
        shutil.copy(file, values[name])
    for _ in range(5):
        # Most likely free: those of clients are higher.
        ports = random.sample(range(10000, 30000), len(PORTS))
        configure(place, values | dict(zip(PORTS, ports)))
        for path in place, *place.rglob("*"):
            os.chown(path, account.pw_uid, account.pw_gid)
        if dovecot := start(place, account.pw_uid, account.pw_gid):
            break
    else:
        sys.exit("Dovecot does not start")
    print(*ports, flush=True)
    for line in dovecot.stderr:
        print(line, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
