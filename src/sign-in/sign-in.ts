/** Signed in: a Graph client for as long as some work takes, its connections closed afterwards. */
import { group, info, notice } from '@actions/core';
import type { ConnectionAhead } from '../ahead.ts';
import type { Application } from './cloud.ts';
import type { AccessToken } from './entra.ts';
import { Failure, withSentence } from '../failure.ts';
import { Graph } from '../graph/api-connectors.ts';
import { Http, retry, type HttpOptions, type PemIdentity } from '../http/client.ts';
import { startLifetime } from '../http/deadline.ts';
import { idTokenService, requestIdToken, type IdTokenService } from './github-id-token.ts';
import { runContext, type RunContext } from './workflow-run.ts';

const PRODUCT = 'upload-api-connector-certificate';

/** The application to sign in as, and the audience of its federated credential. */
export interface Identity extends Application {
  readonly audience: string;
}

/** What the work gets: Graph, and what it needs to make requests elsewhere. */
export interface Session {
  readonly graph: Graph;
  /** For requests to other hosts than the cloud's; it knows no token. */
  readonly openHttp: (clientCertificate?: PemIdentity) => Http;
}

/**
 * Signs in, does the work and closes every connection, whatever happens.
 * @throws Failure ID_TOKEN_UNAVAILABLE before any request; what signing in and the work throw
 */
export async function withSession<T>(
  identity: Identity,
  ahead: ConnectionAhead | undefined,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const run = runContext(process.env);
  const service = idTokenService(process.env, run);
  const lifetime = startLifetime();
  const clients: Http[] = [];
  const open = (agent: string, options: HttpOptions): Http => {
    const client = new Http(agent, lifetime, options);
    clients.push(client);
    return client;
  };
  try {
    const http = open(userAgent(run), { ahead });
    const access = await group('Sign-in', async () => {
      const signedIn = signIn(http, identity, service);
      // These are needed next: their handshakes cost nothing while the ID token is on its way.
      http.connect(identity.cloud.loginOrigin);
      http.connect(identity.cloud.graphOrigin);
      const token = await signedIn;
      info(`Signed in to ${identity.tenantId} as the application ${identity.clientId}.`);
      return token;
    }).catch((error: unknown) => {
      throw beforeUpload(error);
    });
    return await work({
      graph: new Graph(http, identity, access, info),
      // Without the run's page: it is for the sign-in log of one's own tenant.
      openHttp: (clientCertificate) => open(PRODUCT, { clientCertificate }),
    });
  } finally {
    lifetime.end();
    await Promise.all(clients.map(async (client) => client.close()));
  }
}

/** Whoever cancels a job wants to know whether something was under way. */
export function beforeUpload(error: unknown): unknown {
  const ended = error instanceof Failure && (error.code === 'CANCELLED' || error.code === 'STEP_TIMEOUT');
  return ended ? withSentence(error, 'No upload was under way.') : error;
}

/** A fresh ID token and a fresh exchange each time: the ID token lives for five minutes only. */
async function signIn(http: Http, identity: Identity, service: IdTokenService): Promise<AccessToken> {
  return await retry(
    http,
    async (n) => {
      // The sign-in library takes longer to start than anything else here: meanwhile the ID token is on its way.
      const [idToken, { exchange }] = await Promise.all([
        requestIdToken(http, service, identity.audience),
        import(/* webpackMode: "eager" */ './entra.ts'),
      ]);
      if (!('done' in idToken)) return idToken;
      const outcome = await exchange(http, identity, idToken.done);
      if (n === 1 && 'again' in outcome && outcome.within !== undefined) {
        notice(
          `No federated credential fits yet. One that was just created takes a while to be known everywhere, so the step tries again for up to ${outcome.within / 1000} s.`,
          { title: 'Waiting for the federated credential' },
        );
      }
      return outcome;
    },
    info,
  );
}

/** With the run's page, so that a sign-in log leads back to the workflow run. */
function userAgent({ url }: RunContext): string {
  return url === undefined ? PRODUCT : `${PRODUCT} (+${url})`;
}
