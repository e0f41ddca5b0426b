// A client of another hand goes through every flow of the embedded issuer, as its documentation says: each answer is checked by it.
//
//   node client.mjs ISSUER RESOURCE KEY   prints one line for each flow; ends with 1 at the first that fails. KEY is the private JWK,
//                                         for ES256, of the client `keys`
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';

const [issuerUrl, resource, jwk] = process.argv.slice(2);
const insecure = { [oauth.allowInsecureRequests]: true }; // http, on loopback
const callback = 'http://127.0.0.1:4711/callback';
const parameters = { scope: 'read', resource };

const issuer = new URL(issuerUrl);
const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
const as = await oauth.processDiscoveryResponse(issuer, discovered);
console.log('discovery');

const registered = await oauth.processDynamicClientRegistrationResponse(
  await oauth.dynamicClientRegistrationRequest(as, { redirect_uris: [callback], token_endpoint_auth_method: 'none' }, insecure),
);
const client = { client_id: registered.client_id };
const nothing = oauth.None();
console.log('registration');

async function authorized(client, auth, parameters) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const url = new URL(as.authorization_endpoint);
  for (const [name, value] of Object.entries({
    ...parameters,
    client_id: client.client_id,
    redirect_uri: callback,
    response_type: 'code',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })) {
    url.searchParams.set(name, value);
  }
  // The user's browser.
  const back = await fetch(url, { redirect: 'manual' });
  // Checks the state, and the issuer's name (RFC 9207).
  const answer = oauth.validateAuthResponse(as, client, new URL(back.headers.get('location')), state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, answer, callback, verifier, insecure);
  const signsIn = parameters.scope.includes('openid');
  // Checks the ID token: `iss`, `aud`, `exp`, the nonce, the time of the login.
  const expected = signsIn ? { expectedNonce: nonce, maxAge: 60, requireIdToken: true } : {};
  const granted = await oauth.processAuthorizationCodeResponse(as, client, response, expected);
  // And its signature.
  if (signsIn) await oauth.validateApplicationLevelSignature(as, response, insecure);
  assert.equal(granted.token_type, 'bearer');
  return granted;
}

const granted = await authorized(client, nothing, parameters);
console.log('code', granted.access_token);

const refresh = (token) => oauth.refreshTokenGrantRequest(as, client, nothing, token, insecure);
const refreshed = await oauth.processRefreshTokenResponse(as, client, await refresh(granted.refresh_token));
assert.notEqual(refreshed.refresh_token, granted.refresh_token);
console.log('refresh', refreshed.access_token);
await assert.rejects(
  async () => oauth.processRefreshTokenResponse(as, client, await refresh(granted.refresh_token)),
  (error) => error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant',
);
// Nobody knows who came first: so the new one is over too.
await assert.rejects(
  async () => oauth.processRefreshTokenResponse(as, client, await refresh(refreshed.refresh_token)),
  (error) => error.error === 'invalid_grant',
);
console.log('reuse');

const device = await oauth.processDeviceAuthorizationResponse(
  as,
  client,
  await oauth.deviceAuthorizationRequest(as, client, nothing, parameters, insecure),
);
const poll = async () =>
  oauth.processDeviceCodeResponse(
    as,
    client,
    await oauth.deviceCodeGrantRequest(as, client, nothing, device.device_code, insecure),
  );
// Before the first question its user has said yes: nobody waits for an interval.
assert.equal((await fetch(device.verification_uri_complete)).status, 200);
console.log('device', (await poll()).access_token);

const shop = { client_id: 'shop' };
for (const [name, auth] of Object.entries({
  basic: oauth.ClientSecretBasic('secret'),
  post: oauth.ClientSecretPost('secret'),
  jwt: oauth.ClientSecretJwt('secret'),
})) {
  const machine = await oauth.processClientCredentialsResponse(
    as,
    shop,
    await oauth.clientCredentialsGrantRequest(as, shop, auth, parameters, insecure),
  );
  console.log(name, machine.access_token);
}

// `keys` signs assertions by a key of its own, and its users in.
const keys = { client_id: 'keys' };
const { kid, ...pair } = JSON.parse(jwk);
const key = await crypto.subtle.importKey('jwk', pair, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
const signedIn = await authorized(keys, oauth.PrivateKeyJwt({ key, kid }), { ...parameters, scope: 'openid read' });
assert.equal(oauth.getValidatedIdTokenClaims(signedIn).sub, 'test-user');
console.log('key', signedIn.access_token);

// `bank` gets tokens that only the issuer can read.
const bank = { client_id: 'bank' };
const secret = oauth.ClientSecretBasic('secret');
const opaque = await oauth.processClientCredentialsResponse(
  as,
  bank,
  await oauth.clientCredentialsGrantRequest(as, bank, secret, parameters, insecure),
);
const introspect = async () =>
  oauth.processIntrospectionResponse(
    as,
    bank,
    await oauth.introspectionRequest(as, bank, secret, opaque.access_token, insecure),
  );
const told = await introspect();
assert.equal(told.active, true);
assert.equal(told.client_id, 'bank');
console.log('introspection');
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, bank, secret, opaque.access_token, insecure),
);
assert.equal((await introspect()).active, false);
const again = await authorized(client, nothing, parameters);
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, nothing, again.refresh_token, insecure),
);
await assert.rejects(
  async () => oauth.processRefreshTokenResponse(as, client, await refresh(again.refresh_token)),
  (error) => error.error === 'invalid_grant',
);
console.log('revocation');
