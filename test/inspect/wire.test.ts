// The wire format, against what `@statelyai/inspect` itself makes of the same inspection events.

import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import { describe, expect, test } from 'vitest';
import { type AnyActorRef, createActor, createMachine, fromPromise, type InspectionEvent } from 'xstate';
import {
  actorMessage,
  eventMessage,
  nameOf,
  pathOf,
  snapshotMessage,
  snapshotOf,
  WIRE_VERSION,
} from '../../src/inspect/wire.ts';
import { closeFrame, textFrame } from '../support/raw-client.ts';
import { make, serve, until, word } from '../support/serving.ts';

/** What the official library sends for one event; it does so once the event loop has turned. */
async function official(event: InspectionEvent): Promise<StatelyInspectionEvent> {
  const sent: StatelyInspectionEvent[] = [];
  createInspector({ send: (message) => void sent.push(message) }).inspect.next?.(event);
  await until(() => sent.length > 0);
  return sent[0] as StatelyInspectionEvent;
}

const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
const keys = (value: unknown) => Object.keys(value as object).sort();

describe('messages', () => {
  test('have the members of the official ones, in their types, and the version of the library', async () => {
    const told: InspectionEvent[] = [];
    const { server, meet } = await serve({ onMessage() {} }, { inspect: (event) => told.push(event) });
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('x'));
    await until(() => connection.stats().messagesIn === 1);
    const rootId = server.actor.sessionId;
    const actor = connection.actor as unknown as AnyActorRef;
    const eventTold = told.findLast((each) => each.type === '@xstate.event') as InspectionEvent & {
      type: '@xstate.event';
    };
    const snapshotTold = told.findLast((each) => each.type === '@xstate.snapshot') as InspectionEvent & {
      type: '@xstate.snapshot';
    };
    const pairs = [
      [actorMessage(actor, rootId, 5), await official({ type: '@xstate.actor', actorRef: actor, rootId })],
      [eventMessage(eventTold, 5), await official(eventTold)],
      [snapshotMessage(snapshotTold, 5), await official(snapshotTold)],
    ] as const;
    for (const [ours, theirs] of pairs) {
      expect(keys(ours)).toEqual(keys(theirs));
      const same = ['type', 'sessionId', 'rootId', 'id', '_version'] as const;
      for (const member of same) expect([member, ours[member]]).toEqual([member, theirs[member]]);
      expect(ours.createdAt).toBe('5');
      expect(theirs.createdAt).toMatch(/^\d+$/);
    }
    const [[ourActor, theirActor], [ourEvent, theirEvent], [ourSnapshot, theirSnapshot]] = pairs;
    const definition = (message: unknown) =>
      JSON.parse((message as { definition: string }).definition).states;
    expect(definition(ourActor)).toEqual(definition(theirActor));
    expect(ourActor.parentId).toBe((theirActor as { parentId?: string }).parentId);
    expect(plain(ourEvent.event)).toEqual(plain((theirEvent as { event: unknown }).event));
    const theirs = plain((theirSnapshot as { snapshot: unknown }).snapshot);
    expect(ourSnapshot.snapshot).toMatchObject({ status: theirs.status, value: theirs.value });
    expect(WIRE_VERSION).toBe(ourActor._version);
  });

  test('a snapshot names the connection in place of its port, and keeps the peer out of the report', async () => {
    const { meet } = await serve({ onMessage() {} });
    const { client, connection } = await meet();
    const actor = connection.actor as unknown as AnyActorRef;
    expect(nameOf(actor)).toBe(`connection ${connection.id} /echo`);
    await client.sendBytes(closeFrame(3000, 'private'));
    await word(client);
    const { snapshot } = actorMessage(actor, 'x:0', 0);
    expect(plain(snapshot)).toEqual({
      status: 'active',
      value: { closing: 'remote' },
      context: {
        id: connection.id,
        path: '/echo',
        remoteAddress: '127.0.0.1',
        transport: 'tcp',
        report: { code: 3000, reason: '', wasClean: true, initiator: 'peer' },
      },
    });
  });

  test('the server is named, and its failure said in words', async () => {
    const { server, port } = await serve();
    const second = make({ port }).server;
    await second.start().catch(() => {});
    const actor = second.actor as unknown as AnyActorRef;
    expect(nameOf(actor)).toBe('server');
    expect(actorMessage(actor, actor.sessionId, 0)).toMatchObject({
      parentId: undefined,
      snapshot: {
        value: 'failed',
        context: { state: 'failed', connections: 0, error: expect.stringMatching(/in use/) },
      },
    });
    expect(snapshotOf(server.actor as unknown as AnyActorRef)?.value).toBe('listening');
  });
});

describe('actors of the user’s', () => {
  /** An actor with this context, below a connection. */
  async function below(context: Record<string, unknown>) {
    const { server, meet } = await serve({ onMessage() {} });
    const { connection } = await meet();
    const machine = createMachine({ id: 'station', initial: 'a', context, states: { a: {} } });
    const actor = createActor(machine, { parent: connection.actor as never }).start();
    return { actor: actor as unknown as AnyActorRef, connection, rootId: server.actor.sessionId };
  }

  test('are shown below their connection, by the id of their machine where they have none', async () => {
    const { actor, connection, rootId } = await below({ count: 1 });
    expect(actorMessage(actor, rootId, 0)).toMatchObject({
      name: 'station',
      parentId: connection.actor.sessionId,
      rootId,
      snapshot: { status: 'active', value: 'a', context: { count: 1 } },
    });
    const named = createActor(
      fromPromise(() => new Promise(() => {})),
      { id: 'lookup' },
    );
    expect(actorMessage(named as unknown as AnyActorRef, rootId, 0)).toMatchObject({
      name: 'lookup',
      definition: undefined,
      snapshot: { status: 'active' },
    });
  });

  test('are shown as far as JSON can hold them', async () => {
    const context = { bytes: Buffer.from('abc'), error: new TypeError('no'), big: 1n, run: () => undefined };
    const { actor, rootId } = await below(context);
    expect(actorMessage(actor, rootId, 0).snapshot.context).toEqual({
      bytes: { byteLength: 3 },
      error: { name: 'TypeError', message: 'no' },
      big: '1',
    });
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const { actor: other } = await below(circle);
    expect(actorMessage(other, rootId, 0).snapshot).toMatchObject({
      value: 'a',
      context: { unshown: expect.stringContaining('circular') },
    });
    const event = { type: 'next', circle };
    const told = { type: '@xstate.event', actorRef: other, rootId, sourceRef: undefined, event } as const;
    expect(eventMessage(told, 0).event).toEqual({
      type: 'next',
      unshown: expect.stringContaining('circular'),
    });
  });

  test('tell a connection of their end in a message that JSON can hold', async () => {
    const { connection, rootId } = await below({});
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const actorRef = connection.actor as unknown as AnyActorRef;
    const event = { type: 'xstate.done.actor.station', output: circle };
    const told = { type: '@xstate.event', actorRef, rootId, sourceRef: undefined, event } as const;
    expect(JSON.stringify(eventMessage(told, 0))).toContain('xstate.done.actor.station');
  });
});

test.each([
  ['open', 'open'],
  [{ closing: 'remote' }, 'closing.remote'],
  [{ closing: { local: 'idle' } }, 'closing.local.idle'],
])('the state %j is %s', (value, path) => {
  expect(pathOf(value)).toBe(path);
});
