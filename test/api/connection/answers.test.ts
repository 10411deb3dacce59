/** A handler that awaits an answer of its peer does not wait for itself. */
import { firstValueFrom, take, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { Answers } from '../../../src/api/connection/answers.ts';
import { bytes, frame, textFrame } from '../../support/raw-client.ts';
import { serve, word, words } from '../../support/serving.ts';

function reading() {
  const asking = new Set<object>();
  const state = { isHandling: false, reads: 0, asking };
  const answers = new Answers({
    held: {
      get isHandling() {
        return state.isHandling;
      },
      askNoMore: (subscription) => void asking.delete(subscription),
    },
    hold: () => ({ ask: (subscription) => void asking.add(subscription) }),
    readAgain() {
      state.reads++;
    },
  });
  return { state, answers };
}

describe('a subscription', () => {
  test('made before a handler asks for nothing', () => {
    const { state, answers } = reading();
    answers.listening();
    answers.handlerPending(answers.count);
    expect(state.asking.size).toBe(0);
  });

  test('made in the first part of a handler asks once that is pending, and reads on', async () => {
    const { state, answers } = reading();
    const before = answers.count;
    const left = answers.listening();
    expect(state.asking.size).toBe(0);
    answers.handlerPending(before);
    expect([state.asking.size, state.reads]).toEqual([1, 0]);
    await Promise.resolve();
    expect(state.reads).toBe(1);
    left();
    expect(state.asking.size).toBe(0);
  });

  test('made while a handler is pending asks at once', () => {
    const { state, answers } = reading();
    state.isHandling = true;
    const left = answers.listening();
    expect(state.asking.size).toBe(1);
    left();
    expect(state.asking.size).toBe(0);
  });
});

describe('an async handler that awaits firstValueFrom(connection.messages$)', () => {
  test('onMessage: gets the next message, not its own', async () => {
    const { call } = await serve({
      async onMessage(connection, message) {
        if (message !== 'ask') return;
        connection.send(`got ${await firstValueFrom(connection.messages$)}`);
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('ask'));
    await client.sendBytes(textFrame('answer'));
    expect(await word(client)).toBe('text got answer');
  });

  test('onMessage: also where the answer came in the same packet, and after another await', async () => {
    const { call } = await serve({
      async onMessage(connection, message) {
        if (message !== 'ask') return;
        await Promise.resolve();
        connection.send(`got ${await firstValueFrom(connection.messages$)}`);
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('ask'), textFrame('answer')));
    expect(await word(client)).toBe('text got answer');
  });

  test('onOpen: a login by the first message', async () => {
    const { call } = await serve({
      async onOpen(connection) {
        connection.send(`hello ${await firstValueFrom(connection.messages$)}`);
      },
      onMessage() {},
    });
    const client = await call();
    await client.sendBytes(textFrame('ada'));
    expect(await word(client)).toBe('text hello ada');
  });

  test('fragments$: the next ones', async () => {
    const { call } = await serve({
      async onMessage(connection, message) {
        if (message !== 'ask') return;
        const parts = await firstValueFrom(connection.fragments$.pipe(take(2), toArray()));
        connection.send(parts.map(({ data }) => data).join('+'));
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('ask'));
    await client.sendBytes(
      bytes(frame({ opcode: 1, fin: false, payload: 'a' }), frame({ opcode: 0, payload: 'b' })),
    );
    expect(await word(client)).toBe('text a+b');
  });

  test('a subscription that lasts lets nothing through any more once the handler has settled', async () => {
    const order: string[] = [];
    const { call } = await serve({
      async onMessage(connection, message) {
        order.push(`${message} begins`);
        if (message === 'ask') connection.messages$.subscribe();
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${message} ends`);
        connection.send('done');
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('ask'));
    await word(client);
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    await words(client, 2);
    expect(order.slice(2)).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
  });

  test('once the answer has come, the handler holds messages back again', async () => {
    const order: string[] = [];
    const { call } = await serve({
      async onMessage(connection, message) {
        order.push(`${message} begins`);
        if (message !== 'ask') return;
        await firstValueFrom(connection.messages$);
        await new Promise((resolve) => setImmediate(resolve));
        order.push('ask ends');
        connection.send('done');
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('ask'), textFrame('answer'), textFrame('later')));
    expect(await words(client, 1)).toEqual(['text done']);
    await client.sendBytes(textFrame('ask'));
    await client.sendBytes(textFrame('answer'));
    await word(client);
    expect(order.slice(0, 4)).toEqual(['ask begins', 'answer begins', 'ask ends', 'later begins']);
  });
});
