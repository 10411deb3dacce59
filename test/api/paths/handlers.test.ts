/** Handlers: which one serves a path. */
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/index.ts';
import { bytes, closeFrame, pingFrame, textFrame } from '../../support/raw-client.ts';
import { reportOf, serve, word, words } from '../../support/serving.ts';

describe('which handler serves a path', () => {
  test('its own, and the server’s for those it leaves out', async () => {
    const calls: string[] = [];
    const say =
      (who: string) =>
      (...[connection]: [Connection, ...unknown[]]) =>
        void calls.push(`${who} ${connection.path}`);
    const { call, meet } = await serve(
      {},
      {
        onOpen: say('server open'),
        onMessage: say('server message'),
        onClose: say('server close'),
        paths: { '/own': { onMessage: say('own message') }, '/none': {} },
      },
    );
    for (const path of ['/own', '/none']) {
      const { client, connection } = await meet({ path });
      await client.sendBytes(bytes(textFrame('x'), closeFrame(1000)));
      await client.ended();
      client.fin();
      await reportOf(connection);
    }
    await call({ path: '/own' });
    expect(calls).toEqual([
      'server open /own',
      'own message /own',
      'server close /own',
      'server open /none',
      'server message /none',
      'server close /none',
      'server open /own',
    ]);
  });

  test('handlers given later take the place of those of the same name, for open connections too', async () => {
    const { server, call } = await serve({
      onMessage: (connection) => void connection.send('old'),
      onOpen: (connection) => void connection.send('hello'),
    });
    const client = await call();
    await client.sendBytes(textFrame('x'));
    expect(await words(client, 2)).toEqual(['text hello', 'text old']);
    server.path('/echo', { onMessage: (connection) => void connection.send('new') });
    await client.sendBytes(textFrame('x'));
    expect(await word(client)).toBe('text new');
    expect(await word(await call())).toBe('text hello');
  });

  test('a message nobody is there for: NoMessageHandlerError, 1011', async () => {
    const { meet, errors } = await serve({});
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('a'), textFrame('b')));
    expect(await word(client)).toBe('close 1011 internal error');
    expect(errors).toMatchObject([
      { connection, error: { code: 'ERR_NO_MESSAGE_HANDLER', fault: 'user', message: /\/echo/ } },
    ]);
  });

  test('a message nobody is there for is ignored where onError says so', async () => {
    const seen: unknown[] = [];
    const { call } = await serve({
      onError(_, error) {
        seen.push((error as { code?: unknown }).code);
        return 'continue';
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('a'), textFrame('b'), pingFrame('alive')));
    expect(await word(client)).toBe('pong alive');
    expect(seen).toEqual(['ERR_NO_MESSAGE_HANDLER', 'ERR_NO_MESSAGE_HANDLER']);
  });

  test('a subscriber is enough: of the connection, of the path, or of the server', async () => {
    const subscribe: ((served: Awaited<ReturnType<typeof serve>>, connection: Connection) => unknown)[] = [
      (_, connection) => connection.messages$.subscribe(),
      ({ server }) => server.path('/echo').messages$.subscribe(),
      ({ server }) => server.messages$.subscribe(),
    ];
    for (const one of subscribe) {
      const served = await serve({});
      const { client, connection } = await served.meet();
      one(served, connection);
      await client.sendBytes(bytes(textFrame('a'), pingFrame('alive')));
      expect(await word(client)).toBe('pong alive');
    }
  });
});
