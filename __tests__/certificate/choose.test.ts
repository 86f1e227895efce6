/** Which certificate is uploaded, and which go along with it. */
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { choose, type Choice, type Given } from '../../src/certificate/choose.ts';
import { thumbprintOf } from '../../src/certificate/client-certificate.ts';
import { certificate, newKeys, privateKeyOf, type Keys } from '../pkcs12/builder.ts';
import { failureOf } from '../pkcs12/fixtures.ts';
import {
  authority as authorityExtension,
  issuerAndSerial,
  keyIdentifiers,
  keyUsage,
  made,
  rsaKeys,
  threePrimeKeys,
  type Fields,
  type KeyPair,
  type Made,
} from './made.ts';
import { bits, nothing, octets, oid, sequenceOf } from '../../src/pkcs12/asn1/der.ts';

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
      unreadableCertificates: [],
    },
    new Date(),
  );
}

function givenOf(container: Given['container'], { privateKey: key }: KeyPair, certificates: readonly Made[]): Given {
  return {
    container,
    privateKeys: [{ key, localKeyId: undefined }],
    certificates: certificates.map(({ certificate }) => ({ certificate, localKeyId: undefined })),
    unreadableCertificates: [],
  };
}

/** With one bit of its DER changed, counted from the end if negative. */
function damaged(whole: Made, offset: number): Made {
  const der = Buffer.from(whole.certificate.raw);
  const index = offset < 0 ? der.length + offset : offset;
  der[index] = (der[index] ?? 0) ^ 1;
  return { ...whole, certificate: new X509Certificate(der) };
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
    expect(notes).toEqual(['Left out, as no part of the chain: "CN=Stranger".']);
  });

  test('an issuer by name that did not sign is none', async () => {
    const namesake = await certificate('CN=Issuing', await newKeys());
    expect(chosenOf(['issued'], [namesake, authority.issuing]).chain).toEqual([authority.issuing]);
    const { chain, notes, warnings } = chosenOf(['issued'], [namesake]);
    expect(chain).toEqual([]);
    expect(notes).toEqual(['Left out, as no part of the chain: "CN=Issuing".']);
    expect(warnings).toEqual([
      'The chain ends at "CN=connector": "CN=Issuing" in the .pfx has the name of its issuer, but not the key that signed it. It is an older or newer certificate of that issuer, or one of the two is damaged.',
    ]);
  });

  test.each<[string, Fields['extensions']]>([
    ['its serial number', [issuerAndSerial('Issuing', 7)]],
    ['its key usage', []],
  ])('an issuer that signed, and does not fit for %s, is none', (_what, extensions = []) => {
    const keyPair = rsaKeys();
    const issuing = made('Issuing', extensions.length > 0 ? {} : { extensions: [keyUsage(0x80)] });
    const leaf = made('leaf', { keys: keyPair, issuer: issuing, extensions });
    const { chain, warnings } = choose(givenOf('.pfx', keyPair, [leaf, issuing]), new Date());
    expect(chain).toEqual([]);
    expect(warnings).toEqual([
      'The chain ends at "CN=leaf": "CN=Issuing" in the .pfx signed it, but its key identifier, serial number or key usage does not fit, so that servers reject it as the issuer.',
    ]);
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

describe('of issuers with one name', () => {
  const keyPair = rsaKeys();
  const ca = (name: string, fields: Fields = {}): Made => made(name, { extensions: [authorityExtension()], ...fields });
  const chainFor = (leaf: Made, ...others: readonly Made[]): readonly X509Certificate[] =>
    choose(givenOf('PEM text', keyPair, [leaf, ...others]), new Date()).chain;

  test('the one that signed, of more than twenty', () => {
    const [older, newest] = [rsaKeys(), ca('Gen')];
    const generations = Array.from({ length: 22 }, () => ca('Gen', { keys: older }));
    const leaf = made('leaf', { keys: keyPair, issuer: newest });
    expect(chainFor(leaf, ...generations, newest)).toEqual([newest.certificate]);
  });

  test('that are not there: each certificate is read once', () => {
    const filler = Array.from({ length: 100 }, (_, n) => sequenceOf(oid(`1.2.3.${n}`), octets(nothing())));
    const elsewhere = made('Elsewhere');
    const extensions = [...filler, ...keyIdentifiers('01', '02')];
    const leaves = Array.from({ length: 199 }, () => made('leaf', { keys: keyPair, issuer: elsewhere, extensions }));
    const reads = jest.spyOn(X509Certificate.prototype, 'raw', 'get');
    expect(chainFor(made('self', { keys: keyPair }), ...leaves)).toEqual([]);
    expect(reads.mock.calls.length).toBeLessThan(10 * leaves.length);
    reads.mockRestore();
  });

  test('too many to check are refused', () => {
    const [here, elsewhere] = [ca('Gen'), ca('Gen')];
    const others = Array.from({ length: 21 }, () => made('Gen', { keys: here, issuer: here }));
    const wrong = Array.from({ length: 21 }, () => made('leaf', { keys: keyPair, issuer: elsewhere }));
    const failure = failureOf(() => chainFor(made('leaf', { keys: keyPair }), ...wrong, ...others));
    expect(failure.code).toBe('PFX_TOO_LARGE');
    expect(failure.message).toMatch(/more than 400 signatures/);
    expect(failure.remedy).toBe('Leave the one certificate that is meant, its issuers and its key.');
  });

  describe('cross-signed: the one that leads to a root that is there', () => {
    const [root, otherRoot, keysOfIssuer] = [ca('Root'), ca('Other root'), rsaKeys()];
    const here = ca('Issuing', { keys: keysOfIssuer, issuer: root });
    const elsewhere = ca('Issuing', { keys: keysOfIssuer, issuer: otherRoot });
    const leaf = made('leaf', { keys: keyPair, issuer: here });
    test.each([
      ['first', [here, elsewhere, root]],
      ['last', [elsewhere, root, here]],
    ])('%s in the file', (_where, others) => {
      expect(chainFor(leaf, ...others)).toEqual([here.certificate, root.certificate]);
    });

    test('the shorter way, if both roots are there', () => {
      const crossed = ca('Root', { keys: root, issuer: otherRoot });
      expect(chainFor(leaf, here, crossed, otherRoot, root)).toEqual([here.certificate, root.certificate]);
    });

    test('one that is valid now comes first all the same', () => {
      const expired = ca('Issuing', { keys: keysOfIssuer, issuer: root, from: -20, to: -10 });
      expect(chainFor(leaf, expired, elsewhere, root)).toEqual([elsewhere.certificate]);
    });

    test('the longest way, if no root is there', () => {
      const above = ca('Other root', { keys: otherRoot, issuer: ca('Far root') });
      expect(chainFor(leaf, here, elsewhere, above)).toEqual([elsewhere.certificate, above.certificate]);
    });
  });

  test('an expired one, if no other is there', () => {
    const expired = ca('Issuing', { from: -20, to: -10 });
    expect(chainFor(made('leaf', { keys: keyPair, issuer: expired }), expired)).toEqual([expired.certificate]);
  });

  test.each([
    [9, 9],
    [12, 10],
  ])('of %i above one another, %i go along', (count, sent) => {
    const chain = [ca('CA 0', { issuer: ca('Far root') })];
    for (let n = 1; n < count; n++) chain.unshift(ca(`CA ${n}`, { issuer: chain[0] as Made }));
    const leaf = made('leaf', { keys: keyPair, issuer: chain[0] as Made });
    const choice = choose(givenOf('PEM text', keyPair, [leaf, ...chain, made('Stranger')]), new Date());
    expect(choice.chain).toEqual(chain.slice(0, sent).map(({ certificate }) => certificate));
    expect(choice.notes[0]?.startsWith('The chain ends at "CN=CA 0":')).toBe(sent === count);
  });

  test('two that signed each other lead nowhere, and end', () => {
    const [a, b] = [ca('A'), ca('B')];
    const [crossedA, crossedB] = [ca('A', { keys: a, issuer: b }), ca('B', { keys: b, issuer: a })];
    expect(chainFor(made('leaf', { keys: keyPair, issuer: a }), crossedB, crossedA)).toHaveLength(2);
  });
});

describe('damaged certificates', () => {
  const keyPair = rsaKeys();
  const ids = keyIdentifiers;
  const root = made('Root', { extensions: ids('01', '01') });
  const issuing = made('Issuing', { issuer: root, extensions: ids('02', '01') });
  const leaf = made('leaf', { keys: keyPair, issuer: issuing, extensions: ids('03', '02') });
  const self = made('self', { keys: keyPair });
  const intact = { key: 'AES-256', certificates: 'AES-256', mac: 'HMAC-SHA256' };
  const chosen = (container: Given['container'], certificates: readonly Made[], mac = 'none'): Choice =>
    choose({ ...givenOf(container, keyPair, certificates), encryption: { ...intact, mac } }, new Date());

  test.each<[string, readonly Made[], RegExp]>([
    ['the signature of the leaf', [damaged(leaf, -5), issuing, root], /"CN=leaf" .* is damaged, or .* "CN=Issuing"/],
    ['the leaf, without a root', [damaged(leaf, -5), issuing], /"CN=leaf" .* is damaged, or .* "CN=Issuing"/],
    [
      'the dates of the leaf',
      [damaged(leaf, leaf.certificate.raw.indexOf('Z') - 3), issuing],
      /"CN=leaf".* is damaged/,
    ],
    [
      'the name of its issuer',
      [damaged(leaf, leaf.certificate.raw.indexOf('Issuing')), issuing],
      /"CN=leaf".* is damaged/,
    ],
    ['the signature of the issuer', [leaf, damaged(issuing, -5), root], /"CN=Issuing" .* is damaged, or .* "CN=Root"/],
    ['the key of the issuer', [leaf, damaged(issuing, 250), root], /"CN=Issuing" .* is damaged, or .* "CN=Root"/],
    ['the root', [leaf, issuing, damaged(root, -5)], /"CN=Root" .* is damaged: it has the name of its own issuer/],
    ['a self-signed one', [damaged(self, -5)], /"CN=self" .* is damaged: it has the name of its own issuer/],
    ['a self-signed one, next to the whole one', [self, damaged(self, -5)], /"CN=self" .* is damaged/],
    ['the public key of the leaf', [damaged(self, 250)], /"CN=self" .* is damaged/],
  ])('in PEM are refused: %s', (_what, certificates, message) => {
    const failure = failureOf(() => chosen('PEM text', certificates));
    expect(failure.code).toBe('PFX_DAMAGED');
    expect(failure.message).toMatch(message);
  });

  test('of a .pfx without a MAC: the leaf is refused', () => {
    expect(failureOf(() => chosen('.pfx', [damaged(leaf, -5), issuing])).code).toBe('PFX_DAMAGED');
    expect(failureOf(() => chosen('.pfx', [leaf, damaged(issuing, 250)])).code).toBe('PFX_DAMAGED');
    expect(failureOf(() => chosen('.pfx', [damaged(self, -5)])).code).toBe('PFX_DAMAGED');
  });

  test.each([
    ['its signature', damaged(issuing, -5)],
    ['its key', damaged(issuing, 250)],
  ])('of a .pfx: an issuer is left out, with a warning: %s', (_what, issuer) => {
    const { chain, notes, warnings } = chosen('.pfx', [leaf, issuer, root]);
    expect(chain).toEqual([]);
    expect(notes).toEqual([
      'The chain ends at "CN=leaf": its issuer "CN=Issuing" in the .pfx is damaged. Left out, as no part of the chain: "CN=Issuing"; "CN=Root".',
    ]);
    expect(warnings).toEqual([
      'The certificate "CN=Issuing" in the .pfx is damaged, or that of its issuer "CN=Root": the signature does not fit. It was left out. If it is needed, export the file again.',
    ]);
  });

  test.each<[string, readonly Made[], RegExp]>([
    ['one that did not sign itself', [damaged(self, -5), self], /"CN=self" .* is damaged: it has the name/],
    ['one with a damaged signature', [damaged(leaf, -5), issuing, root], /"CN=leaf" .* is damaged, or .* "CN=Issuing"/],
    ['one whose issuer is damaged, without a root', [leaf, damaged(issuing, 250)], /"CN=leaf" .*, or .* "CN=Issuing"/],
  ])('of a .pfx with a MAC: was like that before, and is used: %s', (_what, [first, ...more], warning) => {
    if (!first) throw new Error('unreachable');
    const { leaf: certificate, chain, warnings } = chosen('.pfx', [first, ...more], 'HMAC-SHA1');
    expect(thumbprintOf(certificate)).toBe(thumbprintOf(first.certificate));
    expect(chain).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(warning)]);
    expect(warnings).toEqual([expect.stringMatching(/The MAC shows that the file is as its maker wrote it/)]);
  });

  const ca = [authorityExtension()];
  const unrelated = made('Unrelated', { extensions: ca });
  test.each<[string, readonly Made[], string]>([
    ['an unrelated root', [leaf, issuing, root, damaged(unrelated, -5)], 'PFX_KEY_MISMATCH'],
    ['a root of the certificate', [leaf, issuing, damaged(root, -5)], 'PFX_KEY_MISMATCH'],
    ['the certificate', [issuing, damaged(leaf, 250), root], 'PFX_DAMAGED'],
    ['the only one', [damaged(unrelated, -5)], 'PFX_DAMAGED'],
  ])('are no cause of a key that fits none, unless they may be meant: %s', (_what, certificates, code) => {
    const given = { ...givenOf('.pfx', rsaKeys(), certificates), encryption: { ...intact, mac: 'HMAC-SHA1' } };
    expect(failureOf(() => choose(given, new Date())).code).toBe(code);
  });

  test.each<[string, readonly Made[]]>([
    ['an authority with another key, by its identifier', [leaf, made('Issuing', { extensions: ids('09', '09') })]],
    [
      'an authority with another key, without identifiers',
      [made('leaf', { keys: keyPair, issuer: made('Issuing') }), issuing],
    ],
    [
      'a leaf with the name of its authority, which is not there',
      [made('self', { keys: keyPair, issuer: made('self'), extensions: ids('03', '04') })],
    ],
  ])('is not: %s', (_what, certificates) => {
    expect(chosen('PEM text', certificates).chain).toEqual([]);
  });

  test('is not: a signature that Node cannot check', () => {
    const md2 = sequenceOf(oid('1.2.840.113549.1.1.2'), nothing());
    const signed = made('leaf', { keys: keyPair, issuer: issuing, algorithm: md2, extensions: ids('03', '02') });
    expect(chosen('PEM text', [signed, issuing, root]).leaf).toBe(signed.certificate);
  });
});

describe('certificates that cannot be read', () => {
  const keyPair = rsaKeys();
  const [issuer, stranger] = [made('Issuing'), made('Stranger')];
  const leaf = made('leaf', { keys: keyPair, issuer });
  test('are refused in PEM, though another one fits', () => {
    const given = { ...givenOf('PEM text', keyPair, [leaf]), unreadableCertificates: [1] };
    const failure = failureOf(() => choose(given, new Date()));
    expect(failure.code).toBe('PFX_INVALID');
    expect(failure.message).toBe('The PEM text is malformed: certificate 1 of the 2 in it cannot be read.');
  });

  test('are left out of a .pfx, with a warning', () => {
    const given = { ...givenOf('.pfx', keyPair, [leaf, stranger]), unreadableCertificates: [2, 4] };
    const { notes, warnings } = choose(given, new Date());
    expect(notes).toEqual([
      'The chain ends at "CN=leaf": its issuer "CN=Issuing" is not among the certificates in the .pfx that can be read. Left out, as no part of the chain: "CN=Stranger".',
    ]);
    expect(warnings).toEqual([
      '2 of the 4 certificates in the .pfx (number 2, 4) cannot be read and were left out. If one of them is needed, export the file again.',
    ]);
    expect(choose({ ...given, unreadableCertificates: [2] }, new Date()).warnings).toEqual([
      '1 of the 3 certificates in the .pfx (number 2) cannot be read and was left out. If it is needed, export the file again.',
    ]);
  });
});

describe('the private key', () => {
  test('that is damaged in its modulus is not taken for another one', () => {
    const keyPair = rsaKeys();
    const pkcs8 = keyPair.privateKey.export({ type: 'pkcs8', format: 'der' });
    pkcs8[100] = (pkcs8[100] ?? 0) ^ 1;
    const given = givenOf(
      'PEM text',
      { ...keyPair, privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }) },
      [made('leaf', { keys: keyPair })],
    );
    expect(failureOf(() => choose(given, new Date())).code).toBe('PFX_DAMAGED');
  });

  test('of more than two primes is refused, since the service may not read it', () => {
    const keyPair = threePrimeKeys();
    const given = givenOf('PEM text', keyPair, [made('leaf', { keys: keyPair })]);
    const failure = failureOf(() => choose(given, new Date()));
    expect(failure.code).toBe('PFX_UNSUPPORTED');
    expect(failure.message).toMatch(/RSA with more than two primes/);
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
      unreadableCertificates: [],
    };
    expect(failureOf(() => choose(given, new Date())).message).toMatch(/several private keys in it, for "CN=another"/);
  });
});

describe('the cause, and what to do', () => {
  const keyPair = rsaKeys();
  const another = made('another');
  const own = made('own', { keys: keyPair });
  const EXPORT =
    'Export it together with its private key: on Windows tick "Yes, export the private key", or use openssl pkcs12 -export -inkey key.pem -in cert.pem -out cert.pfx';
  const none = (container: Given['container'], certificates: readonly Made[]): Given => ({
    ...givenOf(container, keyPair, certificates),
    privateKeys: [],
  });
  const two = (container: Given['container'], certificates: readonly Made[]): Given => ({
    ...givenOf(container, keyPair, certificates),
    privateKeys: [keyPair, another].map(({ privateKey: key }) => ({ key, localKeyId: undefined })),
  });
  const broken = (container: Given['container'], certificates: readonly Made[], number: number): Given => ({
    ...givenOf(container, rsaKeys(), certificates),
    unreadableCertificates: [number],
  });
  const pkcs8 = keyPair.privateKey.export({ type: 'pkcs8', format: 'der' });
  pkcs8[100] = (pkcs8[100] ?? 0) ^ 1;
  const damagedKey = { ...keyPair, privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }) };
  const issued = made('leaf', { keys: keyPair, issuer: own, extensions: keyIdentifiers('03', '02') });

  test.each<[string, Given, string]>([
    ['The .pfx opens, and has no private key in it.', none('.pfx', [own]), EXPORT],
    ['The .pfx opens, and has nothing in it: no private key and no certificate.', none('.pfx', []), EXPORT],
    [
      'The PEM text has no private key in it.',
      none('PEM text', [own]),
      'Put the private key into the same text: cat cert.pem chain.pem key.pem',
    ],
    ['The .pfx has a private key in it, but no certificate.', givenOf('.pfx', keyPair, []), EXPORT],
    [
      'The PEM text has a private key in it, but no certificate.',
      givenOf('PEM text', keyPair, []),
      'Put the certificate into the same text: cat cert.pem chain.pem key.pem',
    ],
    [
      'The .pfx is malformed: its certificate cannot be read.',
      broken('.pfx', [], 1),
      'Export the certificate with its private key again. It may have been damaged on its way here.',
    ],
    [
      'The .pfx is malformed: certificate 2 of the 2 in it cannot be read.',
      broken('.pfx', [another], 2),
      'Export the certificate with its private key again. It may have been damaged on its way here.',
    ],
    [
      'The PEM text is malformed: certificate 1 of the 2 in it cannot be read.',
      broken('PEM text', [another], 1),
      'Copy that certificate again, whole: from the line -----BEGIN … to the line -----END ….',
    ],
    [
      'The private key in the .pfx belongs to none of its certificates ("CN=another").',
      givenOf('.pfx', keyPair, [another]),
      'Build it again from the certificate and the key that it was issued for. These two print the same for a certificate and its key: openssl x509 -in cert.pem -noout -pubkey, and openssl pkey -in key.pem -pubout',
    ],
    [
      'The private key in the .pfx is damaged: its numbers do not fit together.',
      givenOf('.pfx', damagedKey, [own]),
      'Copy it again from its origin. Check it with: openssl pkey -in key.pem -check -noout',
    ],
    [
      'The .pfx has several private keys in it, for "CN=own"; "CN=another", and nothing says which is meant.',
      two('.pfx', [own, made('stranger'), another]),
      'Export the one certificate that is meant, with its key: keytool -importkeystore -srckeystore many.p12 -srcalias NAME -destkeystore one.p12 -deststoretype PKCS12',
    ],
    [
      'The PEM text has several private keys in it, and nothing says which is meant.',
      two('PEM text', [made('stranger')]),
      'Leave the one private key that is meant, with its certificate, in the text.',
    ],
    [
      'The certificate "CN=own" in the PEM text is damaged: it has the name of its own issuer, and its signature does not fit its key.',
      givenOf('PEM text', keyPair, [damaged(own, -5)]),
      'Copy or export it again from its origin. If an authority of the same name issued it, put the certificate of that authority in, too.',
    ],
    [
      'The certificate "CN=leaf" in the PEM text is damaged, or that of its issuer "CN=own": the signature does not fit.',
      givenOf('PEM text', keyPair, [damaged(issued, -5), made('own', { extensions: keyIdentifiers('02', '02') })]),
      'Copy or export both again from their origin.',
    ],
  ])('%s', (message, given, remedy) => {
    const failure = failureOf(() => choose(given, new Date()));
    expect([failure.message, failure.remedy]).toEqual([message, remedy]);
  });

  test('a key of more than two primes: how to make another', () => {
    const keys = threePrimeKeys();
    expect(failureOf(() => choose(givenOf('.pfx', keys, [made('leaf', { keys })]), new Date())).remedy).toBe(
      'Make a new key without -primes, and have a certificate issued for it: openssl req -new -newkey rsa:2048 -keyout key.pem -out request.csr -subj /CN=api-connector',
    );
  });
});

describe('lists stop after five', () => {
  const keyPair = rsaKeys();
  const many = (count: number): readonly Made[] => Array.from({ length: count }, (_, n) => made(`n${n}`));
  const subjects = '"CN=n0"; "CN=n1"; "CN=n2"; "CN=n3"; "CN=n4"';

  test.each([
    [5, `(${subjects}).`],
    [7, `(${subjects}; and 2 more).`],
  ])('of %i certificates that do not fit', (count, end) => {
    expect(failureOf(() => choose(givenOf('.pfx', keyPair, many(count)), new Date())).message).toBe(
      `The private key in the .pfx belongs to none of its certificates ${end}`,
    );
  });

  test.each([
    [6, ''],
    [8, ' and 2 more'],
  ])('of %i certificates of the key', (count, more) => {
    const [first, ...others] = Array.from({ length: count }, (_, n) => made(`own${n}`, { keys: keyPair }));
    if (!first) throw new Error('unreachable');
    const reasons = others.slice(0, 5).map(({ certificate: { fingerprint } }) => fingerprint.replaceAll(':', ''));
    expect(choose(givenOf('.pfx', keyPair, [first, ...others]), new Date()).notes).toEqual([
      `The private key fits ${count} certificates: ${thumbprintOf(first.certificate)} is used, not ${reasons.map((one) => `${one} (later in the file)`).join(', ')}${more}.`,
    ]);
  });

  test.each([
    [5, ' (number 2, 3, 4, 5, 6)'],
    [6, ''],
  ])('of %i certificates that cannot be read', (count, which) => {
    const unreadableCertificates = Array.from({ length: count }, (_, n) => n + 2);
    const given = { ...givenOf('.pfx', keyPair, [made('own', { keys: keyPair })]), unreadableCertificates };
    expect(choose(given, new Date()).warnings).toEqual([
      `${count} of the ${count + 1} certificates in the .pfx${which} cannot be read and were left out. If one of them is needed, export the file again.`,
    ]);
  });

  test('of damaged certificates', () => {
    const others = many(6).map((one) => damaged(one, -5));
    const { warnings } = choose(givenOf('.pfx', keyPair, [made('own', { keys: keyPair }), ...others]), new Date());
    expect(warnings).toHaveLength(5);
  });
});

describe('certificates that Node reads only in part', () => {
  const keyPair = rsaKeys();
  const strange = made('strange', { publicKey: sequenceOf(sequenceOf(oid('1.2.3.4')), bits(nothing())) });
  test('are no issuers, and none of the key', () => {
    const leaf = made('leaf', { keys: keyPair, issuer: made('strange') });
    const choice = choose(givenOf('PEM text', keyPair, [strange, leaf]), new Date());
    expect([choice.leaf, choice.chain]).toEqual([leaf.certificate, []]);
  });
});
