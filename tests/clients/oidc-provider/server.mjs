// A real OpenID Connect provider for the tests: its settings are the first line of standard input, every further line is
// a new set of keys. It says "ready" on standard output once it has taken each of them.

import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const here = createRequire(`${process.env.MOHO_OIDC_PROVIDER}/package.json`);
const { Provider } = await import(pathToFileURL(here.resolve('oidc-provider')));

const AWS = 'https://aws.amazon.com/';

function provider(settings, jwks) {
  const clients = Object.entries(settings.clients).map(([client_id, algorithm]) => ({
    client_id,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback'],
    id_token_signed_response_alg: algorithm,
  }));
  return new Provider(settings.issuer, {
    clients,
    jwks,
    cookies: { keys: ['of no use to anybody else'] },
    claims: { openid: ['sub', 'email', 'groups', `${AWS}tags`, `${AWS}source_identity`] },
    conformIdTokenClaims: false,
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, ...settings.claims }),
    }),
    pkce: { required: () => true },
    ttl: { IdToken: settings.id_token_seconds, RefreshToken: 3600 },
  });
}

let settings;
let callback;
for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line);
  if (settings === undefined) {
    settings = said;
    callback = provider(settings, settings.jwks).callback();
    const server = createServer({ cert: settings.certificate, key: settings.key }, (request, reply) => callback(request, reply));
    await new Promise((listening) => server.listen(settings.port, '127.0.0.1', listening));
  } else {
    callback = provider(settings, said).callback();
  }
  process.stdout.write('ready\n');
}
process.exit(0);
