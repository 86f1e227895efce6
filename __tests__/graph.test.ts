import { describe, expect, test } from '@jest/globals';
import { parseConnector } from '../src/graph.ts';

/** The response on https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate, as printed there. */
const EXAMPLE = {
  '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#identity/apiConnectors/$entity',
  id: '45715bb8-13f9-4bf6-927f-ef96c102d394',
  displayName: 'My API connector',
  targetUrl: 'https://api.contoso.com/endpoint',
  authenticationConfiguration: {
    '@odata.type': '#microsoft.graph.clientCertificateAuthentication',
    certificateList: [
      {
        thumbprint: '0EB255CC895477798BA418B378255204304897AD',
        notAfter: 1666350522,
        notBefore: 1508670522,
        isActive: true,
      },
    ],
  },
};

describe('reading a connector', () => {
  test("the API page's own example", () => {
    const connector = parseConnector(JSON.stringify(EXAMPLE));
    expect(connector).toEqual({
      id: '45715bb8-13f9-4bf6-927f-ef96c102d394',
      displayName: 'My API connector',
      targetUrl: 'https://api.contoso.com/endpoint',
      authentication: 'certificate',
      certificates: [
        {
          thumbprint: '0EB255CC895477798BA418B378255204304897AD',
          notAfter: 1666350522,
          notBefore: 1508670522,
          isActive: true,
        },
      ],
    });
    const [certificate] = connector?.certificates ?? [];
    expect(new Date((certificate?.notBefore ?? 0) * 1000).toISOString()).toBe('2017-10-22T11:08:42.000Z');
    expect(new Date((certificate?.notAfter ?? 0) * 1000).toISOString()).toBe('2022-10-21T11:08:42.000Z');
  });

  test('Int64 as strings, a thumbprint in lower case', () => {
    const entry = {
      thumbprint: '0eb255cc895477798ba418b378255204304897ad',
      notAfter: '1666350522',
      notBefore: '1508670522',
      isActive: false,
    };
    const connector = parseConnector(
      JSON.stringify({
        ...EXAMPLE,
        authenticationConfiguration: { ...EXAMPLE.authenticationConfiguration, certificateList: [entry] },
      }),
    );
    expect(connector?.certificates).toEqual([
      {
        thumbprint: '0EB255CC895477798BA418B378255204304897AD',
        notAfter: 1666350522,
        notBefore: 1508670522,
        isActive: false,
      },
    ]);
  });

  test.each([
    ['basic', { '@odata.type': '#microsoft.graph.basicAuthentication', username: 'u', password: '******' }],
    ['none', null],
    ['unknown', { '@odata.type': '#microsoft.graph.somethingNew' }],
  ])('authentication: %s', (authentication, authenticationConfiguration) => {
    expect(parseConnector(JSON.stringify({ ...EXAMPLE, authenticationConfiguration }))).toMatchObject({
      authentication,
      certificates: [],
    });
  });

  test.each(['', '<html>', '[]', 'null', '{"id":5}', JSON.stringify(EXAMPLE).slice(0, 200)])(
    '%j is no connector',
    (body) => {
      expect(parseConnector(body)).toBeUndefined();
    },
  );
});
