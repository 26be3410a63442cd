"""An HTTP proxy that removes from the requests of oidc-agent what pkce-idp, which is strict, refuses: the client
authentication of a public client, whose ID goes into the body if it is not there, and a space after the scope. Prints
its port."""

import base64
import http.client
import http.server
from urllib.parse import quote, urlsplit


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).removesuffix(b"%20")
        credentials = self.headers.get("Authorization", "").removeprefix("Basic ")
        client = base64.b64decode(credentials).decode().partition(":")[0]
        if client and b"client_id=" not in body:
            body += b"&client_id=" + quote(client).encode()
        server = http.client.HTTPConnection(url.netloc)
        target = url._replace(scheme="", netloc="").geturl()
        server.request(self.command, target, body, {"Content-Type": self.headers.get("Content-Type", "")})
        response = server.getresponse()
        content = response.read()
        self.send_response(response.status)
        self.send_header("Content-Type", response.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_):
        pass


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
