// The feed of the live page: samples, not events; only the rows that are asked for; nothing to one that does not read.

import { describe, expect, test } from 'vitest';
import { watchables } from '../../src/api/inspection/inspection.ts';
import type { Connection } from '../../src/index.ts';
import { type Entry, Live, SAMPLE_MS } from '../../src/inspect/live.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { closeFrame, textFrame } from '../support/raw-client.ts';
import { reportOf, serve, until, word } from '../support/serving.ts';

interface Sample {
  type: string;
  message?: string;
  total: number;
  rows: { id: number; path: string; state: string }[];
  stats: { connections: Record<string, number> };
  chosen: { id: number; value: string | null; entries: Entry[]; skipped: number } | null;
}

async function watched() {
  const served = await serve({ onMessage: (connection, message) => void connection.send(message) });
  const watchable = watchables.get(served.server);
  if (watchable === undefined) throw new Error('every server can be watched');
  const beat = new ManualClock();
  const live = new Live(watchable.core, beat);
  served.server.inspect((event) => live.hear(event));
  const samples: Sample[] = [];
  const page = {
    bufferedAmount: 0,
    send: (text: string) => void samples.push(JSON.parse(text)),
  };
  const connection = page as unknown as Connection;
  const ask = (request: object) => {
    live.receive(connection, JSON.stringify(request));
    return samples.at(-1) as Sample;
  };
  live.join(connection);
  return { ...served, live, beat, page, connection, samples, ask };
}

describe('samples', () => {
  test('come at their pace, whatever happens in between', async () => {
    const { samples, beat, meet } = await watched();
    expect(samples).toHaveLength(1);
    const { client } = await meet();
    for (let i = 0; i < 50; i++) {
      await client.sendBytes(textFrame('x'));
      await word(client);
    }
    expect(samples).toHaveLength(1);
    beat.advance(SAMPLE_MS);
    expect(samples).toHaveLength(2);
    expect(samples.at(-1)?.stats.connections).toEqual({
      handshaking: 0,
      open: 1,
      fragmenting: 0,
      closing: 0,
    });
  });

  test('stop when the last page has gone', async () => {
    const { samples, beat, live, connection } = await watched();
    live.leave(connection);
    beat.advance(10 * SAMPLE_MS);
    expect(samples).toHaveLength(1);
  });

  test('are left out for a page that does not read', async () => {
    const { samples, beat, page } = await watched();
    page.bufferedAmount = 256 * 1024 + 1;
    beat.advance(SAMPLE_MS);
    expect(samples).toHaveLength(1);
    page.bufferedAmount = 256 * 1024;
    beat.advance(SAMPLE_MS);
    expect(samples).toHaveLength(2);
  });
});

describe('rows', () => {
  test('are those in sight, of those that the filters leave', async () => {
    const { server, call, meet, ask } = await watched();
    server.path('/prices/:symbol', { onMessage() {} });
    for (let i = 0; i < 5; i++) await call();
    const { client, connection } = await meet({ path: '/prices/ACME' });
    const all = [...server.connections].map(({ id }) => id);
    const view = (request: object) => {
      const { total, rows } = ask({ type: 'view', ...request });
      return [total, rows.map(({ id }) => id)];
    };
    expect(view({ from: 0, count: 100 })).toEqual([6, all]);
    expect(view({ from: 2, count: 3 })).toEqual([6, all.slice(2, 5)]);
    expect(view({ from: 0, count: 100, path: 'prices' })).toEqual([1, [connection.id]]);
    await client.sendBytes(textFrame('x', { fin: false }));
    await until(() => connection.state === 'fragmenting');
    expect(view({ from: 0, count: 100, state: 'fragmenting' })).toEqual([1, [connection.id]]);
    expect(view({ from: 0, count: 100, state: 'closing' })).toEqual([0, []]);
    expect(view({ from: -1, count: 1e9 })).toEqual([6, all]);
    expect(view({ from: 0.5, count: Number.NaN })).toEqual([6, []]);
  });

  test('are at most 200 in a sample', async () => {
    const { call, ask } = await watched();
    for (let i = 0; i < 201; i++) await call();
    expect(ask({ type: 'view', from: 0, count: 1000 }).rows).toHaveLength(200);
  });
});

describe('the chosen one', () => {
  test('comes with what happened before it was chosen, then with what is new', async () => {
    const { meet, ask, beat, samples } = await watched();
    const { client, connection } = await meet();
    const first = ask({ type: 'choose', id: connection.id }).chosen;
    expect(first?.value).toBe('open');
    expect(first?.entries.at(-1)).toEqual({
      id: connection.id,
      at: expect.any(Number),
      event: 'handshake.accepted',
      from: 'handshaking.reading',
      to: 'open',
    });
    await client.sendBytes(textFrame('four', { fin: false }));
    await until(() => connection.state === 'fragmenting');
    beat.advance(SAMPLE_MS);
    const entries = samples
      .at(-1)
      ?.chosen?.entries.map(({ event, from, to, bytes, opcode }) => [event, from, to, bytes, opcode]);
    expect(entries).toEqual([
      ['socket.bytes', 'open', 'open', 10, undefined],
      ['fragment.begin', 'open', 'fragmenting', 4, 'text'],
    ]);
    beat.advance(SAMPLE_MS);
    expect(samples.at(-1)?.chosen?.entries).toEqual([]);
  });

  test('is told with its newest 200 events, and how many are left out', async () => {
    const { meet, ask } = await watched();
    const { client, connection } = await meet();
    await client.sendBytes(Buffer.concat(Array.from({ length: 300 }, () => textFrame('x'))));
    await until(() => connection.stats().messagesIn === 300);
    const chosen = ask({ type: 'choose', id: connection.id }).chosen;
    expect(chosen?.entries).toHaveLength(200);
    expect(chosen?.skipped).toBeGreaterThan(100);
  });

  test('stays to be seen when it has closed; one that never was is gone', async () => {
    const { meet, ask, beat, samples } = await watched();
    const { client, connection } = await meet();
    ask({ type: 'choose', id: connection.id });
    await client.sendBytes(closeFrame(1000));
    await client.ended();
    client.fin();
    await until(() => connection.state === 'closed');
    beat.advance(SAMPLE_MS);
    expect(samples.at(-1)?.chosen).toMatchObject({ value: 'closed', report: { code: 1000, wasClean: true } });
    expect(ask({ type: 'choose', id: 1e9 }).chosen?.value).toBe(null);
    expect(ask({ type: 'choose', id: 'x' }).chosen).toBe(null);
  });

  test('the reason of the peer’s Close is hidden, as everywhere else', async () => {
    const { meet, ask, beat, samples } = await watched();
    const { client, connection } = await meet();
    ask({ type: 'choose', id: connection.id });
    const ended = reportOf(connection);
    await client.sendBytes(closeFrame(4001, 'my password is 1234'));
    client.fin();
    expect((await ended).reason).toBe('my password is 1234');
    beat.advance(SAMPLE_MS);
    expect(samples.at(-1)?.chosen).toMatchObject({ report: { code: 4001, reason: '' } });
    expect(JSON.stringify(samples)).not.toContain('1234');
  });

  test('is the server under the number 0', async () => {
    const { server, ask, beat, samples } = await watched();
    expect(ask({ type: 'choose', id: 0 }).chosen?.value).toBe('listening');
    await server.stop();
    beat.advance(SAMPLE_MS);
    const changes = samples.at(-1)?.chosen?.entries.map(({ event, from, to }) => `${from} → ${to} ${event}`);
    expect(changes).toEqual([
      'listening → draining.leaving server.stop',
      'draining.leaving → draining.releasing drain.progress',
      'draining.releasing → stopped listener.closed',
    ]);
  });
});

describe('requests', () => {
  test('close a connection with a code and a reason', async () => {
    const { meet, ask } = await watched();
    const { client, connection } = await meet();
    expect(ask({ type: 'close', id: connection.id, code: 4000, reason: 'enough' }).type).toBe('sample');
    expect(await word(client)).toBe('close 4000 enough');
  });

  test('that cannot be done are answered, and change nothing', async () => {
    const { meet, ask, live, connection: page, samples } = await watched();
    const { connection } = await meet();
    expect(ask({ type: 'close', id: connection.id, code: 1006 })).toMatchObject({ type: 'problem' });
    expect(ask({ type: 'close', id: 1e9, code: 1000 })).toEqual({
      type: 'problem',
      message: 'that connection has gone',
    });
    expect(ask({ type: 'dance' })).toMatchObject({ type: 'problem', message: 'no such request: dance' });
    live.receive(page, 'no JSON');
    expect(samples.at(-1)?.type).toBe('problem');
    live.receive(page, 'null');
    expect(samples.at(-1)?.type).toBe('problem');
    expect(connection.state).toBe('open');
  });
});
