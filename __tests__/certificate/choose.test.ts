/** Which certificate is uploaded, and which go along with it. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { KeyObject, X509Certificate } from 'node:crypto';
import { choose, type Choice } from '../../src/certificate/choose.ts';
import { thumbprintOf } from '../../src/certificate/client-certificate.ts';
import { certificate, newKeys, privateKeyOf, type Keys } from '../pkcs12/builder.ts';
import { failureOf } from '../pkcs12/fixtures.ts';

const MARK = '01';
let keys: Keys;
let privateKey: KeyObject;
let authority: { root: X509Certificate; issuing: X509Certificate };
/** By what they are: of the same key all of them. */
const of: Record<string, X509Certificate> = {};

beforeAll(async () => {
  keys = await newKeys();
  privateKey = await privateKeyOf(keys);
  const root = { name: 'CN=Root', keys: await newKeys() };
  const issuing = { name: 'CN=Issuing', keys: await newKeys() };
  authority = {
    root: await certificate(root.name, root.keys),
    issuing: await certificate(issuing.name, issuing.keys, { issuer: root }),
  };
  of['issued'] = await certificate('CN=connector', keys, { issuer: issuing, to: 90 });
  of['self-future'] = await certificate('CN=connector', keys, { from: 10, to: 400 });
  of['issued-older'] = await certificate('CN=connector', keys, { issuer: issuing, to: 30 });
  of['issued-expired'] = await certificate('CN=connector', keys, { issuer: issuing, from: -90, to: -1 });
  of['issued-future'] = await certificate('CN=connector', keys, { issuer: issuing, from: 10, to: 400 });
  of['self'] = await certificate('CN=connector', keys, { to: 3650 });
  of['self-expired'] = await certificate('CN=connector', keys, { from: -90, to: -1 });
});

/** `issued*` is marked with the key's localKeyId. */
function chosenOf(names: readonly string[], more: readonly X509Certificate[] = []): Choice {
  const certificates = names.map((name) => ({
    certificate: of[name.replace('*', '')] as X509Certificate,
    localKeyId: name.endsWith('*') ? MARK : undefined,
  }));
  const others = more.map((certificate) => ({ certificate, localKeyId: undefined }));
  return choose(
    {
      container: '.pfx',
      privateKeys: [{ key: privateKey, localKeyId: MARK }],
      certificates: [...certificates, ...others],
      unreadableCertificates: 0,
    },
    new Date(),
  );
}

describe('of several certificates of the key', () => {
  test.each<[string, readonly string[], string, RegExp]>([
    ['valid now, though behind and not marked', ['issued-expired*', 'issued'], 'issued', /expired on \d{4}/],
    ['valid now before not valid yet', ['issued-future*', 'issued'], 'issued', /not valid before \d{4}/],
    ['valid now, though self-signed', ['issued-expired*', 'self'], 'self', /expired/],
    [
      'signed by a CA, though the self-signed one is marked and lasts longer',
      ['self*', 'issued'],
      'issued',
      /self-signed/,
    ],
    ['the marked one', ['issued-older', 'issued*'], 'issued', /not marked/],
    ['the first, if both are marked', ['issued*', 'issued-older*'], 'issued', /later in the file\)/],
    ['the first, if none is marked', ['issued', 'issued-older'], 'issued', /later in the file\)/],
    [
      'the first, though the other one lasts longer, which is said',
      ['issued-older', 'issued'],
      'issued-older',
      /later in the file, though it expires later, on \d{4}/,
    ],
    ['all expired: signed by a CA', ['self-expired*', 'issued-expired'], 'issued-expired', /self-signed/],
    ['not valid yet before expired', ['issued-expired*', 'self-future'], 'self-future', /expired on/],
  ])('%s', (_, names, expected, why) => {
    const { leaf, notes } = chosenOf(names);
    const [note = ''] = notes;
    expect(thumbprintOf(leaf)).toBe(thumbprintOf(of[expected] as X509Certificate));
    const left = names.find((name) => name.replace('*', '') !== expected) ?? '';
    expect(note).toMatch(why);
    expect(note).toContain(`${thumbprintOf(leaf)} is used`);
    expect(note).toContain(thumbprintOf(of[left.replace('*', '')] as X509Certificate));
  });

  test('the same one twice is one, with the mark of either', () => {
    expect(chosenOf(['issued', 'issued']).notes).toEqual([]);
    expect(chosenOf(['issued-older', 'issued', 'issued*']).leaf).toBe(of['issued']);
  });

  test('no other certificate of the key goes along as its issuer', () => {
    const { chain } = chosenOf(['issued', 'self', 'issued-expired'], [authority.issuing]);
    expect(chain).toEqual([authority.issuing]);
  });
});

describe('the chain', () => {
  test('is the issuers in order, whatever the order in the file, and nothing else', async () => {
    const stranger = await certificate('CN=Stranger', await newKeys());
    const { chain, notes } = chosenOf(['issued'], [authority.root, stranger, authority.issuing]);
    expect(chain).toEqual([authority.issuing, authority.root]);
    expect(notes).toEqual([]);
  });

  test('an issuer by name that did not sign is none', async () => {
    const namesake = await certificate('CN=Issuing', await newKeys());
    expect(chosenOf(['issued'], [namesake, authority.issuing]).chain).toEqual([authority.issuing]);
    expect(chosenOf(['issued'], [namesake]).chain).toEqual([]);
  });

  test('what is left out is named, if the issuer of the last certificate is not there', () => {
    const { chain, notes } = chosenOf(['issued'], [authority.root]);
    expect(chain).toEqual([]);
    expect(notes).toEqual([
      'The chain ends at "CN=connector": its issuer "CN=Issuing" is not in the .pfx. Left out, as no part of the chain: "CN=Root".',
    ]);
    expect(chosenOf(['issued']).notes).toEqual([]);
  });

  test('a leaf that has the name of its issuer', async () => {
    const issuer = { name: 'CN=localhost', keys: await newKeys() };
    of['namesake'] = await certificate('CN=localhost', keys, { issuer });
    const authority = await certificate(issuer.name, issuer.keys);
    expect(chosenOf(['namesake'], [authority]).chain).toEqual([authority]);
  });

  test('an authority that changed its key', async () => {
    const [old, current] = [
      { name: 'CN=Root', keys: await newKeys() },
      { name: 'CN=Root', keys: await newKeys() },
    ];
    const root = await certificate(old.name, old.keys);
    const link = await certificate(current.name, current.keys, { issuer: old });
    of['rolled'] = await certificate('CN=connector', keys, { issuer: current });
    expect(chosenOf(['rolled'], [root, link]).chain).toEqual([link, root]);
  });

  test('of two certificates of the issuer, the one that is valid now', async () => {
    const keysOfIssuer = await newKeys();
    const issuer = { name: 'CN=Cross', keys: keysOfIssuer };
    const expired = await certificate(issuer.name, keysOfIssuer, { from: -20, to: -10 });
    const valid = await certificate(issuer.name, keysOfIssuer);
    of['crossed'] = await certificate('CN=connector', keys, { issuer });
    expect(chosenOf(['crossed'], [expired, valid]).chain).toEqual([valid]);
  });
});

describe('what cannot be chosen', () => {
  test('the subjects in a message are cleaned and cut', async () => {
    const hostile = await certificate(`CN=\u202eevil\u2028::error::${'x'.repeat(300)}`, await newKeys());
    const failure = failureOf(() => chosenOf([], [hostile]));
    expect(failure.code).toBe('PFX_KEY_MISMATCH');
    expect(failure.message).toContain('CN=');
    expect(failure.message).not.toMatch(/[\u202e\u2028\r\n]/);
    expect(failure.message.length).toBeLessThan(250);
  });

  test('of several keys, none', async () => {
    const another = await newKeys();
    const given = {
      container: '.pfx' as const,
      privateKeys: [
        { key: privateKey, localKeyId: undefined },
        { key: await privateKeyOf(another), localKeyId: undefined },
      ],
      certificates: [{ certificate: await certificate('CN=another', another), localKeyId: undefined }],
      unreadableCertificates: 0,
    };
    expect(failureOf(() => choose(given, new Date())).message).toMatch(/several private keys in it, for "CN=another"/);
  });
});
