// The shortcut past macrosteps that would change nothing: that it is read off the machine's definition, that it is
// taken where that allows it and nowhere else, and that a port that breaks does not end the process. That states and
// calls are the same with it and without it is proven in test/model/machines.test.ts.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AnyStateMachine, createActor, StateMachine, setup } from 'xstate';
import { type ConnectionMachine, connectionMachine } from '../../src/machines/connection-machine.ts';
import { plainReadStates, withShortcut } from '../../src/machines/shortcut.ts';
import { RecordingConnectionPort } from '../support/recording-port.ts';

type Change = (open: {
  on: Record<string, unknown>;
  always?: unknown;
  states?: unknown;
  initial?: string;
}) => void;

/** The production machine with its `open` state changed. */
function changed(change: Change): ConnectionMachine {
  const { context, output, ...rest } = connectionMachine.config;
  const config = structuredClone(rest) as unknown as { states: { open: Parameters<Change>[0] } };
  change(config.states.open);
  const machine = new StateMachine(
    { ...config, context, output } as never,
    connectionMachine.implementations,
  );
  return machine as unknown as ConnectionMachine;
}

const namesOf = (machine: AnyStateMachine): string[] => [...plainReadStates(machine)];

describe('the states that it is for', () => {
  test('are open and fragmenting, in the machine that runs', () => {
    expect(namesOf(connectionMachine)).toEqual(['open', 'fragmenting']);
  });

  test.each<[string, Change]>([
    [
      'whose reading has a guard',
      ({ on }) => {
        on['socket.bytes'] = { guard: 'decidedRetry', actions: 'read' };
      },
    ],
    [
      'whose reading has a second branch',
      ({ on }) => {
        on['socket.bytes'] = [{ guard: 'decidedRetry' }, { actions: 'read' }];
      },
    ],
    [
      'whose reading does a second thing',
      ({ on }) => {
        on['socket.bytes'] = { actions: ['read', 'readOn'] };
      },
    ],
    [
      'whose reading does something else',
      ({ on }) => {
        on['socket.bytes'] = { actions: 'holdBytes' };
      },
    ],
    [
      'whose reading leads somewhere',
      ({ on }) => {
        on['socket.bytes'] = { target: 'fragmenting', actions: 'read' };
      },
    ],
    [
      'whose reading enters it again',
      ({ on }) => {
        on['socket.bytes'] = { target: 'open', reenter: true, actions: 'read' };
      },
    ],
    [
      'that does not answer bytes',
      ({ on }) => {
        delete on['socket.bytes'];
      },
    ],
    [
      'that moves on by itself',
      (open) => {
        open.always = { guard: 'decidedRetry', target: 'closed' };
      },
    ],
    [
      'that has states inside',
      (open) => {
        open.initial = 'inside';
        open.states = { inside: {} };
      },
    ],
  ])('a state %s is none of them', (_, change) => {
    expect(namesOf(changed(change))).toEqual(['fragmenting']);
  });

  test('are none where the machine reads nothing', () => {
    expect(namesOf(setup({}).createMachine({ initial: 'a', states: { a: {} } }))).toEqual([]);
  });
});

describe('taking it', () => {
  const bytes = { type: 'socket.bytes', chunk: Uint8Array.of(1), shared: false } as const;
  afterEach(() => void vi.restoreAllMocks());

  /** A connection that is open, and how many events have gone the machine's way since. */
  function open(port: RecordingConnectionPort) {
    const transition = vi.spyOn(connectionMachine, 'transition');
    const actor = createActor(withShortcut(connectionMachine), { input: { port } });
    actor.start();
    actor.send({ type: 'handshake.accepted' });
    port.takeCalls();
    transition.mockClear();
    return { actor, transition };
  }

  test('bytes are read, the snapshot stays, and the machine is not asked', () => {
    const port = new RecordingConnectionPort();
    const { actor, transition } = open(port);
    const before = actor.getSnapshot();
    actor.send(bytes);
    expect(port.takeCalls()).toEqual(['read \u0001']);
    expect(actor.getSnapshot()).toBe(before);
    expect(transition).not.toHaveBeenCalled();
  });

  test('other events go the machine’s way, and so do bytes in other states', () => {
    const port = new RecordingConnectionPort();
    const { actor, transition } = open(port);
    actor.send({ type: 'connection.close', code: 1000, reason: '' });
    actor.send(bytes);
    expect(transition).toHaveBeenCalledTimes(2);
    expect(port.takeCalls().at(-1)).toBe('read \u0001');
  });

  test('while somebody inspects, bytes go the machine’s way', () => {
    const port = new RecordingConnectionPort({ inspected: true });
    const { actor, transition } = open(port);
    actor.send(bytes);
    expect(transition).toHaveBeenCalledTimes(1);
    expect(port.takeCalls()).toEqual(['read \u0001']);
  });

  test.each([false, true])('a port that breaks is told of, once, inspected or not (%s)', (inspected) => {
    const port = new RecordingConnectionPort({ inspected });
    const { actor } = open(port);
    const errors: unknown[] = [];
    actor.subscribe({ error: (error) => errors.push(error) });
    port.read = () => {
      throw new Error('impossible');
    };
    actor.send(bytes);
    expect(port.takeCalls()).toEqual(['broke Error: impossible']);
    expect(errors).toEqual([new Error('impossible')]);
    expect(actor.getSnapshot().status).toBe('error');
  });
});
