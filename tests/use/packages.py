"""A private package index for pip and a private registry for pnpm, each with one package: hello."""

import base64
import hashlib
import io
import tarfile
import zipfile

import api

WHEEL = "hello-1.0-py3-none-any.whl"


def wheel():
    """The package for pip."""
    info = "hello-1.0.dist-info"
    files = {
        "hello.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def tarball():
    """The package for pnpm."""
    manifest = b'{"name": "hello", "version": "1.0.0"}'
    member = tarfile.TarInfo("package/package.json")
    member.size = len(manifest)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(member, io.BytesIO(manifest))
    return buffer.getvalue()


TARBALL = tarball()


class Request(api.Request):
    def challenges(self):
        return ["Bearer" if self.path.startswith("/npm/") else 'Basic realm="packages"']

    def respond(self):
        pages = {
            "/simple/hello/": lambda: (f'<a href="/files/{WHEEL}">{WHEEL}</a>', "text/html"),
            f"/files/{WHEEL}": lambda: (wheel(), "application/zip"),
            "/npm/hello": lambda: (self.packument(), "application/json"),
            "/npm/hello.tgz": lambda: (TARBALL, "application/gzip"),
        }
        if self.path in pages:
            self.send(200, *pages[self.path]())
        else:
            self.send(404, {"error": "not found"})

    def packument(self):
        """What a registry says of a package."""
        version = {
            "name": "hello",
            "version": "1.0.0",
            "dist": {
                "tarball": f"http://{self.headers['Host']}/npm/hello.tgz",
                "integrity": "sha512-" + base64.b64encode(hashlib.sha512(TARBALL).digest()).decode(),
            },
        }
        return {"name": "hello", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}


if __name__ == "__main__":
    api.serve(Request)
