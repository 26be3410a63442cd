"""An MCP client that takes the HTTP headers for a server from a command, as MCP clients with a header helper do: reads
.mcp.json in the working directory, and calls a tool of the server `work` there."""

import asyncio
import json
import subprocess
import sys

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client


def headers(command):
    """The JSON object that the command prints."""
    helper = subprocess.run(command, shell=True, stdout=subprocess.PIPE)
    if helper.returncode:
        sys.exit(f"headersHelper: status {helper.returncode}")
    return json.loads(helper.stdout)


async def main():
    with open(".mcp.json") as file:
        settings = json.load(file)["mcpServers"]["work"]
    async with httpx2.AsyncClient(headers=headers(settings["headersHelper"])) as http:
        async with mcp.Client(streamable_http_client(settings["url"], http_client=http)) as client:
            result = await client.call_tool("greet", {"name": "alice"})
            print(result.content[0].text)


asyncio.run(main())
