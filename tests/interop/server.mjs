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
  kid: `${alg}-${randomBytes(4).toString('hex')}`,
  use: 'sig',
});
const newKeys = () => [
  key('RS256', 'rsa', { modulusLength: 2048 }),
  key('PS256', 'rsa', { modulusLength: 2048 }),
  key('ES256', 'ec', { namedCurve: 'P-256' }),
  key('EdDSA', 'ed25519'),
  key('Ed25519', 'ed25519'),
];
let keys = newKeys();
const cookies = { keys: [randomBytes(32).toString('hex')] };
const native = (client_id, more) => ({
  client_id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
  ...more,
});

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provide = () => {
  const provider = new Provider(issuer, {
    clients: [
      native('cli'),
      ...['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'].map((alg) =>
        native(`cli-${alg}`, { id_token_signed_response_alg: alg })),
      native('pushes', { require_pushed_authorization_requests: true }),
      native('confidential', {
        token_endpoint_auth_method: 'client_secret_basic',
        client_secret: 'a:b%c+d&e=f/~!*()',
        require_pushed_authorization_requests: true,
      }),
    ],
    cookies,
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] },
    features: {
      devInteractions: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      revocation: { enabled: true },
      registration: { enabled: true, initialAccessToken: 'initial-token' },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({ scope: 'read', audience: resource, accessTokenFormat: 'jwt' }),
      },
    },
    jwks: { keys },
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

  for (const event of ['authorization.error', 'grant.error', 'server_error', 'registration_create.error']) {
    provider.on(event, (_, error) => console.error(`${event}: ${error.error_detail ?? error.stack}`));
  }
  return provider.callback();
};

// The same server after POST /rotate: new keys sign, and the old ones are still shown.
let answer = provide();
server.on('request', (request, response) => {
  if (request.method === 'POST' && request.url === '/rotate') {
    keys = [...newKeys(), ...keys];
    answer = provide();
    response.end();
  } else {
    answer(request, response);
  }
});
console.log(issuer);

// Whoever started it holds its standard input, and it does not outlive them.
process.stdin.resume().on('end', () => process.exit());
