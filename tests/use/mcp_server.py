"""A protected MCP server of the classes of MCP's Python SDK, with one tool: greet. Its options are those of api.py."""

import asyncio
import contextlib
import socket

import api
import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer

arguments = api.parser().parse_args()
checks = api.Checks(arguments)


class Verifier:
    async def verify_token(self, token):
        person = await asyncio.to_thread(checks.check, token)
        checks.log(f"/mcp Bearer {'good' if person else 'bad'}")
        return AccessToken(token=token, client_id="pkce-tools", scopes=[], subject=person) if person else None


listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
settings = AuthSettings(issuer_url=arguments.issuer, resource_server_url=f"http://127.0.0.1:{port}/mcp")
server = MCPServer("work", token_verifier=Verifier(), auth=settings)


@server.tool()
def greet(name: str) -> str:
    """Says good morning."""
    return f"good morning, {name}"


print(port, flush=True)
with contextlib.suppress(KeyboardInterrupt):
    uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="warning")).run(sockets=[listening])
