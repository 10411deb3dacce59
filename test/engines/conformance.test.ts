// The conformance suite on real engines: NATS by a connection of its own and by one of the user's, Redis by both clients.

import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { nats } from '../../src/nats/index.ts';
import { redis } from '../../src/redis/index.ts';
import { backplaneTests } from '../../src/testing/backplane.ts';
import { Engine, isInstalled } from './programs.ts';

let engine: Engine;
const restart = async () => {
  await engine.kill();
  await engine.start();
};

describe.skipIf(!isInstalled('nats'))('nats-server', () => {
  beforeAll(async () => {
    engine = await Engine.start('nats');
  });
  afterAll(() => engine?.end());

  const create = (namespace: string) => nats({ servers: engine.url, namespace });
  test.each(backplaneTests({ create, restart }))('$name', ({ run }) => run());

  describe('by connections of the user’s', () => {
    const connections: Awaited<ReturnType<typeof connect>>[] = [];
    beforeAll(async () => {
      for (let n = 0; n < 4; n++)
        connections.push(
          await connect({
            servers: engine.url,
            noEcho: true,
            reconnectTimeWait: 50,
            maxReconnectAttempts: -1,
          }),
        );
    });
    afterAll(async () => {
      for (const connection of connections) await connection.close();
    });
    let turn = 0;
    const create = (namespace: string) => {
      turn++;
      return nats({ connection: connections[turn % 4], namespace });
    };
    test.each(backplaneTests({ create, restart }))('$name', ({ run }) => run());
  });
});

describe.skipIf(!isInstalled('redis'))('redis-server', () => {
  beforeAll(async () => {
    engine = await Engine.start('redis');
  });
  afterAll(() => engine?.end());

  describe('by ioredis', () => {
    const create = (namespace: string) =>
      redis({ client: new Redis(engine.url, { lazyConnect: true, keyPrefix: 'p:' }), namespace });
    test.each(backplaneTests({ create, restart }))('$name', ({ run }) => run());
  });

  describe('by redis', () => {
    const create = (namespace: string) => redis({ client: createClient({ url: engine.url }), namespace });
    test.each(backplaneTests({ create, restart }))('$name', ({ run }) => run());
  });
});
