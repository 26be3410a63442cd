"""A container registry (the distribution specification, to pull from) with one image in it: app:1."""

import gzip
import hashlib
import json

import api

LAYER = gzip.compress(b"\0" * 1024, mtime=0)
CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(b"\0" * 1024).hexdigest()]},
    }
).encode()


def digest(blob):
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def descriptor(kind, blob):
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(blob), "size": len(blob)}


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", CONFIG),
        "layers": [descriptor("layer.v1.tar+gzip", LAYER)],
    }
).encode()
BLOBS = {digest(blob): blob for blob in (CONFIG, LAYER)}


class Request(api.Request):
    def challenges(self):
        return ['Basic realm="registry"']

    def respond(self):
        blob = BLOBS.get(self.path.rpartition("/")[2])
        if self.path == "/v2/":
            self.send(200, {})
        elif self.path in ("/v2/app/manifests/1", f"/v2/app/manifests/{digest(MANIFEST)}"):
            headers = [("Docker-Content-Digest", digest(MANIFEST))]
            self.send(200, MANIFEST, "application/vnd.oci.image.manifest.v1+json", headers)
        elif self.path.startswith("/v2/app/blobs/") and blob:
            self.send(200, blob, "application/octet-stream")
        else:
            self.send(404, {"errors": [{"code": "NAME_UNKNOWN"}]})


if __name__ == "__main__":
    api.serve(Request)
