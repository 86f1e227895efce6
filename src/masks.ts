/** Every secret that comes in from outside is masked here, before anything else can show it. */
import { setSecret, warning } from '@actions/core';
import { PROXY_VARIABLES, withScheme } from './http/proxy.ts';

/** Shorter pieces of a secret are not masked: every such run of letters in the log would become ***. */
const SHORTEST_MASK = 4;
const SHORTEST_MASKED_LINE = 16;

/** Line by line, as it could be printed. Armour is no secret, and a last line of four letters would blank half the log. */
export function maskText(text: string): void {
  for (const line of text.split(/\r\n|\r|\n/)) {
    const value = line.trim();
    if (value.length >= SHORTEST_MASKED_LINE && !value.startsWith('-----')) setSecret(value);
  }
}

/** Each line of a password; one that is too short is not masked, which the log warns of. */
export function maskPassword(password: string): void {
  if (password === '') return;
  const lines = password.split(/\r\n|\r|\n/).filter((line) => line.length >= SHORTEST_MASK);
  for (const line of lines) setSecret(line);
  if (lines.length > 0) return;
  warning(
    `The password has fewer than ${SHORTEST_MASK} characters, so it is not masked in the log: every place where these letters occur would read ***. This action never prints it. Choose a longer one.`,
    { title: 'Short password' },
  );
}

/** A proxy's user name and password stand in its URL; undici sends them, percent-decoded, in base64. */
export function maskProxyCredentials(environment: NodeJS.ProcessEnv): void {
  for (const name of PROXY_VARIABLES) {
    const value = withScheme(environment[name] ?? '');
    if (!URL.canParse(value)) continue;
    const { username, password } = new URL(value);
    if (username === '' && password === '') continue;
    const [user, secret] = [decoded(username), decoded(password)];
    const basic = Buffer.from(`${user}:${secret}`).toString('base64');
    // A name alone is what a token looks like; next to a password it is none.
    const secrets = password === '' ? [username, user] : [`${username}:${password}`, password, secret];
    for (const form of new Set([...secrets, basic])) {
      if (form.length >= SHORTEST_MASK) setSecret(form);
    }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
