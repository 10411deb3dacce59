// The step table: that each of its steps is the one that XState takes, by whichever host, for the machine in production
// and for all its mutants, and that a machine with a feature that the table does not support is refused.

import { describe, expect, test } from 'vitest';
import { setup } from 'xstate';
import { tableLogic } from '../../src/machines/connection-actor.ts';
import { type ConnectionMachine, connectionMachine } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { Interpreter } from '../../src/machines/interpreter.ts';
import { type Effect, stepFor, stepTable, type TableState } from '../../src/machines/step-table.ts';
import type { Snapshot } from '../model/connection-model.ts';
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

/** Every state that a table leads to, its first included. */
function statesFrom(first: TableState): TableState[] {
  const states = new Set([first]);
  for (const { steps } of states)
    for (const step of [...steps.values()].flat()) if (step.target !== undefined) states.add(step.target);
  return [...states];
}

/** What a step did, in words: the calls, then the state, the report and the status. */
function words({ value, report, status }: Pick<Interpreter, 'value' | 'report' | 'status'>): string {
  return `${port.takeCalls().join('; ')} -> ${leafOf({ value })}, ${wordsOfReport(report)}, ${status}`;
}

/** An action that is given another event than its own may throw: then there are only calls. */
function byInterpreter(state: TableState, event: ConnectionEvent): string {
  const interpreter = new Interpreter(port, { send: () => undefined }, state);
  interpreter.send(event);
  return interpreter.status === 'error' ? port.takeCalls().join('; ') : words(interpreter);
}

function byActor(logic: ConnectionMachine, before: Snapshot, event: ConnectionEvent): string {
  try {
    const after = logic.transition(before, event, scope);
    const { value, context, status } = after;
    const isSame = value === before.value && context.report === before.context.report;
    if (isSame !== (after === before)) return `${isSame ? 'another' : 'the same'} snapshot`;
    return words({ value, report: context.report, status });
  } catch {
    return port.takeCalls().join('; ');
  }
}

function byXState(machine: ConnectionMachine, before: Snapshot, event: ConnectionEvent): string {
  try {
    const { value, context, status } = machine.transition(before, event, scope);
    return words({ value, report: context.report, status });
  } catch (error) {
    port.broke(error);
    return port.takeCalls().join('; ');
  }
}

/** How many steps were compared, and those that differ. */
function compare(machine: ConnectionMachine): { compared: number; differ: string[] } {
  const first = stepTable(machine);
  const logic = tableLogic(machine, first);
  const states = statesFrom(first).filter(({ isFinal }) => !isFinal); // XState asks its machine nothing in a final state
  const differ: string[] = [];
  for (const state of states) {
    const before = machine.resolveState({ value: state.value, context: { port, report: undefined } });
    const restored = logic.restoreSnapshot(before, scope);
    for (const event of EVENTS) {
      const should = byXState(machine, before, event);
      for (const is of [byInterpreter(state, event), byActor(logic, restored, event)]) {
        if (is !== should) differ.push(`${leafOf(state)} at ${nameOfEvent(event)}: ${is}, XState: ${should}`);
      }
    }
  }
  return { compared: states.length * EVENTS.length, differ };
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
      const first = mutant.resolveState({ value, context: { port, report: undefined } });
      if (first._nodes.some(({ entry }) => entry.length > 0)) {
        expect(() => stepTable(mutant), name).toThrow('entry actions in its initial state');
        continue;
      }
      const found = compare(mutant);
      expect(found.differ, name).toEqual([]);
      compared += found.compared;
    }
    expect(compared).toBeGreaterThan(200_000);
  }, 60_000);

  test('and it begins where the machine begins', () => {
    expect(leafOf(stepTable(connectionMachine))).toBe('handshaking.reading');
  });

  test('what a step notes for the report comes before all that it asks of the port', () => {
    // So an actor that takes over while the port is at work takes the report along.
    const asksPort = (effect: Effect, event: ConnectionEvent): boolean => {
      let asks = false;
      const silent = new RecordingConnectionPort();
      const context = {
        get port() {
          asks = true;
          return silent;
        },
        report: undefined,
      };
      effect(context, event);
      return asks;
    };
    let notes = 0;
    for (const state of statesFrom(stepTable(connectionMachine))) {
      for (const event of EVENTS) {
        const effects = stepFor(state, event)?.effects ?? [];
        const order = effects.map((effect) => Number(asksPort(effect, event)));
        expect(order).toEqual(order.toSorted());
        notes += order.filter((asks) => asks === 0).length;
      }
    }
    expect(notes).toBeGreaterThan(20);
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
    ['entry actions in its initial state', { initial: 'a', states: { a: { entry: 'read' } } }],
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
