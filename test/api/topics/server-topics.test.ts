/** What connections do with topics: joining, also as they open, and leaving, also by closing. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Settings } from '../../../src/api/options/options.ts';
import { ServerTopics } from '../../../src/api/topics/server-topics.ts';
import type { Connection, Handlers, Server, ServerOptions } from '../../../src/index.ts';
import { ManualClock } from '../../../src/io/time/manual-clock.ts';
import { Ticker } from '../../../src/io/time/ticker.ts';
import { type TestServer, testServer } from '../../../src/testing/index.ts';
import { refusal } from '../../support/refusal.ts';

let served: TestServer | undefined;
afterEach(async () => {
  await served?.stop();
  served = undefined;
});

async function serve(handlers: Handlers = {}, options: Partial<ServerOptions> = {}) {
  served = await testServer({ paths: { '/': { onMessage: () => {}, ...handlers } }, ...options });
  const { server } = served;
  const errors: unknown[] = [];
  server.errors$.subscribe(({ error }) => errors.push(error));
  const opened: Connection[] = [];
  server.connections$.subscribe((connection) => opened.push(connection));
  const meet = async () => {
    const client = await (served as TestServer).connect('/');
    return { client, connection: opened.at(-1) as Connection };
  };
  return { ...served, server, errors, meet };
}

describe('a connection', () => {
  test('joins, says in what it is, and leaves', async () => {
    const { server, meet } = await serve();
    const { client, connection } = await meet();
    expect([connection.join('a'), connection.join('b'), connection.join('a')]).toEqual([true, true, false]);
    expect(connection.topics).toEqual(['a', 'b']);
    expect(server.topic('a').publish('hello')).toEqual({ sent: 1, queued: 0, dropped: 0 });
    expect(await client.message()).toBe('hello');
    expect([connection.leave('a'), connection.leave('a')]).toEqual([true, false]);
    expect(connection.topics).toEqual(['b']);
    expect(server.topic('a').publish('nobody').sent).toBe(0);
  });

  test('leaves all when it closes, and joins nothing any more', async () => {
    const { server, meet } = await serve();
    const { client, connection } = await meet();
    connection.join('a');
    connection.close();
    expect(server.topic('a').size).toBe(0);
    expect(connection.join('a')).toBe(false);
    await client.closed;
    expect(connection.join('a')).toBe(false);
    expect(connection.topics).toEqual([]);
  });

  test('that its peer drops leaves all', async () => {
    const { server, meet, advance } = await serve();
    const { client, connection } = await meet();
    connection.join('a');
    client.drop();
    await advance(0);
    expect([connection.state, server.topic('a').size]).toEqual(['closed', 0]);
  });

  test('has a uid that no other has, of this server and of any other', async () => {
    const { meet } = await serve();
    const [a, b] = [(await meet()).connection, (await meet()).connection];
    expect(a.uid).toMatch(/^[\w-]{12}\.\d+$/);
    expect(a.uid).toBe(a.uid);
    expect(a.uid).not.toBe(b.uid);
    const elsewhere = await testServer({ paths: { '/': { onOpen: ({ uid }) => uids.push(uid) } } });
    const uids: string[] = [];
    await elsewhere.connect('/');
    await elsewhere.stop();
    expect(uids[0]?.split('.')[0]).not.toBe(a.uid.split('.')[0]);
  });

  test('in maxTopics topics joins no other: the error is its handler’s', async () => {
    const onMessage = (connection: Connection, name: unknown) => void connection.join(name as string);
    const { meet, errors } = await serve({ onMessage }, { maxTopics: 2, maxTopicLength: 3 });
    const { client, connection } = await meet();
    for (const name of ['a', 'b', 'c']) client.send(name);
    expect((await client.closed).code).toBe(1011);
    expect(errors).toMatchObject([
      { name: 'RangeError', message: expect.stringContaining('maxTopics is 2') },
    ]);
    expect(() => connection.join('long')).toThrow('1 to 3 characters (maxTopicLength)');
  });

  test.each<[string, unknown, string]>([
    ['no object', 7, 'options of join'],
    ['an unknown option', { from: 'x' }, 'join.from'],
    ['a since that is no text', { since: 7 }, 'join.since'],
    ['a last that is no number', { last: -1 }, 'join.last'],
    ['positions that are no boolean', { positions: 'yes' }, 'join.positions'],
    ['a first that is no function', { first: 'hello' }, 'join.first'],
  ])('refuses %s', async (_, options, option) => {
    const { meet } = await serve();
    const { connection } = await meet();
    expect(refusal(() => connection.join('a', options as never)).option).toBe(option);
    expect(connection.topics).toEqual([]);
  });

  test('may be given a since that is null, as a query gives it', async () => {
    const { meet } = await serve();
    const { connection } = await meet();
    expect(connection.join('a', { since: connection.query.get('since') })).toBe(true);
  });
});

describe('authorize', () => {
  test('has a connection join as it opens, before onOpen, so nothing is missed', async () => {
    let server: Server | undefined;
    const joined: string[][] = [];
    const { meet, ...made } = await serve({
      authorize: () => ({ join: ['a', { topic: 'b', first: ({ topic }) => `first of ${topic}` }] }),
      onOpen: (connection) => {
        joined.push(connection.topics);
        server?.topic('a').publish('in onOpen');
      },
    });
    server = made.server;
    const { client } = await meet();
    expect(joined).toEqual([['a', 'b']]);
    expect([await client.message(), await client.message()]).toEqual(['first of b', 'in onOpen']);
  });

  test('alone with join lets in, and a list that is empty changes nothing', async () => {
    const { meet } = await serve({ authorize: () => ({ join: [] }) });
    expect((await meet()).connection.topics).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ['no list', 'a', /join of authorize/],
    ['no name', [7], /join of authorize/],
    ['an empty name', [''], /maxTopicLength/],
    ['an unknown option', [{ topic: 'a', from: 1 }], /join\.from|from/],
    ['too many', ['a', 'b', 'c'], /maxTopics is 2/],
  ])('with %s is a mistake: 500, and nothing is joined', async (_, join, message) => {
    const { connect, errors, server } = await serve(
      { authorize: () => ({ join }) as never },
      { maxTopics: 2 },
    );
    await expect(connect('/')).rejects.toMatchObject({ status: 500 });
    expect(errors).toMatchObject([{ message: expect.stringMatching(message) }]);
    expect(server.connections.size).toBe(0);
  });

  test('whose first throws: the connection is closed with 1011, as for any handler', async () => {
    const first = () => {
      throw new Error('no first');
    };
    const { connect, errors, server } = await serve({
      authorize: () => ({ join: [{ topic: 'a', first }] }),
    });
    const client = await connect('/');
    expect((await client.closed).code).toBe(1011);
    expect(errors).toMatchObject([{ message: 'no first' }]);
    expect(server.topic('a').size).toBe(0);
  });

  test('of a client that hangs up meanwhile has nothing joined', async () => {
    let decide: (verdict: { join: string[] }) => void = () => {};
    const { connect, server, advance } = await serve({
      authorize: () =>
        new Promise((resolve) => {
          decide = resolve;
        }),
    });
    const client = connect('/').catch(() => 'gone');
    await advance(0);
    await (served as TestServer).stop();
    decide({ join: ['a'] });
    expect(await client).toBe('gone');
    expect(server.topic('a').size).toBe(0);
  });
});

describe('what authorize wants joined', () => {
  test('counts once for each topic', async () => {
    const { meet } = await serve({ authorize: () => ({ join: ['a', 'a', 'a'] }) }, { maxTopics: 1 });
    expect((await meet()).connection.topics).toEqual(['a']);
  });

  test('is not kept for a peer that has gone meanwhile', () => {
    const clock = new ManualClock();
    const limits = { maxTopics: 5, maxTopicLength: 20, clock } as unknown as Settings;
    const errors = { failed: () => {}, subscriberEnded: () => {} };
    const topics = new ServerTopics(limits, new Ticker(clock), errors);
    const joined: unknown[] = [];
    topics.join = (connection) => {
      joined.push(connection);
      return true;
    };
    const [here, gone] = ['handshaking', 'closed'].map((state) => ({ state }) as Connection);
    for (const connection of [here, gone] as [Connection, Connection]) {
      topics.joinWhenOpen(connection, ['a']);
      topics.opened(connection);
    }
    expect(joined).toEqual([here]);
  });

  test.each([
    [(late: unknown) => late],
    [(late: unknown) => [late]],
    [(since: unknown) => [{ topic: 'a', since }]],
  ])("is no promise: its rejection is nobody else's", async (joinOf) => {
    const authorize = () => ({ join: joinOf(Promise.reject(new Error('late'))) }) as never;
    const { meet, errors } = await serve({ authorize });
    await expect(meet()).rejects.toThrow();
    expect(errors.map((error) => (error as { option?: string }).option?.split(/[ .]/)[0])).toEqual(['join']);
  });
});
