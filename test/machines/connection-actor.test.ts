/** The actor of a connection: made when somebody asks, from the state that it is in, and watched as any other. */

import { describe, expect, test, vi } from 'vitest';
import { type AnyActorRef, createActor, type InspectionEvent, waitFor } from 'xstate';
import {
  connectionLogic,
  connectionName,
  tableLogic,
  takeOver,
} from '../../src/machines/connection-actor.ts';
import { connectionMachine, LOST } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { Interpreter } from '../../src/machines/interpreter.ts';
import { serverMachine } from '../../src/machines/server-machine.ts';
import { connectionPaths, type Snapshot } from '../model/connection-model.ts';
import { SAMPLES } from '../model/connection-spec.ts';
import { leafOf } from '../model/triples.ts';
import { RecordingConnectionPort, RecordingServerPort } from '../support/recording-port.ts';

function start(...events: ConnectionEvent[]) {
  const server = new RecordingServerPort();
  const parent = createActor(serverMachine, { input: { port: server } }).start();
  const port = new RecordingConnectionPort();
  const interpreter = new Interpreter(port, parent);
  for (const event of events) interpreter.send(event);
  port.takeCalls();
  return { server, parent, port, interpreter };
}

const accepted = { type: 'handshake.accepted' } as const;
const bytes = { type: 'socket.bytes', chunk: Uint8Array.of(1), shared: false } as const;
const close = { type: 'connection.close', code: 1000, reason: '' } as const;

describe('an actor that takes its steps from the table', () => {
  /** All that can be seen of a snapshot. */
  function seen(snapshot: Snapshot) {
    const { _nodes, context, ...rest } = snapshot;
    return {
      ...rest,
      report: context.report,
      nodes: new Set(_nodes),
      json: JSON.stringify(snapshot.toJSON()),
      meta: snapshot.getMeta(),
      can: SAMPLES.filter(({ event }) => snapshot.can(event)).map(({ name }) => name),
      matches: ['open', 'closing', { closing: 'local' }].map((value) => snapshot.matches(value as 'open')),
    };
  }

  /** All that an inspector is told along some events, and all that the port is asked. */
  function told(logic: typeof connectionMachine, events: readonly ConnectionEvent[]) {
    const port = new RecordingConnectionPort();
    const log: unknown[] = [];
    const inspect = (event: InspectionEvent) => {
      const { type } = event;
      const { id } = event.actorRef as AnyActorRef;
      if (type === '@xstate.event') log.push([type, id, event.sourceRef === parent, event.event]);
      if (type === '@xstate.actor') log.push([type, id]);
      if (type === '@xstate.snapshot') log.push([type, event.event, seen(event.snapshot as Snapshot)]);
    };
    const parent = createActor(serverMachine, {
      id: 'server',
      input: { port: new RecordingServerPort() },
      inspect,
    });
    parent.start();
    const actor = createActor(logic, { id: 'connection', parent, input: { port } });
    actor.subscribe({
      next: (snapshot) => log.push(['next', leafOf(snapshot)]),
      complete: () => log.push(['complete']),
    });
    actor.start();
    for (const event of events) {
      if (actor.getSnapshot().status === 'active') actor.send(event);
      log.push(port.takeCalls(), seen(actor.getSnapshot()));
    }
    return log;
  }

  test('tells inspectors and subscribers, and shows, what it does without the table, along every path', () => {
    const paths = connectionPaths(connectionMachine);
    expect(paths.length).toBeGreaterThan(200);
    for (const { steps } of paths) {
      const events = steps.slice(1).map(({ event }) => event as ConnectionEvent);
      expect(told(connectionLogic, events)).toEqual(told(connectionMachine, events));
    }
  });

  test('keeps its snapshot where nothing changes, and keeps the machine’s definition', () => {
    const { port, parent, interpreter } = start(accepted);
    const actor = takeOver(interpreter, parent);
    const before = actor.getSnapshot();
    actor.send(bytes);
    actor.send({ type: 'callback.failed', decision: 'continue' });
    actor.send({ type: 'timeout.handshake' });
    expect(port.takeCalls()).toEqual(['read \u0001']);
    expect(actor.getSnapshot()).toBe(before);
    expect(actor.logic.config).toBe(connectionMachine.config);
  });

  test('takes what an action sends when the event is done', () => {
    const { port, parent, interpreter } = start(accepted);
    const actor = takeOver(interpreter, parent);
    port.read = () => {
      actor.send(close);
      actor.send({ type: 'connection.terminate' });
      expect(port.takeCalls()).toEqual([]);
      expect(actor.getSnapshot().value).toBe('open');
    };
    actor.send(bytes);
    expect(port.takeCalls().map((call) => call.split(' ')[0])).toEqual([
      'sendClose',
      'announce',
      'readOn',
      'announce',
      'finish',
    ]);
  });

  test('asks only the table: XState’s own transition is not called', () => {
    const transition = vi.spyOn(connectionMachine, 'transition');
    const actor = createActor(connectionLogic, { input: { port: new RecordingConnectionPort() } }).start();
    for (const event of [accepted, bytes, close]) actor.send(event);
    expect(actor.getSnapshot().value).toEqual({ closing: { local: 'idle' } });
    expect(transition).not.toHaveBeenCalled();
    transition.mockRestore();
  });

  test('breaks when an action throws: the port is told, then observers and the parent', () => {
    const { port, server, parent, interpreter } = start(accepted);
    const actor = takeOver(interpreter, parent);
    const error = new Error('impossible');
    const order: unknown[] = [];
    actor.subscribe({ error: (cause) => order.push(...port.takeCalls(), cause, ...server.takeCalls()) });
    port.read = () => {
      actor.send(close);
      throw error;
    };
    actor.send(bytes);
    expect(order).toEqual(['broke Error: impossible', error]);
    expect(server.takeCalls()).toEqual(['connectionBroke Error: impossible']);
    expect(port.takeCalls()).toEqual([]);
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', value: 'open', error });
    expect([interpreter.status, interpreter.value]).toEqual(['error', 'open']);
  });

  test('without a parent can be stopped, and then does nothing more', () => {
    const port = new RecordingConnectionPort();
    const actor = createActor(connectionLogic, { input: { port } }).start();
    const complete = vi.fn();
    actor.subscribe({ complete });
    actor.stop();
    expect(actor.getSnapshot()).toMatchObject({ status: 'stopped', value: { handshaking: 'reading' } });
    expect(complete).toHaveBeenCalledOnce();
    expect(port.takeCalls()).toEqual([]);
  });

  test('needs its port', () => {
    const actor = createActor(connectionLogic, {} as never);
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', error: expect.any(TypeError) });
  });

  test('can be made of any machine that a table supports', () => {
    expect(tableLogic(connectionMachine)).toBeInstanceOf(connectionMachine.constructor);
  });
});

describe('its persisted snapshot', () => {
  test('is JSON, with what is known of the connection in place of the port', () => {
    const { parent, interpreter } = start(accepted);
    const persisted = takeOver(interpreter, parent).getPersistedSnapshot();
    expect(JSON.parse(JSON.stringify(persisted))).toEqual({
      status: 'active',
      value: 'open',
      context: { port: { id: 7, path: '/echo', remoteAddress: '127.0.0.1' } },
      children: {},
      historyValue: {},
    });
  });

  test('has the report once the end has begun', () => {
    const { parent, interpreter } = start(accepted, close, { type: 'timeout.close' });
    const report = { code: 1006, reason: 'close deadline passed', wasClean: false, initiator: 'server' };
    expect(takeOver(interpreter, parent).getPersistedSnapshot()).toMatchObject({
      status: 'done',
      value: 'closed',
      context: { report },
      output: report,
    });
  });

  test('is not one to restore from: there is no socket in it', () => {
    const { parent, interpreter } = start(accepted);
    const snapshot = takeOver(interpreter, parent).getPersistedSnapshot();
    const input = { port: new RecordingConnectionPort() };
    const restored = createActor(connectionLogic, { snapshot, input });
    expect(restored.getSnapshot()).toMatchObject({
      status: 'error',
      error: new TypeError('a connection cannot be restored: its socket is gone'),
    });
  });
});

describe('an actor that takes over', () => {
  test.each<[string, ConnectionEvent[], unknown]>([
    ['nothing', [], { handshaking: 'reading' }],
    ['the handshake', [accepted], 'open'],
    [
      'a Close in a message',
      [accepted, { type: 'fragment.begin', byteLength: 1 }, close],
      { closing: { local: 'fragmenting' } },
    ],
  ])('after %s goes on from there, and does nothing twice', (_, events, value) => {
    const { port, parent, interpreter } = start(...events);
    const { report } = interpreter;
    const actor = takeOver(interpreter, parent);
    expect(actor.getSnapshot().value).toEqual(value);
    expect(actor.getSnapshot().context).toEqual({ port, report });
    expect(actor.system).toBe(parent.system);
    expect(port.takeCalls()).toEqual([]);
  });

  test('gets the events, and a subscriber hears its own actor and no other', () => {
    const [one, other] = [start(), start()];
    const [watched, unwatched] = [
      takeOver(one.interpreter, one.parent),
      takeOver(other.interpreter, other.parent),
    ];
    const heard: unknown[] = [];
    const subscription = watched.subscribe((snapshot) => heard.push(snapshot.value));
    unwatched.send(accepted);
    expect(heard).toEqual([]);
    one.interpreter.send(accepted);
    expect(heard).toEqual(['open']);
    expect(one.port.takeCalls()[0]).toBe('acceptHandshake');
    subscription.unsubscribe();
    one.interpreter.send({ type: 'connection.terminate' });
    expect(heard).toEqual(['open']);
    expect(one.server.takeCalls()).toEqual(['connectionEnded']);
  });

  test('works with waitFor and select, and its end completes a subscriber', async () => {
    const { interpreter, parent } = start();
    const actor = takeOver(interpreter, parent);
    const complete = vi.fn();
    actor.subscribe({ complete });
    const states: string[] = [];
    actor.select((snapshot) => snapshot.status).subscribe((status) => states.push(status));
    const closed = waitFor(actor, (snapshot) => snapshot.matches('closed'));
    interpreter.send({ type: 'socket.closed' });
    expect((await closed).output).toEqual(LOST);
    expect(states).toEqual(['done']);
    expect(complete).toHaveBeenCalledOnce();
  });

  test('in a handler takes what that handler sends when the event is done', () => {
    const { port, parent, interpreter } = start();
    const heard: unknown[] = [];
    port.deliverOpening = () => {
      takeOver(interpreter, parent).subscribe(({ value }) => heard.push(value));
      interpreter.send(close);
      expect(heard).toEqual([]);
      port.deliverOpening = () => undefined;
    };
    interpreter.send(accepted);
    expect(heard).toEqual(['open', { closing: { local: 'idle' } }]);
  });

  test('when the connection has ended is done, with the report', () => {
    const { interpreter, parent } = start({ type: 'socket.closed' });
    const actor = takeOver(interpreter, parent);
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: LOST });
    const complete = vi.fn();
    actor.subscribe({ complete });
    expect(complete).toHaveBeenCalledOnce();
  });

  test.each([
    ['before it was made', false],
    ['after it was made, in the same event', true],
  ])('when the connection broke %s has the error', (_, within) => {
    const { interpreter, parent, port, server } = start(accepted);
    const error = new Error('impossible');
    let actor: ReturnType<typeof takeOver> | undefined;
    port.read = () => {
      if (within) actor = takeOver(interpreter, parent);
      throw error;
    };
    interpreter.send(bytes);
    actor ??= takeOver(interpreter, parent);
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', error });
    expect(port.takeCalls()).toEqual(['broke Error: impossible']);
    expect(server.takeCalls()).toContain('connectionBroke Error: impossible');
  });
});

describe('its name', () => {
  test('is the number of the connection and, once known, the path', () => {
    const facts = { id: 7, remoteAddress: '127.0.0.1' };
    expect(connectionName({ ...facts, path: '' })).toBe('connection 7');
    expect(connectionName({ ...facts, path: '/echo' })).toBe('connection 7 /echo');
  });

  test('is its id while it lives; the event of its end has the one type that the server knows', () => {
    const { parent, interpreter, server } = start(accepted);
    const actor = takeOver(interpreter, parent);
    expect(actor.id).toBe('connection 7 /echo');
    interpreter.send({ type: 'socket.closed' });
    expect(server.takeCalls()).toEqual(['connectionEnded']);
    expect(actor.id).toBe('connection');
  });
});
