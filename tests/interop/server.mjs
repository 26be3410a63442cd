// An OpenID provider that others wrote, on a free port of 127.0.0.1; the issuer is printed when it listens.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

// The provider is written for Node 22; on 20 this is all it lacks.
URL.parse ??= (url, base) => {
  try {
    return new URL(url, base);
  } catch {
    return null;
  }
};
const { Provider } = await import('oidc-provider');

const key = (alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  alg,
  kid: alg,
  use: 'sig',
});

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'cli',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
  }],
  cookies: { keys: [randomBytes(32).toString('hex')] },
  features: { devInteractions: { enabled: true } },
  jwks: { keys: [key('RS256', 'rsa', { modulusLength: 2048 }), key('ES256', 'ec', { namedCurve: 'P-256' })] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
});

// Its pages take a font from a server elsewhere; without it the tests can insist that no request leaves the machine.
provider.use(async (context, next) => {
  await next();
  if (typeof context.body === 'string') {
    context.body = context.body.replace(/@import url\([^)]*\);/, '');
  }
});

for (const event of ['authorization.error', 'grant.error', 'server_error']) {
  provider.on(event, (_, error) => console.error(`${event}: ${error.error_detail ?? error.stack}`));
}
server.on('request', provider.callback());
console.log(issuer);

// Whoever started it holds its standard input, and it does not outlive them.
process.stdin.resume().on('end', () => process.exit());
