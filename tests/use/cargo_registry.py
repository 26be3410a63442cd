"""A cargo registry (sparse, auth-required) with one crate in it: hello 1.0.0."""

import hashlib
import io
import json
import tarfile

import api

MANIFEST = '[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n'


def crate():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in ("Cargo.toml", MANIFEST), ("src/lib.rs", ""):
            entry = tarfile.TarInfo(f"hello-1.0.0/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


CRATE = crate()
ENTRY = {
    "name": "hello",
    "vers": "1.0.0",
    "deps": [],
    "cksum": hashlib.sha256(CRATE).hexdigest(),
    "features": {},
    "yanked": False,
}


class Request(api.Request):
    def challenges(self):
        return ['Cargo login_url="https://index.example.com/login"']

    def respond(self):
        base = f"https://{self.headers['Host']}"
        if self.path == "/config.json":
            self.send(200, {"dl": f"{base}/crates", "api": base, "auth-required": True})
        elif self.path == "/he/ll/hello":
            self.send(200, json.dumps(ENTRY))
        elif self.path == "/crates/hello/1.0.0/download":
            self.send(200, CRATE, "application/gzip")
        else:
            self.send(404)


if __name__ == "__main__":
    api.serve(Request)
