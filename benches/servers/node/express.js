// Express with express-oauth2-jwt-bearer: `node express.js PORT ISSUER AUDIENCE LEEWAY`.
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';

const [port, issuer, audience, leeway] = process.argv.slice(2);
const app = express();
app.use(auth({ issuerBaseURL: issuer, audience, clockTolerance: Number(leeway) }));
app.get('/orders', (_request, response) => response.end('ok'));
// The default handler prints each refusal with its stack.
app.use((error, _request, response, _next) => response.status(error.status ?? 500).set(error.headers ?? {}).end());
app.listen(Number(port), '127.0.0.1');
