"""A Terraform module registry with one private module in it: example/hello/local 1.0.0."""

import io
import tarfile

import api

MODULE = 'output "hello" {\n  value = "hello"\n}\n'


def archive():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo("main.tf")
        entry.size = len(MODULE)
        tar.addfile(entry, io.BytesIO(MODULE.encode()))
    return file.getvalue()


class Request(api.Request):
    def public(self):
        # The archive's URL is of the kind that is signed: the registry gives it to those who are allowed only.
        return self.path.startswith(("/.well-known/", "/archives/"))

    def respond(self):
        if self.path == "/.well-known/terraform.json":
            self.send(200, {"modules.v1": "/modules/"})
        elif self.path == "/modules/example/hello/local/versions":
            self.send(200, {"modules": [{"versions": [{"version": "1.0.0"}]}]})
        elif self.path == "/modules/example/hello/local/1.0.0/download":
            where = f"https://{self.headers['Host']}/archives/hello.tar.gz"
            self.send(204, headers=[("X-Terraform-Get", where)])
        elif self.path.partition("?")[0] == "/archives/hello.tar.gz":
            self.send(200, archive(), "application/gzip")
        else:
            self.send(404)


if __name__ == "__main__":
    api.serve(Request)
