// What both clients are asked for: connections that neither connect again by themselves nor keep commands for later.

import { expect, test } from 'vitest';
import { connectionLike, isRedisClient } from '../../src/redis/clients.ts';
import { FakeIoRedis, FakeNodeRedis } from '../support/fake-redis.ts';

test('a client is what can be duplicated', () => {
  expect([new FakeIoRedis(), new FakeNodeRedis()].map(isRedisClient)).toEqual([true, true]);
  expect([undefined, null, {}, 'redis://'].map(isRedisClient)).toEqual([false, false, false, false]);
});

test('ioredis', async () => {
  const client = new FakeIoRedis();
  const lost: unknown[] = [];
  const connection = connectionLike(client, 700, (error) => lost.push(error));
  const [own] = client.made;
  expect(own?.overrides).toMatchObject({
    lazyConnect: true,
    connectTimeout: 700,
    enableOfflineQueue: false,
    autoResubscribe: false,
    keyPrefix: '',
  });
  const { retryStrategy } = (own as FakeIoRedis).overrides as { retryStrategy(): unknown };
  expect(retryStrategy()).toBe(null);
  await connection.connect();
  await connection.publish('c', Uint8Array.of(1));
  const heard: unknown[] = [];
  await connection.subscribe('c', (channel, bytes) => heard.push([channel, [...bytes]]));
  own?.emit('messageBuffer', Buffer.from('c'), Buffer.of(1));
  await connection.unsubscribe('c');
  await connection.ping();
  await connection.end();
  connection.destroy();
  expect(heard).toEqual([['c', [1]]]);
  expect(own?.calls).toEqual(['connect', 'publish c', '+c', '-c', 'quit', 'disconnect']);
  own?.emit('close');
  expect(lost).toEqual([undefined]);
});

test('redis', async () => {
  const client = new FakeNodeRedis();
  const lost: unknown[] = [];
  const connection = connectionLike(client, 700, (error) => lost.push(error));
  const [own] = client.made;
  expect(own?.overrides).toEqual({
    socket: { host: 'h', port: 1, connectTimeout: 700, reconnectStrategy: false },
    disableOfflineQueue: true,
  });
  connection.destroy();
  await connection.connect();
  await connection.publish('c', Uint8Array.of(1));
  const heard: unknown[] = [];
  await connection.subscribe('c', (channel, bytes) => heard.push([channel, [...bytes]]));
  own?.listener(Uint8Array.of(1));
  await connection.unsubscribe('c');
  await connection.ping();
  own?.emit('error', new Error('a command failed'));
  expect(lost).toEqual([]);
  await connection.end();
  own?.emit('error', new Error('ECONNRESET'));
  expect(heard).toEqual([['c', [1]]]);
  expect(lost).toMatchObject([{ message: 'ECONNRESET' }]);
  expect(own?.calls).toEqual(['publish c true', '+c true', '-c', 'close']);
});
