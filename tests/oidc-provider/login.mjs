// A certified authorization server (npm oidc-provider) on 127.0.0.1, any free port, for the examples whose clients register themselves:
// a user who is `ann` signs in and consents to whatever they ask for, at once.
//
// When it accepts connections it prints one line, {"ready":true,"issuer":"http://127.0.0.1:PORT"}, and it ends when its stdin closes,
// so that a test that dies takes it along.
//
// Each resource (RFC 8707) is one with the scopes that are given as arguments, and gets JWTs by ES256 for 300 s.
import { createServer } from 'node:http';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const SCOPES = process.argv.slice(2);

/** By way of PEM, as in server.mjs. */
function privateJwk() {
  const privateKeyEncoding = { type: 'pkcs8', format: 'pem' };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding });
  return { ...createPrivateKey(privateKey).export({ format: 'jwk' }), kid: 'es256', use: 'sig', alg: 'ES256' };
}

const settings = {
  jwks: { keys: [privateJwk()] },
  scopes: ['openid', 'offline_access', 'profile', ...SCOPES],
  claims: { profile: ['name'] },
  // For each client that may have one; else it would have to ask for offline_access.
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  // No userinfo endpoint has to be asked for the name.
  conformIdTokenClaims: false,
  cookies: { keys: ['signs nothing that matters'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  // A client that registers names the scopes of its first request, and would be held to them: it could never ask for more.
  extraClientMetadata: {
    properties: ['held_to_no_scope'],
    validator(_ctx, _key, _value, metadata) {
      metadata.scope = undefined;
    },
  },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Ann Arbor' }) }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, indicator) => ({
        audience: indicator,
        scope: SCOPES.join(' '),
        accessTokenTTL: 300,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
};

/** Where a page would ask. */
async function interact(provider, request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const result = { login: { accountId: 'ann' } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [indicator, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(' '));
  }
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const server = createServer();
// Node closes idle connections after 5 s, often just as a client takes one from its pool.
server.keepAliveTimeout = 65_000;

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, settings);
  provider.on('server_error', (_ctx, error) => console.error(error));
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, response);
    return interact(provider, request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  process.stdout.write(`${JSON.stringify({ ready: true, issuer })}\n`);
});

process.stdin.on('close', () => process.exit()).resume();
