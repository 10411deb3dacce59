/** The options of `stop()`: defaults, and an error for each that is wrong, which names it, its value and what is allowed. */
import { describe, expect, test } from 'vitest';
import { readStopOptions, type StopOptions } from '../../../src/api/options/stop-options.ts';
import { createServer, OptionError } from '../../../src/index.ts';

const read = (options: unknown) => readStopOptions(options as StopOptions, 5000);

describe('what is right', () => {
  test('nothing: the defaults', () => {
    const defaults = { code: 1001, reason: '', deadline: 5000, batch: 500, closePortFirst: false };
    expect(read({})).toEqual(defaults);
    const unset = { code: undefined, reason: undefined, deadline: undefined, batch: undefined };
    expect(read(unset)).toEqual(defaults);
  });

  test('a keyword becomes its number; both ends of every range', () => {
    const { POSITIVE_INFINITY: endless } = Number;
    expect(read({ code: 'normal', reason: 'ü'.repeat(61), deadline: 0, batch: 1 })).toEqual({
      code: 1000,
      reason: 'ü'.repeat(61),
      deadline: 0,
      batch: 1,
      closePortFirst: false,
    });
    expect(read({ deadline: endless, batch: endless })).toMatchObject({ deadline: endless, batch: endless });
  });
});

describe('what is wrong', () => {
  test.each([
    ['null', null, 'null'],
    ['a number', 1000, '1000'],
    ['a string', 'SIGTERM', "'SIGTERM'"],
    ['a list', [1001], '[ 1001 ]'],
    ['a function', () => {}, '[Function (anonymous)]'],
  ])('%s is no options', (_, options, shown) => {
    expect(() => read(options)).toThrow(OptionError);
    const why = `stop was given ${shown}; allowed is an object with some of code, reason, deadline, batch, closePortFirst, or nothing`;
    expect(() => read(options)).toThrow(why);
  });

  test.each([
    ['timeout', 500, '500'],
    ['dead_line', '1s', "'1s'"],
    ['Code', undefined, 'undefined'],
    ['constructor', {}, '{}'],
  ])('%s is no option', (name, value, shown) => {
    expect(() => read({ deadline: 1, [name]: value })).toThrow(OptionError);
    const why = `stop has no option ${name}, which is ${shown}; allowed are code, reason, deadline, batch, closePortFirst`;
    expect(() => read({ deadline: 1, [name]: value })).toThrow(why);
  });

  test.each([
    [{ code: 1005 }, /^close code 1005 may not be sent.*; allowed are 1000-1003, 1007-1014, 3000-4999/],
    [{ code: 'bye' }, /^close code "bye" may not be sent; allowed are/],
    [{ code: 'constructor' }, /^close code "constructor" may not be sent; allowed are/],
    [{ code: null }, /^close code null may not be sent; allowed are/],
    [{ code: 1000.5 }, /^close code 1000.5 may not be sent; allowed are/],
    [{ reason: 'x'.repeat(124) }, /^close reason is 124 bytes of UTF-8; allowed are 0-123$/],
    [{ deadline: -1 }, /^deadline is -1; allowed are 0 or more milliseconds$/],
    [{ deadline: Number.NaN }, /^deadline is NaN; allowed/],
    [{ deadline: '100' }, /^deadline is '100'; allowed/],
    [{ deadline: null }, /^deadline is null; allowed/],
    [{ deadline: 100n }, /^deadline is 100n; allowed/],
    [{ deadline: [] }, /^deadline is \[\]; allowed/],
    [{ batch: 0 }, /^batch is 0; allowed are 1 or more connections$/],
    [{ batch: true }, /^batch is true; allowed/],
    [{ batch: '5' }, /^batch is '5'; allowed/],
  ])('%o is a RangeError', (options, why) => {
    expect(() => read(options)).toThrow(RangeError);
    expect(() => read(options)).toThrow(why);
  });

  test.each([[1], [null], ['yes']])('closePortFirst of %o is a TypeError', (closePortFirst) => {
    expect(() => read({ closePortFirst })).toThrow(TypeError);
    expect(() => read({ closePortFirst })).toThrow(/^closePortFirst is .*; allowed are true and false$/);
  });

  test.each([[5], [null], [{}], [Uint8Array.of(1)]])('a reason of %o is a TypeError', (reason) => {
    expect(() => read({ reason })).toThrow(TypeError);
    expect(() => read({ reason })).toThrow(
      /^reason is .+; allowed is a string of at most 123 bytes of UTF-8$/,
    );
  });

  test('a long value is not repeated as a whole', () => {
    expect(() => read({ deadline: 'x'.repeat(10_000) })).toThrow(/^.{0,300}$/);
  });

  test('stop() throws at the call, whatever the state of the server', () => {
    const server = createServer({ port: 0 });
    expect(() => server.stop({ timeout: 1 } as StopOptions)).toThrow(OptionError);
    expect(() => server.stop(null as unknown as StopOptions)).toThrow(OptionError);
    expect(server.state).toBe('stopped');
  });
});
