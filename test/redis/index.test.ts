// Redis by a client that the test plays by hand; real servers are in test/engines.

import { expect, test } from 'vitest';
import { eventLoopTurn } from '../../src/io/time/clock.ts';
import { redis } from '../../src/redis/index.ts';
import { encodeEnvelope } from '../../src/topics/envelope.ts';
import { FakeIoRedis } from '../support/fake-redis.ts';

const bytes = Uint8Array.of(1, 2, 3);
const envelope = { origin: 'me', binary: true };

async function begin(client = new FakeIoRedis()) {
  const plane = redis({ client, namespace: 'p' });
  const told: string[] = [];
  await plane.start(
    (topic, got, { origin }) => told.push(`${topic}: ${[...got]} of ${origin}`),
    (error) => told.push(`failed: ${error.message}`),
    (error) => told.push(`trouble: ${error.message}`),
  );
  const [publisher, subscriber] = client.made as [FakeIoRedis, FakeIoRedis];
  return { plane, client, told, publisher, subscriber };
}

test('wrong options are errors at the call', () => {
  expect(() => redis({ client: {} as never })).toThrow(
    'option client is none; allowed is a client of ioredis or of redis',
  );
  expect(() => redis({ client: new FakeIoRedis(), namespace: 'a:b' })).toThrow(/^option namespace/);
});

test('two connections: one publishes, the other subscribes; the client itself is not touched', async () => {
  const { plane, client, told, publisher, subscriber } = await begin();
  plane.subscribe('t');
  plane.publish('t', bytes, envelope);
  plane.unsubscribe('u');
  expect([client.calls, publisher.calls, subscriber.calls]).toEqual([
    [],
    ['connect', 'publish p:t'],
    ['connect', '+p:t'],
  ]);
  subscriber.emit('messageBuffer', Buffer.from('p:t'), Buffer.from(encodeEnvelope(envelope, bytes)));
  subscriber.emit('messageBuffer', Buffer.from('p:t'), Buffer.from('other'));
  plane.unsubscribe('t');
  subscriber.emit('messageBuffer', Buffer.from('p:t'), Buffer.from(encodeEnvelope(envelope, bytes)));
  expect(told).toEqual(['t: 1,2,3 of me', `trouble: a message to "t" is none of Portal's; it is left out`]);
  await plane.stop();
});

test('what Redis refuses is told as trouble', async () => {
  const { plane, told, publisher } = await begin();
  publisher.answer = Promise.reject(new Error('NOPERM'));
  plane.publish('t', bytes, envelope);
  await eventLoopTurn();
  expect(told).toEqual(['trouble: NOPERM']);
  await plane.stop();
});

test('a connection that is lost is told once, with its error, and both are ended', async () => {
  const { plane, told, publisher, subscriber } = await begin();
  publisher.emit('error', new Error('ECONNRESET'));
  publisher.emit('close');
  subscriber.emit('close');
  expect(told).toEqual(['failed: ECONNRESET']);
  expect([publisher.calls.at(-1), subscriber.calls.at(-1)]).toEqual(['disconnect', 'disconnect']);
  expect(() => plane.publish('t', bytes, envelope)).toThrow('there is no connection');
  plane.subscribe('t');
  plane.unsubscribe('t');
});

test('a start that fails ends both connections', async () => {
  const client = new FakeIoRedis();
  client.refuses = new Error('ECONNREFUSED');
  await expect(begin(client)).rejects.toThrow('ECONNREFUSED');
  expect(client.made.map(({ calls }) => calls.at(-1))).toEqual(['disconnect', 'disconnect']);
});

test('a stop lets answers come and ends both', async () => {
  const { plane, told, publisher, subscriber } = await begin();
  await plane.stop();
  publisher.emit('close');
  expect([publisher.calls.slice(-2), subscriber.calls.slice(-2), told]).toEqual([
    ['quit', 'disconnect'],
    ['quit', 'disconnect'],
    [],
  ]);
});
