// The example server of MCP's official TypeScript SDK and its demo authorization server, as the SDK ships them, each on
// a free port. Prints a name and the MCP server's URL, and `ready` when both listen.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const reserved = [createServer().listen(0), createServer().listen(0)];
await Promise.all(reserved.map((server) => once(server, 'listening')));
const [port, authPort] = reserved.map((server) => server.address().port);
await Promise.all(reserved.map((server) => once(server.close(), 'close')));

// Both log to standard output, which is ours.
const print = console.log;
console.log = console.error;
process.env.MCP_PORT = port;
process.env.MCP_AUTH_PORT = authPort;
process.argv.push('--oauth', '--oauth-strict');
await import('@modelcontextprotocol/sdk/examples/server/simpleStreamableHttp.js');

const url = `http://localhost:${port}/mcp`;
for (const tried of [url, `http://localhost:${authPort}/`]) {
  while (!(await fetch(tried).catch(() => null))) {
    await setTimeout(50);
  }
}
print(`typescript ${url}\nready`);

// Whoever started it holds its standard input, and it does not outlive them.
process.stdin.resume().on('end', () => process.exit());
