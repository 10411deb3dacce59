import { describe, expect, test } from 'vitest';
import {
  contentOf,
  EncodedMessage,
  encodeContent,
  encodeMessage,
  formOf,
  isEncoded,
  kindOf,
  notSendable,
} from '../../../src/io/writing/encoded-message.ts';
import { RunLength } from '../../support/toy-extension.ts';

test('what a message says comes back, and makes the same message', () => {
  for (const message of [
    encodeMessage('é'),
    encodeMessage(Uint8Array.of(1, 2)),
    encodeMessage('x'.repeat(70_000)),
  ]) {
    const content = contentOf(message);
    expect(formOf(encodeContent(content))).toEqual(formOf(message));
  }
  expect(contentOf(encodeMessage('é'))).toEqual({ bytes: Uint8Array.of(0xc3, 0xa9), binary: false });
  expect(contentOf(encodeMessage(Uint8Array.of(7))).binary).toBe(true);
});

describe('a message encoded once', () => {
  test('is a text or binary frame, with the shortest length', () => {
    expect(formOf(encodeMessage('é'))).toEqual({
      frame: Uint8Array.of(0x81, 2, 0xc3, 0xa9),
      payloadBytes: 2,
    });
    expect(formOf(encodeMessage(Uint8Array.of(7)))).toEqual({
      frame: Uint8Array.of(0x82, 1, 7),
      payloadBytes: 1,
    });
    expect(formOf(encodeMessage(''))).toEqual({ frame: Uint8Array.of(0x81, 0), payloadBytes: 0 });
  });

  test('is a copy: what its maker does to the bytes later changes nothing', () => {
    const payload = Uint8Array.of(1, 2, 3);
    const message = encodeMessage(payload);
    payload.fill(9);
    expect([...formOf(message).frame]).toEqual([0x82, 3, 1, 2, 3]);
  });

  test('has one form for each kind of peer, made when the first one asks', () => {
    const message = encodeMessage('aaaa');
    const [extension, same, other] = [new RunLength(), new RunLength(), new RunLength()];
    Object.assign(other, { form: 'another' });
    const form = formOf(message, extension);
    expect(form).toEqual({ frame: Uint8Array.of(0xc1, 2, 4, 0x61), payloadBytes: 2 });
    expect(formOf(message, same)).toBe(form);
    expect(formOf(message, other)).not.toBe(form);
    expect([extension, same, other].map(({ encoded }) => encoded)).toEqual([
      [{ bytes: 4, standsAlone: true }],
      [],
      [{ bytes: 4, standsAlone: true }],
    ]);
    expect(formOf(message).frame).toEqual(Uint8Array.of(0x81, 4, 0x61, 0x61, 0x61, 0x61));
  });

  test('is plain where the extension leaves it alone', () => {
    const message = encodeMessage('ab');
    expect(formOf(message, new RunLength())).toBe(formOf(message));
  });

  test('shows nothing of itself', () => {
    const message = encodeMessage('a');
    expect(Reflect.ownKeys(message)).toEqual([]);
    expect(Reflect.ownKeys(EncodedMessage.prototype)).toEqual(['constructor']);
  });

  test('is known by what made it, and by nothing that looks like it', () => {
    const message = encodeMessage('a');
    expect(isEncoded(message)).toBe(true);
    const others = [
      null,
      undefined,
      'a',
      1,
      {},
      { frame: new Uint8Array(2) },
      Object.create(message),
      () => {},
    ];
    expect(others.filter(isEncoded)).toEqual([]);
  });
});

test('anything but a string or a Uint8Array is a TypeError that says what it is', () => {
  const cannot = (value: unknown) => () => encodeMessage(value as string);
  expect(cannot({})).toThrow(new TypeError(notSendable({}).message));
  expect(cannot(1)).toThrow(
    'cannot send a number; a message is a string, a Uint8Array, or what prepare() made',
  );
  expect(cannot(new ArrayBuffer(1))).toThrow('cannot send an ArrayBuffer;');
  expect(cannot(new ArrayBuffer(1))).toThrow('new Uint8Array(buffer)');
  expect(cannot(undefined)).toThrow('cannot send undefined;');
});

test('a value is named with its article', () => {
  expect([null, undefined, [], {}, 'a', 1n, new Date(0)].map(kindOf)).toEqual([
    'null',
    'undefined',
    'an Array',
    'an Object',
    'a string',
    'a bigint',
    'a Date',
  ]);
});
