/** The check step: reads the connectors, and warns before a certificate expires. */
import { group, info } from '@actions/core';
import { judge, unread, type Finding } from '../connectors/expiry.ts';
import { readConnectors } from '../connectors/reading.ts';
import { ApiConnectors } from '../graph/api-connectors.ts';
import { GraphClient } from '../graph/client.ts';
import { nameOf } from '../graph/connector.ts';
import { Http } from '../http/client.ts';
import type { StepDeadline } from '../http/deadline.ts';
import { readCheckInputs, type CheckInputs } from '../inputs.ts';
import { reportFailures, warn } from '../report/annotations.ts';
import { logConnectorIds } from '../report/connector-ids.ts';
import { setCheckOutputs, setUncheckedOutputs, tryToWriteOutputs, writeOutputs } from '../report/outputs.ts';
import { appendSummary, checkSummary } from '../report/summary.ts';
import { graphIn } from '../sign-in/application.ts';
import { signIn } from '../sign-in/sign-in.ts';
import { userAgent } from '../sign-in/workflow-run.ts';

/** inputs → sign-in → connectors → report */
export async function check(deadline: StepDeadline): Promise<void> {
  const inputs = readCheckInputs();
  const findings = await findAll(inputs, deadline).catch((error: unknown) => {
    tryToWriteOutputs(setUncheckedOutputs);
    throw error;
  });
  report(findings, inputs);
}

function report(findings: readonly Finding[], { application: { tenantId }, connectorIds }: CheckInputs): void {
  const all = connectorIds === 'all';
  const line = ({ id, connector, text }: Finding): string => `API connector ${nameOf(id, connector)}: ${text}`;
  for (const finding of findings) info(line(finding));
  if (all) logConnectorIds(findings);
  warn(findings.filter(({ status }) => status === 'warning').map(line), 'API connector');
  reportFailures(findings.flatMap((finding) => (finding.status === 'failing' ? [finding.failure] : [])));
  appendSummary(checkSummary(findings, { tenantId, all, now: new Date() }));
  writeOutputs('The API connectors were read', () => {
    setCheckOutputs(findings);
  });
}

async function findAll(
  { application, connectorIds, thresholds }: CheckInputs,
  deadline: StepDeadline,
): Promise<readonly Finding[]> {
  await using http = new Http({ userAgent: await userAgent(process.env), deadline });
  const access = await group('Sign-in', async () => await signIn(http, application, graphIn(application.cloud)));
  const connectors = new ApiConnectors(
    new GraphClient({ http, application, access, permission: 'APIConnectors.Read.All', log: info }),
  );
  const now = new Date();
  if (connectorIds === 'all') {
    return (await connectors.list()).map((connector) => judge(connector, { ...thresholds, named: false }, now));
  }
  return (await readConnectors(connectors, connectorIds)).map((reading) =>
    reading.connector
      ? judge(reading.connector, { ...thresholds, named: true }, now)
      : unread(reading.id, reading.failure),
  );
}
