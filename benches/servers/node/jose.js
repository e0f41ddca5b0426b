// Node's own server, with jose: `node jose.js PORT ISSUER AUDIENCE LEEWAY`.
import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [port, issuer, audience, leeway] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
const options = { issuer, audience, clockTolerance: Number(leeway) };

createServer(async (request, response) => {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  try {
    if (scheme !== 'Bearer') throw new Error('no token');
    await jwtVerify(token, keys, options);
    response.end('ok');
  } catch {
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer' }).end();
  }
}).listen(Number(port), '127.0.0.1');
