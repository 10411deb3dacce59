// What is seen from outside: the option and the method `inspect`, diagnostics channels, `lifecycle$` and counters.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from 'vitest';
import { type AnyActorRef, createActor, createMachine, type InspectionEvent } from 'xstate';
import { discreetEvent, discreetReport, watchables } from '../../../src/api/inspection/inspection.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  pingFrame,
  pongFrame,
  textFrame,
} from '../../support/raw-client.ts';
import { make, record, serve, until, warning, word, words } from '../../support/serving.ts';

const echo = {
  onMessage: (connection: { send(message: string | Uint8Array): unknown }, message: string | Uint8Array) =>
    void connection.send(message),
};

/** The events told of one actor, without those that only carried them: `socket.bytes 11`, `read.continue text 5`. */
function eventsOf(told: readonly InspectionEvent[], sessionId: string): string[] {
  return told.flatMap((each) => {
    if (each.type !== '@xstate.event' || each.actorRef.sessionId !== sessionId) return [];
    const { type, opcode, byteLength } = each.event;
    return [[type, opcode, byteLength].filter((part) => part !== undefined).join(' ')];
  });
}

describe('an inspection observer', () => {
  test('given as the option hears the server from its first event', () => {
    const told: InspectionEvent[] = [];
    const { server } = make({ inspect: (event) => told.push(event) });
    expect(told[0]).toMatchObject({ type: '@xstate.actor', actorRef: server.actor });
  });

  test('sees every frame as an event, with its opcode and length, in order', async () => {
    const told: InspectionEvent[] = [];
    const { meet } = await serve(echo, { inspect: { next: (event) => told.push(event) } });
    const { client, connection } = await meet();
    told.length = 0;
    const chunk = bytes(
      textFrame('hello'),
      pingFrame('abc'),
      textFrame('ab', { fin: false }),
      continuationFrame('c', { fin: false }),
      pongFrame(),
      continuationFrame('def'),
      textFrame(''),
      closeFrame(1000, 'bye'),
    );
    await client.sendBytes(chunk);
    expect(await words(client, 5)).toEqual(['text hello', 'pong abc', 'text abcdef', 'text', 'close 1000']);
    expect(eventsOf(told, connection.actor.sessionId)).toEqual([
      `socket.bytes ${chunk.length}`,
      'read.continue text 5',
      'read.continue ping 3',
      'fragment.begin text 2',
      'read.continue continuation 1',
      'read.continue pong 0',
      'fragment.end continuation 3',
      'read.continue text 0',
      'close.received 3',
    ]);
  });

  test('sees the same events whether it came before the connection or after', async () => {
    const [early, late]: InspectionEvent[][] = [[], []];
    const { server, meet } = await serve(echo, { inspect: (event) => early?.push(event) });
    const { client, connection } = await meet();
    server.inspect((event) => late?.push(event));
    expect(late?.map(({ type, actorRef }) => [type, actorRef])).toEqual([
      ['@xstate.actor', server.actor],
      ['@xstate.actor', connection.actor],
    ]);
    if (early !== undefined) early.length = 0;
    await client.sendBytes(bytes(textFrame('a'), textFrame('b')));
    await words(client, 2);
    const { sessionId } = connection.actor;
    expect(eventsOf(late ?? [], sessionId)).toEqual(eventsOf(early ?? [], sessionId));
    expect(eventsOf(late ?? [], sessionId)).toContain('read.continue text 1');
  });

  test('that has left hears no more, and the last one takes the slowness with it', async () => {
    const told: InspectionEvent[] = [];
    const { server, meet } = await serve(echo);
    const { client } = await meet();
    const core = watchables.get(server)?.core;
    const first = server.inspect((event) => told.push(event));
    const second = server.inspect(() => {});
    first.unsubscribe();
    expect(core?.inspected).toBe(true);
    second.unsubscribe();
    expect(core?.inspected).toBe(false);
    second.unsubscribe();
    told.length = 0;
    await client.sendBytes(textFrame('unseen'));
    await word(client);
    expect(told).toEqual([]);
    server.inspect((event) => told.push(event)).unsubscribe();
    expect(told.map(({ type }) => type)).toEqual(['@xstate.actor', '@xstate.actor']);
  });

  test('is told of a connection again when its path is known: the id, shown as a name, contains it', async () => {
    const names: string[] = [];
    const { meet } = await serve(echo, {
      inspect: (event) => {
        if (event.type === '@xstate.actor')
          setImmediate(() => names.push((event.actorRef as AnyActorRef).id));
      },
    });
    const { connection } = await meet();
    await until(() => names.length === 3);
    expect(names[0]).toBe('server');
    expect(names[1]).toMatch(/^connection \d+( \/echo)?$/);
    expect(names[2]).toBe(`connection ${connection.id} /echo`);
  });

  test('hears of the user’s own actors below a connection, whatever their events hold', async () => {
    const told: InspectionEvent[] = [];
    const { server, meet } = await serve(echo, { inspect: (event) => told.push(event) });
    const { client, connection } = await meet();
    const output = { wasClean: true, reason: 'mine' };
    const own = createMachine({
      initial: 'a',
      states: { a: { on: { 'close.received': 'b' } }, b: { type: 'final' } },
      output,
    });
    const actor = createActor(own, { id: 'own', parent: connection.actor as never }).start();
    actor.send({ type: 'close.received', reason: 1 });
    expect(eventsOf(told, actor.sessionId)).toEqual(['xstate.init', 'close.received']);
    expect(eventsOf(told, connection.actor.sessionId).at(-1)).toBe('xstate.done.actor.own');
    await client.sendBytes(textFrame('alive'));
    expect(await word(client)).toBe('text alive');
    expect(server.stats().connections.open).toBe(1);
  });

  test('that throws fails nothing: it is warned of, and the connection goes on', async () => {
    const { server, meet } = await serve(echo);
    const { client } = await meet();
    const warned = await warning(() => {
      const observer = server.inspect(() => {
        throw new Error('a broken inspector');
      });
      observer.unsubscribe();
    });
    expect(warned.message).toContain('a broken inspector');
    await client.sendBytes(textFrame('alive'));
    expect(await word(client)).toBe('text alive');
  });

  test('hears the length of a chunk at once: its bytes are not there to be read later', async () => {
    const told: InspectionEvent[] = [];
    const { meet } = await serve(echo, { inspect: (event) => told.push(event) });
    const { client } = await meet();
    await client.sendBytes(textFrame('gone'));
    await word(client);
    const chunks = told.filter((each) => 'event' in each && each.event.type === 'socket.bytes');
    expect(chunks.length).toBeGreaterThan(2);
    for (const each of chunks) {
      expect('event' in each && each.event).toEqual({ type: 'socket.bytes', byteLength: expect.any(Number) });
    }
  });
});

describe('events without what was said in them', () => {
  const reason = 'private';
  test.each([
    [{ type: 'socket.bytes', chunk: new Uint8Array(7), shared: true }, { byteLength: 7 }],
    [
      { type: 'close.received', code: 1000, reason: 'é' },
      { code: 1000, byteLength: 2 },
    ],
    [
      { type: 'handshake.refused', response: { status: 403, body: reason } },
      { status: 403, byteLength: 7 },
    ],
    [
      { type: 'handshake.refused', response: { status: 204 } },
      { status: 204, byteLength: 0 },
    ],
    [{ type: 'socket.error', error: new Error('ECONNRESET') }, { message: 'ECONNRESET' }],
    [{ type: 'xstate.init', input: { port: {} } }, {}],
    [
      {
        type: 'xstate.done.actor.connection',
        output: { code: 1000, reason, wasClean: true, initiator: 'peer' },
      },
      { output: { code: 1000, reason: '', wasClean: true, initiator: 'peer' } },
    ],
  ])('%j', (event, shown) => {
    expect(discreetEvent(event)).toEqual({ type: event.type, ...shown });
  });

  test('reasons that this server gave stay', () => {
    const report = { code: 1002, reason: 'frame from a client is not masked', wasClean: false } as const;
    expect(discreetReport({ ...report, initiator: 'server' })).toEqual({ ...report, initiator: 'server' });
  });
});

describe('lifecycle$ and node:diagnostics_channel', () => {
  const subscribed: [string, (message: unknown) => void][] = [];
  const listen = (name: string) => {
    const heard: Record<string, unknown>[] = [];
    const hear = (message: unknown) => void heard.push(message as Record<string, unknown>);
    subscribe(name, hear);
    subscribed.push([name, hear]);
    return heard;
  };
  afterEach(() => {
    for (const [name, hear] of subscribed.splice(0)) unsubscribe(name, hear);
  });

  test('give each change of state as { connection, from, to, event, at }, the same in both', async () => {
    const names = ['open', 'fragmenting', 'closing', 'closed'];
    const channels = names.map((name) => listen(`portal-ws.connection.${name}`));
    const { server, clock, meet } = await serve(echo);
    const { values } = record(server.lifecycle$);
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('a', { fin: false }), continuationFrame('b'), closeFrame(1000)));
    await words(client, 2);
    client.fin();
    await until(() => connection.state === 'closed');
    const at = clock.epochMs();
    expect(values).toEqual([
      { connection, from: 'handshaking', to: 'open', event: 'handshake.accepted', at },
      { connection, from: 'open', to: 'fragmenting', event: 'fragment.begin', at },
      { connection, from: 'fragmenting', to: 'open', event: 'fragment.end', at },
      { connection, from: 'open', to: 'closing', event: 'close.received', at },
      { connection, from: 'closing', to: 'closed', event: expect.stringMatching(/^socket\./), at },
    ]);
    for (const [index, name] of names.entries()) {
      expect(channels[index]).toEqual(values.filter(({ to }) => to === name));
    }
  });

  test('tell of the server too: { server, from, to, at }, and the error of one that failed', async () => {
    const states = ['starting', 'listening', 'draining', 'stopped', 'failed'] as const;
    const heard = states.map((state) => listen(`portal-ws.server.${state}`));
    const { server, port } = await serve();
    await server.stop();
    expect(heard.flat().map(({ from, to }) => `${from} → ${to}`)).toEqual([
      'stopped → starting',
      'starting → listening',
      'listening → draining',
      'draining → stopped',
    ]);
    expect(heard[1]?.[0]).toEqual({ server, from: 'starting', to: 'listening', at: expect.any(Number) });
    await server.start();
    const second = make({ port: server.address()?.port ?? port }).server;
    await expect(second.start()).rejects.toThrow(/in use/);
    expect(heard[4]).toEqual([
      { server: second, from: 'starting', to: 'failed', at: expect.any(Number), error: expect.any(Error) },
    ]);
  });
});

describe('counters', () => {
  test('of a connection: messages, bytes as on the wire, what waits, age', async () => {
    const { clock, meet } = await serve(echo);
    const { client, connection } = await meet();
    const before = connection.stats();
    expect(before).toMatchObject({ messagesIn: 0, messagesOut: 0, buffered: 0, age: 0, rtt: undefined });
    const frames = bytes(
      textFrame('hello'),
      textFrame('a', { fin: false }),
      continuationFrame('b'),
      pingFrame(),
    );
    await client.sendBytes(frames);
    await words(client, 3);
    clock.advance(1000);
    expect(connection.stats()).toMatchObject({
      messagesIn: 2,
      messagesOut: 2,
      bytesIn: before.bytesIn + frames.length,
      bytesOut: before.bytesOut + 7 + 4 + 2,
      age: 1000,
    });
  });

  test.each([
    ['a small text', 'x'],
    ['a large text', 'x'.repeat(40_000)],
    ['small bytes', new Uint8Array(3)],
    ['large bytes', new Uint8Array(70_000)],
  ])('count %s once, whichever way it goes out', async (_kind, message) => {
    const { meet } = await serve();
    const { client, connection } = await meet();
    const { bytesOut } = connection.stats();
    connection.send(message);
    await word(client);
    const header = message.length < 126 ? 2 : message.length < 65_536 ? 4 : 10;
    expect(connection.stats()).toMatchObject({
      messagesOut: 1,
      bytesOut: bytesOut + header + message.length,
    });
  });

  test('count a message in fragments once', async () => {
    const { meet } = await serve();
    const { client, connection } = await meet();
    await connection.sendFragments(['a', 'b', 'c']);
    await client.nextFrame();
    expect(connection.stats().messagesOut).toBe(1);
  });
});
