// Model-based: every transition of the machines that run in production, against recording ports. What each must do
// is written in connection-spec.ts and server-spec.ts, by hand and not from the machines.

import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { connectionMachine } from '../../src/machines/connection-machine.ts';
import { linkMachine } from '../../src/machines/link-machine.ts';
import { serverMachine } from '../../src/machines/server-machine.ts';
import { EVENT_TYPES, LEAVES } from './connection-spec.ts';
import { LINK_EVENT_TYPES, LINK_STATES } from './link-spec.ts';
import { proveConnection, proveConnectionAlongSpec } from './prove-connection.ts';
import { proveLink, proveLinkAlongSpec } from './prove-link.ts';
import { proveServer, proveServerAlongSpec } from './prove-server.ts';
import { SERVER_EVENT_TYPES, SERVER_STATES } from './server-spec.ts';
import { leavesUnder } from './triples.ts';

// XState's development build warns of each event that an ended actor refuses; sending those is the point here.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => undefined));
afterEach(() => void vi.restoreAllMocks());

test('the build of XState that this run is about is the one that is loaded', () => {
  const loaded = Object.keys(createRequire(import.meta.url).cache).filter((file) =>
    /xstate\/dist\/(xstate|xstate-graph|StateMachine|raise)[.-]/.test(file),
  );
  expect(loaded.length).toBeGreaterThanOrEqual(4);
  const development = loaded.filter((file) => file.includes('.development.'));
  expect(development).toEqual(process.env.XSTATE_BUILD === 'development' ? loaded : []);
});

describe('the connection machine', () => {
  test('has the states that the specification has', () => {
    const leaves = leavesUnder(connectionMachine.root).map(({ path }) => path.join('.'));
    expect(leaves.sort()).toEqual([...LEAVES].sort());
  });

  test('does what is specified in every state at every event, and every triple is walked', async () => {
    const { problems, triples, walked, paths } = await proveConnection(connectionMachine);
    expect(problems).toEqual([]);
    expect([...walked].sort()).toEqual([...triples].sort());
    // Each state answers each event; `callback.failed` has two more branches in two states, one more in two.
    expect(triples).toHaveLength(LEAVES.length * EVENT_TYPES.length + 2 * 2 + 2 * 1);
    expect(paths).toBeGreaterThan(triples.length);
  });

  test('does what is specified along the specification’s own paths', () => {
    expect(proveConnectionAlongSpec(connectionMachine)).toEqual([]);
  });

  test.each(['actor', 'interpreter'] as const)(
    'along the step table, run by the %s, it takes the same states and makes the same calls in the same order',
    async (host) => {
      const plain = await proveConnection(connectionMachine);
      const stepped = await proveConnection(connectionMachine, { host });
      expect(stepped.problems).toEqual([]);
      expect(stepped.log).toEqual(plain.log);
      expect([...stepped.walked].sort()).toEqual([...plain.triples].sort());
      expect(proveConnectionAlongSpec(connectionMachine, { host })).toEqual([]);
    },
  );
});

describe('the server machine', () => {
  test('has the states that the specification has', () => {
    const leaves = leavesUnder(serverMachine.root).map(({ path }) => path.join('.'));
    expect(leaves.sort()).toEqual([...SERVER_STATES].sort());
  });

  test('does what is specified in every state at every event, and every triple is walked', async () => {
    const { problems, triples, walked } = await proveServer(serverMachine);
    expect(problems).toEqual([]);
    expect([...walked].sort()).toEqual([...triples].sort());
    // Each state answers each event; three answers have a guard, and the other case is one more triple.
    expect(triples).toHaveLength(SERVER_STATES.length * SERVER_EVENT_TYPES.length + 3);
  });

  test('does what is specified along the specification’s own paths', () => {
    expect(proveServerAlongSpec(serverMachine)).toEqual([]);
  });
});

describe('the link machine', () => {
  test('has the states that the specification has', () => {
    const leaves = leavesUnder(linkMachine.root).map(({ path }) => path.join('.'));
    expect(leaves.sort()).toEqual([...LINK_STATES].sort());
  });

  test('does what is specified in every state at every event, and every triple is walked', async () => {
    const { problems, triples, walked } = await proveLink(linkMachine);
    expect(problems).toEqual([]);
    expect([...walked].sort()).toEqual([...triples].sort());
    expect(triples).toHaveLength(LINK_STATES.length * LINK_EVENT_TYPES.length);
  });

  test('does what is specified along the specification’s own paths', () => {
    expect(proveLinkAlongSpec(linkMachine)).toEqual([]);
  });
});
