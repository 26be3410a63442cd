"""Forwards each request to the authorization server, so that its requests can be counted."""

import urllib.error
import urllib.request

import api


class Request(api.Request):
    def public(self):
        return True

    def respond(self):
        request = urllib.request.Request(self.server.arguments.issuer + self.path, self.body, method=self.command)
        for name in "Content-Type", "Accept":
            if name in self.headers:
                request.add_header(name, self.headers[name])
        try:
            response = urllib.request.urlopen(request, timeout=api.TIMEOUT)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            self.send(response.status, response.read(), response.headers["Content-Type"])


if __name__ == "__main__":
    api.serve(Request)
