// A certified authorization server (npm oidc-provider) on 127.0.0.1, any free port, for the interop tests.
//
// When it accepts connections it prints one line, {"ready":true,"issuer":"http://127.0.0.1:PORT"}, and it ends when
// its stdin closes, so that a test that dies takes it along.
//
// Tokens: POST /token as `svc`/`svc-secret`, grant_type=client_credentials, scope of `read write admin`. The resource
// indicator (RFC 8707) says which token:
//   urn:rs:ES256                                  signed by ES256, `aud` is urn:rs:ES256, valid for 300 s
//   urn:rs:ES256?aud=https%3A%2F%2Fapi&ttl=2      `aud` and lifetime as given
//   urn:rs:opaque?aud=…                           opaque
//
// Introspection: POST /token/introspection, as `rs`/`rs-secret` or `rs:odd/id`/`p@ss:w%rd +/=&` (basic), `rs-post`/`rs-post-secret`,
// `rs-jwt`/`rs-jwt-secret` (basic; signed answers where the Accept field asks for them, RFC 9701), `rs-secretjwt` by HS256 with
// `rs-secretjwt-secret-of-32-octets`, and `rs-pkjwt` by the private key of the public JWK in BEARERGATE_RS_JWK, if that is set.
// Revocation: POST /token/revocation as `svc`.
//
// Control:
//   GET  /control/counters                        {"jwks":n,"discovery":n,"token":n,…}, the requests so far
//   POST /control/rotate [{"keep_old":true}]      signs by new keys from now on; the last ones are dropped, or kept published
//   POST /control/prune                           publishes those keys alone by which it signs
//
// A line on stdin: `stop` closes the socket and all connections, and prints {"ready":false}; `start` opens it again on the
// same port, with the same keys, and prints the first line once more.
import { createServer } from 'node:http';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Provider, errors } from 'oidc-provider';

const SCOPES = 'read write admin';
const DEFAULT_TTL = 300;

const KEY_TYPES = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  ES512: ['ec', { namedCurve: 'P-521' }],
  Ed25519: ['ed25519', {}],
};
// RFC 9864 gave Ed25519 its own name beside the older `EdDSA`: one key, two algorithms.
const ALGORITHMS = [...Object.keys(KEY_TYPES), 'EdDSA'];

/**
 * By way of PEM: node may hang in export({ format: 'jwk' }) of a key object that generateKeyPairSync made, where the garbage collector
 * runs within it and drops the job that made the key, because both lock the key.
 */
function privateJwk(type, options) {
  const privateKeyEncoding = { type: 'pkcs8', format: 'pem' };
  const { privateKey } = generateKeyPairSync(type, { ...options, privateKeyEncoding });
  return createPrivateKey(privateKey).export({ format: 'jwk' });
}

function generateKeys(generation) {
  return Object.entries(KEY_TYPES).map(([alg, [type, options]]) => ({
    ...privateJwk(type, options),
    kid: `${alg.toLowerCase()}-${generation}`,
    use: 'sig',
    // A key that names one of the two algorithms would not sign by the other.
    ...(alg !== 'Ed25519' && { alg }),
  }));
}

/** The resource server that an indicator stands for: which algorithm signs, for whom, for how long. */
function resourceServer(indicator) {
  const [, resource, alg, query] = /^(urn:rs:(\w+))(?:\?(.*))?$/.exec(indicator) ?? [];
  const options = new URLSearchParams(query);
  const ttl = Number(options.get('ttl') ?? DEFAULT_TTL);
  const opaque = alg === 'opaque';
  if (!(opaque || ALGORITHMS.includes(alg)) || !(Number.isInteger(ttl) && ttl > 0)) throw new errors.InvalidTarget();
  return {
    audience: options.get('aud') ?? resource,
    scope: SCOPES,
    accessTokenTTL: ttl,
    ...(opaque ? { accessTokenFormat: 'opaque' } : { accessTokenFormat: 'jwt', jwt: { sign: { alg } } }),
  };
}

/** Storage that a rotation outlives. The library's own keeps no more than 1000 entries. */
const entries = new Map();
class Storage {
  constructor(model) {
    this.prefix = `${model} `;
  }

  async upsert(id, payload, ttl) {
    entries.set(this.prefix + id, { payload, until: ttl ? Date.now() + ttl * 1000 : Infinity });
  }

  async find(id) {
    const entry = entries.get(this.prefix + id);
    return entry && Date.now() < entry.until ? entry.payload : undefined;
  }

  async destroy(id) {
    entries.delete(this.prefix + id);
  }

  // Codes, sessions and grants are what these are for, and no client here gets any.
  async consume() {}
  async findByUid() {}
  async findByUserCode() {}
  async revokeByGrantId() {}
}

/** A client that gets no tokens, and may introspect. */
const introspects = (id, method, rest) => ({
  client_id: id,
  token_endpoint_auth_method: method,
  grant_types: [],
  redirect_uris: [],
  response_types: [],
  ...rest,
});
const publicJwk = process.env.BEARERGATE_RS_JWK;

const settings = {
  adapter: Storage,
  clients: [
    {
      client_id: 'svc',
      client_secret: 'svc-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: SCOPES,
    },
    introspects('rs', 'client_secret_basic', { client_secret: 'rs-secret' }),
    introspects('rs:odd/id', 'client_secret_basic', { client_secret: 'p@ss:w%rd +/=&' }),
    introspects('rs-post', 'client_secret_post', { client_secret: 'rs-post-secret' }),
    introspects('rs-jwt', 'client_secret_basic', { client_secret: 'rs-jwt-secret', introspection_signed_response_alg: 'ES256' }),
    introspects('rs-secretjwt', 'client_secret_jwt', { client_secret: 'rs-secretjwt-secret-of-32-octets' }),
    ...(publicJwk ? [introspects('rs-pkjwt', 'private_key_jwt', { jwks: { keys: [JSON.parse(publicJwk)] } })] : []),
  ],
  scopes: SCOPES.split(' '),
  cookies: { keys: ['signs nothing that matters'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'],
  enabledJWA: {
    idTokenSigningAlgValues: ALGORITHMS,
    introspectionSigningAlgValues: ALGORITHMS,
    clientAuthSigningAlgValues: ['HS256', ...ALGORITHMS],
  },
  ttl: { ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? DEFAULT_TTL },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientId.startsWith('rs') },
    jwtIntrospection: { enabled: true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, indicator) => resourceServer(indicator),
    },
  },
};

const COUNTED = {
  '/jwks': 'jwks',
  '/token': 'token',
  '/token/introspection': 'introspection',
  '/.well-known/openid-configuration': 'discovery',
  '/.well-known/oauth-authorization-server': 'discovery',
};
const counters = { jwks: 0, discovery: 0, token: 0, introspection: 0 };

let issuer;
let answer;
let generation = 0;
let signing = [];

function rotate({ keepOld }) {
  const last = keepOld ? signing : [];
  generation += 1;
  signing = generateKeys(generation);
  // Of several keys that fit, the library signs by the first.
  publish([...signing, ...last]);
}

function publish(keys) {
  const provider = new Provider(issuer, { ...settings, jwks: { keys } });
  provider.on('server_error', (_ctx, error) => console.error(error));
  answer = provider.callback();
}

async function control(request, response) {
  const send = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  switch (`${request.method} ${request.url}`) {
    case 'GET /control/counters':
      return send(200, counters);
    case 'POST /control/rotate': {
      let body = '';
      for await (const chunk of request) body += chunk;
      let options;
      try {
        options = JSON.parse(body || '{}');
      } catch {
        return send(400, { error: 'the body is not JSON' });
      }
      rotate({ keepOld: options?.keep_old === true });
      return send(200, { generation });
    }
    case 'POST /control/prune':
      publish(signing);
      return send(200, { generation });
    default:
      return send(404, { error: 'no such control' });
  }
}

const server = createServer((request, response) => {
  const [path] = request.url.split('?');
  if (path.startsWith('/control/')) return control(request, response);
  if (Object.hasOwn(COUNTED, path)) counters[COUNTED[path]] += 1;
  return answer(request, response);
});
// Node closes idle connections after 5 s, often just as a client takes one from its pool.
server.keepAliveTimeout = 65_000;

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

let port = 0;
function listen() {
  server.listen(port, '127.0.0.1', () => {
    if (!issuer) {
      port = server.address().port;
      issuer = `http://127.0.0.1:${port}`;
      rotate({ keepOld: false });
    }
    tell({ ready: true, issuer });
  });
}

function stop() {
  server.close(() => tell({ ready: false }));
  server.closeAllConnections();
}

const orders = createInterface({ input: process.stdin });
orders.on('line', (order) => (order === 'stop' ? stop() : listen()));
orders.on('close', () => process.exit());

listen();
