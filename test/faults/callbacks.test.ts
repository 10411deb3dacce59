/**
 * Faults of the program around Portal, and an actor that breaks where it never should: one connection fails, the
 * report names it, another one beside it is served on, and the process lives.
 */
import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../src/api/connection/delivery.ts';
import { type Watchable, watchables } from '../../src/api/inspection/inspection.ts';
import type { Connection, Handlers } from '../../src/index.ts';
import { bytes, closeFrame, RawClient, textFrame } from '../support/raw-client.ts';
import { reportOf, type Served, serve, until, word } from '../support/serving.ts';

const never = new Promise<never>(() => {});
const echo: Handlers = { onMessage: (connection, message) => void connection.send(message) };

/** A server with `/echo` as given, and a healthy client on `/healthy`. */
async function beside(handlers: Handlers, options: Parameters<typeof serve>[1] = {}) {
  const served = await serve({}, { ...options, paths: { '/echo': handlers, '/healthy': echo } });
  const healthy = await served.call({ path: '/healthy' });
  let times = 0;
  const isServed = async () => {
    times++;
    await healthy.sendBytes(textFrame(`healthy ${times}`));
    expect(await word(healthy)).toBe(`text healthy ${times}`);
  };
  return { ...served, isServed };
}

const budgetOf = ({ server }: Served) => (watchables.get(server) as Watchable).core.budget;

const only = ({ server }: Served): Connection[] =>
  [...server.connections].filter(({ path }) => path === '/echo');

describe('a handler that never settles', () => {
  test('onMessage: its peer is held back, whatever it sends; a full read-ahead suspends the heartbeat', async () => {
    const served = await beside({ onMessage: () => never }, { heartbeatInterval: 1000, pongDeadline: 1000 });
    const { client, connection } = await served.meet();
    await client.sendBytes(textFrame('first'));
    await until(() => connection.stats().messagesIn === 1);
    const flood = textFrame('x'.repeat(60_000));
    void client.sendBytes(bytes(...Array(300).fill(flood))).catch(() => {});
    for (let second = 0; second < 10; second++) {
      served.clock.advance(500);
      await served.isServed();
    }
    // Messages of 64 KiB wait, and the rest of a chunk; what follows is the kernel's.
    expect(connection.stats().bytesIn).toBeLessThan(600_000);
    expect([connection.state, connection.stats().messagesIn]).toEqual(['open', 3]);
    expect(budgetOf(served).bytes).toBeGreaterThan(120_000);
    expect(budgetOf(served).bytes).toBeLessThan(600_000);
    connection.terminate();
    expect((await reportOf(connection)).code).toBe(1006);
    await served.isServed();
  });

  test('onOpen: no message is delivered, and a close of ours still ends it at the deadline', async () => {
    const heard: unknown[] = [];
    const served = await beside({ onOpen: () => never, onMessage: (_, message) => void heard.push(message) });
    const { client, connection } = await served.meet();
    await client.sendBytes(textFrame('x'));
    connection.close(1000);
    const report = reportOf(connection);
    expect(await word(client)).toBe('close 1000');
    served.clock.advance(5200);
    // A message that came before the Close is waited for, a second at most.
    served.clock.advance(1200);
    expect(await report).toMatchObject({ code: 1006, reason: 'close deadline passed' });
    expect([heard, served.server.stats().limits]).toEqual([[], { closeDeadline: 1 }]);
    await served.isServed();
  });

  test('authorize: 408 at the handshake’s deadline, and its signal aborts', async () => {
    const signals: AbortSignal[] = [];
    const served = await beside({
      authorize(_, signal) {
        signals.push(signal);
        return never;
      },
    });
    const client = await RawClient.connect(served.port);
    await until(() => signals.length === 1);
    served.clock.advance(10_200);
    expect((await client.response()).status).toBe(408);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await served.isServed();
  });

  test('onClose: the connection is gone all the same; a stop waits up to its deadline and says so', async () => {
    const served = await beside({ onClose: () => never });
    const { client, connection } = await served.meet();
    const report = reportOf(connection);
    client.reset();
    await report;
    await served.isServed();
    const stopping = served.server.stop({ deadline: 1000 });
    for (const other of served.server.connections) other.terminate();
    served.clock.advance(1200);
    expect(await stopping).toMatchObject({ connections: 1, handlers: 1 });
  });
});

describe('a subscriber that throws', () => {
  const fault = new Error('of the subscriber');
  const throws = (): never => {
    throw fault;
  };
  /** Only what concerns the connection on /echo; the healthy one is subscribed to as well where a stream has both. */
  const guilty = (connection: Connection | undefined) => connection?.path === '/echo';

  test.each([
    'server.messages$',
    'path.messages$',
    'connection.messages$',
    'connection.fragments$',
    'connection.pings$',
    'server.lifecycle$',
    'connection.state$',
  ])('%s: 1011 to that connection, its error named; the others are served', async (name) => {
    const served = await beside(echo);
    const { server } = served;
    if (name === 'server.messages$') server.messages$.subscribe((m) => guilty(m.connection) && throws());
    if (name === 'path.messages$') server.path('/echo').messages$.subscribe(throws);
    if (name === 'server.lifecycle$') {
      server.lifecycle$.subscribe(
        ({ connection, to }) => guilty(connection) && to === 'fragmenting' && throws(),
      );
    }
    const { client, connection } = await served.meet();
    if (name === 'connection.messages$') connection.messages$.subscribe(throws);
    if (name === 'connection.fragments$') connection.fragments$.subscribe(throws);
    if (name === 'connection.pings$') connection.pings$.subscribe(throws);
    if (name === 'connection.state$')
      connection.state$.subscribe((state) => state === 'fragmenting' && throws());
    await client.sendBytes(
      bytes(Uint8Array.of(0x89, 0x80, 0, 0, 0, 0), textFrame('a', { fin: false }), closing()),
    );
    let said = await word(client);
    while (!said.startsWith('close')) said = await word(client);
    expect(said).toBe('close 1011 internal error');
    expect(served.errors.map(({ error }) => error)).toEqual([fault]);
    expect(served.errors[0]?.connection).toBe(connection);
    client.fin();
    expect(await reportOf(connection)).toMatchObject({ code: 1011 });
    await served.isServed();
  });

  test('connection.closed$: it is told, and what follows the end goes on', async () => {
    const closes: Connection[] = [];
    const served = await beside({ onClose: (connection) => void closes.push(connection) });
    const { client, connection } = await served.meet();
    connection.closed$.subscribe(throws);
    const report = reportOf(connection);
    client.reset();
    await report;
    expect(closes).toEqual([connection]);
    expect(served.errors.map(({ error }) => error)).toContain(fault);
    await served.isServed();
  });
});

/** The end of a message of two frames. */
const closing = () => Uint8Array.of(0x80, 0x80, 0, 0, 0, 0);

/** What the server knows of its connections beyond their public face. */
const sessionsOf = ({ server }: Served) => [...(watchables.get(server)?.core.sessions ?? [])];

/** An event that lacks what its action needs: nothing makes such a one. */
const impossible = { type: 'socket.bytes' } as never;

const WATCHED: Record<string, (served: Served, connection: Connection) => void> = {
  'an actor': (_, connection) => connection.actor.send(impossible),
  'a machine that nobody watches': (served, connection) =>
    sessionsOf(served)
      .find(({ id }) => id === connection.id)
      ?.machine.send(impossible),
};

describe.each(Object.keys(WATCHED))('%s that breaks where it never should', (what) => {
  const breakIt = (served: Served, connection: Connection) => WATCHED[what]?.(served, connection);

  test.each(['open', 'fragmenting', 'closing'])(
    'while %s: 1011, InternalError, and the rest lives',
    async (state) => {
      const closes: unknown[] = [];
      const served = await beside({ ...echo, onClose: (_, end) => void closes.push(end) });
      const { client, connection } = await served.meet();
      const report = reportOf(connection);
      if (state === 'fragmenting') await client.sendBytes(textFrame('a', { fin: false }));
      if (state === 'closing') connection.close(1000);
      await until(() => connection.state === state);
      breakIt(served, connection);
      const broken = { code: 1011, reason: 'internal error', wasClean: false, initiator: 'server' };
      expect(await report).toEqual(broken);
      expect(closes).toEqual([broken]);
      expect(served.errors).toMatchObject([{ connection, error: { code: 'ERR_INTERNAL', fault: 'user' } }]);
      if (state !== 'closing') expect(await word(client)).toBe('close 1011 internal error');
      await served.isServed();
      expect(served.server.stats().connections).toEqual({
        handshaking: 0,
        open: 1,
        fragmenting: 0,
        closing: 0,
      });
      expect([budgetOf(served).bytes, only(served).length, sessionsOf(served).length]).toEqual([0, 0, 1]);
      connection.close(1000);
      expect([connection.send('x'), connection.state, closes.length]).toEqual(['closed', 'closed', 1]);
    },
  );

  test('nothing the peer sends afterwards matters, and a stop counts right', async () => {
    const served = await beside(echo);
    const { client, connection } = await served.meet();
    breakIt(served, connection);
    await client.sendBytes(bytes(textFrame('late'), closeFrame(1000))).catch(() => {});
    await served.isServed();
    const stopping = served.server.stop({ deadline: 0 });
    served.clock.advance(200);
    expect(await stopping).toMatchObject({ connections: 1, terminated: 1 });
  });

  test('with debugOnError the process is told once, whoever asks for the actor afterwards, and the server lives', async () => {
    const uncaught: unknown[] = [];
    const listeners = process.rawListeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => uncaught.push(error));
    try {
      const served = await beside(echo, { debugOnError: true });
      const { connection } = await served.meet();
      breakIt(served, connection);
      await until(() => uncaught.length > 0);
      expect(connection.actor.getSnapshot()).toMatchObject({ status: 'error', error: uncaught[0] });
      await served.isServed();
      const stopping = served.server.stop({ deadline: 0 });
      served.clock.advance(200);
      expect(await stopping).toMatchObject({ connections: 1 });
      expect(uncaught).toHaveLength(1);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener as () => void);
    }
  });

  test('as the last one of a server that stops, it is not waited for', async () => {
    const served = await serve(echo);
    const { client, connection } = await served.meet();
    const stopping = served.server.stop({ deadline: 5000 });
    expect(await word(client)).toBe('close 1001');
    breakIt(served, connection);
    expect(await stopping).toEqual({ connections: 1, terminated: 0, refused: 0, handlers: 0 });
  });
});

describe('before the handshake is answered', () => {
  const pending = { handshaking: 'authorizing' };

  test.each(Object.keys(WATCHED))(
    '%s that breaks: 500, and no Close frame where none may be',
    async (what) => {
      const served = await beside({ authorize: () => never });
      const [healthy] = sessionsOf(served);
      const client = await RawClient.connect(served.port);
      const asked = () =>
        sessionsOf(served).filter((each) => each !== healthy && each.machine.matches(pending));
      await until(() => asked().length === 1);
      for (const { recipient } of asked()) WATCHED[what]?.(served, (recipient as Delivery).connection);
      const { status, body } = await client.response();
      expect(status).toBe(500);
      expect(body).not.toContain('\x88');
      expect(served.errors).toMatchObject([{ error: { code: 'ERR_INTERNAL' } }]);
      await served.isServed();
      expect(sessionsOf(served)).toEqual([healthy]);
      expect(served.server.stats().connections).toEqual({
        handshaking: 0,
        open: 1,
        fragmenting: 0,
        closing: 0,
      });
    },
  );
});
