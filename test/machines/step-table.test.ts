// The step table: that each of its steps is the one that XState takes, for the machine in production and for all its
// mutants, and that a machine with something that a table cannot hold is refused.

import { describe, expect, test } from 'vitest';
import { type AnyMachineSnapshot, setup } from 'xstate';
import { type ConnectionMachine, connectionMachine, LOST } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { Interpreter } from '../../src/machines/interpreter.ts';
import { type Place, stepTable } from '../../src/machines/step-table.ts';
import { nameOfEvent, SAMPLES } from '../model/connection-spec.ts';
import { allMutants } from '../model/mutants.ts';
import { leafOf } from '../model/triples.ts';
import { RecordingConnectionPort, wordsOfReport } from '../support/recording-port.ts';

const port = new RecordingConnectionPort();
const EVENTS = SAMPLES.map(({ event }) => event);
/** As much of an actor as a transition of XState's needs. */
const scope = {
  system: { _sendInspectionEvent: () => undefined },
  actionExecutor: ({
    exec,
    info,
    params,
  }: {
    exec?: (i: unknown, p: unknown) => void;
    info: unknown;
    params: unknown;
  }) => exec?.(info, params),
} as unknown as Parameters<ConnectionMachine['transition']>[2];

/** Every place that a table leads to, its first included. */
function placesFrom(first: Place): Place[] {
  const places = new Set([first]);
  for (const { steps } of places)
    for (const step of [...steps.values()].flat()) if (step.target !== undefined) places.add(step.target);
  return [...places];
}

/** What a step did, in words; an action given another event than its own may throw. */
function byTable(place: Place, event: ConnectionEvent): string {
  const interpreter = new Interpreter(port, { send: () => undefined }, place);
  interpreter.send(event);
  const { value, report, status } = interpreter;
  const calls = port.takeCalls();
  if (status === 'error') return calls.join('; ');
  return `${calls.join('; ')} -> ${leafOf({ value })}, ${wordsOfReport(report)}, ${status}`;
}

function byXState(machine: ConnectionMachine, before: AnyMachineSnapshot, event: ConnectionEvent): string {
  try {
    const { value, context, status } = machine.transition(before as never, event, scope);
    const calls = port.takeCalls();
    return `${calls.join('; ')} -> ${leafOf({ value })}, ${wordsOfReport(context.report)}, ${status}`;
  } catch (error) {
    port.broke(error);
    return port.takeCalls().join('; ');
  }
}

/** How many steps were compared, and those that differ. */
function compare(machine: ConnectionMachine): { compared: number; differ: string[] } {
  const places = placesFrom(stepTable(machine));
  const differ: string[] = [];
  for (const place of places) {
    if (place.isFinal) continue; // XState asks its machine nothing there any more
    const before = machine.resolveState({ value: place.value, context: { port, report: LOST } });
    for (const event of EVENTS) {
      const [is, should] = [byTable(place, event), byXState(machine, before, event)];
      if (is !== should) differ.push(`${leafOf(place)} at ${nameOfEvent(event)}: ${is}, XState: ${should}`);
    }
  }
  return { compared: places.filter(({ isFinal }) => !isFinal).length * EVENTS.length, differ };
}

describe('every step is the one that XState takes', () => {
  test('in the machine that runs', () => {
    expect(compare(connectionMachine)).toEqual({ compared: 9 * EVENTS.length, differ: [] });
  });

  test('and in every mutant of it', () => {
    const mutants = allMutants().filter(({ name }) => name.startsWith('connection: '));
    expect(mutants.length).toBeGreaterThan(1000);
    let compared = 0;
    for (const { name, machine } of mutants) {
      const mutant = machine() as ConnectionMachine | undefined;
      if (mutant === undefined) continue;
      const value = mutant.root.initial.target?.[0]?.key ?? '';
      const first = mutant.resolveState({ value, context: { port, report: LOST } });
      if (first._nodes.some(({ entry }) => entry.length > 0)) {
        expect(() => stepTable(mutant), name).toThrow('actions on entry of where it begins');
        continue;
      }
      const found = compare(mutant);
      expect(found.differ, name).toEqual([]);
      compared += found.compared;
    }
    expect(compared).toBeGreaterThan(200_000);
  });

  test('and it begins where the machine begins', () => {
    expect(leafOf(stepTable(connectionMachine))).toBe('handshaking.reading');
  });
});

describe('a machine is refused', () => {
  const { createMachine } = setup({
    actions: { read: () => undefined },
    guards: { open: () => true },
    delays: { soon: 10 },
  });
  const b = {};
  test.each<[string, unknown]>([
    ['always', { initial: 'a', states: { a: { always: 'b' }, b } }],
    ['after', { initial: 'a', states: { a: { after: { soon: 'b' } }, b } }],
    ['actions on exit', { initial: 'a', states: { a: { exit: 'read' }, b } }],
    ['actions on initial', { initial: { target: 'a', actions: 'read' }, states: { a: {} } }],
    ['actions on entry of where it begins', { initial: 'a', states: { a: { entry: 'read' } } }],
    ['type parallel', { type: 'parallel', states: { a: {}, b } }],
    ['type history', { initial: 'a', states: { a: {}, b: { type: 'history' } } }],
    ['invoke', { initial: 'a', states: { a: { invoke: { src: 'b' } } } }],
    ['*', { initial: 'a', states: { a: { on: { '*': 'b' } }, b } }],
    [
      'a final state inside',
      { initial: 'a', states: { a: { initial: 'b', states: { b: { type: 'final' } } } } },
    ],
    ['the action nothing', { initial: 'a', states: { a: { on: { 'socket.end': { actions: 'nothing' } } } } }],
    ['the guard "nothing"', { initial: 'a', states: { a: { on: { 'socket.end': { guard: 'nothing' } } } } }],
  ])('for %s', (what, config) => {
    const machine = createMachine(config as never) as unknown as ConnectionMachine;
    expect(() => stepTable(machine)).toThrow(TypeError);
    expect(() => stepTable(machine)).toThrow(what);
  });
});
