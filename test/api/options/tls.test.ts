/** The option `tls`: names, what must stand together, and what each error says. */
import { describe, expect, test } from 'vitest';
import { readPlaces } from '../../../src/api/options/listeners.ts';
import { guardTls, readTlsChanges } from '../../../src/api/options/tls.ts';
import { certificate } from '../../support/carrier.ts';
import { hasOpenssl, skippedTls } from '../../support/certificates.ts';
import { refusal } from '../../support/refusal.ts';

const read = (tls: unknown) => readPlaces({ port: 0, tls: tls as object }, 10_000);

test.each<[string, unknown, string]>([
  ['tls', 'PRIVATE', 'an object such as { key, cert }; this is of type string'],
  ['tls', null, 'this is null'],
  ['tls', ['PRIVATE'], 'this is a list'],
  ['tls', {}, 'at least key and cert, or pfx'],
  ['tls.cert', { key: 'k' }, 'the certificate of key'],
  ['tls.key', { cert: 'c' }, 'the key of cert'],
  ['tls', { key: 'key.pem', cert: 'cert.pem' }, 'the content of its file'],
  ['tls', { pfx: 'server.pfx' }, 'the content of its file'],
  ['tls.requestCerts', { key: 'k', cert: 'c', requestCerts: true }, 'there is no option requestCerts in tls'],
  ['tls.ca', { key: 'k', cert: 'c', ca: 'ca.pem' }, 'has no certificate'],
  ['tls.ca', { key: 'k', cert: 'c', ca: [5] }, 'has no certificate'],
  ['tls.contexts', { contexts: 5 }, 'by host name'],
  ['tls.contexts["a.example"]', { contexts: { 'a.example': 'PRIVATE' } }, 'by host name'],
  [
    'tls.contexts["a.example"].ca',
    { contexts: { 'a.example': { key: 'k', cert: 'c', ca: '' } } },
    'has no certificate',
  ],
  ['tls.contexts["a.example"]', { contexts: { 'a.example': {} } }, 'at least key and cert, or pfx'],
  ['tls.contexts["a.example"]', { contexts: { 'a.example': undefined } }, 'of type undefined'],
  ['tls.contexts["a.example"].cert', { contexts: { 'a.example': { key: 'k' } } }, 'the certificate of key'],
  ['tls.contexts["a.example"].key', { contexts: { 'a.example': { cert: 'c' } } }, 'the key of cert'],
  [
    'tls.contexts["a.example"].crt',
    { contexts: { 'a.example': { key: 'PRIVATE', crt: 'c' } } },
    'there is no option crt in tls.contexts["a.example"]',
  ],
  [
    'tls.contexts["https://a b/"]',
    { contexts: { 'https://a b/': { key: 'k', cert: 'c' } } },
    'a host name such as',
  ],
  ['tls.contexts["A.b"]', { contexts: { 'a.b': { key: 'k', cert: 'c' }, 'A.b': {} } }, 'each host name once'],
  [
    'tls.contexts["a.b"]',
    { SNICallback: () => {}, contexts: { 'a.b': { key: 'k', cert: 'c' } } },
    'give one of the two',
  ],
  ['tls.contexts["a.b"]', { contexts: { 'a.b': { key: 'PRIVATE', cert: 'c' } } }, 'the content of its file'],
])('%s of %j is refused', (option, tls, said) => {
  const error = refusal(() => read(tls));
  expect(error.option).toBe(option);
  expect(error.message).toContain(said);
  expect(error.message).not.toContain('PRIVATE');
});

test.each<[string, unknown, string]>([
  ['tls', null, 'an object such as'],
  ['tls', {}, 'an object with what is new'],
  ['tls', { key: undefined, cert: undefined }, 'an object with what is new'],
  ['tls', { contexts: {} }, 'an object with what is new'],
  ['tls.contexts["a.b"].cert', { contexts: { 'a.b': { key: 'k' } } }, 'the certificate of key'],
  ['tls.kee', { kee: 'k' }, 'there is no option kee in tls'],
  ['tls.cert', { key: 'k' }, 'key and cert together'],
])('a renewal: %s of %j is refused', (option, changes, said) => {
  const error = refusal(() => readTlsChanges(changes));
  expect(error.option).toBe(option);
  expect(error.message).toContain(said);
});

describe.skipIf(!hasOpenssl)(`keys and certificates${skippedTls}`, () => {
  test('are read at once', () => {
    expect(read(certificate().pair)[0]?.tls).toBeDefined();
  });

  test('that do not match, name the key; no error has a key in it', () => {
    const { key } = certificate().pair;
    const error = refusal(() => read({ key, cert: certificate().ca }));
    expect(error.option).toBe('tls.key');
    expect(error.message).toContain('ERR_OSSL_X509_KEY_VALUES_MISMATCH');
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain('PRIVATE');
  });
});

test('a renewal may change one thing, or a key with its certificate', () => {
  expect(readTlsChanges({ key: 'k', cert: 'c' })).toEqual({ key: 'k', cert: 'c' });
  expect(readTlsChanges({ ticketKeys: undefined, requestCert: true })).toEqual({ requestCert: true });
});

test('what node:tls throws for another reason is told as it says it', () => {
  const work = () => {
    throw Object.assign(new Error('The value is wrong'), { code: 'ERR_INVALID_ARG_VALUE' });
  };
  expect(refusal(() => guardTls(work)).message).toContain('node:tls does not take it: The value is wrong');
});
