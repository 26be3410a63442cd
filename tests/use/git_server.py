"""A git server: git's own http-backend, for the repositories of a directory."""

import subprocess
import urllib.parse

import api

BACKEND = ["git", "http-backend"]


class Request(api.Request):
    def challenges(self):
        return ['Basic realm="git"', "Bearer"]

    def respond(self):
        url = urllib.parse.urlsplit(self.path)
        environment = {
            "GIT_PROJECT_ROOT": self.server.arguments.repositories,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH": "/usr/bin:/bin",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(self.body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": self.person,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        response = subprocess.run(BACKEND, input=self.body, env=environment, capture_output=True, check=True)
        head, _, body = response.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send(int(fields.get("Status", "200").split()[0]), body, fields["Content-Type"])


if __name__ == "__main__":
    options = api.parser()
    options.add_argument("--repositories", required=True)
    api.serve(Request, options)
