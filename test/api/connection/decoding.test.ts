/** A codec's value is given, its error is told, and while it decides, the next message waits. */
import { describe, expect, test } from 'vitest';
import { type DecodingOwner, decode, misfit } from '../../../src/api/connection/decoding.ts';
import { InvalidMessageError } from '../../../src/api/errors.ts';
import type { Codec } from '../../../src/api/messages/codec.ts';

function make(delivers = true) {
  const did: unknown[] = [];
  const owner: DecodingOwner = {
    reading: {
      delivers,
      hold: () => ({
        decoding: (isPending) => void did.push(isPending ? 'hold' : 'release'),
        deliver: (give) => give(),
      }),
      readAgain: () => void did.push('read'),
    },
    handlerHost: {
      handlerBegan: () => {
        did.push('began');
        return 7;
      },
      handlerEnded: (began) => void did.push(`ended ${began}`),
    },
    doesNotFit: (error, message) => void did.push(`${message}: ${error}`),
  };
  const run = async (read: () => unknown) => {
    decode({ decode: read } as unknown as Codec, 'raw', (value) => void did.push(value), owner);
    await new Promise(setImmediate);
    return did;
  };
  return { did, run };
}

describe('a codec that answers', () => {
  test('at once holds nothing back', async () => {
    expect(await make().run(() => 42)).toEqual([42]);
  });

  test('by throwing is told of with its message', async () => {
    const read = () => {
      throw new Error('odd');
    };
    expect(await make().run(read)).toEqual(['raw: Error: odd']);
  });

  test('later holds the next message back until then', async () => {
    expect(await make().run(async () => 42)).toEqual(['hold', 'began', 'release', 42, 'ended 7', 'read']);
  });

  test('later with an error does so, too', async () => {
    expect(await make().run(() => Promise.reject(new Error('odd')))).toEqual([
      'hold',
      'began',
      'release',
      'raw: Error: odd',
      'ended 7',
      'read',
    ]);
  });

  test('when nothing is delivered any more gives nothing', async () => {
    expect(await make(false).run(async () => 42)).toEqual(['hold', 'began', 'release', 'ended 7', 'read']);
  });
});

test('what a codec threw becomes an InvalidMessageError, unless it is one', () => {
  const own = new InvalidMessageError('own');
  expect(misfit(own)).toBe(own);
  const cause = new Error('why');
  expect(misfit(cause)).toMatchObject({ cause });
  expect(misfit(cause).message).toContain('why');
  expect(misfit('text').message).toContain('text');
});
