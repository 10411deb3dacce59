/** Where to listen, as options: what may stand together, and what each error says. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/api/errors.ts';
import { canReusePort, guardTls, readPlaces, readTlsChanges } from '../../../src/api/options/listeners.ts';
import { certificate } from '../../support/carrier.ts';
import { hasOpenssl, skippedTls } from '../../support/certificates.ts';

const read = (options: object) => readPlaces(options, 10_000);

function refusal(work: () => unknown): OptionError {
  try {
    work();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('places', () => {
  test.each([
    [{}, []],
    [{ listeners: [] }, []],
    [{ port: 0 }, [{ port: 0 }]],
    [{ port: 0, socketPath: undefined }, [{ port: 0 }]],
    [{ port: 80, host: '::1' }, [{ port: 80, host: '::1' }]],
    [{ socketPath: '/run/a.sock', socketMode: 0o660 }, [{ socketPath: '/run/a.sock', socketMode: 0o660 }]],
    [{ port: 80, listeners: [{ socketPath: 'a' }] }, [{ port: 80 }, { socketPath: 'a' }]],
    [{ listeners: [{ port: 1 }, { port: 2 }] }, [{ port: 1 }, { port: 2 }]],
  ])('%j', (options, places) => {
    expect(read(options)).toEqual(places);
  });

  test.each<[string, object, string]>([
    ['port', { port: undefined }, 'a whole number from 0 to 65535'],
    ['port', { port: undefined, listeners: [{ port: 1 }] }, 'a whole number from 0 to 65535'],
    ['socketPath', { socketPath: undefined }, 'a path of 1 to'],
    ['fd', { fd: undefined }, 'the descriptor of a socket'],
    ['listeners[0].port', { listeners: [{}] }, 'a whole number from 0 to 65535'],
    ['port', { host: '::1', listeners: [{ port: 1 }] }, 'a whole number from 0 to 65535'],
    ['socketPath', { port: 0, socketPath: 'a' }, 'not together with port'],
    ['fd', { port: 0, fd: 3 }, 'not together with port'],
    ['fd', { socketPath: 'a', fd: 3 }, 'not together with port or socketPath'],
    ['fd', { fd: -1 }, 'the descriptor of a socket'],
    ['fd', { fd: 2 ** 20 }, 'it is not open'],
    ['host', { socketPath: 'a', host: '::1' }, 'only together with port'],
    ['socketPath', { socketPath: '' }, 'a path of 1 to'],
    ['socketPath', { socketPath: 'é'.repeat(60) }, 'has 120 bytes'],
    ['socketPath', { socketPath: 'a\0b' }, 'a path without NUL'],
    ['socketMode', { socketPath: 'a', socketMode: 0o1000 }, 'permissions from 0 to 0o777'],
    ['socketMode', { port: 0, socketMode: 0o600 }, 'only together with socketPath'],
    ['reusePort', { port: 0, reusePort: 1 }, 'true or false'],
    ['reusePort', { socketPath: 'a', reusePort: true }, 'only together with port'],
    ['listeners', { port: 0, listeners: {} }, 'a list of places'],
    ['listeners[0]', { port: 0, listeners: [5] }, 'a place, such as'],
    [
      'listeners[1].cap',
      { listeners: [{ port: 0 }, { port: 0, cap: 1 }] },
      'there is no option cap in listeners[1]',
    ],
    ['listeners[0].port', { port: 0, listeners: [{ port: '80' }] }, 'a whole number from 0 to 65535'],
    ['tls', { port: 0, tls: 'yes' }, 'an object such as { key, cert }'],
    ['tls', { port: 0, tls: {} }, 'at least key and cert, or pfx'],
    ['tls.cert', { port: 0, tls: { key: 'k' } }, 'the certificate of key'],
    ['tls.key', { port: 0, tls: { cert: 'c' } }, 'the key of cert'],
    ['tls.contexts', { port: 0, tls: { contexts: null } }, "an object such as { 'example.com':"],
    ['tls.contexts', { port: 0, tls: { contexts: { 'example.com': 'c' } } }, 'an object such as'],
    ['tls', { port: 0, tls: { key: 'key.pem', cert: 'cert.pem' } }, 'the text of PEM files'],
  ])('%s of %j is refused', (option, options, said) => {
    const error = refusal(() => read(options));
    expect(error.option).toBe(option);
    expect(error.message).toContain(said);
  });

  test.each([
    [{ node: '22.12.0' }, true],
    [{ node: '26.0.0' }, true],
    [{ node: '22.11.0' }, false],
    [{ node: '20.19.0' }, false],
    [{ node: '24.3.0', bun: '1.4.5' }, false],
    [{ node: '24.3.0', deno: '2.9.6' }, false],
  ])('reusePort on %j: %s', (versions, can) => {
    expect(canReusePort(versions)).toBe(can);
  });

  test('reusePort is refused where this Node has it not, and says since when there is one', () => {
    if (canReusePort(process.versions)) expect(read({ port: 0, reusePort: true })).toHaveLength(1);
    else expect(refusal(() => read({ port: 0, reusePort: true })).message).toContain('Node 22.12 or later');
  });
});

describe.skipIf(!hasOpenssl)(`keys and certificates${skippedTls}`, () => {
  test('are read at once', () => {
    expect(read({ port: 0, tls: certificate().pair })[0]?.tls).toBeDefined();
  });

  test('that do not match, name the key; no error has a key in it', () => {
    const { key } = certificate().pair;
    const error = refusal(() => read({ port: 0, tls: { key, cert: certificate().ca } }));
    expect(error.option).toBe('tls.key');
    expect(error.message).toContain('ERR_OSSL_X509_KEY_VALUES_MISMATCH');
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain('PRIVATE');
  });
});

test('a renewal needs key and cert together', () => {
  expect(refusal(() => readTlsChanges({ key: 'k' })).option).toBe('tls.cert');
  expect(refusal(() => readTlsChanges(null)).option).toBe('tls');
  expect(readTlsChanges({ key: 'k', cert: 'c' })).toEqual({ key: 'k', cert: 'c' });
});

test('what node:tls throws for another reason is told as it says it', () => {
  const work = () => {
    throw Object.assign(new Error('The value is wrong'), { code: 'ERR_INVALID_ARG_VALUE' });
  };
  expect(refusal(() => guardTls(work)).message).toContain('node:tls does not take it: The value is wrong');
});
