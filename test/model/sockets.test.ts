// Model-based: every path of the model against a real server over a real socket, each event by its real cause.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { connectionMachine } from '../../src/machines/connection-machine.ts';
import { canCarry, carrier } from '../support/carrier.ts';
import { RawClient } from '../support/raw-client.ts';
import { connectionPaths, wordsOfPath } from './connection-model.ts';
import { EVENT_TYPES } from './connection-spec.ts';
import { executePath } from './real-connection.ts';
import { TRANSPORTS } from './real-life.ts';
import { triplesOf } from './triples.ts';

// XState's development build warns of each event that an ended actor refuses; sending those is the point here.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => undefined));
afterEach(() => {
  vi.restoreAllMocks();
  RawClient.destroyAll();
});

// Over TLS and Unix sockets by the projects of their names; who watches makes no difference there.
const plain = ['handle', 'socket'] as const;
// Compression has nothing to do with what carries it, but HTTP/2 negotiates it by headers of its own.
const elsewhere = carrier === 'http2' ? ([...plain, 'handle, compressing'] as const) : plain;
const transports = carrier === 'tcp' ? TRANSPORTS : elsewhere;

describe.skipIf(!canCarry).each(transports)(`over ${carrier} by %s`, (transport) => {
  test('every path does what is specified, and every triple is executed', async () => {
    const problems: string[] = [];
    const byCause = new Set<string>();
    const sent = new Map<string, string>();
    for (const path of connectionPaths(connectionMachine)) {
      try {
        for (const { triple, why } of await executePath(path, transport)) {
          if (why === undefined) byCause.add(triple);
          else sent.set(triple, why);
        }
      } catch (error) {
        problems.push(`${wordsOfPath(path)}: ${(error as Error).message.split('\n')[0]}`);
      }
    }
    expect(problems).toEqual([]);

    const all = triplesOf(connectionMachine, EVENT_TYPES);
    const onlySent = [...sent.keys()].filter((triple) => !byCause.has(triple));
    expect(all.filter((triple) => !byCause.has(triple) && !sent.has(triple))).toEqual([]);
    // What nothing in the world can cause is refused; all that is not refused has been caused.
    expect(onlySent.filter((triple) => !triple.endsWith('| refused'))).toEqual([]);
    expect([byCause.size, onlySent.length]).toEqual([131, 115]);
  });
});
