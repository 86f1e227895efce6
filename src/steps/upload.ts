/** The upload step: a certificate with its key, onto one or several connectors, and proof that it is there. */
import { group, info } from '@actions/core';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import { readSource, type CertificateSource, type SourceContent } from '../certificate/source.ts';
import { assess } from '../certificate/suitability.ts';
import { openCertificate, type CertificateUpload } from '../certificate/upload.ts';
import { beforeChange, failureOf, type Outcome } from '../connectors/outcome.ts';
import { known, readConnectors, type Reading } from '../connectors/reading.ts';
import { trustOf, type Trust } from '../connectors/trust.ts';
import { updateConnector } from '../connectors/update.ts';
import { TargetCheck } from '../connectors/verify-target.ts';
import { ApiConnectors } from '../graph/api-connectors.ts';
import { GraphClient } from '../graph/client.ts';
import { Http } from '../http/client.ts';
import { mapInParallel } from '../http/concurrency.ts';
import { PartDeadline, type StepDeadline } from '../http/deadline.ts';
import { readUploadInputs, type UploadInputs } from '../inputs.ts';
import { describeSource, type VaultSource } from '../key-vault/address.ts';
import { readVault, type VaultSecret } from '../key-vault/client.ts';
import { explainContent, explainGraphSignIn } from '../key-vault/refusal.ts';
import { maskText } from '../masks.ts';
import { logOutcome, logTrust, reportFailures, SHOWN_OF_TWO, warn } from '../report/annotations.ts';
import { setCertificateOutputs, setConnectorOutputs, setTrustOutput, writeOutputs } from '../report/outputs.ts';
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
  const { source } = inputs;
  const uploaded = await (
    source.kind === 'key-vault' ? fromVault(inputs, source, deadline) : fromHere(inputs, source, deadline)
  ).catch((error: unknown) => {
    throw beforeChange(error);
  });
  report(uploaded, inputs.application.tenantId);
}

interface Uploaded {
  readonly certificate: ClientCertificate;
  readonly outcomes: readonly Outcome[];
  /** As it was before the first change. */
  readonly trust: Trust;
  /** Where the certificate was read, if that is not this machine. */
  readonly origin: string | undefined;
}

/** A certificate that is here: everything wrong with it is reported before any connection is opened. */
async function fromHere(inputs: UploadInputs, source: CertificateSource, deadline: StepDeadline): Promise<Uploaded> {
  const upload = await group('Certificate', async () =>
    certificateToUpload(readSource(source), inputs.minimumDaysLeft, deadline),
  );
  await using http = new Http({ userAgent: await userAgent(process.env), deadline });
  const found = await group('Sign-in', async () => await findConnectors(http, inputs));
  return { ...(await updateConnectors(found, upload, inputs, deadline)), origin: undefined };
}

/**
 * A certificate in a vault: it is read while the connectors are, and everything wrong with it is reported before a change. Its
 * outputs are there even if the connectors could not be read.
 */
async function fromVault(inputs: UploadInputs, source: VaultSource, deadline: StepDeadline): Promise<Uploaded> {
  const part = new PartDeadline(deadline);
  await using http = new Http({ userAgent: await userAgent(process.env), deadline: part });
  try {
    const found = findConnectors(http, inputs);
    // Reported once the outputs of the certificate are set; not at all if that fails.
    found.catch(() => undefined);
    const secret = await group('Key vault and sign-in', async () => {
      const read = await readVault(http, source, maskText);
      await Promise.allSettled([found]);
      return read;
    });
    const upload = await group('Certificate', async () => openSecret(secret, source, inputs, deadline));
    const origin = `${describeSource(source)}, version ${secret.version}`;
    return { ...(await updateConnectors(await found, upload, inputs, deadline)), origin };
  } finally {
    // If the vault could not be read, the other goes on no longer.
    part.end();
  }
}

/** What was done comes first: the outputs may not fit on the disk. */
function report({ outcomes, certificate, trust, origin }: Uploaded, tenantId: string): void {
  info(uploadResult(outcomes));
  warn([...trust.missing, ...outcomes.flatMap(({ warnings }) => warnings)], 'API connector', SHOWN_OF_TWO.connectors);
  reportFailures(outcomes.map(failureOf).filter((failure) => failure !== undefined));
  appendSummary(uploadSummary(outcomes, certificate, { tenantId, trust, origin, now: new Date() }));
  writeOutputs(uploadResult(outcomes), () => {
    setConnectorOutputs(outcomes, certificate);
  });
}

/** Opens the certificate, shows everything that is wrong with it, and sets its outputs. */
async function certificateToUpload(
  content: SourceContent,
  minimumDaysLeft: number,
  deadline: StepDeadline,
): Promise<CertificateUpload> {
  const now = new Date();
  const { upload, notes, warnings, secrets } = await deadline.blocking(() => openCertificate(content, now));
  for (const secret of secrets) hide(secret);
  for (const note of notes) info(note);
  warn([...warnings, ...assess(upload.certificate, now, minimumDaysLeft)], 'Certificate', SHOWN_OF_TWO.certificate);
  writeOutputs('Nothing was changed', () => {
    setCertificateOutputs(upload.certificate);
  });
  return upload;
}

/** The same for what a vault gave, in the words of a vault. */
async function openSecret(
  { content, version, tenantId }: VaultSecret,
  source: VaultSource,
  { minimumDaysLeft }: UploadInputs,
  deadline: StepDeadline,
): Promise<CertificateUpload> {
  const notes = [`Read from ${describeSource(source)}, version ${version}.`];
  try {
    return await certificateToUpload({ content, password: '', notes }, minimumDaysLeft, deadline);
  } catch (error) {
    throw explainContent(error, { source, tenantId }, version);
  }
}

interface Found {
  readonly connectors: ApiConnectors;
  readonly readings: readonly Reading[];
}

/** Signs in to Graph and reads the connectors. */
async function findConnectors(http: Http, { application, connectorIds, source }: UploadInputs): Promise<Found> {
  const access = await signIn(http, application, graphIn(application.cloud)).catch((error: unknown) => {
    throw source.kind === 'key-vault' && !source.sameApplication ? explainGraphSignIn(error, application) : error;
  });
  const permission = 'APIConnectors.ReadWrite.All';
  const connectors = new ApiConnectors(new GraphClient({ http, application, access, permission, log: info }));
  return { connectors, readings: await readConnectors(connectors, connectorIds) };
}

/** Sets what the API has to trust, and only then brings each connector to the certificate. */
async function updateConnectors(
  { connectors, readings }: Found,
  upload: CertificateUpload,
  { verifyTarget, verifyWait, ...options }: UploadInputs,
  deadline: StepDeadline,
): Promise<Omit<Uploaded, 'origin'>> {
  const { certificate } = upload;
  const trust = trustOf(known(readings), certificate, new Date());
  showTrust(trust);
  const target = new TargetCheck({ deadline, certificate, wait: verifyWait * MINUTE, log: info });
  const ask = verifyTarget ? async (url: string) => await target.verify(url) : undefined;
  let done = 0;
  const outcomes = await mapInParallel(readings, async (reading) => {
    const outcome = await updateConnector(connectors, reading, upload, { ...options, verifyTarget: ask });
    logOutcome(outcome, ++done, readings.length);
    return outcome;
  });
  return { certificate, outcomes, trust };
}

function showTrust(trust: Trust): void {
  writeOutputs('Nothing was changed', () => {
    setTrustOutput(trust);
  });
  logTrust(trust);
}
