// What a handler commands is done when it has returned and before the next frame of the same chunk; and a frame that
// changes the state is handled before the next frame is decoded, whatever else makes the reading go on.

import { afterEach, describe, expect, test } from 'vitest';
import { type Connection, createServer, type Message, type Server } from '../../src/index.ts';
import { MemoryListener, type MemoryTransport } from '../../src/io/transports/memory.ts';
import { bytes, closeFrame, continuationFrame, requestHead, textFrame } from '../support/raw-client.ts';

/** What a handler may command while the rest of its chunk waits, and what the peer's frames may still change then. */
const COMMANDS: Record<string, { does: (connection: Connection) => void; state: string }> = {
  resume: { does: (connection) => connection.resume(), state: 'open' },
  'pause and resume': {
    does: (connection) => {
      connection.pause();
      connection.resume();
    },
    state: 'open',
  },
  close: { does: (connection) => connection.close(), state: 'closing' },
  'resume and close': {
    does: (connection) => {
      connection.resume();
      connection.close();
    },
    state: 'closing',
  },
  'ask an iterator for more, and let go of it': {
    does: (connection) => {
      const messages = connection[Symbol.asyncIterator]();
      void messages.next();
      void messages.return?.();
    },
    state: 'open',
  },
  'throw, and go on': {
    does: () => {
      throw new Error('continue');
    },
    state: 'open',
  },
  'throw, and try again': {
    does: () => {
      throw new Error('retry');
    },
    state: 'open',
  },
};

let server: Server;
afterEach(async () => void (await server.stop({ deadline: 0 })));

/** Sends frames in one chunk, glued to the request head; gives all messages, and the states at which they came. */
async function seen(does: (connection: Connection) => void, ...frames: Uint8Array[]) {
  const listener = new MemoryListener();
  const messages: Message[] = [];
  const states: string[] = [];
  let hasFailed = false;
  server = createServer({ port: 0, listener });
  server.path('/', {
    onMessage(connection, message) {
      messages.push(message);
      states.push(connection.state);
      if (message !== 'command' || hasFailed) return;
      hasFailed = true;
      does(connection);
    },
    onError: (_, error) => (error as Error).message as 'continue' | 'retry',
  });
  await server.start();
  const client: MemoryTransport = listener.connect();
  const over = new Promise<void>((resolve) => {
    client.attach({
      onBytes: () => undefined,
      onDrain: () => undefined,
      onEnd: resolve,
      onError: () => resolve(),
      onClosed: resolve,
    });
  });
  client.write([bytes(requestHead({ path: '/' }), ...frames)]);
  await over;
  client.end();
  return { messages: messages.filter((message) => message !== 'command'), states };
}

describe.each(Object.entries(COMMANDS))('a handler that will %s', (_, { does, state }) => {
  test('in a chunk with a fragmented message behind it: that message is whole, and comes once (5.4)', async () => {
    const rest = [
      textFrame('be', { fin: false }),
      continuationFrame('gin'),
      textFrame('behind'),
      closeFrame(1000),
    ];
    const { messages, states } = await seen(does, textFrame('command'), ...rest);
    expect(messages).toEqual(['begin', 'behind']);
    expect(states.slice(-2)).toEqual([state, state]);
  });

  test('amid a fragmented message that ends behind it in the chunk', async () => {
    const rest = [textFrame('a', { fin: false }), continuationFrame(''), textFrame('b', { fin: false })];
    const { messages } = await seen(
      does,
      textFrame('com', { fin: false }),
      continuationFrame('mand'),
      ...rest,
      continuationFrame('c'),
      closeFrame(1000),
    );
    expect(messages).toEqual(['a', 'bc']);
  });

  test('in a chunk with the peer’s Close behind it: nothing behind that is delivered (5.5.1)', async () => {
    const { messages } = await seen(does, textFrame('command'), closeFrame(1000), textFrame('late'));
    expect(messages).toEqual([]);
  });

  test('in a chunk with a violation behind it: nothing behind that is delivered (7.1.7)', async () => {
    const { messages } = await seen(does, textFrame('command'), textFrame('', { rsv: 1 }), textFrame('late'));
    expect(messages).toEqual([]);
  });
});

test('commands of one handler are all done before the next frame, also when the first reads on', async () => {
  const does = (connection: Connection): void => {
    connection.resume();
    connection.terminate();
  };
  const { messages } = await seen(does, textFrame('command'), textFrame('never'));
  expect(messages).toEqual([]);
});
