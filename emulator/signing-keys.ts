/** The throw-away keys that tokens are signed with: one pair a service and process, since each takes a tenth of a second and more. */
import { generateKeyPair, type GenerateKeyPairResult } from 'jose';

const pairs = new Map<string, Promise<GenerateKeyPairResult>>();

export async function signingKeys(service: string): Promise<GenerateKeyPairResult> {
  const pair = pairs.get(service) ?? generateKeyPair('RS256');
  pairs.set(service, pair);
  return await pair;
}
