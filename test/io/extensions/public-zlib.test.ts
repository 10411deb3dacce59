// What is different without contexts. What both kinds of zlib do is in choose-zlib.test.ts.
import zlib from 'node:zlib';
import { expect, test } from 'vitest';
import { PublicZlib } from '../../../src/io/extensions/public-zlib.ts';
import { deflated, inflated } from '../../support/deflate-peer.ts';
import { bytes } from '../../support/raw-client.ts';

const publicly = new PublicZlib(zlib);

test('each message is compressed by itself', () => {
  const deflater = publicly.deflater({ windowBits: 12, level: 1, memLevel: 5 });
  const out = new Uint8Array(200);
  for (let i = 0; i < 3; i++) {
    const written = deflater.deflate(bytes('the same each time'), out);
    expect(inflated(out.slice(0, written - 4))).toEqual(bytes('the same each time'));
  }
});

test('pieces are held until the last one has come', () => {
  const inflater = publicly.inflater(15);
  const message = deflated(bytes('a message in two pieces'));
  const out = new Uint8Array(100);
  inflater.push(message.subarray(0, 5), false);
  expect([inflater.inflate(out, 100), inflater.heldBytes]).toEqual([0, 5]);
  inflater.push(message.subarray(5), true);
  expect(inflater.inflate(out, 100)).toBe(23);
  expect([inflater.inflate(out, 100), inflater.heldBytes]).toEqual([0, 0]);
  inflater.push(message, false);
  inflater.close();
  expect(inflater.heldBytes).toBe(0);
});
