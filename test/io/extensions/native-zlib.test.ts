// What only native contexts do. What both kinds of zlib do is in choose-zlib.test.ts.
import zlib from 'node:zlib';
import { expect, test } from 'vitest';
import { NativeZlib } from '../../../src/io/extensions/native-zlib.ts';
import { inflated } from '../../support/deflate-peer.ts';
import { bytes } from '../../support/raw-client.ts';

const native = NativeZlib.find(zlib) as NativeZlib; // Node has it

test('a context refers to earlier messages until it is reset', () => {
  const deflater = native.deflater({ windowBits: 12, level: 1, memLevel: 5 });
  const text = bytes('{"symbol":"PORTAL","price":1234.56,"volume":98765}');
  const out = new Uint8Array(200);
  const sizes = [1, 2, 3].map(() => deflater.deflate(text, out));
  expect(sizes[1]).toBeLessThan((sizes[0] as number) / 2);
  deflater.reset();
  expect(deflater.deflate(text, out)).toBe(sizes[0]);
  expect(inflated(out.slice(0, (sizes[0] as number) - 4))).toEqual(text);
  deflater.close();
});

test('what an inflater holds grows with its window', () => {
  expect(native.inflater(9).heldBytes).toBeLessThan(native.inflater(15).heldBytes);
});
