/** The create step: a new key and certificate when a connector is due, handed to the next step of the job. */
import { group, info, saveState } from '@actions/core';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import { createCertificate, type CertificateRequest } from '../certificate/create.ts';
import { planHandOver, writeHandOver, type HandOver } from '../certificate/hand-over.ts';
import { privateKeyForms } from '../certificate/upload.ts';
import { known, readConnectors, type Reading } from '../connectors/reading.ts';
import { renewalOf, type Renewal } from '../connectors/renewal.ts';
import { trustOf } from '../connectors/trust.ts';
import { ApiConnectors } from '../graph/api-connectors.ts';
import { GraphClient } from '../graph/client.ts';
import { nameOf } from '../graph/connector.ts';
import { Http } from '../http/client.ts';
import type { StepDeadline } from '../http/deadline.ts';
import { readCreateInputs, type CreateInputs } from '../inputs.ts';
import { logTrust, reportFailures, warn } from '../report/annotations.ts';
import { createSummary } from '../report/create-summary.ts';
import {
  setCertificateOutputs,
  setDueOutputs,
  setHandOverOutputs,
  setTrustOutput,
  tryToWriteOutputs,
  writeOutputs,
} from '../report/outputs.ts';
import { appendSummary } from '../report/summary.ts';
import { graphIn } from '../sign-in/application.ts';
import { signIn } from '../sign-in/sign-in.ts';
import { userAgent } from '../sign-in/workflow-run.ts';
import { isoSeconds } from '../text/dates.ts';
import { hide } from '../text/secrets.ts';

/** Under this name the path of the file is kept for the step that removes it. */
export const HAND_OVER_STATE = 'pfx-file';

/** inputs → sign-in → connectors → certificate → hand-over */
export async function create(deadline: StepDeadline): Promise<void> {
  try {
    await createWhereDue(readCreateInputs(), deadline);
  } catch (error) {
    tryToWriteOutputs(() => {
      setDueOutputs([]);
    });
    throw error;
  }
}

async function createWhereDue(inputs: CreateInputs, deadline: StepDeadline): Promise<void> {
  const readings = await readAll(inputs, deadline);
  const { tenantId } = inputs.application;
  const now = new Date();
  const renewals = readings.map((reading) => renewalOf(reading, inputs.renewDays, now));
  report(renewals);
  reportFailures(renewals.flatMap((renewal) => (renewal.status === 'failing' ? [renewal.failure] : [])));
  const connectors = known(readings);
  // One whose certificate is not known could be shut out by the change of trust that follows.
  const due = connectors.includes(undefined)
    ? []
    : renewals.filter(({ status }) => status === 'due').map(({ id }) => id);
  const certificate = due.length > 0 ? await make(inputs.request, now, deadline) : undefined;
  const trust = trustOf(connectors, certificate, now);
  logTrust(trust);
  warn([...trust.missing, ...renewals.filter(({ status }) => status === 'skipped').map(line)], 'API connector');
  const handOver = certificate && handOverFor(certificate);
  appendSummary(createSummary({ tenantId, renewals, certificate, trust, now }));
  writeOutputs(certificate ? 'A certificate was made' : 'No certificate was made', () => {
    setTrustOutput(trust);
    if (certificate) setCertificateOutputs(certificate);
    if (handOver) setHandOverOutputs(handOver);
    setDueOutputs(due);
  });
}

async function readAll(
  { application, connectorIds }: CreateInputs,
  deadline: StepDeadline,
): Promise<readonly Reading[]> {
  await using http = new Http({ userAgent: await userAgent(process.env), deadline });
  const access = await group('Sign-in', async () => await signIn(http, application, graphIn(application.cloud)));
  const graph = new GraphClient({ http, application, access, permission: 'APIConnectors.Read.All', log: info });
  return await readConnectors(new ApiConnectors(graph), connectorIds);
}

/** Everything that could show the key is masked before anything else happens to it. */
async function make(request: CertificateRequest, now: Date, { signal }: StepDeadline): Promise<ClientCertificate> {
  const certificate = await createCertificate(request, now);
  signal.throwIfAborted();
  for (const form of privateKeyForms(certificate)) hide(form);
  const { thumbprint, notBefore, notAfter } = certificate;
  info(`New certificate ${thumbprint}: RSA 2048, valid from ${isoSeconds(notBefore)} to ${isoSeconds(notAfter)}.`);
  return certificate;
}

/** The path is kept before there is a file: whatever ends the step, the file is found and removed. */
function handOverFor(certificate: ClientCertificate): HandOver {
  const handOver = planHandOver(process.env);
  hide(handOver.password);
  writeOutputs('Nothing was changed', () => {
    saveState(HAND_OVER_STATE, handOver.path);
  });
  writeHandOver(handOver, certificate);
  return handOver;
}

function report(renewals: readonly Renewal[]): void {
  for (const renewal of renewals) info(`${line(renewal)}${renewal.status === 'due' ? ' A new one is due.' : ''}`);
}

function line({ id, connector, text }: Renewal): string {
  return `API connector ${nameOf(id, connector)}: ${text}`;
}
