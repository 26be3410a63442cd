"""A protected MCP server and its authorization server, of the classes of MCP's official Python SDK, set up as in its
example simple-auth, each on a free port of 127.0.0.1. Prints a name and the MCP server's URL, and `ready` when both
listen."""

import asyncio
import os
import secrets
import select
import socket
import sys
import threading
import time

import uvicorn
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    OAuthAuthorizationServerProvider,
    ProviderTokenVerifier,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthToken
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

SCOPE = "user"
LIFETIME = 3600
LOGIN = '<form method="post"><input name="name"><input type="password" name="password"><button>Sign in</button></form>'


class Provider(OAuthAuthorizationServerProvider):
    """Signs in whoever sends the form; no refresh tokens."""

    def __init__(self):
        self.clients = {}
        self.requests = {}
        self.codes = {}
        self.tokens = {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info):
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client, params):
        request = secrets.token_urlsafe()
        self.requests[request] = client.client_id, params
        return f"/login?request={request}"

    async def login(self, request):
        if request.method == "GET":
            return HTMLResponse(LOGIN)
        client_id, params = self.requests.pop(request.query_params["request"])
        code = secrets.token_urlsafe()
        self.codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or [SCOPE],
            expires_at=time.time() + 60,
            client_id=client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        return RedirectResponse(construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state), 302)

    async def load_authorization_code(self, client, authorization_code):
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client, authorization_code):
        del self.codes[authorization_code.code]
        token = secrets.token_urlsafe()
        self.tokens[token] = AccessToken(
            token=token,
            client_id=client.client_id,
            scopes=authorization_code.scopes,
            expires_at=int(time.time()) + LIFETIME,
            resource=authorization_code.resource,
        )
        return OAuthToken(access_token=token, expires_in=LIFETIME, scope=" ".join(authorization_code.scopes))

    async def load_refresh_token(self, client, refresh_token):
        return None

    async def load_access_token(self, token):
        return self.tokens.get(token)


def listener():
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, f"http://localhost:{listening.getsockname()[1]}"


async def serve():
    (at_issuer, issuer), (at_resource, origin) = listener(), listener()
    provider = Provider()
    settings = AuthSettings(
        issuer_url=issuer,
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
        ),
        required_scopes=[SCOPE],
        resource_server_url=f"{origin}/mcp",
        validate_token_resource=True,
    )
    routes = create_auth_routes(
        provider=provider,
        issuer_url=settings.issuer_url,
        client_registration_options=settings.client_registration_options,
    )
    authorization = Starlette(routes=[*routes, Route("/login", provider.login, methods=["GET", "POST"])])
    server = MCPServer("protected", token_verifier=ProviderTokenVerifier(provider), auth=settings)

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    # Both sockets listen already, so whoever connects early waits.
    print(f"python {origin}/mcp", "ready", sep="\n", flush=True)
    await asyncio.gather(
        *(
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listening])
            for app, listening in ((authorization, at_issuer), (server.streamable_http_app(), at_resource))
        )
    )


# Whoever started it holds its standard input, and it does not outlive them.
# Node makes the pipe that they share non-blocking, so a read could fail.
threading.Thread(target=lambda: (select.select([sys.stdin], [], []), os._exit(0)), daemon=True).start()
asyncio.run(serve())
