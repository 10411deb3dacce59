/** How the parts of a server go together: starts and stops in any order, and servers beside each other. */
import { setImmediate as turn } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { isOpen } from '../support/ports.ts';
import { RawClient, textFrame } from '../support/raw-client.ts';
import { make, record, serve, word, words } from '../support/serving.ts';

const portOf = (server: { address(): { port: number } | null }) => server.address()?.port ?? 0;

describe('starts and stops', () => {
  test('in one breath: the last word counts, on one port', async () => {
    const { server } = make();
    const first = server.start();
    const stops = [server.stop()];
    const second = server.start();
    stops.push(server.stop());
    const third = server.start();
    await expect(first).rejects.toThrow('stopped before it listened');
    await expect(second).rejects.toThrow('stopped before it listened');
    await Promise.all([...stops, third]);
    expect(server.state).toBe('listening');
    // The handle of a closed port is gone one turn later.
    await turn();
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toHaveLength(1);
    const [again, last] = [server.stop().then(() => server.start()), server.stop()];
    await last;
    await again;
    expect(server.state).toBe('listening');
  });

  test('a start while the server stops begins when it has stopped', async () => {
    const { server, call } = await serve({});
    const client = await call();
    const stopping = server.stop();
    const starting = Promise.all([server.start(), server.start()]);
    client.destroy();
    await stopping;
    await starting;
    expect(server.state).toBe('listening');
    expect(await isOpen(portOf(server))).toBe(true);
  });

  test('a start that waits for a stop is called off by another stop, and another start begins', async () => {
    const { server, call } = await serve({});
    const client = await call();
    const stopping = server.stop();
    const [off, again] = [server.start(), server.start()];
    expect(server.stop()).toBe(stopping);
    await expect(off).rejects.toThrow('the server was stopped before it listened');
    await expect(again).rejects.toThrow('the server was stopped before it listened');
    expect(server.state).toBe('draining');
    const last = server.start();
    client.destroy();
    await stopping;
    await last;
    expect(server.state).toBe('listening');
    await server.stop();
    expect(server.state).toBe('stopped');
  });

  test('one after the other: the same paths and subscribers', async () => {
    const { server, clock } = await serve({ onMessage: (c, m) => void c.send(m) });
    const connections = record(server.connections$);
    for (let round = 0; round < 3; round++) {
      const client = await RawClient.connect(portOf(server));
      await client.handshake();
      await client.sendBytes(textFrame(`round ${round}`));
      expect(await word(client)).toBe(`text round ${round}`);
      const stopping = server.stop({ deadline: 0 });
      clock.advance(100);
      await stopping;
      await server.start();
    }
    expect(connections.values.length).toBe(3);
  });

  test('streams outlive a stop', async () => {
    const { server, clock } = await serve({});
    const streams = [server.connections$, server.messages$, server.lifecycle$, server.errors$];
    const records = streams.map((stream) => record(stream as typeof server.errors$));
    const stopping = server.stop({ deadline: 0 });
    clock.advance(100);
    await stopping;
    expect(records.map(({ ends }) => ends)).toEqual([[], [], [], []]);
  });
});

test('connections of one server live and end without those of another', async () => {
  const [one, two] = [await serve({}), await serve({ onMessage: (c, m) => void c.send(m) })];
  const client = await two.call();
  const stopping = one.server.stop();
  await stopping;
  await client.sendBytes(textFrame('still here'));
  expect(await words(client, 1)).toEqual(['text still here']);
});

test('the actor of a connection hangs below the server’s and is done with the report', async () => {
  const { server, meet } = await serve({});
  const { client, connection } = await meet();
  expect((connection.actor as unknown as { _parent: unknown })._parent).toBe(server.actor);
  client.fin();
  const report = await firstValueFrom(connection.closed$);
  await turn();
  expect(connection.actor.getSnapshot()).toMatchObject({ status: 'done', output: report });
});
