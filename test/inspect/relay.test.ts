// The relay's memory: what a latecomer gets adds up, and never grows beyond its bounds.

import { describe, expect, test } from 'vitest';
import type { Connection } from '../../src/index.ts';
import { Relay } from '../../src/inspect/relay.ts';
import { closeFrame, continuationFrame, textFrame } from '../support/raw-client.ts';
import { serve, until, words } from '../support/serving.ts';

interface Sent {
  type: string;
  sessionId: string;
  name?: string;
  event?: { type: string };
  snapshot?: { status: string; value: unknown };
}

/** Somebody who watches, and all that was sent to them. */
function watcher() {
  const sent: Sent[] = [];
  const send = (text: string) => void sent.push(JSON.parse(text));
  return { sent, connection: { send } as unknown as Connection };
}

async function relayed(replay: number) {
  const relay = new Relay(replay, () => 1);
  const served = await serve({ onMessage: (connection, message) => void connection.send(message) });
  served.server.inspect((event) => relay.hear(event));
  return { relay, ...served };
}

describe('a latecomer', () => {
  test.each([2, 5, 50])('with replay %i, ends up with what one who was there has seen', async (replay) => {
    const { relay, meet } = await relayed(replay);
    const there = watcher();
    relay.join(there.connection);
    const { client } = await meet();
    const { client: second, connection } = await meet();
    await client.sendBytes(textFrame('a', { fin: false }));
    await second.sendBytes(textFrame('b'));
    await words(second, 1);
    await client.sendBytes(continuationFrame('c'));
    await words(client, 1);
    await second.sendBytes(closeFrame(1000));
    await until(() => connection.state === 'closing');
    const late = watcher();
    relay.join(late.connection);
    const statesOf = (sent: readonly Sent[]) =>
      Object.fromEntries(
        sent.flatMap(({ sessionId, snapshot }) => (snapshot ? [[sessionId, snapshot.value]] : [])),
      );
    expect(statesOf(late.sent)).toEqual(statesOf(there.sent));
    expect(late.sent.filter(({ type }) => type !== '@xstate.actor')).toHaveLength(
      Math.min(replay, there.sent.filter(({ type }) => type !== '@xstate.actor').length),
    );
    expect(late.sent.filter(({ type }) => type !== '@xstate.actor')).toEqual(
      replay === 0 ? [] : there.sent.filter(({ type }) => type !== '@xstate.actor').slice(-replay),
    );
  });

  test('gets the server and the newest actors, no more of those without events than `replay`', async () => {
    const { relay, call, server } = await relayed(2);
    for (let i = 0; i < 6; i++) await call();
    const late = watcher();
    relay.join(late.connection);
    const names = late.sent.flatMap(({ name }) => name ?? []);
    const newest = [...server.connections].slice(-2).map(({ id }) => `connection ${id} /echo`);
    expect(names).toEqual(['server', ...newest]);
  });
});

describe('what is kept', () => {
  test('is at most `replay` events, and no actor that ended before them', async () => {
    const { relay, server, meet } = await relayed(4);
    for (let i = 0; i < 10; i++) {
      const { connection } = await meet();
      connection.terminate();
      await until(() => connection.state === 'closed');
    }
    expect(relay.size.events).toBe(4);
    expect(relay.size.actors).toBeLessThanOrEqual(1 + 4);
    expect(server.connections.size).toBe(0);
  });

  test('of inspectors elsewhere is bounded too, however many actors they announce', () => {
    const relay = new Relay(10, () => 1);
    const sender = watcher().connection;
    for (let i = 0; i < 1000; i++) {
      relay.receive(
        sender,
        JSON.stringify({ type: '@xstate.actor', sessionId: `a${i}`, snapshot: { status: 'active' } }),
      );
    }
    expect(relay.size.actors).toBeLessThanOrEqual(10);
  });
});

describe('what others send', () => {
  test.each([
    ['not JSON', '{'],
    ['null', 'null'],
    ['another type', '{"type":"@xstate.action","sessionId":"a"}'],
    ['no sessionId', '{"type":"@xstate.event"}'],
    ['bytes', new Uint8Array(2)],
  ])('%s is no inspection event', (_what, message) => {
    expect(new Relay(5, () => 1).receive(watcher().connection, message)).toBe(false);
  });

  test('goes to everybody else, not back', () => {
    const relay = new Relay(5, () => 1);
    const [sender, other, gone] = [watcher(), watcher(), watcher()];
    for (const each of [sender, other, gone]) relay.join(each.connection);
    relay.leave(gone.connection);
    const message = { type: '@xstate.event', sessionId: 'a', event: { type: 'tick' } };
    expect(relay.receive(sender.connection, JSON.stringify(message))).toBe(true);
    expect([sender.sent, other.sent, gone.sent]).toEqual([[], [message], []]);
  });
});
