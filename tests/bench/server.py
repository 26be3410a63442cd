"""A token endpoint that gives every request the same response, over https and over http; prints both ports.

Each connection is for one request. The certificate and its key are the files named in the arguments."""

import json
import socket
import ssl
import sys
import threading

TOKENS = {"access_token": "a" * 800, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r" * 43}


def response(head, port):
    """The metadata for a GET, else the tokens."""
    issuer = f"http://127.0.0.1:{port}"
    endpoints = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    metadata = {"issuer": issuer, **endpoints, "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"], "scopes_supported": ["openid"]}
    body = json.dumps(metadata if head.startswith(b"GET") else TOKENS).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body), body)


def answer(connection, port):
    """Read one request, its body too, and respond."""
    text = b""
    while b"\r\n\r\n" not in text:
        more = connection.recv(65536)
        if not more:
            return
        text += more
    head, body = text.split(b"\r\n\r\n", 1)
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0:
        more = connection.recv(65536)
        if not more:
            return
        missing -= len(more)
    connection.sendall(response(head, port))


def serve(listener, context):
    port = listener.getsockname()[1]
    while True:
        connection, _ = listener.accept()
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            answer(connection, port)
        except OSError:
            pass
        finally:
            connection.close()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    with_tls, plain = (socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(2))
    print(with_tls.getsockname()[1], plain.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(plain, None), daemon=True).start()
    serve(with_tls, context)


main()
