// An OpenID provider that others wrote, in several kinds, each on a free port of 127.0.0.1. Prints a line for each,
// its name and its issuer, and `ready` when all of them listen. ODD is text that is hard to encode.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
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
const { Provider, errors } = await import('oidc-provider');

const SERVERS = {
  plain: {},
  pushed: { pushed: true },
  posted: { methods: ['none', 'client_secret_post'] },
  unnamed: { iss: 'neither promised nor sent' },
  forgetful: { iss: 'promised, and not sent' },
  lax: { pkce: false },
};
const RESOURCES = ['https://api.example.com/', 'https://files.example.com/'];
const { ODD } = process.env;

const key = (alg, type, options) => ({
  // Not by an export of its own: where Node 20 collects garbage in that, it waits for itself for ever.
  ...generateKeyPairSync(type, { ...options, privateKeyEncoding: { format: 'jwk' } }).privateKey,
  alg,
  kid: `${alg}-${randomBytes(4).toString('hex')}`,
  use: 'sig',
});
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const ALGS = [...RSA, 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const newKeys = () => [
  ...RSA.map((alg) => key(alg, 'rsa', { modulusLength: 2048 })),
  key('ES256', 'ec', { namedCurve: 'P-256' }),
  key('ES384', 'ec', { namedCurve: 'P-384' }),
  key('ES512', 'ec', { namedCurve: 'P-521' }),
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
const secret = (method) => ({ token_endpoint_auth_method: method, client_secret: ODD });
const deviceGrant = {
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
};
const clients = [
  native('cli'),
  ...ALGS.map((alg) => native(`cli-${alg}`, { id_token_signed_response_alg: alg })),
  native('pushes', { require_pushed_authorization_requests: true }),
  native('confidential', { ...secret('client_secret_basic'), require_pushed_authorization_requests: true }),
  native(`client_secret_basic ${ODD}`, secret('client_secret_basic')),
  native(`client_secret_post ${ODD}`, secret('client_secret_post')),
  // Its code lives for a second.
  native('hasty'),
  // Whose refresh token stays the same; the second is not even told so.
  native('keeps'),
  native('omits'),
  native('device', deviceGrant),
  // Its codes on another device live for a second.
  native('hasty-device', deviceGrant),
];

const provide = (issuer, { pushed = false, methods, pkce = true, iss = 'promised and sent' }) => {
  const provider = new Provider(issuer, {
    acrValues: ['password', 'passkey'],
    clientAuthMethods: methods,
    clients,
    cookies,
    enabledJWA: { idTokenSigningAlgValues: ALGS },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: pushed },
      revocation: { enabled: true },
      registration: { enabled: true, initialAccessToken: 'initial-token' },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_, __, asked) => asked?.[0],
        getResourceServerInfo: (_, resource) => {
          if (!RESOURCES.includes(resource)) {
            throw new errors.InvalidTarget();
          }
          return { scope: 'read', audience: resource, accessTokenFormat: 'jwt' };
        },
      },
    },
    jwks: { keys },
    pkce: { required: () => pkce },
    rotateRefreshToken: ({ oidc }) => !['keeps', 'omits'].includes(oidc.client.clientId),
    ttl: {
      AuthorizationCode: (_, __, client) => (client.clientId === 'hasty' ? 1 : 60),
      DeviceCode: (_, __, client) => (client.clientId === 'hasty-device' ? 1 : 60),
    },
  });
  const challenges = new Map();

  // Its own login page says nothing of how somebody logged in: whatever was asked for, it was by a password.
  provider.on('authorization.accepted', ({ oidc }) => {
    oidc.session.acr = 'password';
  });

  // What no option of the provider does.
  provider.use(async (context, next) => {
    await next();
    const { body, oidc } = context;
    // Its pages take a font from elsewhere; without it the tests can insist that no request leaves the machine.
    if (typeof body === 'string') {
      context.body = body.replace(/@import url\([^)]*\);/, '');
    }
    // It takes a secret in either place, wherever the client is registered to show it; other servers do not.
    const basic = context.headers.authorization?.startsWith('Basic ') && 'client_secret_basic';
    const shown = basic || (oidc?.params?.client_secret && 'client_secret_post');
    if (shown && oidc?.client && shown !== oidc.client.clientAuthMethod) {
      context.status = 401;
      context.body = { error: 'invalid_client', error_description: 'another method' };
    }
    // It takes a device code without the verifier; other servers do not.
    if (oidc?.route === 'device_authorization' && body?.device_code) {
      challenges.set(body.device_code, oidc.body.code_challenge);
    }
    if (oidc?.route === 'token' && oidc.params?.device_code) {
      const { code_verifier = '' } = oidc.body;
      const challenge = createHash('sha256').update(code_verifier).digest('base64url');
      if (challenges.get(oidc.params.device_code) !== challenge) {
        context.status = 400;
        context.body = { error: 'invalid_grant', error_description: 'another verifier' };
      }
    }
    if (iss !== 'promised and sent' && context.response.get('Location')) {
      context.set('Location', context.response.get('Location').replace(/&iss=[^&]*/, ''));
    }
    if (iss === 'neither promised nor sent' && oidc?.route === 'discovery') {
      delete body.authorization_response_iss_parameter_supported;
    }
    if (oidc?.client?.clientId === 'omits' && oidc.params?.grant_type === 'refresh_token') {
      delete body.refresh_token;
    }
  });

  for (const event of ['authorization.error', 'grant.error', 'server_error', 'registration_create.error']) {
    provider.on(event, (_, error) => console.error(`${event}: ${error.error_detail ?? error.stack}`));
  }
  return provider.callback();
};

for (const [name, options] of Object.entries(SERVERS)) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let listener = provide(issuer, options);
  server.on('request', (request, response) => {
    // The same server after that: new keys sign, and the old ones are still shown.
    if (request.method === 'POST' && request.url === '/rotate') {
      keys = [...newKeys(), ...keys];
      listener = provide(issuer, options);
      response.end();
    } else {
      listener(request, response);
    }
  });
  console.log(`${name} ${issuer}`);
}
console.log('ready');

// Whoever started it holds its standard input, and it does not outlive them.
process.stdin.resume().on('end', () => process.exit());
