// LemonLDAP::NG 2.16 under starman for the interop tests. Debian packages: liblemonldap-ng-portal-perl starman, and what the
// portal needs when it loads: libio-string-perl libcrypt-openssl-rsa-perl libgd-securityimage-perl libimage-magick-perl
// libstring-random-perl libmime-tools-perl libemail-sender-perl.
//
// Ready: {"ready":true,"issuer":"http://127.0.0.1:PORT/"}, with the slash. Clients, each with the secret `ID-secret`: `svc` gets
// JWTs by RS256 whose `aud` holds `urn:rs:llng`, `svcopaque` opaque tokens, `rs` introspects. Its answers lack `aud` and
// `token_type`. It has no revocation endpoint: the line `forget` on stdin ends every session, and is answered {"forgotten":n}.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesOf, folder, freePort, ready, start } from './server.mjs';

const files = filesOf('liblemonldap-ng-common-perl', 'liblemonldap-ng-portal-perl');
const find = (end) => files.find((file) => file.endsWith(end));
const place = Object.fromEntries(['conf', 'sessions', 'psessions', 'cache'].map((name) => [name, join(folder, name)]));
for (const path of Object.values(place)) mkdirSync(path);

const port = await freePort();
const issuer = `http://127.0.0.1:${port}/`;
// As texts at once: see `privateJwk` in ../oidc-provider/server.mjs.
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const storedIn = (path) => ({
  Directory: path,
  LockDirectory: path,
  generateModule: 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256',
});
const clients = { svc: 1, svcopaque: 0, rs: 0 };
const perClient = (make) => Object.fromEntries(Object.entries(clients).map(([id, jwt]) => [id, make(id, jwt)]));
const configuration = {
  ...JSON.parse(readFileSync(find('/lmConf-1.json'))),
  portal: issuer,
  domain: '127.0.0.1',
  authentication: 'Demo',
  userDB: 'Same',
  securedCookie: 0,
  whatToTrace: '_whatToTrace',
  globalStorage: 'Apache::Session::File',
  globalStorageOptions: storedIn(place.sessions),
  persistentStorageOptions: storedIn(place.psessions),
  localSessionStorage: '',
  localSessionStorageOptions: {},
  issuerDBOpenIDConnectActivation: 1,
  oidcServiceMetaDataIssuer: issuer,
  oidcServicePrivateKeySig: privateKey,
  oidcServicePublicKeySig: publicKey,
  oidcServiceKeyIdSig: 'llng',
  oidcServiceAllowAuthorizationCodeFlow: 1,
  oidcServiceAccessTokenExpiration: 300,
  oidcRPMetaDataOptions: perClient((id, jwt) => ({
    oidcRPMetaDataOptionsClientID: id,
    oidcRPMetaDataOptionsClientSecret: `${id}-secret`,
    oidcRPMetaDataOptionsPublic: 0,
    oidcRPMetaDataOptionsAllowClientCredentialsGrant: 1,
    oidcRPMetaDataOptionsAccessTokenJWT: jwt,
    oidcRPMetaDataOptionsAccessTokenSignAlg: 'RS256',
    oidcRPMetaDataOptionsIDTokenSignAlg: 'RS256',
    oidcRPMetaDataOptionsAdditionalAudiences: 'urn:rs:llng',
    oidcRPMetaDataOptionsUserIDAttr: '_whatToTrace',
  })),
  oidcRPMetaDataExportedVars: perClient(() => ({})),
  oidcRPMetaDataScopeRules: perClient(() => ({ read: '1', write: '1' })),
};
writeFileSync(join(place.conf, 'lmConf-1.json'), JSON.stringify(configuration));
const ini = join(folder, 'lemonldap-ng.ini');
writeFileSync(ini, `[all]
logLevel = error
[configuration]
type = File
dirName = ${place.conf}
localStorage = Cache::FileCache
localStorageOptions = {"namespace" => "interop", "default_expires_in" => 600, "cache_root" => "${place.cache}", "cache_depth" => 3}
[portal]
templateDir = ${find('/portal/templates')}
staticPrefix = /static
languages = en
[handler]
`);
const app = join(folder, 'app.psgi');
writeFileSync(app, `use Lemonldap::NG::Portal::Main;
Lemonldap::NG::Portal::Main->run({ configStorage => { confFile => "${ini}" } });
`);
// A worker serves one connection, as long as it is kept open.
const discovery = `${issuer}.well-known/openid-configuration`;
await start('starman', ['--listen', `127.0.0.1:${port}`, '--workers', '5', '--error-log', join(folder, 'log'), app], discovery, { LLNG_DEFAULTCONFFILE: ini });

ready({ issuer }, (order) => {
  if (order !== 'forget') return { error: 'no such order' };
  const sessions = readdirSync(place.sessions, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { name } of sessions) rmSync(join(place.sessions, name));
  return { forgotten: sessions.length };
});
