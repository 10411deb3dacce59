/** The heartbeat's Pings, and which Pong answers them (RFC 6455 5.5.2, 5.5.3). */
import { describe, expect, test } from 'vitest';
import { Heartbeat } from '../../src/connection/heartbeat.ts';

describe('alone', () => {
  test('the Pong of the last Ping tells the round trip', () => {
    const heartbeat = new Heartbeat();
    expect(heartbeat.rtt).toBeUndefined();
    const payload = heartbeat.next(1000);
    expect(heartbeat.isAnswer(payload, 1042)).toBe(true);
    expect(heartbeat.rtt).toBe(42);
  });

  test('each Ping has a payload of its own, and only the last one is waited for', () => {
    const heartbeat = new Heartbeat();
    const first = heartbeat.next(0);
    const second = heartbeat.next(100);
    expect(first).not.toEqual(second);
    expect(heartbeat.isAnswer(first, 110)).toBe(false);
    expect(heartbeat.rtt).toBeUndefined();
    expect(heartbeat.isAnswer(second, 130)).toBe(true);
    expect(heartbeat.rtt).toBe(30);
  });

  test.each([
    ['empty', []],
    ['short', [0, 0, 1]],
    ['long', [0, 0, 0, 1, 0]],
    ['another number', [0, 0, 0, 2]],
  ])('a Pong that is %s answers nothing', (_, payload) => {
    const heartbeat = new Heartbeat();
    heartbeat.next(0);
    expect(heartbeat.isAnswer(Uint8Array.from(payload), 1)).toBe(false);
    expect(heartbeat.rtt).toBeUndefined();
  });

  test('a payload in the middle of a larger buffer is read where it is', () => {
    const heartbeat = new Heartbeat();
    const payload = heartbeat.next(0);
    const block = Uint8Array.of(9, 9, ...payload, 9);
    expect(heartbeat.isAnswer(block.subarray(2, 6), 5)).toBe(true);
  });
});
