// The interpreter: that events wait their turn, that the end is told once, that a port that breaks does not end the
// process, and that an actor can take over at any time. That states and calls are those of XState's own actor is
// proven in test/model/machines.test.ts and test/machines/step-table.test.ts.

import { describe, expect, test } from 'vitest';
import type { AnyEventObject } from 'xstate';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { Interpreter, type Successor } from '../../src/machines/interpreter.ts';
import { RecordingConnectionPort } from '../support/recording-port.ts';

const bytes = { type: 'socket.bytes', chunk: Uint8Array.of(0x61), shared: false } as const;
const accepted = { type: 'handshake.accepted' } as const;
const closed = { type: 'socket.closed' } as const;
const REPORT = { code: 1006, reason: '', wasClean: false, initiator: 'peer' };

function make(...first: ConnectionEvent[]) {
  const port = new RecordingConnectionPort();
  const told: AnyEventObject[] = [];
  const interpreter = new Interpreter(port, { send: (event) => told.push(event) });
  for (const event of first) interpreter.send(event);
  port.takeCalls();
  return { port, told, interpreter };
}

/** An actor that only writes down what it gets. */
function recorder() {
  const events: string[] = [];
  const successor: Successor = {
    send: (event) => events.push(event.type),
    start: () => events.push('start'),
    getSnapshot: () => ({ value: { closing: { local: 'idle' } }, status: 'active' }),
  };
  return { events, successor };
}

describe('one event at a time', () => {
  test('what an action sends waits until the event is done, in its order', () => {
    const { port, interpreter } = make(accepted);
    port.read = () => {
      interpreter.send({ type: 'connection.pause' });
      interpreter.send({ type: 'connection.close', code: 1000, reason: '' });
      expect(port.takeCalls()).toEqual([]);
      expect(interpreter.value).toBe('open');
    };
    interpreter.send(bytes);
    expect(port.takeCalls()).toEqual([
      'pauseReading',
      'sendClose 1000 ""',
      'announce closing by connection.close',
      'readOn',
    ]);
    expect(interpreter.value).toEqual({ closing: { local: 'idle' } });
  });

  test('events of another connection do not wait for this one', () => {
    const [one, other] = [make(accepted), make(accepted)];
    one.port.read = () => other.interpreter.send(bytes);
    one.interpreter.send(bytes);
    expect(other.port.takeCalls()).toEqual(['read a']);
  });

  test('it knows the states that it is in', () => {
    const { interpreter } = make(accepted, { type: 'connection.close', code: 1000, reason: '' });
    const states = ['open', 'closing', { closing: 'local' }, { closing: 'remote' }];
    expect(states.map((state) => interpreter.matches(state))).toEqual([false, true, true, false]);
  });
});

describe('the end', () => {
  test('is told to the parent once, with the report, and behind the last action', () => {
    const { port, told, interpreter } = make(accepted);
    port.finish = () => expect(told).toEqual([]);
    expect(interpreter.status).toBe('active');
    interpreter.send(closed);
    interpreter.send(closed);
    expect(told).toEqual([{ type: 'xstate.done.actor.connection', output: REPORT }]);
    expect([interpreter.status, interpreter.value]).toEqual(['done', 'closed']);
  });

  test('ends what waits: nothing is done any more', () => {
    const { port, interpreter, told } = make(accepted);
    port.finish = () => interpreter.send(bytes);
    interpreter.send(closed);
    interpreter.send(bytes);
    expect(port.takeCalls()).toEqual(['announce closed by socket.closed']);
    expect(told).toHaveLength(1);
  });
});

describe('a port that breaks', () => {
  test('is told of, the parent too, and nothing is done any more', () => {
    const { port, told, interpreter } = make(accepted);
    const error = new Error('impossible');
    port.read = () => {
      interpreter.send({ type: 'connection.pause' });
      throw error;
    };
    interpreter.send(bytes);
    interpreter.send(bytes);
    expect(port.takeCalls()).toEqual(['broke Error: impossible']);
    expect(told).toEqual([{ type: 'xstate.error.actor.connection', error }]);
    expect(interpreter.status).toBe('error');
  });
});

test('a port that breaks twice does not end the process either', () => {
  const { port, told, interpreter } = make(accepted);
  const second = new Error('second');
  port.read = () => {
    throw new Error('first');
  };
  port.broke = () => {
    throw second;
  };
  interpreter.send(bytes);
  expect(told).toEqual([{ type: 'xstate.error.actor.connection', error: second }]);
  expect(interpreter.status).toBe('error');
});

describe('an actor that takes over', () => {
  test('gets every event from then on, and tells its state and its own end', () => {
    const { port, told, interpreter } = make(accepted);
    const { events, successor } = recorder();
    interpreter.handOver(successor);
    interpreter.send(bytes);
    interpreter.send(closed);
    expect(events).toEqual(['start', 'socket.bytes', 'socket.closed']);
    expect(port.takeCalls()).toEqual([]);
    expect(interpreter.value).toEqual({ closing: { local: 'idle' } });
    expect(told).toEqual([]);
  });

  test('in the midst of an event gets what waits and what comes, in its order, and starts when that is done', () => {
    const { port, interpreter } = make();
    const { events, successor } = recorder();
    port.acceptHandshake = () => {
      interpreter.send({ type: 'connection.pause' });
      interpreter.handOver(successor);
      interpreter.send({ type: 'connection.resume' });
      expect(events).toEqual(['connection.pause', 'connection.resume']);
    };
    interpreter.send(accepted);
    expect(port.takeCalls()).toEqual(['announce open by handshake.accepted', 'deliverOpening', 'readOn']);
    expect(events).toEqual(['connection.pause', 'connection.resume', 'start']);
  });

  test('in the midst of an event that breaks starts, to tell of that alone', () => {
    const { port, told, interpreter } = make(accepted);
    const { events, successor } = recorder();
    const error = new Error('impossible');
    port.read = () => {
      interpreter.handOver(successor);
      throw error;
    };
    interpreter.send(bytes);
    expect(port.takeCalls()).toEqual(['broke Error: impossible']);
    expect([events, told, interpreter.fault]).toEqual([['start'], [], { error }]);
  });

  test('at the very end tells of it alone', () => {
    const { port, told, interpreter } = make(accepted);
    port.finish = () => interpreter.handOver(recorder().successor);
    interpreter.send(closed);
    expect(told).toEqual([]);
  });
});
