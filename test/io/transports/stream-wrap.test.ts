/** Node's request classes: found where they are as expected, and never at the price of a warning. */
import { deprecate } from 'node:util';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { findStreamWrap, type Runtime } from '../../../src/io/transports/stream-wrap.ts';

class WriteWrap {
  oncomplete = () => {};
}
class ShutdownWrap {
  oncomplete = () => {};
}
const WRAP = {
  WriteWrap,
  ShutdownWrap,
  streamBaseState: new Int32Array(4),
  kReadBytesOrError: 0,
  kLastWriteWasAsync: 3,
};

/** A runtime whose `process.binding` gives `wrap`, however wrong that is. */
const runtime = (wrap: object, versions: Runtime['versions'] = {}): Runtime => ({
  versions,
  binding: function binding() {
    return wrap;
  },
});

afterEach(() => void vi.restoreAllMocks());

test('they are found on this Node', () => {
  expect(findStreamWrap()).toMatchObject({ streamBaseState: expect.any(Int32Array) });
});

test('what is as expected is given back, an array of another realm included', () => {
  expect(findStreamWrap(runtime(WRAP))).toBe(WRAP);
  const foreign = { ...WRAP, streamBaseState: runInNewContext('new Int32Array(4)') };
  expect(foreign.streamBaseState).not.toBeInstanceOf(Int32Array);
  expect(findStreamWrap(runtime(foreign))).toBe(foreign);
});

test.each([
  { WriteWrap: undefined },
  { ShutdownWrap: {} },
  { streamBaseState: undefined },
  { streamBaseState: [0, 0, 0, 0] },
  { streamBaseState: new Float64Array(4) },
  { kReadBytesOrError: undefined },
  { kReadBytesOrError: 4 },
  { kLastWriteWasAsync: -1 },
])('a part that is not as expected: %o', (part) => {
  expect(findStreamWrap(runtime({ ...WRAP, ...part }))).toBeUndefined();
});

test('Deno and Bun are not asked', () => {
  expect(findStreamWrap(runtime(WRAP, { deno: '2.9.6' }))).toBeUndefined();
  expect(findStreamWrap(runtime(WRAP, { bun: '1.4.5' }))).toBeUndefined();
});

describe('process.binding', () => {
  test('that is missing, or throws as under --permission', () => {
    expect(findStreamWrap({ versions: {} })).toBeUndefined();
    const denied = () => {
      throw new Error('Access to this API has been restricted');
    };
    expect(findStreamWrap({ versions: {}, binding: denied })).toBeUndefined();
  });

  test('that is wrapped by --pending-deprecation is not called', () => {
    const { binding } = runtime(WRAP);
    const calls = vi.fn(binding);
    const wrapped = deprecate(function binding(name: string) {
      return calls(name);
    }, 'process.binding() is deprecated.');
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(findStreamWrap({ versions: {}, binding: wrapped })).toBeUndefined();
    expect(calls).not.toHaveBeenCalled();
    expect(emitWarning).not.toHaveBeenCalled();
  });

  test.each([undefined, false])(
    'that warns without being asked to is muted, and noDeprecation is %s again',
    (noDeprecation) => {
      const warned: (boolean | undefined)[] = [];
      const node: Runtime = {
        versions: {},
        binding() {
          warned.push(node.noDeprecation);
          return WRAP;
        },
      };
      if (noDeprecation !== undefined) node.noDeprecation = noDeprecation;
      const before = Object.keys(node);
      expect(findStreamWrap(node)).toBe(WRAP);
      expect(warned).toEqual([true]);
      expect([node.noDeprecation, Object.keys(node)]).toEqual([noDeprecation, before]);
    },
  );

  test('is called under --no-deprecation, where noDeprecation cannot be set', () => {
    const node = Object.defineProperty(runtime(WRAP), 'noDeprecation', { value: true, writable: false });
    expect(findStreamWrap(node)).toBe(WRAP);
  });
});
