/** One path: its handlers, the connections on it, and one message to all of them. */
import { describe, expect, test } from 'vitest';
import { prepare } from '../../../src/index.ts';
import { closeFrame, RawClient, textFrame } from '../../support/raw-client.ts';
import { make, reportOf, serve, until, word } from '../../support/serving.ts';

describe('server.path', () => {
  test('is the same path for the same pattern', () => {
    const { server } = make();
    const path = server.path('/echo');
    expect(server.path('/echo', { onMessage: () => {} })).toBe(path);
    expect(path.pattern).toBe('/echo');
  });

  test('of a wrong pattern or handler throws and leaves nothing behind', () => {
    const { server } = make();
    expect(() => server.path('echo' as string)).toThrow(/paths/);
    expect(() => server.path('/echo', { onMesage: () => {} } as never)).toThrow(/onMesage/);
    expect(() => server.path('/echo', { onMessage: 'yes' as never })).toThrow(/onMessage/);
    expect(() => server.path('/echo', { subprotocols: ['a b'] })).toThrow(/subprotocols/);
    const handled = server.path('/echo', { onMessage: () => {} });
    expect(() => server.path('/echo', { onOpen: 1 as never })).toThrow(/onOpen/);
    expect(server.path('/echo')).toBe(handled);
  });

  test('a handler given as undefined leaves it to the server’s', async () => {
    const { server, call } = await serve(
      { onMessage: (connection) => void connection.send('own') },
      { onMessage: (connection) => void connection.send('default') },
    );
    const client = await call();
    await client.sendBytes(textFrame('x'));
    expect(await word(client)).toBe('text own');
    server.path('/echo', { onMessage: undefined });
    await client.sendBytes(textFrame('x'));
    expect(await word(client)).toBe('text default');
  });

  test('made while the server listens serves at once', async () => {
    const { server, call } = await serve({});
    server.path('/late/:id', { onOpen: (connection) => void connection.send(connection.params.id) });
    expect(await word(await call({ path: '/late/7' }))).toBe('text 7');
  });
});

describe('connections of a path', () => {
  test('are those that are open, each on its own path', async () => {
    const { server, meet } = await serve({}, { paths: { '/a': {}, '/b': {} } });
    const [a, b] = [server.path('/a').connections, server.path('/b').connections];
    const first = await meet({ path: '/a' });
    const second = await meet({ path: '/a' });
    const third = await meet({ path: '/b' });
    expect([[...a], [...b]]).toEqual([[first.connection, second.connection], [third.connection]]);
    first.connection.close();
    expect([...a]).toEqual([second.connection]);
    await second.client.sendBytes(closeFrame(1000));
    await second.client.ended();
    expect([...a]).toEqual([]);
    third.client.reset();
    await reportOf(third.connection);
    expect([...b]).toEqual([]);
  });

  test('never include one that was refused', async () => {
    const { server, port } = await serve({ authorize: () => false });
    expect((await (await RawClient.connect(port)).response()).status).toBe(403);
    expect(server.path('/echo').connections.size).toBe(0);
  });
});

describe('broadcast', () => {
  test('sends text, bytes and prepared messages to every open connection, and says to how many', async () => {
    const { server, meet } = await serve({}, { paths: { '/a': {}, '/b': {} } });
    const path = server.path('/a');
    const here = [await meet({ path: '/a' }), await meet({ path: '/a' })];
    const elsewhere = await meet({ path: '/b' });
    expect(path.broadcast('tekst')).toBe(2);
    expect(path.broadcast(Uint8Array.of(1, 2))).toBe(2);
    expect(path.broadcast(prepare('made'))).toBe(2);
    for (const { client } of here) {
      expect([await word(client), await word(client), await word(client)]).toEqual([
        'text tekst',
        'binary 0102',
        'text made',
      ]);
    }
    expect(elsewhere.client.waitingFrames).toEqual([]);
    here[0]?.connection.close();
    expect(path.broadcast('less')).toBe(1);
  });

  test('from onOpen and onClose reaches those that are there', async () => {
    const { server, meet } = await serve({
      onOpen: () => void server.path('/echo').broadcast('one more'),
      onClose: () => void server.path('/echo').broadcast('one less'),
    });
    const first = await meet();
    expect(await word(first.client)).toBe('text one more');
    const second = await meet();
    expect([await word(first.client), await word(second.client)]).toEqual(['text one more', 'text one more']);
    second.client.destroy();
    expect(await word(first.client)).toBe('text one less');
  });

  test('one that does not read is closed by its sendLimit; the others get theirs', async () => {
    const { server, meet, errors } = await serve({}, { sendLimit: 1024 * 1024 });
    const [slow, quick] = [await meet(), await meet()];
    slow.client.pause();
    const block = new Uint8Array(1024 * 1000);
    let sent = 2;
    for (let i = 0; i < 40 && sent === 2; i++) {
      sent = server.path('/echo').broadcast(block);
      expect((await quick.client.nextFrame()).payload.length).toBe(block.length);
    }
    expect([sent, slow.connection.state, quick.connection.state]).toEqual([1, 'closing', 'open']);
    expect(errors).toMatchObject([{ connection: slow.connection, error: { limit: 'sendLimit' } }]);
    await until(() => server.path('/echo').connections.size === 1);
  });

  test.each([[undefined], [42], [{ a: 1 }], [null]])(
    'of %o is a TypeError, also with nobody there',
    async (value) => {
      const { server, call } = await serve({});
      expect(() => server.path('/echo').broadcast(value as never)).toThrow(TypeError);
      await call();
      expect(() => server.path('/echo').broadcast(value as never)).toThrow(TypeError);
    },
  );
});
