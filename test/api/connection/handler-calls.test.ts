/** A handler that throws is told with a way to call it again; what it returns is told, too. */
import { expect, test } from 'vitest';
import {
  callFragment,
  callMessage,
  callOpen,
  type HandlerCaller,
} from '../../../src/api/connection/handler-calls.ts';

const fragment = { data: 'part', opcode: 'text', first: true, final: false } as const;
const calls: [string, (caller: HandlerCaller) => void, unknown[]][] = [
  ['onOpen', callOpen, []],
  ['onMessage', (caller) => callMessage(caller, 'word'), ['word']],
  ['onFragment', (caller) => callFragment(caller, fragment), [fragment]],
];

function make(name: string, handler: ((...given: unknown[]) => unknown) | undefined) {
  const did: unknown[] = [];
  let again = () => {};
  const caller = {
    connection: 'connection',
    path: { handlers: { [name]: handler } },
    subscribed: 5,
    settle: (result: unknown, retry: () => void, attempts: number, subscribed: number) => {
      again = retry;
      did.push(['settle', result, attempts, subscribed]);
    },
    failed: (error: unknown, retry: () => void, attempts: number) => {
      again = retry;
      did.push(['failed', error, attempts]);
    },
  } as unknown as HandlerCaller;
  return { caller, did, again: () => again() };
}

test.each(calls)(
  '%s is given the connection and what came; nothing returned is nothing told',
  (name, call, given) => {
    const seen: unknown[][] = [];
    const { caller, did } = make(name, (...args) => void seen.push(args));
    call(caller);
    call(make(name, undefined).caller);
    expect([seen, did]).toEqual([[['connection', ...given]], []]);
  },
);

test.each(calls)('%s is called again with the same, and the attempts are counted', (name, call, given) => {
  const seen: unknown[][] = [];
  const { caller, did, again } = make(name, (...args) => {
    seen.push(args);
    if (seen.length < 3) throw seen.length;
    return 'result';
  });
  call(caller);
  again();
  again();
  expect(did).toEqual([
    ['failed', 1, 0],
    ['failed', 2, 1],
    ['settle', 'result', 2, 5],
  ]);
  expect(seen).toEqual(Array(3).fill(['connection', ...given]));
});
