// glewlwyd 2.7 (Debian packages dbconfig-sqlite3, sqlite3 and glewlwyd, installed together) for the interop tests.
//
// Ready: {"ready":true,"issuer":"http://127.0.0.1:PORT/api/oidc"}. Its access tokens are JWTs by RS256 whose `aud` is the scope;
// its answers lack `iss` and `sub`. Clients: `svc`/`svc-secret-x` gets and revokes tokens, `rs`/`rs-secret-x` introspects. The
// user `ada`/`ada-secret-x` gets, by the password grant, an opaque refresh token beside the access token.
import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail, filesOf, folder, freePort, ready, start } from './server.mjs';

const files = filesOf('glewlwyd');
const modules = dirname(dirname(files.find((file) => file.endsWith('/libprotocol_oidc.so'))));
const tables = files.find((file) => file.endsWith('/install/sqlite3'));
const database = join(folder, 'glewlwyd.db');
execFileSync('sqlite3', [database], { input: readFileSync(tables) });

const port = await freePort();
const base = `http://127.0.0.1:${port}`;
const api = `${base}/api`;
const issuer = `${api}/oidc`;
// `external_url` without a slash behind it, or discovered URLs have two.
writeFileSync(join(folder, 'glewlwyd.conf'), `
port = ${port}
bind_address = "127.0.0.1"
external_url = "${base}"
api_prefix = "api"
login_url = "login.html"
login_api_enabled = true
log_mode = "console"
log_level = "NONE"
cookie_secure = 0
session_key = "GLEWLWYD2_SESSION_ID"
session_expiration = 3600
admin_scope = "g_admin"
profile_scope = "g_profile"
hash_algorithm = "SHA512"
user_module_path = "${modules}/user"
client_module_path = "${modules}/client"
user_auth_scheme_module_path = "${modules}/scheme"
plugin_module_path = "${modules}/plugin"
database = { type = "sqlite3"; path = "${database}"; };
`);
await start('glewlwyd', ['--config-file', join(folder, 'glewlwyd.conf')], `${api}/`);

const headers = { 'content-type': 'application/json' };
async function post(path, body) {
  const response = await fetch(api + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (response.status !== 200) fail(`glewlwyd answers ${response.status} to ${path}: ${await response.text()}`);
  return response;
}

// The administrator that the package's tables begin with.
const login = await post('/auth/', { username: 'admin', password: 'password' });
headers.cookie = login.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');

for (const name of ['read', 'introspect']) {
  await post('/scope/', { name, display_name: name, description: name, password_required: false, scheme: {} });
}
// By way of PEM: see `privateJwk` in ../oidc-provider/server.mjs.
const privateKeyEncoding = { type: 'pkcs8', format: 'pem' };
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding });
const jwk = { ...createPrivateKey(privateKey).export({ format: 'jwk' }), kid: 'glewlwyd', alg: 'RS256', use: 'sig' };
await post('/mod/plugin/', {
  module: 'oidc',
  name: 'oidc',
  display_name: 'OpenID Connect',
  parameters: {
    iss: issuer,
    'jwks-private': JSON.stringify({ keys: [jwk] }),
    'jwks-show': true,
    'default-kid': 'glewlwyd',
    'access-token-duration': 300,
    'refresh-token-duration': 3600,
    'code-duration': 600,
    'allow-non-oidc': true,
    'auth-type-client-enabled': true,
    'auth-type-password-enabled': true,
    'auth-type-refresh-enabled': true,
    'introspection-revocation-allowed': true,
    'introspection-revocation-auth-scope': ['introspect'],
    'introspection-revocation-allow-target-client': true,
  },
});
for (const id of ['svc', 'rs']) {
  await post('/client/', {
    client_id: id,
    name: id,
    password: `${id}-secret-x`,
    confidential: true,
    enabled: true,
    scope: ['read', 'introspect'],
    authorization_type: ['client_credentials', 'password', 'refresh_token'],
    token_endpoint_auth_method: ['client_secret_basic', 'client_secret_post'],
    redirect_uri: [],
  });
}
await post('/user/', { username: 'ada', name: 'Ada', password: 'ada-secret-x', email: 'ada@example.com', scope: ['read'], enabled: true });

ready({ issuer });
