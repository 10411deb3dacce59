import { expect, test } from 'vitest';
import { readAdapterOptions, readGatewayOptions } from '../../src/nest/options.ts';

test('options of the adapter are those of the servers; those of a place are for own ports', () => {
  const { own, attached, stop } = readAdapterOptions({ cap: 5, host: '127.0.0.1', stop: { code: 1012 } });
  expect(own).toEqual({ cap: 5, host: '127.0.0.1' });
  expect(attached).toEqual({ cap: 5 });
  expect(stop).toEqual({ code: 1012 });
});

test.each([
  [{ port: 1 }, /no option port: where it listens is said by @WebSocketGateway/],
  [{ paths: {} }, /no option paths/],
  [{ onMessage() {} }, /no option onMessage/],
  [{ authorize: () => true }, /no option authorize/],
  [{ nonsense: 1 }, /no option nonsense/],
  [{ cap: -1 }, /cap/],
  [{ stop: { soon: true } }, /stop has no option soon/],
  [5, /option options is 5; allowed is an object/],
])('of the adapter: %j', (options, message) => {
  expect(() => readAdapterOptions(options as never)).toThrow(message);
});

test('stop is checked as by server.stop', () => {
  expect(() => readAdapterOptions({ stop: { code: 1006 } })).toThrow(RangeError);
});

test.each([
  [{}, '/'],
  [{ path: '/chat' }, '/chat'],
  [{ path: 'chat' }, '/chat'],
  [{ path: '*' }, '*'],
  [{ path: undefined }, '/'],
])('the path of a gateway with %j is %s', (options, path) => {
  expect(readGatewayOptions(options)).toEqual({ path, handlers: {} });
});

test('handlers of a gateway', () => {
  const handlers = { authorize: () => true, onError: () => 'continue' as const, subprotocols: ['a'] };
  expect(readGatewayOptions({ path: '/a', ...handlers })).toEqual({ path: '/a', handlers });
});

test.each([
  [{ namespace: 'chat' }, /no option namespace; it has path, .*give each gateway a path/],
  [{ cors: true }, /origins/],
  [{ server: {} }, /port 0/],
  [{ maxPayload: 1 }, /Limits are options of the adapter/],
  [{ path: 5 }, /option path is 5/],
])('of a gateway: %j', (options, message) => {
  expect(() => readGatewayOptions(options as never)).toThrow(message);
});
