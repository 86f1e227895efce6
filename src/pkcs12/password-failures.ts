/** What to say when a password does not fit: which other one would, as far as that can be tried, and never the password. */
import { Failure } from '../failure.ts';
import { isAscii } from './crypto/password.ts';

/**
 * PFX_WRONG_PASSWORD, with a hint if a slip at the ends of the password explains it.
 * @param isProtectedToPrincipals whether Windows encrypted a password for users or groups of a domain, too
 */
export function wrongPassword(
  password: string,
  opensWith: (other: string) => boolean,
  isProtectedToPrincipals = false,
): Failure {
  const slip = slips(password).find(({ other }) => opensWith(other));
  if (!slip && isProtectedToPrincipals) return protectedToPrincipals();
  return new Failure(
    'PFX_WRONG_PASSWORD',
    `The password does not open the .pfx${slip ? `: ${slip.hint}` : ''}.`,
    slip?.remedy ??
      'Check it on your machine: openssl pkcs12 -in cert.pfx -noout (add -legacy for older files). In a secret every blank and line break counts; in a workflow quote it, so that YAML leaves it alone.',
  );
}

/** Windows made the password up and encrypted it for users or groups of a domain, or somebody chose it in addition. */
function protectedToPrincipals(): Failure {
  return new Failure(
    'PFX_WRONG_PASSWORD',
    'The password does not open the .pfx: it is protected to users or groups of Active Directory. Windows made up a password that nobody knows, unless a password was chosen as well.',
    'If there is a password, check it. If not, export it again, and protect it with a password: in the wizard tick "Password", in PowerShell use Export-PfxCertificate -Password instead of -ProtectTo.',
  );
}

/** The password is right, for the contents decrypt, and the MAC is not: somebody or something changed the file. */
export function damaged(): Failure {
  return new Failure(
    'PFX_DAMAGED',
    'The password is right, but the .pfx was changed after it was made: its MAC does not fit.',
    'Copy or export the file again.',
  );
}

/** Without a MAC, a damaged key and a key with a password of its own look the same. */
export function damagedKey(): Failure {
  return new Failure(
    'PFX_DAMAGED',
    'The password opens a part of the .pfx only: another part is damaged, or has another password.',
    'Export the file again, with one password for everything in it.',
  );
}

/** The MAC fits and a content does not decrypt. */
export function contentsUnreadable(password: string): Failure {
  if (!isAscii(password)) {
    return new Failure(
      'PFX_PASSWORD_ENCODING',
      'The password is right, but the tool that made the .pfx encoded its special letters in a way of its own.',
      'Export the file again with a password of plain letters, digits and punctuation (ASCII).',
    );
  }
  return new Failure(
    'PFX_KEY_PASSWORD_DIFFERS',
    'The password is that of the .pfx, but the key or certificates in it are encrypted with another one.',
    'Export it again with one password. In Java: keytool -importkeystore -srckeystore old.p12 -destkeystore new.p12 -deststoretype PKCS12, with the same password for store and key.',
  );
}

/** The answer to a question that is asked for a hint only: what goes wrong meanwhile is no news. */
export function quietly(question: () => boolean): boolean {
  try {
    return question();
  } catch {
    return false;
  }
}

interface Slip {
  /** Completes "The password does not open the .pfx: …". */
  readonly hint: string;
  readonly other: string;
  readonly remedy: string;
}

const STORE_AGAIN =
  'Store the password again, exactly; gh asks for it:\ngh secret set CONNECTOR_PFX_PASSWORD --env production';
const STORE_OR_EXPORT = 'Export the .pfx again with a password of visible characters only.';

/**
 * What people add to a password or lose from it without seeing it. What can be seen in the given one comes first, then the
 * likeliest, since not all may be tried.
 */
function slips(password: string): Slip[] {
  const all: Slip[] = [
    ['without the line break at its end it would', withoutLineBreaks(password)],
    ['without the byte order mark at its start it would', password.replace(/^\ufeff/, '')],
    ['without the blanks at its end it would', password.trimEnd()],
    ['without the blanks at its start it would', password.trimStart()],
    ['without the blanks at both ends it would', password.trim()],
    ['without the quotation marks around it it would', password.replace(/^(["'])(.*)\1$/s, '$2')],
    ['the file has no password', ''],
  ].map(([hint = '', other = '']) => ({ hint, other, remedy: STORE_AGAIN }));
  const lost: Slip[] = [
    ["the file's own password ends in a line break, which the given one lacks", `${password}\n`],
    ["the file's own password ends in a line break (CR LF), which the given one lacks", `${password}\r\n`],
    ["the file's own password begins with a byte order mark, which the given one lacks", `\ufeff${password}`],
  ].map(([hint = '', other = '']) => ({ hint, other, remedy: STORE_OR_EXPORT }));
  return [...all, ...lost].filter(
    ({ other }, i, list) => other !== password && list.findIndex((slip) => slip.other === other) === i,
  );
}

/** Without those at its end; a regular expression would take the square of their number. */
function withoutLineBreaks(password: string): string {
  let end = password.length;
  while (password[end - 1] === '\n' || password[end - 1] === '\r') end--;
  return password.slice(0, end);
}
