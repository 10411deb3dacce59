/** The answer of a server that does not run. */
import { expect, test, vi } from 'vitest';
import type { Handover } from '../../src/connection/handover.ts';
import { fault } from '../../src/io/faults.ts';
import { RequestHead } from '../../src/io/http/request-head.ts';
import type { HandshakeVerdict } from '../../src/io/http/verdict.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { memoryPair } from '../../src/io/transports/memory.ts';
import { turnAway, whyNot } from '../../src/server/turn-away.ts';
import { until } from '../support/serving.ts';

const nothing = () => {};

function turnedAway(answer?: (verdict: HandshakeVerdict) => void) {
  const clock = new ManualClock();
  const [ours, theirs] = memoryPair();
  let said = '';
  const told: string[] = [];
  theirs.attach({
    onBytes: (chunk) => {
      said += Buffer.from(chunk).toString();
    },
    onDrain: nothing,
    onEnd: () => void told.push('end'),
    onError: () => void told.push('error'),
    onClosed: () => void told.push('closed'),
  });
  const why = fault('notStarted');
  const head = { fault: why };
  const handover = { head, headBytes: 0, early: new Uint8Array(0), incoming: nothing, answer };
  turnAway(ours, handover, why, { clock, ms: 1000 });
  return { clock, ours, theirs, told, said: () => said };
}

test('503, and the end', async () => {
  const { theirs, told, said } = turnedAway();
  await until(() => told.includes('end'));
  expect(said()).toMatch(
    /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 5\r\n[\s\S]*The server is not started\.\n$/,
  );
  theirs.end();
  await until(() => told.includes('closed'));
});

test('a peer that does not end its side is dropped', async () => {
  const { clock, ours, told } = turnedAway();
  const destroyed = vi.spyOn(ours, 'destroy');
  await until(() => told.includes('end'));
  clock.advance(1000);
  expect(destroyed).toHaveBeenCalled();
});

test('where the answer is no HTTP/1.1, it is given as a verdict', async () => {
  const verdicts: HandshakeVerdict[] = [];
  const { told, said } = turnedAway((verdict) => verdicts.push(verdict));
  await until(() => told.includes('end'));
  expect(said()).toBe('');
  expect(verdicts).toMatchObject([{ kind: 'refuse', response: { status: 503 } }]);
});

test.each([
  ['new', 'notStarted'],
  ['starting', 'starting'],
  ['draining', 'stopping'],
  ['stopped', 'stopped'],
  ['failed', 'notStarted'],
] as const)(
  'a server that is %s does not take its own paths because of %s; others it does not have',
  (state, name) => {
    const recipient = { serves: (path: string) => path === '/echo' };
    const asked = (target: string) => ({ head: new RequestHead('GET', target, '') }) as Handover;
    expect(whyNot(recipient, asked('/echo?a'), state)).toMatchObject({ name, code: 503 });
    expect(whyNot(recipient, asked('/ecko'), state)).toMatchObject({ name: 'noPath', code: 404 });
    const wrong = fault('maxHeadBytes', { bytes: 1 });
    expect(whyNot(recipient, { ...asked('/echo'), head: { fault: wrong } }, state)).toBe(wrong);
  },
);
