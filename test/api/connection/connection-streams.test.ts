/** The streams of one connection: made when they are asked for, and over when nothing can come any more. */
import type { Observable } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/index.ts';
import { type TestServer, testServer } from '../../../src/testing/index.ts';
import { gate, record } from '../../support/serving.ts';

let served: TestServer;
afterEach(() => served.stop());

const NAMES = ['messages$', 'fragments$', 'pings$', 'pongs$', 'drain$', 'state$', 'closed$'] as const;
type Name = (typeof NAMES)[number];
const recorded = (connection: Connection, name: Name) => record<unknown>(connection[name]);

async function meet(onMessage: (connection: Connection, message: unknown) => unknown = () => {}) {
  served = await testServer({ paths: { '/': { onMessage } } });
  const client = await served.connect('/');
  const [connection] = served.server.path('/').connections;
  if (connection === undefined) throw new Error('no connection');
  return { client, connection: connection as Connection };
}

test.each(NAMES)('%s is one stream, however often it is asked for', async (name) => {
  const { connection } = await meet();
  expect(connection[name]).toBe(connection[name]);
});

describe('while the connection is open', () => {
  test.each(NAMES.filter((name) => name !== 'state$'))('%s says nothing by itself', async (name) => {
    const { connection } = await meet();
    expect(recorded(connection, name)).toEqual({ values: [], ends: [] });
  });

  test('state$ says the present state to each subscriber', async () => {
    const { connection } = await meet();
    for (let count = 0; count < 2; count++) {
      expect(recorded(connection, 'state$')).toEqual({ values: ['open'], ends: [] });
    }
  });

  test('each stream gets what is its own', async () => {
    const { client, connection } = await meet();
    const all = Object.fromEntries(NAMES.map((name) => [name, recorded(connection, name).values]));
    client.sendFragments(['he', 'llo']);
    await client.ping('a');
    client.pong('b');
    await served.advance(50);
    const text = (values: unknown[] = []) =>
      values.map((value) => Buffer.from(value as Uint8Array).toString());
    expect(all.messages$).toEqual(['hello']);
    expect(all.fragments$?.map((fragment) => (fragment as { data: unknown }).data).join('')).toBe('hello');
    expect([text(all.pings$), text(all.pongs$)]).toEqual([['a'], ['b']]);
    expect(all.state$).toEqual(['open', 'fragmenting', 'open']);
    expect([all.drain$, all.closed$]).toEqual([[], []]);
  });
});

describe('at the end', () => {
  const REPORT = { code: 1000, reason: 'bye', wasClean: true, initiator: 'peer' };

  test.each(NAMES)('%s completes for those who are there, and for those who come late', async (name) => {
    const { client, connection } = await meet();
    const early = recorded(connection, name);
    await client.close(1000, 'bye');
    await served.advance(50);
    expect(early.ends).toEqual(['complete']);
    const late = recorded(connection, name);
    expect(late.ends).toEqual(['complete']);
    const last: Partial<Record<Name, unknown[]>> = { state$: ['closed'], closed$: [REPORT] };
    expect(late.values).toEqual(last[name] ?? []);
  });

  test.each(NAMES)('%s that is first asked for after the end is over at once', async (name) => {
    const { client, connection } = await meet();
    await client.close(1000, 'bye');
    await served.advance(50);
    const last: Partial<Record<Name, unknown[]>> = { state$: ['closed'], closed$: [REPORT] };
    expect(recorded(connection, name)).toEqual({ values: last[name] ?? [], ends: ['complete'] });
  });

  test('messages that wait for a handler come before the end; only then messages$ is over', async () => {
    const { promise, open } = gate();
    const { client, connection } = await meet((_, message) => (message === 'first' ? promise : undefined));
    const messages = recorded(connection, 'messages$');
    const closed = recorded(connection, 'closed$');
    client.send('first');
    client.send('second');
    void client.close(1000, 'bye');
    await served.advance(50);
    expect([messages.values, messages.ends, closed.ends]).toEqual([['first'], [], []]);
    open();
    await served.advance(50);
    expect([messages.values, messages.ends]).toEqual([['first', 'second'], ['complete']]);
    expect(closed).toEqual({ values: [REPORT], ends: ['complete'] });
  });

  test('where the end is told before the last message, messages$ alone goes on', async () => {
    const { promise, open } = gate();
    const { client, connection } = await meet((_, message) => (message === 'first' ? promise : undefined));
    const messages = recorded(connection, 'messages$');
    client.send('first');
    client.send('second');
    void client.close(1000, 'bye');
    await served.advance(2000);
    expect(recorded(connection, 'closed$')).toEqual({ values: [REPORT], ends: ['complete'] });
    expect(recorded(connection, 'pings$').ends).toEqual(['complete']);
    // Asked for after the end was told: what still waits comes to it, too.
    const fragments = recorded(connection, 'fragments$');
    expect([messages.ends, fragments.ends]).toEqual([[], []]);
    open();
    await served.advance(50);
    expect(messages).toEqual({ values: ['first', 'second'], ends: ['complete'] });
    expect(fragments.ends).toEqual(['complete']);
  });
});

test('what a subscriber throws fails its connection, whichever stream it was', async () => {
  for (const name of NAMES) {
    const { client, connection } = await meet();
    const errors: unknown[] = [];
    served.server.errors$.subscribe(({ error }) => errors.push((error as Error).message));
    const stream: Observable<unknown> = connection[name];
    stream.subscribe(() => {
      throw new Error(name);
    });
    client.send('x');
    client.ping('x').catch(() => {});
    client.pong('x');
    void client.close().catch(() => {});
    await served.advance(50);
    if (name !== 'drain$') expect(errors).toContain(name);
    await served.stop();
  }
});
