// What `npm run diagrams` wrote is what the machines say today; and others' tools read it as it is meant.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AnyStateMachine, createActor, createMachine, type StateValue } from 'xstate';
import { drawDiagrams } from '../../scripts/diagrams/index.mjs';
import { pathOf } from '../../src/inspect/wire.ts';
import { connectionMachine } from '../../src/machines/connection-machine.ts';
import { linkMachine } from '../../src/machines/link-machine.ts';
import { serverMachine } from '../../src/machines/server-machine.ts';
import { root } from '../package/source.ts';
import {
  RecordingConnectionPort,
  RecordingLinkPort,
  RecordingServerPort,
} from '../support/recording-port.ts';

/** The part of SCION that is used here; its own types name things that it does not export. */
interface Scion {
  documentStringToModel(
    url: string,
    scxml: string,
    done: (
      error: unknown,
      model?: { prepare(done: (error: unknown, prepared?: unknown) => void): void },
    ) => void,
  ): void;
  core: {
    Statechart: new (
      model: unknown,
      options: { console: { log(): void } },
    ) => {
      start(): void;
      gen(event: { name: string; data: unknown }): void;
      getConfiguration(): string[];
    };
  };
}
const { documentStringToModel, core } = createRequire(import.meta.url)('@scion-scxml/scxml') as Scion;

const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const FILES = [
  'docs/diagrams/connection.svg',
  'docs/diagrams/connection.mmd',
  'docs/diagrams/connection.scxml',
  'docs/diagrams/machine.json',
  'docs/diagrams/server.svg',
  'docs/diagrams/server.mmd',
  'docs/diagrams/server.scxml',
  'docs/diagrams/server-machine.json',
  'docs/diagrams/link.svg',
  'docs/diagrams/link.mmd',
  'docs/diagrams/link.scxml',
  'docs/diagrams/link-machine.json',
];

describe('drift', () => {
  let drawn: Map<string, string>;
  beforeAll(async () => {
    drawn = await drawDiagrams({
      connection: connectionMachine,
      server: serverMachine,
      link: linkMachine,
    });
  });

  test('these files are made, and no others', () => {
    expect([...drawn.keys()]).toEqual(FILES);
  });

  test.each(FILES)('%s is what the machines say; else: npm run build && npm run diagrams', (path) => {
    expect(read(path) === drawn.get(path)).toBe(true);
  });

  test('a machine that has changed is told', async () => {
    const { config } = serverMachine;
    const { failed: _failed, ...states } = config.states ?? {};
    const changed = { config: { ...config, states: { ...states, failed: { on: {} } } } };
    const others = await drawDiagrams({ connection: changed, server: changed, link: changed });
    expect(others.get('docs/diagrams/server.svg')).not.toBe(drawn.get('docs/diagrams/server.svg'));
    expect(others.get('docs/diagrams/server.mmd')).not.toBe(drawn.get('docs/diagrams/server.mmd'));
  });
});

describe.each([
  ['connection', connectionMachine as unknown as AnyStateMachine, 'machine.json'],
  ['server', serverMachine as unknown as AnyStateMachine, 'server-machine.json'],
  ['link', linkMachine as unknown as AnyStateMachine, 'link-machine.json'],
])('the drawing of the %s', (name, machine, json) => {
  const transitions = () => {
    const all: { source: string; event: string; target: string }[] = [];
    const visit = (node: typeof machine.root) => {
      for (const [event, candidates] of node.transitions) {
        for (const { target } of candidates) {
          for (const { path } of target ?? []) {
            all.push({ source: node.path.join('.'), event, target: path.join('.') });
          }
        }
      }
      for (const child of Object.values(node.states)) visit(child);
    };
    visit(machine.root);
    return all;
  };

  test('has every transition that XState sees, with its event', () => {
    const svg = read(`docs/diagrams/${name}.svg`);
    const arrows = Array.from(
      svg.matchAll(/data-arrow="([^"]+)&gt;([^"]+)" data-events="([^"]+)"/g),
      ([, source = '', target = '', events = '']) =>
        events.split(' ').map((event) => ({ source, event, target })),
    ).flat();
    const sort = (list: object[]) => list.map((each) => JSON.stringify(each)).sort();
    expect(sort(arrows)).toEqual(sort(transitions()));
  });

  test(`${json} makes the same machine`, () => {
    const config = JSON.parse(read(`docs/diagrams/${json}`));
    expect(JSON.stringify(createMachine(config).config)).toBe(JSON.stringify(machine.config));
  });

  test('its Mermaid has every state, and an arrow for each pair of states', () => {
    const mermaid = read(`docs/diagrams/${name}.mmd`);
    const pairs = new Set(transitions().map(({ source, target }) => `${source} --> ${target}`));
    const arrows = Array.from(mermaid.matchAll(/^\s*(\w+ --> \w+) :/gm), ([, pair = '']) => pair);
    expect(arrows.sort()).toEqual([...pairs].map((pair) => pair.replaceAll('.', '_')).sort());
  });
});

describe('SCXML, run by an interpreter that no one here wrote', () => {
  /** SCION's reading of one of our files. */
  function load(name: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      documentStringToModel(`${name}.scxml`, read(`docs/diagrams/${name}.scxml`), (error, model) => {
        if (error || model === undefined) return reject(error);
        model.prepare((fault, prepared) => (prepared === undefined ? reject(fault) : resolve(prepared)));
      });
    });
  }

  const leavesOf = (node: AnyStateMachine['root']): string[] => {
    const inner = Object.values(node.states);
    return inner.length === 0 ? [node.path.join('.')] : inner.flatMap(leavesOf);
  };
  const eventsOf = (machine: AnyStateMachine) => machine.events.filter((event) => !event.includes('*'));
  const payload = {
    chunk: new Uint8Array(0),
    shared: false,
    code: 1000,
    reason: '',
    response: { status: 400 },
    error: new Error('lost'),
  };

  test.each([
    // The last of each are events that lead where chance alone seldom does.
    [
      'connection',
      connectionMachine as unknown as AnyStateMachine,
      () => new RecordingConnectionPort(),
      ['handshake.accepted', 'fragment.begin', 'connection.close'],
    ],
    ['server', serverMachine as unknown as AnyStateMachine, () => new RecordingServerPort(), []],
    ['link', linkMachine as unknown as AnyStateMachine, () => new RecordingLinkPort(), []],
  ])(
    'the %s is in the same state as XState after every event of any sequence',
    async (name, machine, newPort, deep) => {
      const model = await load(name);
      const event = fc.record({
        name: fc.constantFrom(...eventsOf(machine)),
        decision: fc.constantFrom('close', 'continue', 'retry'),
        leaving: fc.nat(1),
        handlers: fc.nat(1),
        connections: fc.nat(1),
      });
      const eventOf = (of: string) => ({
        name: of,
        decision: 'close' as const,
        leaving: 1,
        handlers: 1,
        connections: 1,
      });
      const visited = new Set<string>();
      fc.assert(
        fc.property(fc.array(event, { maxLength: 12 }), (sequence) => {
          const ours = createActor(machine, { input: { port: newPort() } }).start();
          const theirs = new core.Statechart(model, { console: { log() {} } });
          theirs.start();
          for (const { name: type, ...data } of sequence) {
            ours.send({ type, ...data, ...payload });
            theirs.gen({ name: type, data });
            const state = pathOf(ours.getSnapshot().value as StateValue);
            expect(theirs.getConfiguration()).toEqual([state]);
            visited.add(state);
            if (ours.getSnapshot().status === 'done') return;
          }
        }),
        { numRuns: 1500, seed: 6455, examples: [[deep.map(eventOf)]] },
      );
      expect([...visited].sort()).toEqual(leavesOf(machine.root).sort());
    },
    60_000,
  );

  test('it finds fault with a file that is wrong', async () => {
    const broken = read('docs/diagrams/server.scxml').replace('target="starting"', 'target="nowhere"');
    const outcome = new Promise((resolve) => {
      documentStringToModel('broken.scxml', broken, (error, model) => {
        if (error || model === undefined) return resolve(error);
        model.prepare((fault, prepared) => {
          if (prepared === undefined) return resolve(fault);
          try {
            new core.Statechart(prepared, { console: { log() {} } });
            return resolve(undefined);
          } catch (cause) {
            return resolve(cause);
          }
        });
      });
    });
    expect(await outcome).toBeDefined();
  });
});
