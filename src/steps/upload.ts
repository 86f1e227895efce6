/** The upload step: a certificate with its key, onto one or several connectors, and proof that it is there. */
import { group, info } from '@actions/core';
import { readSource } from '../certificate/source.ts';
import { assess } from '../certificate/suitability.ts';
import { openCertificate, type CertificateUpload } from '../certificate/upload.ts';
import { beforeChange, failureOf, type Outcome } from '../connectors/outcome.ts';
import { readConnectors } from '../connectors/reading.ts';
import { trustOf, type Trust } from '../connectors/trust.ts';
import { updateConnector } from '../connectors/update.ts';
import { TargetCheck } from '../connectors/verify-target.ts';
import { ApiConnectors } from '../graph/api-connectors.ts';
import { GraphClient } from '../graph/client.ts';
import { Http } from '../http/client.ts';
import { mapInParallel } from '../http/concurrency.ts';
import type { StepDeadline } from '../http/deadline.ts';
import { readUploadInputs, type UploadInputs } from '../inputs.ts';
import { logOutcome, logTrust, reportFailures, warn } from '../report/annotations.ts';
import { outputsNotWritten, setCertificateOutputs, setConnectorOutputs, setTrustOutput } from '../report/outputs.ts';
import { appendSummary, uploadResult, uploadSummary } from '../report/summary.ts';
import { graphIn } from '../sign-in/application.ts';
import { signIn } from '../sign-in/sign-in.ts';
import { userAgent } from '../sign-in/workflow-run.ts';
import { hide } from '../text/secrets.ts';

const MINUTE = 60_000;

/** inputs → certificate → sign-in → connectors → report */
export async function upload(deadline: StepDeadline): Promise<void> {
  const inputs = readUploadInputs();
  deadline.extend(inputs.verifyWait * MINUTE);
  const upload = await group('Certificate', async () => await Promise.resolve(certificateToUpload(inputs, deadline)));
  setCertificateOutputs(upload.certificate);
  const outcomes = await updateConnectors(inputs, upload, deadline).catch((error: unknown) => {
    throw beforeChange(error);
  });
  report(outcomes, upload, inputs.application.tenantId);
}

/** What was done comes first: the outputs may not fit on the disk. */
function report(outcomes: readonly Outcome[], { certificate }: CertificateUpload, tenantId: string): void {
  info(uploadResult(outcomes));
  warn(
    outcomes.flatMap(({ warnings }) => warnings),
    'API connector',
  );
  reportFailures(outcomes.map(failureOf).filter((failure) => failure !== undefined));
  appendSummary(uploadSummary(outcomes, certificate, { tenantId, now: new Date() }));
  try {
    setConnectorOutputs(outcomes, certificate);
  } catch (error) {
    throw outputsNotWritten(uploadResult(outcomes), error);
  }
}

/** Opens the certificate and shows everything that is wrong with it. */
function certificateToUpload(
  { source, minimumDaysLeft }: Pick<UploadInputs, 'source' | 'minimumDaysLeft'>,
  deadline: StepDeadline,
): CertificateUpload {
  const now = new Date();
  const { upload, notes, secrets } = deadline.blocking(() => openCertificate(readSource(source), now));
  for (const secret of secrets) hide(secret);
  for (const note of notes) info(note);
  warn(assess(upload.certificate, now, minimumDaysLeft), 'Certificate');
  return upload;
}

/** Signs in, reads the connectors, sets what the API has to trust, and only then brings each connector to the certificate. */
async function updateConnectors(
  { application, connectorIds, verifyTarget, verifyWait, ...options }: UploadInputs,
  upload: CertificateUpload,
  deadline: StepDeadline,
): Promise<readonly Outcome[]> {
  const { certificate } = upload;
  await using http = new Http({ userAgent: await userAgent(process.env), deadline });
  const access = await group('Sign-in', async () => await signIn(http, application, graphIn(application.cloud)));
  const connectors = new ApiConnectors(
    new GraphClient({ http, application, access, permission: 'APIConnectors.ReadWrite.All', log: info }),
  );
  const readings = await readConnectors(connectors, connectorIds);
  showTrust(
    trustOf(
      readings.map(({ connector }) => connector),
      certificate,
    ),
  );
  const target = new TargetCheck({ deadline, certificate, wait: verifyWait * MINUTE, log: info });
  const ask = verifyTarget ? async (url: string) => await target.verify(url) : undefined;
  let done = 0;
  return await mapInParallel(readings, async (reading) => {
    const outcome = await updateConnector(connectors, reading, upload, { ...options, verifyTarget: ask });
    logOutcome(outcome, ++done, readings.length);
    return outcome;
  });
}

function showTrust(trust: Trust): void {
  setTrustOutput(trust);
  logTrust(trust);
}
