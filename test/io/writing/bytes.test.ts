import { Blob, Buffer } from 'node:buffer';
import vm from 'node:vm';
import { describe, expect, test } from 'vitest';
import { bytesAdvice, toBytes } from '../../../src/io/writing/bytes.ts';

const foreign = <T>(code: string): T => vm.runInNewContext(code) as T;

describe('toBytes', () => {
  test('gives a Uint8Array of this realm back as it is, and so a Buffer and one on shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    for (const value of [new Uint8Array(2), Buffer.from('a'), shared]) expect(toBytes(value)).toBe(value);
  });

  test('gives one of another realm as one of this realm, a view of the same memory', () => {
    const value = foreign<Uint8Array>('new Uint8Array([1, 2, 3, 4]).subarray(1, 3)');
    expect(value instanceof Uint8Array).toBe(false);
    const bytes = toBytes(value);
    expect(bytes).toBeInstanceOf(Uint8Array);
    expect([...(bytes ?? [])]).toEqual([2, 3]);
    value[0] = 9;
    expect(bytes?.[0]).toBe(9);
    const extended = foreign<Uint8Array>('new (class Bytes extends Uint8Array {})([5])');
    expect([...(toBytes(extended) ?? [])]).toEqual([5]);
    const shared = foreign<Uint8Array>('new Uint8Array(new SharedArrayBuffer(2))');
    expect([...(toBytes(shared) ?? [])]).toEqual([0, 0]);
  });

  test('takes nothing else, of whichever realm, and nothing that only says that it is one', () => {
    const fake = { [Symbol.toStringTag]: 'Uint8Array', length: 1, buffer: new ArrayBuffer(1) };
    const heir = Object.create(Uint8Array.prototype) as unknown;
    const others = [
      ...[undefined, null, 1, 'a', Symbol('s'), [1], {}, fake],
      ...[new ArrayBuffer(1), new SharedArrayBuffer(1), new DataView(new ArrayBuffer(1)), new Uint16Array(1)],
      ...[new Uint8ClampedArray(1), new Int8Array(1), new Blob(['a'])],
      ...['new ArrayBuffer(1)', 'new Uint16Array(1)', '[1]'].map((code) => foreign<unknown>(code)),
    ];
    expect(others.filter((value) => toBytes(value) !== undefined)).toEqual([]);
    // It has the prototype and not the memory: whoever reads it gets an error.
    expect(() => (toBytes(heir) as Uint8Array).length).toThrow(TypeError);
  });
});

test('the advice is code that makes a Uint8Array of the value', () => {
  expect(bytesAdvice(new ArrayBuffer(1))).toContain('new Uint8Array(buffer)');
  expect(bytesAdvice(foreign('new ArrayBuffer(1)'))).toContain('new Uint8Array(buffer)');
  expect(bytesAdvice(new SharedArrayBuffer(1))).toContain('new Uint8Array(buffer)');
  const ofView = 'new Uint8Array(view.buffer, view.byteOffset, view.byteLength)';
  for (const view of [new DataView(new ArrayBuffer(1)), new Uint16Array(1), foreign('new Float64Array(1)')]) {
    expect(bytesAdvice(view)).toContain(ofView);
  }
  expect(bytesAdvice(new Blob(['a']))).toContain('new Uint8Array(await blob.arrayBuffer())');
  for (const other of [undefined, null, 1, 'a', {}, [1], Symbol('s')]) expect(bytesAdvice(other)).toBe('');
});

test('the length is what the memory has, whatever a class says; a proxy is none', () => {
  class Ring extends Uint8Array {
    override get length(): number {
      return 100;
    }
  }
  expect(toBytes(new Ring([65, 66]))?.length).toBe(2);
  expect(toBytes(Object.defineProperty(new Uint8Array(2), 'length', { value: 9 }))?.length).toBe(2);
  expect(toBytes(new Proxy(new Uint8Array(2), {}))).toBeUndefined();
  expect(toBytes(Object.create(Uint8Array.prototype))).toBeUndefined();
  expect(bytesAdvice(new Proxy(new Uint8Array(2), {}))).toContain('new Uint8Array');
});
