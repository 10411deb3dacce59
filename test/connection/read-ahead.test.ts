/** Messages that wait for the user: their order, their bytes, and the option that bounds them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ITEM_BYTES, ReadAhead, type Waiting } from '../../src/connection/read-ahead.ts';
import { testServer } from '../../src/testing/index.ts';
import { gate } from '../support/serving.ts';

const whole = (message: string): Waiting => ({ kind: 'whole', message });
const wholeBytes = (item: Waiting): number => (item.kind === 'whole' ? Buffer.byteLength(item.message) : 0);

describe('the queue alone', () => {
  test('is empty at first, and after the last one has left', () => {
    const ahead = new ReadAhead();
    expect([ahead.isEmpty, ahead.bytes, ahead.shift()]).toEqual([true, 0, undefined]);
    ahead.push(whole('abc'));
    expect([ahead.isEmpty, ahead.bytes]).toEqual([false, 3 + ITEM_BYTES]);
    expect(ahead.shift()).toEqual(whole('abc'));
    expect([ahead.isEmpty, ahead.bytes, ahead.shift()]).toEqual([true, 0, undefined]);
  });

  test('an empty message waits like any other', () => {
    const ahead = new ReadAhead();
    ahead.push(whole(''));
    expect([ahead.isEmpty, ahead.bytes]).toEqual([false, ITEM_BYTES]);
    expect(ahead.shift()).toEqual(whole(''));
    expect(ahead.isEmpty).toBe(true);
  });

  test('keeps fragments and ends of messages as they came', () => {
    const ahead = new ReadAhead();
    const fragment = { data: 'a', opcode: 'text', first: true, final: false } as const;
    const items: Waiting[] = [
      { kind: 'fragment', fragment },
      { kind: 'last', fragment: undefined, message: 'ab' },
    ];
    for (const item of items) ahead.push(item);
    expect(ahead.bytes).toBe(3 + 2 * ITEM_BYTES);
    expect([ahead.shift(), ahead.shift()]).toEqual(items);
  });

  test('counts what is kept: text in UTF-8, and the end of a message as a fragment and as a whole', () => {
    const ahead = new ReadAhead();
    const fragment = { data: '€', opcode: 'text', first: false, final: true } as const;
    const items: [Waiting, number][] = [
      [whole('a€é'), 6],
      [{ kind: 'whole', message: new Uint8Array(5) }, 5],
      [{ kind: 'fragment', fragment }, 3],
      [{ kind: 'last', fragment, message: 'é€' }, 8],
      [{ kind: 'last', fragment: undefined, message: new Uint8Array(9) }, 9],
      [{ kind: 'last', fragment, message: undefined }, 3],
    ];
    for (const [item, bytes] of items) {
      ahead.push(item);
      expect(ahead.bytes).toBe(bytes + ITEM_BYTES);
      ahead.shift();
      expect(ahead.bytes).toBe(0);
    }
  });

  test('clear forgets all, and the queue goes on', () => {
    const ahead = new ReadAhead();
    ahead.push(whole('abc'));
    ahead.clear();
    expect([ahead.isEmpty, ahead.bytes, ahead.shift()]).toEqual([true, 0, undefined]);
    ahead.push(whole('d'));
    expect(ahead.shift()).toEqual(whole('d'));
  });

  test('is a queue that counts bytes, whatever comes and goes', () => {
    const command = fc.oneof(fc.string({ maxLength: 9 }).map(whole), fc.constant('shift' as const));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const ahead = new ReadAhead();
        const model: Waiting[] = [];
        for (const each of commands) {
          if (each === 'shift') expect(ahead.shift()).toBe(model.shift());
          else {
            ahead.push(each);
            model.push(each);
          }
          expect(ahead.bytes).toBe(model.reduce((sum, item) => sum + wholeBytes(item) + ITEM_BYTES, 0));
          expect(ahead.isEmpty).toBe(model.length === 0);
        }
      }),
    );
  });
});

describe('the option readAhead', () => {
  const slow = async (readAhead: number) => {
    const seen: string[] = [];
    const { promise, open } = gate();
    const served = await testServer({
      readAhead,
      paths: {
        '/': {
          onMessage(_, message) {
            seen.push(String(message));
            return message === 'first' ? promise : undefined;
          },
        },
      },
    });
    const client = await served.connect('/');
    const { connections } = served.server.path('/');
    const [connection] = connections;
    return { served, client, connection, seen, open };
  };

  test('messages wait while a handler’s promise is pending, control frames do not', async () => {
    const { served, client, seen, open } = await slow(1000);
    for (const message of ['first', 'second', 'third']) client.send(message);
    expect(await client.ping('still there')).toEqual(new TextEncoder().encode('still there'));
    expect(seen).toEqual(['first']);
    open();
    await served.advance(50);
    expect(seen).toEqual(['first', 'second', 'third']);
    await served.stop();
  });

  test('when so many bytes wait, nothing more is read until they are taken', async () => {
    const { served, client, connection, seen, open } = await slow(ITEM_BYTES + 10);
    client.send('first');
    await served.advance(50);
    const sizes: number[] = [];
    for (let count = 0; count < 5; count++) {
      client.send('x'.repeat(6));
      await served.advance(50);
      sizes.push(connection?.stats().messagesIn ?? 0);
    }
    // Two of six bytes, with what each takes besides, are over the option: the third is not decoded.
    expect(sizes).toEqual([2, 3, 3, 3, 3]);
    open();
    await served.advance(50);
    expect(seen).toHaveLength(6);
    await served.stop();
  });
});
