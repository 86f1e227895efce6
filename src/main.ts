/** The story of the job: inputs → certificate → sign-in → connectors → report. The only file that knows the order. */
import { info, notice, setSecret } from '@actions/core';
import { clean } from './clean.ts';
import { exchange, type AccessToken } from './entra.ts';
import { Failure, withSentence } from './failure.ts';
import { Graph, type Connector } from './graph.ts';
import { Http, retry } from './http.ts';
import { readInputs, type Inputs } from './inputs.ts';
import { startLifetime } from './lifetime.ts';
import { idTokenService, requestIdToken, type IdTokenService } from './oidc.ts';
import { readPfx } from './pfx-source.ts';
import type { ClientCertificate } from './pkcs12/certificate.ts';
import { openPfx } from './pkcs12/open.ts';
import { runContext, type RunContext } from './run-context.ts';
import { assess } from './pkcs12/suitability.ts';
import { encodeForService } from './pkcs12/write.ts';
import {
  asFailure,
  daysUntil,
  isActive,
  isoSeconds,
  reportFailure,
  setCertificateOutputs,
  setConnectorOutputs,
  warn,
  writeSummary,
  type Outcome,
} from './report.ts';

/** Runs the step to its end; whatever happens is reported here, and nowhere else. */
export async function run(): Promise<void> {
  try {
    const inputs = readInputs();
    const { certificate, pkcs12Value } = openCertificate(inputs);
    setCertificateOutputs(certificate);
    const outcomes = await updateConnectors(inputs, certificate, pkcs12Value);
    setConnectorOutputs(outcomes, certificate);
    await writeSummary(outcomes, certificate, new Date());
    for (const { failure } of outcomes) if (failure) reportFailure(failure);
  } catch (error) {
    reportFailure(error);
  }
}

/** Opens the .pfx, says everything that is wrong with it, and writes it anew where the service would not take it. */
function openCertificate(inputs: Inputs): { certificate: ClientCertificate; pkcs12Value: string } {
  const now = new Date();
  const pfx = readPfx(inputs.pfx);
  setSecret(pfx.bytes.toString('base64'));
  const certificate = openPfx(pfx.bytes, inputs.password);
  info(
    `Certificate ${certificate.thumbprint}, ${clean(certificate.subject)}: ${certificate.keyType.toUpperCase()} ${certificate.keyBits}, valid from ${isoSeconds(certificate.notBefore)} to ${isoSeconds(certificate.notAfter)} (${daysUntil(certificate.notAfter, now)} days left).`,
  );
  if (pfx.note !== undefined) info(pfx.note);
  warn(assess(certificate, now, inputs.minimumDaysLeft), 'Certificate');

  const encoded = encodeForService(pfx.bytes, certificate, inputs.password);
  const pkcs12Value = encoded.bytes.toString('base64');
  setSecret(pkcs12Value);
  if (encoded.reencodedFrom !== undefined) {
    info(
      `Re-encoded from ${encoded.reencodedFrom} to TripleDES-SHA1, which the service takes; key and certificate unchanged.`,
    );
  }
  return { certificate, pkcs12Value };
}

async function updateConnectors(
  inputs: Inputs,
  certificate: ClientCertificate,
  pkcs12Value: string,
): Promise<readonly Outcome[]> {
  const run = runContext(process.env);
  const service = idTokenService(process.env, run);
  const lifetime = startLifetime();
  const http = new Http(userAgent(run), lifetime);
  try {
    const access = await signIn(http, inputs, service).catch((error: unknown) => {
      throw beforeUpload(error);
    });
    const graph = new Graph(http, inputs, access, info);
    const outcomes: Outcome[] = [];
    for (const id of inputs.connectorIds) {
      const outcome = await updateConnector(graph, id, inputs, certificate, pkcs12Value);
      info(
        `API connector ${clean(outcome.connector?.displayName) || clean(id)}: ${outcome.failure?.message ?? outcome.text}`,
      );
      outcomes.push(outcome);
    }
    return outcomes;
  } finally {
    lifetime.end();
    await http.close();
  }
}

/** A fresh ID token and a fresh exchange each time: the ID token lives for five minutes only. */
async function signIn(http: Http, inputs: Inputs, service: IdTokenService): Promise<AccessToken> {
  const access = await retry(
    http,
    async (n) => {
      const idToken = await requestIdToken(http, service, inputs.audience);
      if (!('done' in idToken)) return idToken;
      const outcome = await exchange(http, inputs, idToken.done);
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
  info(`Signed in to ${inputs.tenantId} as the application ${inputs.clientId}.`);
  return access;
}

async function updateConnector(
  graph: Graph,
  id: string,
  inputs: Inputs,
  certificate: ClientCertificate,
  pkcs12Value: string,
): Promise<Outcome> {
  let before: Connector | undefined;
  let uploading = false;
  const { thumbprint } = certificate;
  try {
    before = await graph.getConnector(id);
    const unchanged = reasonToLeave(before, inputs, thumbprint);
    if (unchanged !== undefined) return { id, connector: before, uploaded: false, text: unchanged };
    if (inputs.dryRun)
      return { id, connector: before, uploaded: false, text: 'dry run: the certificate would be uploaded.' };
    uploading = true;
    const after = await graph.uploadClientCertificate(before, { pkcs12Value, password: inputs.password }, thumbprint);
    const outcome: Outcome = {
      id,
      connector: after,
      uploaded: true,
      text: 'uploaded; the connector uses this certificate now.',
    };
    if (isActive(outcome, thumbprint)) return outcome;
    return { ...outcome, text: whyInactive(certificate, new Date()) };
  } catch (error) {
    return {
      id,
      connector: before,
      uploaded: false,
      text: '',
      failure: asFailure(uploading ? error : beforeUpload(error)),
    };
  }
}

/** Why this connector needs no upload, or undefined where it does. */
function reasonToLeave(connector: Connector, inputs: Inputs, thumbprint: string): string | undefined {
  if (connector.authentication === 'basic') {
    throw new Failure(
      'CONNECTOR_USES_BASIC_AUTHENTICATION',
      `The API connector ${clean(connector.displayName)} (${connector.id}) authenticates with a user name and password, not with a certificate.`,
      'What an upload does to such a connector is not documented, so nothing was sent. Switch the connector to a client certificate first.',
    );
  }
  const entries = connector.certificates.filter((entry) => entry.thumbprint === thumbprint);
  if (inputs.force || entries.length === 0) return undefined;
  if (entries.some((entry) => entry.isActive)) return 'already uses this certificate; nothing to do.';
  return 'has this certificate already, but does not use it: another one was uploaded later, or its time has not come. Set force: true to upload it again.';
}

function whyInactive(certificate: ClientCertificate, now: Date): string {
  return certificate.notBefore > now
    ? `uploaded; the service will use it from ${isoSeconds(certificate.notBefore)}, when it becomes valid.`
    : 'uploaded, but the service does not use it yet.';
}

/** Whoever cancels a job wants to know whether something was under way. */
function beforeUpload(error: unknown): unknown {
  const ended = error instanceof Failure && (error.code === 'CANCELLED' || error.code === 'STEP_TIMEOUT');
  return ended ? withSentence(error, 'No upload was under way.') : error;
}

/** With the run's page, so that a sign-in log leads back to the workflow run. */
function userAgent({ url }: RunContext): string {
  return `upload-api-connector-certificate${url === undefined ? '' : ` (+${url})`}`;
}
