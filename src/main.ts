/** The stories of the two steps, each line a step of it. The only file that knows the order. */
import { endGroup, info, setSecret, startGroup } from '@actions/core';
import type { ConnectionAhead } from './ahead.ts';
import { judge, setCheckOutputs, setUncheckedOutputs, unread, type Finding } from './connectors/expiry.ts';
import { clean } from './text/clean.ts';
import { mapAtMost } from './http/concurrency.ts';
import { readInputs, type CheckInputs, type Inputs } from './inputs.ts';
import { readPfx } from './certificate/source.ts';
import { openPfx } from './pkcs12/open.ts';
import { assess } from './certificate/suitability.ts';
import { encodeForService } from './pkcs12/write.ts';
import {
  daysUntil,
  isoSeconds,
  logOutcome,
  nameOf,
  reportFailure,
  setCertificateOutputs,
  setConnectorOutputs,
  warn,
} from './report/outputs.ts';
import type { Session } from './sign-in/sign-in.ts';
import { appendSummary, checkSummary, uploadResult, uploadSummary } from './report/summary.ts';
import type { Upload } from './connectors/update.ts';

/** So many connectors are worked on at a time. */
const AT_A_TIME = 4;

/** Runs the step to its end; whatever happens is reported here, and nowhere else. */
export async function run(ahead?: ConnectionAhead): Promise<void> {
  try {
    const inputs = readInputs();
    await (inputs.step === 'check' ? check(inputs, ahead) : upload(inputs, ahead));
  } catch (error) {
    reportFailure(error);
  }
}

/** inputs → certificate → sign-in → connectors → report */
async function upload(inputs: Inputs, ahead: ConnectionAhead | undefined): Promise<void> {
  const upload = inGroup('Certificate', () => openCertificate(inputs));
  const { certificate } = upload;
  setCertificateOutputs(certificate);
  // What talks to the network is loaded only where the file is fit for it.
  const [{ withSession }, { TargetCheck, updateConnector }] = await Promise.all([
    import(/* webpackMode: "eager" */ './sign-in/sign-in.ts'),
    import(/* webpackMode: "eager" */ './connectors/update.ts'),
  ]);
  let done = 0;
  const outcomes = await withSession(inputs, ahead, async (session) => {
    const target = new TargetCheck(session, certificate);
    return await mapAtMost(AT_A_TIME, inputs.connectorIds, async (id) => {
      const outcome = await updateConnector(session, id, inputs, upload, target);
      logOutcome(outcome, ++done, inputs.connectorIds.length);
      return outcome;
    });
  });
  setConnectorOutputs(outcomes, certificate);
  appendSummary(uploadSummary(outcomes, certificate, new Date()));
  for (const { warnings, failure } of outcomes) {
    warn(warnings, 'API connector');
    if (failure) reportFailure(failure);
  }
  info(uploadResult(outcomes));
}

/** inputs → sign-in → connectors → report */
async function check(inputs: CheckInputs, ahead: ConnectionAhead | undefined): Promise<void> {
  const { withSession } = await import(/* webpackMode: "eager" */ './sign-in/sign-in.ts');
  const findings = await withSession(inputs, ahead, async (session) => await findAll(session, inputs)).catch(
    (error: unknown) => {
      setUncheckedOutputs();
      throw error;
    },
  );
  for (const finding of findings) info(`API connector ${nameOf(finding.id, finding.connector)}: ${finding.text}`);
  setCheckOutputs(findings);
  appendSummary(checkSummary(findings, new Date()));
  for (const { status, id, connector, text, failure } of findings) {
    if (failure) reportFailure(failure);
    else if (status === 'warning') warn([`API connector ${nameOf(id, connector)}: ${text}`], 'API connector');
  }
}

async function findAll({ graph }: Session, inputs: CheckInputs): Promise<readonly Finding[]> {
  const now = new Date();
  if (inputs.connectorIds === 'all')
    return (await graph.listConnectors()).map((connector) => judge(connector, inputs, now));
  return await mapAtMost(AT_A_TIME, inputs.connectorIds, async (id) => {
    try {
      return judge(await graph.getConnector(id), inputs, now);
    } catch (error) {
      return unread(id, error);
    }
  });
}

function inGroup<T>(title: string, work: () => T): T {
  startGroup(title);
  try {
    return work();
  } finally {
    endGroup();
  }
}

/** Opens the .pfx, says everything that is wrong with it, and writes it anew where the service would not take it. */
function openCertificate(inputs: Inputs): Upload {
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
