// The law of imports: `api -> machines -> types of io`, `api -> io`, never the other way; and the outer world (sockets,
// timers, time, chance) only in src/io/transports, src/io/time/clock.ts and src/io/time/ticker.ts.

import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesUnder, importsOf, readSource, withoutComments } from './source.ts';

type Law = {
  /** Layers whose values may be used, and layers of which only the types may be. */
  values: string[];
  types: string[];
  packages: string[];
  node: string[];
};

const laws: Record<string, Law> = {
  'io/transports': { values: ['io', 'io/transports'], types: [], packages: [], node: ['*'] },
  io: {
    values: ['io'],
    types: ['io/transports'],
    packages: [],
    node: ['node:buffer', 'node:crypto', 'node:worker_threads'],
  },
  machines: { values: ['machines'], types: ['io', 'io/transports'], packages: ['xstate'], node: [] },
  api: {
    values: ['api', 'machines', 'io', 'io/transports'],
    types: [],
    packages: ['xstate', 'rxjs'],
    node: ['node:buffer', 'node:diagnostics_channel', 'node:async_hooks', 'node:events', 'node:util'],
  },
  inspect: {
    values: ['inspect', 'api', 'machines', 'io'],
    types: ['io/transports'],
    packages: ['xstate'],
    node: ['node:buffer', 'node:crypto'],
  },
  testing: {
    values: ['testing', 'api', 'io', 'io/transports'],
    types: [],
    packages: [],
    node: ['node:buffer'],
  },
  // The front door passes on what is public, from every layer.
  '': { values: ['api', 'machines', 'io', 'io/transports'], types: [], packages: [], node: [] },
};

/** `node:net` is for sockets, but it also reads addresses: one file may have these names of it, and no other. */
const ADDRESSES = 'io/http/addresses.ts';
const ADDRESS_NAMES = ['isIP', 'BlockList', 'SocketAddress'];

function readsAddresses(file: string, text: string): boolean {
  const imports = Array.from(withoutComments(text).matchAll(/import\s*\{([^}]*)\}\s*from 'node:net'/g));
  const names = imports.flatMap(([, list = '']) => list.split(',').map((name) => name.trim()));
  const uses = importsOf(text).filter(({ specifier }) => specifier === 'node:net').length;
  return file === ADDRESSES && uses === imports.length && names.every((name) => ADDRESS_NAMES.includes(name));
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
      const target = layerOf(posix.join(posix.dirname(file), specifier));
      return !law.values.includes(target) && !(typeOnly && law.types.includes(target));
    }
    if (specifier === 'node:net' && readsAddresses(file, text)) return false;
    if (specifier.startsWith('node:'))
      return !typeOnly && !law.node.includes('*') && !law.node.includes(specifier);
    return !law.packages.includes(specifier.split('/')[0] as string);
  };
  return importsOf(text)
    .filter(breaks)
    .map(({ specifier }) => `src/${file} (layer ${layer || 'index'}) imports ${specifier}`);
}

const outerWorld =
  /\b(?:set(?:Timeout|Interval|Immediate)\(|new Date\b|Date\.|Date\(|performance\.|process\.hrtime|Math\.random\b)/g;
/** The page is text for a browser. */
const outerPlaces = [/^io\/transports\//, /^io\/clock\.ts$/, /^io\/ticker\.ts$/, /^inspect\/page\.ts$/];

function outerWorldIn(file: string, text: string): string[] {
  if (outerPlaces.some((place) => place.test(file))) return [];
  return Array.from(withoutComments(text).matchAll(outerWorld), ([use]) => `src/${file} uses ${use}`);
}

const sources = filesUnder('src').filter((file) => file.endsWith('.ts'));

describe('the layers', () => {
  test('every source file keeps the law of imports', () => {
    expect(sources.flatMap((file) => unlawfulImports(file, readSource(file)))).toEqual([]);
  });

  test('sockets, timers, time and chance stay in src/io/transports, clock and ticker', () => {
    expect(sources.flatMap((file) => outerWorldIn(file, readSource(file)))).toEqual([]);
  });

  test.each([
    ['io/frame-decoder.ts', "import { connectionMachine } from '../machines/connection-machine.ts';"],
    ['io/frame-decoder.ts', "import type { Server } from '../api/server.ts';"],
    ['io/frame-decoder.ts', "import { createServer } from 'node:net';"],
    ['io/frame-decoder.ts', "import { isIP } from 'node:net';"],
    ['io/http/addresses.ts', "import { isIP, connect } from 'node:net';"],
    ['io/http/addresses.ts', "import net from 'node:net';"],
    ['io/http/addresses.ts', "const net = await import('node:net');"],
    ['io/frame-decoder.ts', "import { Subject } from 'rxjs';"],
    ['io/outbox.ts', "import { listen } from './transports/tcp.ts';"],
    ['machines/connection-machine.ts', "import { decode } from '../io/frame-decoder.ts';"],
    ['machines/connection-machine.ts', "import { type Frame } from '../io/frame-decoder.ts';"],
    ['machines/connection-machine.ts', "import {\n  a,\n  b,\n} from '../api/connection.ts';"],
    ['machines/connection-machine.ts', "import { Subject } from 'rxjs';"],
    ['machines/connection-machine.ts', "import { randomInt } from 'node:crypto';"],
    ['machines/connection-machine.ts', "export * from '../io/utf8.ts';"],
    ['api/server.ts', "import { createServer } from 'node:net';"],
    ['api/server.ts', "import { setTimeout as sleep } from 'node:timers/promises';"],
    ['api/server.ts', "const net = await import('node:net');"],
    ['api/server.ts', "import 'ws';"],
    ['index.ts', "export { Subject } from 'rxjs';"],
  ])('%s may not say %j', (file, text) => {
    expect(unlawfulImports(file, text)).toHaveLength(1);
  });

  test.each([
    ['machines/connection-machine.ts', "import type { Frame } from '../io/frame-decoder.ts';"],
    ['api/server.ts', "import type { AddressInfo } from 'node:net';"],
    ['api/server.ts', "import { map } from 'rxjs/operators';"],
    ['io/transports/tcp.ts', "import { createServer } from 'node:net';"],
    ['io/http/addresses.ts', "import { BlockList, isIP } from 'node:net';"],
    ['index.ts', "export { encodeMessage } from './io/outbox.ts';"],
    ['io/frame-decoder.ts', "// import { a } from '../api/server.ts';"],
  ])('%s may say %j', (file, text) => {
    expect(unlawfulImports(file, text)).toEqual([]);
  });

  test.each(['setTimeout(f, 1)', 'new Date()', 'Date.now()', 'performance.now()', 'Math.random()'])(
    'api/server.ts may not use %s',
    (use) => {
      expect(outerWorldIn('api/server.ts', `const a = () => ${use};`)).toHaveLength(1);
      expect(outerWorldIn('io/clock.ts', `const a = () => ${use};`)).toEqual([]);
    },
  );
});
