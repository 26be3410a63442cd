// The command-line login that Auth0's article describes, with Node's own modules: a verifier and its challenge, the
// browser, the code, the token. Two differences: the code comes by a redirect to this machine, since nobody is there to
// copy it, and no package is loaded for a request or to open the browser, which is faster than the article's own way.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

const { ISSUER, CLIENT_ID, PORT, BROWSER } = process.env;
const redirectUri = `http://127.0.0.1:${PORT}/callback`;
const verifier = randomBytes(32).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');

const server = http.createServer((request, response) => {
  response.end('You can close this window.');
  server.close();
  exchange(new URL(request.url, redirectUri).searchParams.get('code'));
});

server.listen(PORT, '127.0.0.1', () => {
  const query = new URLSearchParams({
    response_type: 'code', scope: 'openid', client_id: CLIENT_ID, redirect_uri: redirectUri,
    code_challenge: challenge, code_challenge_method: 'S256',
  });
  spawn(BROWSER, [`${ISSUER}/authorize?${query}`], { stdio: 'ignore' }).unref();
});

function exchange(code) {
  const body = new URLSearchParams({
    code, code_verifier: verifier, client_id: CLIENT_ID, grant_type: 'authorization_code', redirect_uri: redirectUri,
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
  const request = http.request(`${ISSUER}/token`, { method: 'POST', agent: false, headers }, response => {
    let text = '';
    response.on('data', part => { text += part; });
    response.on('end', () => {
      process.stdout.write(`${text}\n`);
      process.exit(response.statusCode === 200 ? 0 : 1);
    });
  });
  request.end(body);
}
