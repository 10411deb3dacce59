/** The built package on Node, by both of its ways to carry TCP, on Deno and on Bun. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { missing, node, Program, RUNTIMES } from './program.ts';

const ROWS = [
  { name: 'Node by handle', runtime: node(), tcp: 'handle' },
  { name: 'Node by net.Socket', runtime: node(), tcp: 'socket' },
  { name: 'Deno', runtime: RUNTIMES.Deno, tcp: 'handle' },
  { name: 'Bun', runtime: RUNTIMES.Bun, tcp: 'handle' },
];

for (const { name, runtime, tcp } of ROWS) {
  const why = missing(runtime);
  describe.skipIf(why !== '')(`on ${name}${why}`, () => {
    let program: Program;
    let port: number;

    beforeAll(async () => {
      program = new Program(runtime, 'echo-server.mjs', [tcp]);
      ({ port } = (await program.json()) as { port: number });
    }, 60_000);
    afterAll(() => program?.kill());

    async function connected(path = '/echo'): Promise<WebSocket> {
      const client = new WebSocket(`ws://127.0.0.1:${port}${path}`);
      await once(client, 'open');
      return client;
    }

    async function answer(client: WebSocket): Promise<string | Buffer> {
      const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
      return isBinary ? data : data.toString();
    }

    /** Closes, and returns what the client and the server say of it. */
    async function closed(client: WebSocket, code: number, reason: string) {
      client.close(code, reason);
      const [got] = await once(client, 'close');
      return { client: got, server: await program.json() };
    }

    test('text, binary of 1 MiB and a message in fragments come back, and a client closes', async () => {
      const client = await connected();
      client.send('héllo ✓');
      expect(await answer(client)).toBe('héllo ✓');
      const large = Buffer.from(Uint8Array.from({ length: 1_048_576 }, (_, at) => at % 251));
      client.send(large);
      expect(large.equals((await answer(client)) as Buffer)).toBe(true);
      client.send('one ', { fin: false });
      client.send('two ', { fin: false });
      client.ping();
      client.send('three');
      expect(await answer(client)).toBe('one two three');
      expect(await closed(client, 4001, 'done')).toEqual({
        client: 4001,
        server: { code: 4001, reason: 'done', wasClean: true, initiator: 'peer' },
      });
    });

    test('the server closes', async () => {
      const client = await connected('/farewell');
      client.send('that is all');
      const [code, reason] = await once(client, 'close');
      expect([code, String(reason)]).toEqual([4000, 'that is all']);
      const report = { code: 4000, reason: 'that is all', wasClean: true, initiator: 'server' };
      expect(await program.json()).toEqual(report);
    });

    test('a client that vanishes is noticed', async () => {
      const client = await connected();
      client.terminate();
      expect(await program.json()).toMatchObject({ code: 1006, wasClean: false });
    });

    test('100 connections at a time, each with its own answers', async () => {
      const clients = await Promise.all(Array.from({ length: 100 }, () => connected()));
      const answers = Promise.all(clients.map(answer));
      for (const [at, client] of clients.entries()) client.send(`number ${at}`);
      expect(await answers).toEqual(clients.map((_, at) => `number ${at}`));
      for (const client of clients) expect(await closed(client, 1000, '')).toMatchObject({ client: 1000 });
    });

    test.skipIf(!runtime.hasClient)(
      `its own WebSocket${runtime.hasClient ? '' : ' (skipped: this version has none)'}`,
      async () => {
        const client = new Program(runtime, 'own-client.mjs', [`ws://127.0.0.1:${port}/echo`]);
        expect([await client.line(), await client.line()]).toEqual(['héllo ✓', 'the same bytes']);
        expect(await client.line()).toBe('closed 4001 cleanly');
        expect(await client.ended).toEqual({ code: 0, stderr: '' });
        expect(await program.json()).toMatchObject({ code: 4001, reason: 'done', wasClean: true });
      },
      60_000,
    );

    test('stop() says goodbye to all, and the process ends by itself, without a warning', async () => {
      const clients = await Promise.all([connected(), connected(), connected()]);
      const codes = Promise.all(clients.map((client) => once(client, 'close')));
      program.say('stop');
      expect((await codes).map(([code]) => code)).toEqual([1001, 1001, 1001]);
      for (const _ of clients) {
        expect(await program.json()).toMatchObject({ code: 1001, wasClean: true, initiator: 'server' });
      }
      expect(await program.json()).toEqual({ stopped: { connections: 3, terminated: 0 } });
      expect(await program.ended).toEqual({ code: 0, stderr: '' });
    });
  });
}
