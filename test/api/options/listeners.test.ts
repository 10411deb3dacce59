/** Where to listen, as options: what may stand together, and what each error says. */
import net from 'node:net';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canReusePort, readPlaces } from '../../../src/api/options/listeners.ts';
import { MOST_PATH_BYTES } from '../../../src/server/places.ts';
import { refusal } from '../../support/refusal.ts';

const isLinux = process.platform === 'linux';
const read = (options: object) => readPlaces(options, 10_000);

describe('places', () => {
  test.each([
    [{}, []],
    [{ listeners: [] }, []],
    [{ port: 0 }, [{ port: 0 }]],
    [{ port: 0, socketPath: undefined }, [{ port: 0 }]],
    [{ port: 80, host: '::1' }, [{ port: 80, host: '::1' }]],
    [{ socketPath: '/run/a.sock', socketMode: 0o660 }, [{ socketPath: '/run/a.sock', socketMode: 0o660 }]],
    [{ port: 80, listeners: [{ socketPath: 'a' }] }, [{ port: 80 }, { socketPath: resolve('a') }]],
    [{ socketPath: '../b/./a' }, [{ socketPath: resolve('../b/a') }]],
    [{ listeners: [{ port: 1 }, { port: 2 }] }, [{ port: 1 }, { port: 2 }]],
  ])('%j', (options, places) => {
    expect(read(options)).toEqual(places);
  });

  test.each<[string, object, string]>([
    ['port', { port: undefined }, 'a whole number from 0 to 65535'],
    ['port', { port: undefined, listeners: [{ port: 1 }] }, 'a whole number from 0 to 65535'],
    ['socketPath', { socketPath: undefined }, 'a path of 1 to'],
    ['fd', { fd: undefined }, 'the descriptor of a socket'],
    ['listeners[0]', { listeners: [{}] }, 'a place, with port, socketPath or fd'],
    ['host', { host: '::1', listeners: [{ port: 1 }] }, 'only together with port'],
    ['listeners[0].reusePort', { listeners: [{ reusePort: true }] }, 'only together with port'],
    ['socketMode', { socketMode: 0o600 }, 'only together with socketPath'],
    ['tls', { tls: { key: 'k', cert: 'c' } }, 'attached to an HTTP server, give the certificate to that one'],
    ['listeners[0].tls', { listeners: [{ tls: {} }] }, 'only together with port, socketPath or fd'],
    [
      'socketMode',
      { socketPath: '\0a', socketMode: 0o600 },
      isLinux ? 'an abstract socket has no permissions' : 'without NUL',
    ],
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
  ])('%s of %j is refused', (option, options, said) => {
    const error = refusal(() => read(options));
    expect(error.option).toBe(option);
    expect(error.message).toContain(said);
  });

  test('a relative path that would be too long from the root stays as it is', () => {
    const path = 'a'.repeat(MOST_PATH_BYTES);
    expect(read({ socketPath: path })).toEqual([{ socketPath: path }]);
  });

  test.runIf(isLinux)('an abstract socket has no folder', () => {
    expect(read({ socketPath: '\0a' })).toEqual([{ socketPath: '\0a' }]);
  });

  test('a descriptor that is there twice is refused', async () => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const error = refusal(() => read({ fd, listeners: [{ port: 1 }, { fd }] }));
    expect([error.option, error.message]).toEqual([
      'listeners[1].fd',
      expect.stringContaining(`${fd} is there twice`),
    ]);
    await new Promise((resolve) => server.close(resolve));
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
