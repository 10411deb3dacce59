// test/ mirrors src/: the tests of src/x/y.ts are in test/x/y.test.ts.

import { expect, test } from 'vitest';
import { filesUnder, readSource, withoutComments } from './source.ts';

/** Files that are types alone: there is nothing in them to run. */
const typesOnly = [
  'api/connection/delivery-host.ts',
  'api/messages/schema.ts',
  'api/topics/join-options.ts',
  'connection/handover.ts',
  'connection/host.ts',
  'connection/recipient.ts',
  'connection/settings.ts',
  'io/extensions/extension.ts',
  'io/transports/transport.ts',
  'io/writing/outbox-ports.ts',
  'machines/connection-ports.ts',
  'machines/link-ports.ts',
  'machines/server-ports.ts',
  'server/recipient.ts',
  'server/settings.ts',
  'topics/backplane.ts',
  'topics/member.ts',
];

// AssemblyScript and what is built of it are tested where they are used.
const sources = filesUnder('src').filter((file) => file.endsWith('.ts') && !file.startsWith('io/wasm/'));
const tests = new Set(filesUnder('test'));
const testOf = (file: string) => file.replace(/\.ts$/, '.test.ts');

/** What is left of a file without its types: true if that is nothing. */
const hasNoValues = (text: string) =>
  !/^(?:export\s+)?(?:default\s|async\s|abstract\s|const|let|var|function|class|\{)/m.test(
    withoutComments(text),
  );

test('every source file has its test file', () => {
  const untested = sources.filter((file) => !tests.has(testOf(file)) && !typesOnly.includes(file));
  expect(untested.map((file) => `src/${file} wants test/${testOf(file)}`)).toEqual([]);
});

test('the exceptions exist, hold types alone, and have no test file', () => {
  expect(typesOnly.filter((file) => !sources.includes(file))).toEqual([]);
  expect(typesOnly.filter((file) => !hasNoValues(readSource(file)))).toEqual([]);
  expect(typesOnly.filter((file) => tests.has(testOf(file)))).toEqual([]);
});
