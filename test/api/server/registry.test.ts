// Servers by name, and what starting and stopping mean at every moment.

import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  getServer,
  NameTakenError,
  newServer,
  OptionError,
  type Server,
  type ServerOptions,
  startServer,
  stopServer,
  UnknownServerError,
} from '../../../src/index.ts';
import { OPCODE, RawClient } from '../../support/raw-client.ts';

const LOCAL = { port: 0, host: '127.0.0.1' };
const NOTHING_TO_STOP = { connections: 0, terminated: 0, refused: 0, handlers: 0 };

/** Names last as long as the process: each test takes one of its own. */
const made: Server[] = [];
const named = (name: string, options: ServerOptions = LOCAL) => {
  const server = newServer(name, options);
  made.push(server);
  return server;
};
const portOf = (server: Server) => server.address()?.port ?? 0;

afterEach(async () => {
  RawClient.destroyAll();
  await Promise.all(made.splice(0).map((server) => server.stop({ deadline: 0 })));
});

describe('newServer and getServer', () => {
  test('a server is found by its name', () => {
    const server = named('found');
    expect(getServer('found')).toBe(server);
    expect(getServer('never made')).toBeUndefined();
  });

  test('a name is given once', () => {
    const server = named('taken');
    const again = () => newServer('taken', LOCAL);
    expect(again).toThrow(NameTakenError);
    expect(again).toThrow('a server named "taken" exists already; getServer("taken") returns it');
    expect(getServer('taken')).toBe(server);
  });

  test('a name is given again when its server was stopped or has failed, and not before', async () => {
    const first = named('hot');
    await startServer('hot');
    expect(() => newServer('hot', LOCAL)).toThrow(NameTakenError);
    const stopped = stopServer('hot');
    if (first.state !== 'stopped') expect(() => newServer('hot', LOCAL)).toThrow(NameTakenError);
    await stopped;
    const second = named('hot');
    expect(getServer('hot')).toBe(second);
    expect(await startServer('hot')).toBe(second);
    const third = () => newServer('hot', { ...LOCAL, port: portOf(second) });
    expect(third).toThrow(NameTakenError);

    const failing = named('failed', { ...LOCAL, port: portOf(second) });
    await expect(failing.start()).rejects.toThrow('in use');
    expect(named('failed')).not.toBe(failing);
    // One that was never started and never stopped keeps its name; wrong options take none away.
    await stopServer('hot');
    expect(() => newServer('hot', { port: -1 })).toThrow(OptionError);
    expect(getServer('hot')).toBe(second);
    await second.start();
    expect(() => newServer('hot', LOCAL)).toThrow(NameTakenError);
  });

  test('a server with wrong options does not take its name', () => {
    expect(() => newServer('second try', { port: -1 })).toThrow(OptionError);
    expect(getServer('second try')).toBeUndefined();
    expect(named('second try').state).toBe('stopped');
  });

  test.each(['', undefined, null, 5, LOCAL])('a name may not be %j', (name) => {
    expect(() => newServer(name as string, LOCAL)).toThrow(
      /^option name is .*; allowed is a string that is not empty$/,
    );
  });
});

describe('startServer and stopServer', () => {
  test('start and stop the server of the name', async () => {
    const server = named('by name');
    expect(await startServer('by name')).toBe(server);
    expect(server.state).toBe('listening');
    expect(await stopServer('by name')).toEqual(NOTHING_TO_STOP);
    expect(server.state).toBe('stopped');
  });

  test('reject for a name that nobody bears, and say which there are', async () => {
    named('somebody');
    for (const attempt of [startServer('nobody'), stopServer('nobody')]) {
      await expect(attempt).rejects.toThrow(UnknownServerError);
      await expect(attempt).rejects.toThrow(
        /^no server is named "nobody"; there are .*"somebody".*; newServer\(name, options\) makes one$/,
      );
    }
  });

  test('a stop takes the options of server.stop', async () => {
    const server = named('with a code');
    server.path('/echo', { onMessage() {} });
    await startServer('with a code');
    const client = await RawClient.connect(portOf(server));
    await client.handshake();
    const stopped = stopServer('with a code', { code: 4001, reason: 'moving' });
    expect(await client.closeFrame()).toEqual({ code: 4001, reason: 'moving' });
    await client.sendFrame({ opcode: OPCODE.close, payload: Uint8Array.of(0x0f, 0xa1) });
    client.fin();
    expect(await stopped).toMatchObject({ connections: 1, terminated: 0 });
  });

  test('a stop with a wrong code rejects, and the server serves on', async () => {
    const server = named('with a wrong code');
    await startServer('with a wrong code');
    await expect(stopServer('with a wrong code', { code: 1005 })).rejects.toThrow(RangeError);
    await expect(stopServer('with a wrong code', { deadline: -1 })).rejects.toThrow(
      'deadline is -1; allowed are 0 or more milliseconds',
    );
    expect(server.state).toBe('listening');
  });
});

describe('start', () => {
  test('while it starts or listens is the same start', async () => {
    const server = named('started twice');
    const both = [server.start(), server.start()];
    expect(server.state).toBe('starting');
    expect(await Promise.all(both)).toEqual([server, server]);
    const port = portOf(server);
    expect(await server.start()).toBe(server);
    expect(portOf(server)).toBe(port);
  });

  test('after a stop listens again', async () => {
    const server = named('restarted');
    server.path('/echo', { onMessage: (connection, message) => void connection.send(message) });
    for (let round = 0; round < 2; round += 1) {
      await server.start();
      const client = await RawClient.connect(portOf(server));
      await client.handshake();
      await client.sendFrame({ opcode: OPCODE.text, payload: 'hello' });
      expect(Buffer.from((await client.nextFrame()).payload).toString()).toBe('hello');
      client.destroy();
      await server.stop({ deadline: 0 });
      expect(server.address()).toBeNull();
    }
  });

  test('during a stop begins when that has ended', async () => {
    const server = named('stopped and started');
    await server.start();
    const stopped = server.stop();
    const started = server.start();
    expect(server.state).toBe('draining');
    expect(await stopped).toEqual(NOTHING_TO_STOP);
    await started;
    expect(server.state).toBe('listening');
  });

  test('on a port that is taken says which, and may be tried again when it is free', async () => {
    const holder = createTcpServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const server = named('port taken', { port, host: '127.0.0.1' });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(server.start()).rejects.toMatchObject({
        code: 'EADDRINUSE',
        message: `port ${port} is in use; stop what listens there or choose another port`,
      });
      expect(server.state).toBe('failed');
    }
    holder.close();
    await once(holder, 'close');
    await server.start();
    expect(server.state).toBe('listening');
  });

  test('on an address that is not here rejects', async () => {
    const server = named('not here', { port: 0, host: '192.0.2.1' });
    await expect(server.start()).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    expect(server.state).toBe('failed');
  });
});

describe('stop', () => {
  test('before any start, and after a stop, resolves at once', async () => {
    const server = named('never started');
    expect(await server.stop()).toEqual(NOTHING_TO_STOP);
    await server.start();
    await server.stop();
    expect(await server.stop()).toEqual(NOTHING_TO_STOP);
    expect(server.state).toBe('stopped');
  });

  test('while it stops is the same stop', async () => {
    const server = named('stopped twice');
    server.path('/echo', { onMessage() {} });
    await server.start();
    const client = await RawClient.connect(portOf(server));
    await client.handshake();
    const both = [server.stop(), server.stop({ code: 4001 })];
    expect(await client.closeFrame()).toEqual({ code: 1001, reason: '' });
    client.destroy();
    expect(await Promise.all(both)).toEqual([
      { connections: 1, terminated: 0, refused: 0, handlers: 0 },
      { connections: 1, terminated: 0, refused: 0, handlers: 0 },
    ]);
  });

  test('after a start that failed makes it stopped', async () => {
    const server = named('failed and stopped', { port: 0, host: '192.0.2.1' });
    await expect(server.start()).rejects.toThrow();
    expect(await server.stop()).toEqual(NOTHING_TO_STOP);
    expect(server.state).toBe('stopped');
  });

  test.each([
    ['at once', { port: 0 }],
    ['after a look-up of its host', LOCAL],
  ])(
    'while it starts makes that start reject, and leaves no port open: one opened %s',
    async (how, options) => {
      const server = named(`stopped while starting ${how}`, options);
      const started = server.start();
      const stopped = server.stop();
      await expect(started).rejects.toThrow('the server was stopped before it listened');
      expect(await stopped).toEqual(NOTHING_TO_STOP);
      expect([server.state, server.address()]).toEqual(['stopped', null]);
      await server.start();
      expect(server.state).toBe('listening');
    },
  );

  test.each([
    [
      { code: 1005 },
      /^close code 1005 may not be sent, it only reports that none came; allowed are 1000-1003, 1007-1014, 3000-4999, or one of/,
    ],
    [{ code: 'bye' }, /^close code "bye" may not be sent/],
    [{ reason: 'x'.repeat(124) }, /^close reason is 124 bytes of UTF-8; allowed are 0-123$/],
    [{ deadline: -1 }, /^deadline is -1; allowed are 0 or more milliseconds$/],
    [{ deadline: Number.NaN }, /^deadline is NaN;/],
  ])('%j is refused at the call, also while it is stopped', (options, why) => {
    const server = named(`stop ${JSON.stringify(options)}${why}`);
    expect(() => server.stop(options as { code: number })).toThrow(RangeError);
    expect(() => server.stop(options as { code: number })).toThrow(why);
  });
});
