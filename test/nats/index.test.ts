// NATS by a connection of the user's that the test plays by hand; real servers are in test/engines.

import { expect, test } from 'vitest';
import { eventLoopTurn } from '../../src/io/time/clock.ts';
import { nats } from '../../src/nats/index.ts';
import { encodeEnvelope } from '../../src/topics/envelope.ts';
import { MAX_UNCONFIRMED } from '../../src/topics/unconfirmed.ts';
import { FakeNats } from '../support/fake-nats.ts';

const bytes = Uint8Array.of(1, 2, 3);
const envelope = { origin: 'me', binary: true };

async function begin(connection = new FakeNats()) {
  const plane = nats({ connection, namespace: 'p' });
  const told: string[] = [];
  await plane.start(
    (topic, got, { origin }) => told.push(`${topic}: ${[...got]} of ${origin}`),
    (error) => told.push(`failed: ${error.message}`),
    (error) => told.push(`trouble: ${error.message}`),
  );
  return { plane, connection, told };
}

test('a name space that is none is an error at the call', () => {
  expect(() => nats({ namespace: 'a.b' })).toThrow(/^option namespace is "a.b"; allowed is/);
});

test('subscribes to subjects, and delivers a copy of what comes', async () => {
  const { plane, connection, told } = await begin();
  plane.subscribe('a b');
  const block = encodeEnvelope(envelope, bytes);
  connection.callbacks.get('p.a%20b')?.(null, { data: block });
  expect(told).toEqual(['a b: 1,2,3 of me']);
  plane.unsubscribe('a b');
  plane.unsubscribe('a b');
  connection.callbacks.get('p.a%20b')?.(null, { data: block });
  expect(told).toHaveLength(1);
  expect(connection.calls).toEqual(['+p.a%20b', '-p.a%20b']);
});

test('what is none of Portal’s, and what NATS says of a subscription, is told and not delivered', async () => {
  const { plane, connection, told } = await begin();
  plane.subscribe('t');
  connection.callbacks.get('p.t')?.(null, { data: Uint8Array.of(0) });
  connection.callbacks.get('p.t')?.(new Error('permissions violation'), { data: bytes });
  connection.tell({ type: 'error', error: new Error('of the server') });
  connection.tell({ type: 'ping' });
  await eventLoopTurn();
  expect(told).toEqual([
    `trouble: a message to "t" is none of Portal's; it is left out`,
    'trouble: permissions violation',
    'trouble: of the server',
  ]);
});

test.each(['disconnect', 'close'])('a connection that is lost is told once (%s)', async (how) => {
  const { plane, connection, told } = await begin();
  plane.subscribe('t');
  if (how === 'disconnect') connection.tell({ type: 'disconnect' });
  else connection.end(new Error('stale connection'));
  await eventLoopTurn();
  connection.end();
  await eventLoopTurn();
  expect(told).toEqual([how === 'close' ? 'failed: stale connection' : 'failed: the connection is lost']);
  expect(connection.calls).toEqual(how === 'close' ? ['+p.t'] : ['+p.t', '-p.t']);
  expect(() => plane.publish('t', bytes, envelope)).toThrow('there is no connection');
  plane.subscribe('t');
});

test('a connection that does not answer cannot be started with', async () => {
  const connection = new FakeNats();
  connection.pings = Promise.reject(new Error('disconnected'));
  await expect(begin(connection)).rejects.toThrow('disconnected');
});

test('a stop flushes, and leaves the connection open, which is the user’s', async () => {
  const { plane, connection, told } = await begin();
  plane.publish('t', bytes, envelope);
  await plane.stop();
  expect(connection.calls).toEqual(['flush']);
  connection.end();
  await eventLoopTurn();
  expect(told).toEqual([]);
});

test('a message that NATS does not take throws, and counts for nothing', async () => {
  const { plane, connection } = await begin();
  connection.refuses = new Error('max_payload size exceeded');
  const large = new Uint8Array(MAX_UNCONFIRMED - 100);
  for (let n = 0; n < 2; n++) expect(() => plane.publish('t', large, envelope)).toThrow('max_payload');
});

test('what the server does not confirm is bounded', async () => {
  const { plane, connection } = await begin();
  let confirm = () => {};
  connection.flushes = new Promise((resolve) => {
    confirm = resolve;
  });
  const half = new Uint8Array(MAX_UNCONFIRMED / 2 - 100);
  plane.publish('t', half, envelope);
  plane.publish('t', half, envelope);
  connection.published = [];
  expect(() => plane.publish('t', half, envelope)).toThrow(/does not keep up/);
  confirm();
  await eventLoopTurn();
  plane.publish('t', half, envelope);
  expect(connection.published).toHaveLength(1);
});
