// The shape of the connection machine, and what holds of its every life. What it does at each event is walked by the
// model-based tests in test/model.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createActor } from 'xstate';
import { connectionMachine } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { SAMPLES } from '../model/connection-spec.ts';
import { RecordingConnectionPort } from '../support/recording-port.ts';

/** A live machine on a recording port. */
function connection() {
  const port = new RecordingConnectionPort();
  const actor = createActor(connectionMachine, { input: { port } });
  actor.start();
  return { port, actor };
}

type Node = { states?: Record<string, Node>; on?: Record<string, unknown>; entry?: unknown };
const nodesOf = (node: Node): Node[] => [node, ...Object.values(node.states ?? {}).flatMap(nodesOf)];

describe('the literal', () => {
  test('its top-level states are the five that users see', () => {
    expect(Object.keys(connectionMachine.states)).toEqual([
      'handshaking',
      'open',
      'fragmenting',
      'closing',
      'closed',
    ]);
  });

  test('is plain data but for the context and the output: nothing is lost in JSON', () => {
    const { context, output, ...rest } = connectionMachine.config;
    expect([typeof context, typeof output]).toEqual(['function', 'function']);
    expect(JSON.parse(JSON.stringify(rest))).toEqual(rest);
  });

  test('has no timer, no invocation and no transition by itself: deadlines are events like others', () => {
    const keys = nodesOf(connectionMachine.config as Node).flatMap(Object.keys);
    expect(keys.filter((key) => ['after', 'invoke', 'always'].includes(key))).toEqual([]);
  });

  test('says of every state what it is', () => {
    for (const node of nodesOf(connectionMachine.config as Node)) {
      expect((node as { description?: string }).description).toMatch(/\S/);
    }
  });
});

/** Any sequence of events of the closed set. */
const lives = fc.array(fc.constantFrom(...SAMPLES.map(({ event }) => event)), { maxLength: 40 });

describe('whatever the events', () => {
  test('closed is announced once and reported once, and nothing is called after that', () => {
    fc.assert(
      fc.property(lives, (events) => {
        const { port, actor } = connection();
        for (const event of withoutLate(actor, events)) actor.send(event);
        const calls = port.takeCalls();
        const ends = calls.filter((call) => call.startsWith('finish'));
        const isOver = actor.getSnapshot().status === 'done';
        expect(ends).toHaveLength(isOver ? 1 : 0);
        if (isOver) expect(calls.at(-1)).toBe(ends[0]);
      }),
      { numRuns: 500 },
    );
  });

  test('at most one Close is asked for, and nothing is failed or answered behind it (RFC 6455 5.5.1)', () => {
    fc.assert(
      fc.property(lives, (events) => {
        const { port, actor } = connection();
        for (const event of withoutLate(actor, events)) actor.send(event);
        const closes = port
          .takeCalls()
          .filter((call) => /^(sendClose|answerClose|failConnection)/.test(call));
        expect(closes.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });

  test('each state is announced when it is entered from another, and no other', () => {
    fc.assert(
      fc.property(lives, (events) => {
        const { port, actor } = connection();
        let announced = 'handshaking';
        for (const event of withoutLate(actor, events)) {
          actor.send(event);
          for (const call of port.takeCalls()) announced = /^announce (\w+)/.exec(call)?.[1] ?? announced;
          const { value } = actor.getSnapshot();
          expect(typeof value === 'string' ? value : Object.keys(value)[0]).toBe(announced);
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** The events, until the actor has ended: XState's development build warns of those sent to an ended one. */
function* withoutLate(
  actor: ReturnType<typeof connection>['actor'],
  events: readonly ConnectionEvent[],
): Generator<ConnectionEvent> {
  for (const event of events) {
    if (actor.getSnapshot().status !== 'active') return;
    yield event;
  }
}
