// The law of imports: `api -> server -> connection -> machines -> io`, and `api -> topics -> machines -> io`; each layer may use those
// to its right and never one to its left. The machines take values only of `io/faults.ts`, and types of the rest of `io`. The outer world (sockets,
// timers, time, chance) is only in src/io/transports and src/io/time/clock.ts, and what of Node leads to it only in the
// files that are named here.

import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesUnder, importsOf, readSource, withoutComments } from './source.ts';

type Law = {
  /** Layers, or single files, whose values may be used; and layers of which only the types may be. */
  values: string[];
  types: string[];
  packages: string[];
  node: string[];
};

const laws: Record<string, Law> = {
  'io/transports': { values: ['io', 'io/transports'], types: [], packages: [], node: ['*'] },
  io: { values: ['io'], types: ['io/transports'], packages: [], node: ['node:buffer'] },
  machines: {
    values: ['machines', 'io/faults.ts'],
    types: ['io', 'io/transports'],
    packages: ['xstate'],
    node: [],
  },
  connection: {
    values: ['connection', 'machines', 'io'],
    types: ['io/transports'],
    packages: [],
    node: ['node:buffer'],
  },
  server: {
    values: ['server', 'connection', 'machines', 'io', 'io/transports'],
    types: [],
    packages: ['xstate'],
    node: [],
  },
  topics: {
    values: ['topics', 'machines', 'io'],
    types: [],
    packages: ['xstate'],
    node: ['node:buffer'],
  },
  nats: {
    values: ['nats', 'topics', 'io'],
    types: [],
    packages: ['@nats-io'],
    node: [],
  },
  redis: {
    values: ['redis', 'topics', 'io'],
    types: [],
    packages: [],
    node: ['node:buffer'],
  },
  api: {
    values: ['api', 'topics', 'server', 'connection', 'machines', 'io'],
    types: ['io/transports'],
    packages: ['xstate', 'rxjs'],
    node: ['node:buffer', 'node:util'],
  },
  inspect: {
    values: ['inspect', 'api', 'server', 'connection', 'machines', 'io'],
    types: ['io/transports'],
    packages: ['xstate'],
    node: ['node:buffer'],
  },
  nest: {
    values: ['nest', 'api', 'connection', 'machines', 'io'],
    types: [],
    packages: ['rxjs'],
    node: [],
  },
  testing: {
    values: ['testing', 'api', 'topics', 'server', 'connection', 'machines', 'io', 'io/transports'],
    types: [],
    packages: [],
    node: ['node:buffer'],
  },
  workers: {
    values: ['workers', 'api', 'topics', 'io'],
    types: [],
    packages: [],
    // Processes are its subject.
    node: ['node:cluster', 'node:fs', 'node:os', 'node:path', 'node:url'],
  },
  // The front door passes on what is public, from every layer.
  '': {
    values: ['api', 'topics', 'server', 'connection', 'machines', 'io', 'io/transports'],
    types: [],
    packages: [],
    node: [],
  },
};

/** Modules of Node of which one file needs some names: that file may import these names, and no other file any. */
const named: Record<string, Record<string, string[]>> = {
  'io/http/addresses.ts': { 'node:net': ['BlockList', 'isIP', 'SocketAddress'] },
  'io/http/verdict.ts': { 'node:crypto': ['hash'] },
  'io/frames/masking.ts': { 'node:crypto': ['randomBytes'] },
  'topics/engine-names.ts': { 'node:crypto': ['hash'] },
  'io/random-id.ts': { 'node:crypto': ['randomBytes'] },
  'io/frames/message-memory.ts': { 'node:worker_threads': ['markAsUntransferable'] },
  'io/http/header-fields.ts': { 'node:util': ['types'] },
  'io/http/origin-rules.ts': { 'node:util': ['types'] },
  'io/writing/bytes.ts': { 'node:util': ['types'] },
  'api/inspection/channels.ts': { 'node:diagnostics_channel': ['Channel', 'channel'] },
  'inspect/access.ts': { 'node:crypto': ['timingSafeEqual'] },
};

/** Whether a file has only such names of this module, each time that it imports it. */
function hasNamesAlone(file: string, text: string, specifier: string): boolean {
  const allowed = named[file]?.[specifier];
  if (allowed === undefined) return false;
  const lists = Array.from(withoutComments(text).matchAll(/import\s*\{([^}]*)\}\s*from '([^']+)'/g)).filter(
    ([, , from]) => from === specifier,
  );
  const names = lists.flatMap(([, list = '']) => list.split(',').map((name) => name.trim()));
  const uses = importsOf(text).filter((each) => each.specifier === specifier).length;
  const isAllowed = (name: string) => name === '' || allowed.includes(name.replace(/^type\s+/, ''));
  return uses === lists.length && names.every(isAllowed);
}

const layerOf = (file: string) => {
  const folder = posix.dirname(file);
  return (
    Object.keys(laws).find((layer) => layer !== '' && (folder === layer || folder.startsWith(`${layer}/`))) ??
    ''
  );
};

/** What a file imports against the law, one line for each breach. */
function unlawfulImports(file: string, text: string): string[] {
  const layer = layerOf(file);
  const law = laws[layer] as Law;
  const breaks = ({ specifier, typeOnly }: { specifier: string; typeOnly: boolean }) => {
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(file), specifier);
      const isAllowed = (places: string[]) => places.includes(layerOf(target)) || places.includes(target);
      return !isAllowed(law.values) && !(typeOnly && isAllowed(law.types));
    }
    if (specifier.startsWith('node:')) {
      const isWhole = law.node.includes('*') || law.node.includes(specifier);
      return !typeOnly && !isWhole && !hasNamesAlone(file, text, specifier);
    }
    return !law.packages.includes(specifier.split('/')[0] as string);
  };
  return importsOf(text)
    .filter(breaks)
    .map(({ specifier }) => `src/${file} (layer ${layer || 'index'}) imports ${specifier}`);
}

const outerWorld =
  /\b(?:set(?:Timeout|Interval|Immediate)\b|new Date\b|Date\.|Date\(|performance\.|process\.hrtime|Math\.random\b|crypto\.\w+\(|AbortSignal\.timeout\b|fetch\()/g;
/** The page is text for a browser. */
const outerPlaces = [/^io\/transports\//, /^io\/time\/clock\.ts$/, /^inspect\/page\.ts$/];

function outerWorldIn(file: string, text: string): string[] {
  if (outerPlaces.some((place) => place.test(file))) return [];
  return Array.from(withoutComments(text).matchAll(outerWorld), ([use]) => `src/${file} uses ${use}`);
}

const sources = filesUnder('src').filter((file) => file.endsWith('.ts'));

describe('the layers', () => {
  test('every source file keeps the law of imports', () => {
    expect(sources.flatMap((file) => unlawfulImports(file, readSource(file)))).toEqual([]);
  });

  test('every source file but index.ts belongs to a layer, and the files that are named exist', () => {
    expect(sources.filter((file) => layerOf(file) === '')).toEqual(['index.ts']);
    expect(Object.keys(named).filter((file) => !sources.includes(file))).toEqual([]);
  });

  test('sockets, timers, time and chance stay in src/io/transports and the clock', () => {
    expect(sources.flatMap((file) => outerWorldIn(file, readSource(file)))).toEqual([]);
  });

  test.each([
    // Never to the left.
    [
      'io/frames/frame-decoder.ts',
      "import { connectionMachine } from '../../machines/connection-machine.ts';",
    ],
    ['io/frames/frame-decoder.ts', "import type { Server } from '../../api/server/server.ts';"],
    ['io/frames/frame-decoder.ts', "import type { Session } from '../../connection/session.ts';"],
    ['machines/connection-machine.ts', "import type { Session } from '../connection/session.ts';"],
    ['machines/connection-machine.ts', "import {\n  a,\n  b,\n} from '../api/connection/connection.ts';"],
    ['connection/session.ts', "import type { Core } from '../server/core.ts';"],
    ['connection/session.ts', "import type { Connection } from '../api/connection/connection.ts';"],
    ['connection/session.ts', "type A = import('../api/connection/connection.ts').Connection;"],
    ['topics/room.ts', "import type { Connection } from '../api/connection/connection.ts';"],
    ['topics/room.ts', "import type { Session } from '../connection/session.ts';"],
    ['server/core.ts', "import { Topics } from '../topics/topics.ts';"],
    ['topics/link.ts', "import { connect } from '@nats-io/transport-node';"],
    ['index.ts', "export { nats } from './nats/index.ts';"],
    ['redis/index.ts', "import { Redis } from 'ioredis';"],
    ['server/core.ts', "import { Delivery } from '../api/connection/delivery.ts';"],
    ['server/core.ts', "import { createInspector } from '../inspect/index.ts';"],
    ['api/server/server.ts', "import { createInspector } from '../../inspect/index.ts';"],
    ['api/server/server.ts', "import type { TestClient } from '../../testing/client.ts';"],
    ['inspect/live.ts', "import { TestClient } from '../testing/client.ts';"],
    ['index.ts', "export { createInspector } from './inspect/index.ts';"],
    ['index.ts', "export { PortalAdapter } from './nest/index.ts';"],
    ['server/places.ts', "import { workers } from '../workers/index.ts';"],
    ['index.ts', "export { workers } from './workers/index.ts';"],
    ['nest/index.ts', "import type { WebSocketAdapter } from '@nestjs/common';"],
    // To the right, but only types.
    ['io/writing/outbox.ts', "import { listen } from '../transports/tcp.ts';"],
    ['machines/connection-machine.ts', "import { decode } from '../io/frames/frame-decoder.ts';"],
    ['machines/connection-machine.ts', "import { type Frame } from '../io/frames/frame-decoder.ts';"],
    ['machines/connection-machine.ts', "export * from '../io/frames/utf8.ts';"],
    ['connection/session.ts', "import { TcpListener } from '../io/transports/tcp.ts';"],
    ['api/server/server.ts', "import { TcpListener } from '../../io/transports/tcp.ts';"],
    // Packages.
    ['io/frames/frame-decoder.ts', "import { Subject } from 'rxjs';"],
    ['machines/connection-machine.ts', "import { Subject } from 'rxjs';"],
    ['connection/session.ts', "import { Subject } from 'rxjs';"],
    ['connection/session.ts', "import { createActor } from 'xstate';"],
    ['server/core.ts', "import type { Observable } from 'rxjs';"],
    ['api/server/server.ts', "import 'ws';"],
    ['index.ts', "export { Subject } from 'rxjs';"],
    // Node.
    ['io/frames/frame-decoder.ts', "import { createServer } from 'node:net';"],
    ['io/frames/frame-decoder.ts', "import { isIP } from 'node:net';"],
    ['io/frames/frame-decoder.ts', "import { randomBytes } from 'node:crypto';"],
    ['io/http/addresses.ts', "import { isIP, connect } from 'node:net';"],
    ['io/http/addresses.ts', "import net from 'node:net';"],
    ['io/http/addresses.ts', "const net = await import('node:net');"],
    ['io/http/verdict.ts', "import { randomBytes } from 'node:crypto';"],
    ['machines/connection-machine.ts', "import { randomInt } from 'node:crypto';"],
    ['connection/session.ts', "import { channel } from 'node:diagnostics_channel';"],
    ['server/core.ts', "import { createServer } from 'node:net';"],
    ['api/server/server.ts', "import { setTimeout as sleep } from 'node:timers/promises';"],
    ['api/server/server.ts', "import { channel } from 'node:diagnostics_channel';"],
    ['api/server/server.ts', "const net = await import('node:net');"],
  ])('%s may not say %j', (file, text) => {
    expect(unlawfulImports(file, text)).toHaveLength(1);
  });

  test.each([
    ['io/transports/tcp.ts', "import { createServer } from 'node:net';"],
    ['io/http/addresses.ts', "import { BlockList, isIP } from 'node:net';"],
    ['io/frames/frame-decoder.ts', "// import { a } from '../../api/server/server.ts';"],
    ['machines/connection-machine.ts', "import type { Frame } from '../io/frames/frame-decoder.ts';"],
    ['machines/connection-machine.ts', "import { faults } from '../io/faults.ts';"],
    ['connection/session.ts', "import { Interpreter } from '../machines/interpreter.ts';"],
    ['connection/session.ts', "import type { Transport } from '../io/transports/transport.ts';"],
    ['connection/handshaking.ts', "import { readHandshake } from '../io/http/handshake.ts';"],
    ['server/listening.ts', "import { TcpListener } from '../io/transports/tcp.ts';"],
    ['server/admission.ts', "import { Session } from '../connection/session.ts';"],
    ['api/connection/delivery.ts', "import { isThenable } from '../../io/values.ts';"],
    ['api/server/server.ts', "import { Core } from '../../server/core.ts';"],
    ['api/server/server.ts', "import type { AddressInfo } from 'node:net';"],
    ['api/server/server.ts', "import { map } from 'rxjs/operators';"],
    ['testing/server.ts', "import { MemoryListener } from '../io/transports/memory.ts';"],
    ['index.ts', "export { encodeMessage } from './io/writing/encoded-message.ts';"],
  ])('%s may say %j', (file, text) => {
    expect(unlawfulImports(file, text)).toEqual([]);
  });

  test.each([
    'setTimeout(f, 1)',
    'globalThis.setImmediate',
    'new Date()',
    'Date.now()',
    'performance.now()',
    'Math.random()',
    'crypto.randomUUID()',
    'AbortSignal.timeout(1)',
  ])('api/server/server.ts and the ticker may not use %s', (use) => {
    expect(outerWorldIn('api/server/server.ts', `const a = () => ${use};`)).toHaveLength(1);
    expect(outerWorldIn('io/time/ticker.ts', `const a = () => ${use};`)).toHaveLength(1);
    expect(outerWorldIn('io/time/clock.ts', `const a = () => ${use};`)).toEqual([]);
  });
});
