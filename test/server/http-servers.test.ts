/** Who gets a request that comes to an HTTP server. */
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { attach, type Claim, detach, type HttpServer, type Taker } from '../../src/server/http-servers.ts';

/** A taker that takes what is for its path, and what nobody wants. */
function taker(name: string, log: string[], own = name): Taker & { isRunning: boolean } {
  const take = (path: unknown, claim: Claim): boolean => {
    const takes = path === own || claim === 'anything';
    if (takes) log.push(`${name}: ${path}`);
    return takes;
  };
  return {
    isRunning: true,
    leave: ({ url }) => void log.push(`${name} leaves ${url}`),
    takeUpgrade: (request, _socket, _head, claim) => take(request.url, claim),
    takeStream: (_stream, rawHeaders, claim) => take(rawHeaders[1], claim),
  };
}

class FakeServer extends EventEmitter implements HttpServer {
  readonly settings: object[] = [];
  updateSettings = (settings: object) => void this.settings.push(settings);
  upgrade(url: string): void {
    this.emit('upgrade', { url, rawHeaders: ['Upgrade', 'websocket'] }, {}, Buffer.alloc(0));
  }
  stream(path: string, protocol = 'websocket'): boolean {
    const headers = { ':path': path, ':method': 'CONNECT', ':protocol': protocol };
    return this.emit('stream', {}, headers, 0, Object.entries(headers).flat());
  }
}

function both() {
  const [server, log] = [new FakeServer(), [] as string[]];
  const [one, two] = [taker('/one', log), taker('/two', log)];
  attach(server, one);
  attach(server, two);
  return { server, log, one, two };
}

describe('upgrades', () => {
  test('go to whose path it is, else to the first one if nobody else listens', () => {
    const { server, log } = both();
    for (const path of ['/one', '/two', '/three']) server.upgrade(path);
    server.on('upgrade', () => log.push('another'));
    server.upgrade('/three');
    expect(log).toEqual(['/one: /one', '/two: /two', '/one: /three', '/one leaves /three', 'another']);
  });

  test('go first to those that run, also what is for nobody', () => {
    const { server, log, one, two } = both();
    const twin = taker('the twin', log, '/one');
    attach(server, twin);
    one.isRunning = false;
    for (const path of ['/one', '/two', '/three']) server.upgrade(path);
    expect(log.splice(0)).toEqual(['the twin: /one', '/two: /two', '/two: /three']);
    twin.isRunning = false;
    two.isRunning = false;
    for (const path of ['/one', '/two', '/three']) server.upgrade(path);
    expect(log).toEqual(['/one: /one', '/two: /two', '/one: /three']);
  });

  test('that are ours are not shown to others, who might answer them', () => {
    const { server, log } = both();
    server.prependListener('upgrade', () => log.push('another'));
    server.upgrade('/two');
    expect(log).toEqual(['/two: /two']);
  });

  test('that pass by the emit of the server come all the same', () => {
    const { server, log } = both();
    const request = { url: '/two', rawHeaders: ['Upgrade', 'websocket'] };
    EventEmitter.prototype.emit.call(server, 'upgrade', request, {}, Buffer.alloc(0));
    expect(log).toEqual(['/two: /two']);
  });

  test('there is one listener for all, until the last one goes', () => {
    const { server, one, two } = both();
    expect(server.listenerCount('upgrade')).toBe(1);
    detach(server, one);
    detach(server, one);
    expect(server.listenerCount('upgrade')).toBe(1);
    detach(server, two);
    expect(server.listenerCount('upgrade')).toBe(0);
  });
});

describe('streams', () => {
  test('that are ours are not emitted; all others are', () => {
    const { server, log } = both();
    expect(server.stream('/three')).toBe(true);
    server.on('stream', (_stream, headers) =>
      log.push(`emitted: ${headers[':path']} ${headers[':protocol']}`),
    );
    server.stream('/two');
    server.stream('/two', 'connect-udp');
    server.stream('/three');
    expect(log).toEqual([
      '/one: /three',
      '/two: /two',
      'emitted: /two connect-udp',
      'emitted: /three websocket',
    ]);
    expect(server.settings).toEqual([{ enableConnectProtocol: true }]);
  });

  test('emit is as before when the last one has gone, unless somebody else replaced it too', () => {
    const { server, one, two, log } = both();
    const ours = server.emit;
    detach(server, one);
    detach(server, two);
    expect(Object.hasOwn(server, 'emit')).toBe(false);
    attach(server, one);
    const inner = server.emit;
    server.emit = (event, ...values) => inner.call(server, event, ...values);
    detach(server, one);
    expect(server.stream('/one')).toBe(false);
    attach(server, one);
    server.stream('/one');
    expect(log).toEqual(['/one: /one']);
    expect(ours).not.toBe(server.emit);
  });
});

test('an emit of somebody else that was there before comes back', () => {
  const { server, one, two } = both();
  detach(server, one);
  detach(server, two);
  const inner = server.emit;
  const patched: HttpServer['emit'] = (event, ...values) => inner.call(server, event, ...values);
  server.emit = patched;
  attach(server, one);
  expect(server.emit).not.toBe(patched);
  detach(server, one);
  expect(server.emit).toBe(patched);
});

test('attaching twice says no', () => {
  const { server, one } = both();
  expect(attach(server, one)).toBe(false);
  detach(server, one);
  expect(attach(server, one)).toBe(true);
});
