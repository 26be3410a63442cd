// The command-line login that Auth0's article describes, with the packages that it names: a verifier and its challenge,
// the browser, the code, the token. One difference: the code comes by a redirect to this machine, since nobody is there to
// copy it.
const { createHash, randomBytes } = require('crypto');
const http = require('http');
const opn = require('opn');
const request = require('request');
require('dotenv').config({ quiet: true });

const { ISSUER, CLIENT_ID, PORT, BROWSER } = process.env;
const redirectUri = `http://127.0.0.1:${PORT}/callback`;
const verifier = randomBytes(32).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');

const server = http.createServer((incoming, response) => {
  response.end('You can close this window.');
  server.close();
  exchange(new URL(incoming.url, redirectUri).searchParams.get('code'));
});

server.listen(PORT, '127.0.0.1', () => {
  const query = new URLSearchParams({
    response_type: 'code', scope: 'openid', client_id: CLIENT_ID, redirect_uri: redirectUri,
    code_challenge: challenge, code_challenge_method: 'S256',
  });
  opn(`${ISSUER}/authorize?${query}`, { app: BROWSER, wait: false });
});

function exchange(code) {
  const form = {
    code, code_verifier: verifier, client_id: CLIENT_ID, grant_type: 'authorization_code', redirect_uri: redirectUri,
  };
  request.post(`${ISSUER}/token`, { form }, (error, response, body) => {
    process.stdout.write(`${error || body}\n`);
    process.exit(error || response.statusCode !== 200 ? 1 : 0);
  });
}
