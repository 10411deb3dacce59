/** RFC 6455 5.4: one message sent in fragments, as its pieces come. */
import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/index.ts';
import { bytes, closeFrame, OPCODE, pingFrame, textFrame } from '../support/raw-client.ts';
import { gate, reportOf, serve, until, word, words } from '../support/serving.ts';

const MIB = 1024 * 1024;

/** A source that gives what it is told to, when it is told to. */
function tap() {
  const steps: { value?: Message; error?: unknown; done?: true }[] = [];
  let wake = () => {};
  let returned = 0;
  async function* pieces() {
    try {
      for (;;) {
        while (steps.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        const step = steps.shift();
        if (step?.done) return;
        if (step?.error !== undefined) throw step.error;
        yield step?.value ?? '';
      }
    } finally {
      returned += 1;
    }
  }
  const push = (step: (typeof steps)[number]) => {
    steps.push(step);
    wake();
  };
  return {
    pieces: pieces(),
    give: (value: Message) => push({ value }),
    end: () => push({ done: true }),
    fail: (error: unknown) => push({ error }),
    returned: () => returned,
  };
}

describe('one message in fragments', () => {
  test('from an iterable: the first frame names the type, the last one is final', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    expect(await connection.sendFragments(['a', 'b', 'c'])).toBe('sent');
    expect(await words(client, 4)).toEqual(['text- a', 'continuation- b', 'continuation- c', 'continuation']);
    expect(await connection.sendFragments([Uint8Array.of(1), Uint8Array.of(2)])).toBe('sent');
    const frames = [await client.nextFrame(), await client.nextFrame(), await client.nextFrame()];
    expect(frames.map(({ opcode, fin, payload }) => [opcode, fin, ...payload])).toEqual([
      [OPCODE.binary, false, 1],
      [OPCODE.continuation, false, 2],
      [OPCODE.continuation, true],
    ]);
  });

  test('from an async iterable, each piece as soon as it comes', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const source = tap();
    const sent = connection.sendFragments(source.pieces);
    source.give('now');
    expect(await word(client)).toBe('text- now');
    source.give('then');
    expect(await word(client)).toBe('continuation- then');
    source.end();
    expect(await word(client)).toBe('continuation');
    expect(await sent).toBe('sent');
  });

  test('of no pieces is an empty text; of promises, what they resolve to; of a string, its characters', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    await connection.sendFragments([]);
    expect(await word(client)).toBe('text');
    await connection.sendFragments([Promise.resolve('p')] as never);
    expect(await words(client, 2)).toEqual(['text- p', 'continuation']);
    await connection.sendFragments('é€');
    expect(await words(client, 3)).toEqual(['text- é', 'continuation- €', 'continuation']);
  });

  test('a surrogate pair cut between pieces arrives whole; half of one as U+FFFD (5.6: UTF-8)', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const text = async (pieces: string[]) => {
      await connection.sendFragments(pieces);
      let all = '';
      for (;;) {
        const { payload, fin } = await client.nextFrame();
        all += Buffer.from(payload).toString('latin1');
        if (fin) return Buffer.from(all, 'latin1').toString();
      }
    };
    const [high, low] = ['\ud83d', '\ude00'];
    expect(await text([`a${high}`, `${low}b`])).toBe('a😀b');
    expect(await text([high, '', low])).toBe('😀');
    expect(await text([high, high, low, low])).toBe('\ufffd😀\ufffd');
    expect(await text(['x', high])).toBe('x\ufffd');
  });

  test('control frames pass between fragments; other messages wait behind, in order', async () => {
    const { meet } = await serve({
      onMessage: (connection, message) => void connection.send(`re ${message}`),
    });
    const { client, connection } = await meet();
    const source = tap();
    const sent = connection.sendFragments(source.pieces);
    source.give('1');
    expect(await word(client)).toBe('text- 1');
    expect(connection.send('behind')).toBe('queued');
    expect(connection.send(Uint8Array.of(7))).toBe('queued');
    expect(connection.sendPing('between')).toBe(true);
    await client.sendBytes(bytes(textFrame('q'), pingFrame('p')));
    expect(await words(client, 2)).toEqual(['ping between', 'pong p']);
    expect(connection.bufferedAmount).toBeGreaterThan(0);
    source.give('2');
    source.end();
    expect(await words(client, 5)).toEqual([
      'continuation- 2',
      'continuation',
      'text behind',
      'binary 07',
      'text re q',
    ]);
    expect([await sent, connection.send('after')]).toEqual(['sent', 'sent']);
    expect(connection.bufferedAmount).toBeLessThan(10);
  });

  test('two at once go one after the other, however their pieces come', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const [first, second] = [tap(), tap()];
    const both = [connection.sendFragments(first.pieces), connection.sendFragments(second.pieces)];
    second.give('2');
    second.end();
    first.give('1');
    first.end();
    expect(await words(client, 4)).toEqual(['text- 1', 'continuation', 'text- 2', 'continuation']);
    expect(await Promise.all(both)).toEqual(['sent', 'sent']);
  });

  test('waits for the peer to read before it takes the next piece', async () => {
    const { meet } = await serve({}, { sendLimit: 64 * MIB });
    const { client, connection } = await meet();
    client.pause();
    let taken = 0;
    function* pieces() {
      for (; taken < 64; taken++) yield new Uint8Array(MIB);
    }
    const sent = connection.sendFragments(pieces());
    await until(() => connection.bufferedAmount > 0);
    const before = taken;
    expect(before).toBeLessThan(40);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(taken - before).toBeLessThanOrEqual(1);
    client.resume();
    for (let i = 0; i < 64; i++) expect((await client.nextFrame()).payload.length).toBe(MIB);
    expect((await client.nextFrame()).fin).toBe(true);
    expect(await sent).toBeOneOf(['sent', 'queued']);
  });
});

describe('overflow: drop-oldest', () => {
  test('drops messages that wait, before or behind, and never a fragment of one that has begun', async () => {
    const sendLimit = 16 * MIB;
    const { meet } = await serve({}, { sendLimit, overflow: 'drop-oldest' });
    const { client, connection } = await meet();
    client.pause();
    connection.send(new Uint8Array(12 * MIB));
    await until(() => connection.bufferedAmount > 0);
    connection.send('dropped first');
    const source = tap();
    const sent = connection.sendFragments(source.pieces);
    source.give('begun');
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    connection.send(new Uint8Array(sendLimit - connection.bufferedAmount - 10));
    expect(connection.send('makes room')).toBe('queued');
    expect(connection.send('stay'.repeat(MIB / 2))).toBe('queued');
    client.resume();
    expect((await client.nextFrame()).payload.length).toBe(12 * MIB);
    expect(await word(client)).toBe('text- begun');
    source.give('ended');
    source.end();
    expect(await words(client, 2)).toEqual(['continuation- ended', 'continuation']);
    expect(await word(client)).toBe('text makes room');
    expect((await client.nextFrame()).payload.length).toBe(2 * MIB);
    await sent;
  });
});

describe('pieces that fail', () => {
  test('inside the message: it cannot be finished, so 1011, and the promise rejects', async () => {
    for (const break_ of [
      (source: ReturnType<typeof tap>) => source.fail(new Error('no more')),
      (source: ReturnType<typeof tap>) => source.give(Uint8Array.of(1)),
      (source: ReturnType<typeof tap>) => source.give(5 as never),
    ]) {
      const { meet } = await serve({});
      const { client, connection } = await meet();
      const source = tap();
      const sent = connection.sendFragments(source.pieces);
      source.give('a');
      expect(await word(client)).toBe('text- a');
      connection.send('never');
      break_(source);
      await expect(sent).rejects.toThrow(/no more|all strings or all Uint8Arrays/);
      expect(await word(client)).toBe('close 1011 internal error');
      expect(source.returned()).toBe(1);
    }
  });

  test('before anything went out: the promise rejects, and the connection goes on', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const failing: Iterable<string> = {
      [Symbol.iterator]() {
        throw new Error('at once');
      },
    };
    await expect(connection.sendFragments(failing)).rejects.toThrow('at once');
    await expect(connection.sendFragments([5 as never])).rejects.toThrow(TypeError);
    await expect(connection.sendFragments(5 as never)).rejects.toThrow(TypeError);
    await expect(connection.sendFragments(undefined as never)).rejects.toThrow(TypeError);
    await expect(connection.sendFragments(Uint8Array.of(1) as never)).rejects.toThrow(TypeError);
    connection.send('alive');
    expect(await word(client)).toBe('text alive');
  });

  test('a failed message lets the next one have its turn', async () => {
    const { meet } = await serve({});
    const { connection } = await meet();
    const failing = tap();
    const first = connection.sendFragments(failing.pieces);
    const second = connection.sendFragments(['x']);
    failing.give('a');
    failing.fail(new Error('no more'));
    await expect(first).rejects.toThrow('no more');
    expect(await second).toBe('closed');
  });
});

describe('a connection that closes under it', () => {
  test('resolves "closed" at once, and the source is told to stop, though it never says anything more', async () => {
    const { meet } = await serve({});
    for (const end of ['fin', 'close', 'terminate'] as const) {
      const { client, connection } = await meet();
      const stopped = gate();
      const source: AsyncIterable<string> = {
        [Symbol.asyncIterator]: () => {
          let count = 0;
          return {
            next: () =>
              count++ === 0 ? Promise.resolve({ done: false, value: 'only' }) : new Promise<never>(() => {}),
            return() {
              stopped.open();
              return new Promise<never>(() => {});
            },
          };
        },
      };
      const sent = connection.sendFragments(source);
      const behind = connection.sendFragments(['behind']);
      expect(await word(client)).toBe('text- only');
      if (end === 'fin') client.fin();
      else connection[end]();
      expect([await sent, await behind]).toEqual(['closed', 'closed']);
      await stopped.promise;
    }
  });

  test('a Close between fragments is legal (5.4), and what waits behind is not sent', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const source = tap();
    const sent = connection.sendFragments(source.pieces);
    source.give('half');
    expect(await word(client)).toBe('text- half');
    connection.send('behind');
    connection.close(4000);
    expect(await word(client)).toBe('close 4000');
    expect(await sent).toBe('closed');
    expect(connection.bufferedAmount).toBe(0);
    await client.sendBytes(closeFrame(4000));
    client.fin();
    expect(await reportOf(connection)).toMatchObject({ code: 4000, wasClean: true });
  });

  test('that has closed already: "closed", and nothing is taken from the source', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    client.destroy();
    await reportOf(connection);
    let taken = 0;
    function* pieces() {
      taken += 1;
      yield 'x';
    }
    expect(await connection.sendFragments(pieces())).toBe('closed');
    expect(taken).toBe(0);
  });
});

describe('its place among other messages', () => {
  test('is that of the call, though no piece has come: later messages and Closes of the peer’s pace wait', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const [first, second] = [tap(), tap()];
    const sent = [connection.sendFragments(first.pieces), connection.sendFragments(second.pieces)];
    expect(connection.send('done')).toBe('queued');
    expect(connection.sendPing('passes')).toBe(true);
    expect(await word(client)).toBe('ping passes');
    second.give('2');
    second.end();
    first.give('1');
    first.end();
    expect(await words(client, 5)).toEqual([
      'text- 1',
      'continuation',
      'text- 2',
      'continuation',
      'text done',
    ]);
    expect(await Promise.all(sent)).toEqual(['sent', 'sent']);
  });

  test('messages between two of them stay between', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const first = tap();
    const sent = connection.sendFragments(first.pieces);
    connection.send('between');
    void connection.sendFragments(['2']);
    connection.send('last');
    first.give('1');
    first.end();
    expect(await words(client, 6)).toEqual([
      'text- 1',
      'continuation',
      'text between',
      'text- 2',
      'continuation',
      'text last',
    ]);
    expect(await sent).toBe('sent');
  });

  test('pieces that are there leave in the call: a send() after them is sent, not queued', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    void connection.sendFragments(['a', 'b']);
    expect(connection.send('done')).toBe('sent');
    connection.close(4001);
    expect(await words(client, 5)).toEqual([
      'text- a',
      'continuation- b',
      'continuation',
      'text done',
      'close 4001',
    ]);
  });

  test('a source that fails before its first piece releases those that wait', async () => {
    const { meet, errors } = await serve({});
    const { client, connection } = await meet();
    const [failing, next] = [tap(), tap()];
    const sent = [connection.sendFragments(failing.pieces), connection.sendFragments(next.pieces)];
    connection.send('after both');
    failing.fail(new Error('nothing there'));
    await expect(sent[0]).rejects.toThrow('nothing there');
    next.give('next');
    next.end();
    expect(await words(client, 3)).toEqual(['text- next', 'continuation', 'text after both']);
    expect([await sent[1], connection.state, errors]).toEqual(['sent', 'open', []]);
  });

  test('close() gives up one that has not begun, and sends what waits after it', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const source = tap();
    const sent = connection.sendFragments(source.pieces);
    connection.send('goodbye');
    void connection.sendFragments(['the ', 'end']);
    connection.close(4002);
    expect(await words(client, 5)).toEqual([
      'text goodbye',
      'text- the',
      'continuation- end',
      'continuation',
      'close 4002',
    ]);
    expect(await sent).toBe('closed');
  });

  test('messages of a key that wait for it are replaced in their place', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const source = tap();
    void connection.sendFragments(source.pieces);
    connection.send('price 1', { key: 'price' });
    connection.send('other');
    connection.send('price 2', { key: 'price' });
    source.end();
    expect(await words(client, 3)).toEqual(['text', 'text price 2', 'text other']);
  });

  test('drained() and drain$ wait for those that it holds back', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const source = tap();
    void connection.sendFragments(source.pieces);
    await connection.drained();
    expect(connection.send('held back')).toBe('queued');
    let isDrained = false;
    let drains = 0;
    connection.drain$.subscribe(() => (drains += 1));
    const drained = connection.drained().then(() => (isDrained = true));
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect([isDrained, drains, connection.bufferedAmount > 0]).toEqual([false, 0, true]);
    source.end();
    await drained;
    expect([drains, connection.bufferedAmount]).toEqual([1, 0]);
    expect(await words(client, 2)).toEqual(['text', 'text held back']);
  });
});
