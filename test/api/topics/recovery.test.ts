// A client that loses its connection at random and comes back, while others publish: it has every message once, in order,
// or is told that some are gone.

import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { createServer } from '../../../src/index.ts';
import { type TestClient, type TestServer, testServer } from '../../../src/testing/index.ts';
import { TIMES } from '../../support/times.ts';

const RECONNECTS = 200 * TIMES;
const KEPT = 15;

let served: TestServer | undefined;
afterEach(async () => {
  await served?.stop();
  served = undefined;
});

async function serve() {
  served = await testServer((parts) => {
    const server = createServer(parts);
    server.topics('feed', { history: { size: KEPT } });
    server.path('/feed', {
      authorize: ({ query }) => ({
        join: [
          {
            topic: 'feed',
            since: query.get('since'),
            positions: true,
            first: ({ recovered, position }) => (recovered ? 'recovered' : `from ${position}`),
          },
        ],
      }),
      onMessage: () => {},
    });
    server.path('/publish', {
      onMessage: (_, message) => void server.topic('feed').publish(message),
    });
    return server;
  });
  return served;
}

test(`reconnecting at random ${RECONNECTS} times: no duplicate, and no hole that is not told`, async () => {
  const { connect, server, advance } = await serve();
  const numbers = fc.sample(fc.nat({ max: 999 }), { numRuns: RECONNECTS * 5 }).values();
  const chance = (below: number) => (numbers.next().value ?? 0) % below;
  let published = 0;
  const publishers = [await connect('/publish'), await connect('/publish')];
  const publish = (count: number) => {
    for (let n = 0; n < count; n++) publishers[n % 2]?.send(`${++published}`);
  };
  const topic = server.topic('feed');
  // A listener, so that the history begins once.
  topic.messages$.subscribe();

  let since = '';
  let last = 0;
  let holes = 0;
  const read = async (client: TestClient, count: number) => {
    for (let n = 0; n < count; n++) {
      const [position = '', text] = String(await client.message()).split('\n');
      last++;
      expect([position.split('.')[1], text]).toEqual([`${last}`, expect.any(String)]);
      since = position;
    }
  };
  for (let round = 0; round < RECONNECTS; round++) {
    const client = await connect(`/feed?since=${since}`);
    const first = String(await client.message());
    if (first !== 'recovered') {
      since = first.slice('from '.length);
      const offset = Number(since.split('.')[1]);
      // It is said only when it is true: more are gone than are kept, or it is the first time.
      expect(round === 0 || offset - last > KEPT).toBe(true);
      last = offset;
      holes++;
    }
    publish(chance(4));
    await advance(0);
    // It reads some of what has come, and loses the rest with the connection.
    await read(client, chance(published - last + 1));
    if (chance(2) === 0) client.drop();
    else void client.close();
    publish(chance(20) === 0 ? KEPT + chance(10) : chance(4));
  }
  await advance(0);
  const client = await connect(`/feed?since=${since}`);
  if (String(await client.message()) === 'recovered') await read(client, published - last);
  expect(holes).toBeLessThan(RECONNECTS / 2);
  expect(topic.size).toBe(1);
});
