// A real application of NestJS with gateways on Portal.

import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endAll, open, refused } from '../docs/pages.ts';
import { freePort } from '../support/ports.ts';
import { blocksIn, compile, copyOf, folder, linkPortal, missing, Program } from './programs.ts';

const why = missing('@nestjs/core');
const file = join(folder, 'built/nest/app.js');

describe.skipIf(why !== '')(`NestJS${why}`, () => {
  let complaints: string;
  let app: Program;
  let port: number;
  let ownPort: number;

  beforeAll(async () => {
    await linkPortal();
    complaints = await compile(join(folder, 'nest'));
    ownPort = await freePort();
    app = new Program(file, { OWN_PORT: `${ownPort}` });
    port = JSON.parse(await app.line(/"port"/)).port;
  });
  afterEach(endAll);
  afterAll(async () => {
    await app?.end('SIGKILL');
    await rm(join(folder, 'built'), { recursive: true, force: true });
  });

  const events = (name = 'Ada') => open(`ws://127.0.0.1:${port}/events?name=${name}`);
  type Client = Awaited<ReturnType<typeof events>>;
  const ask = ({ client }: Client, event: string, data?: unknown, id?: number) =>
    client.send(JSON.stringify({ event, data, id }));
  const next = async ({ next }: Client) => JSON.parse((await next()) ?? '');
  /** The next thing of this kind that the application tells. */
  const told = async (what: string) => JSON.parse(await app.line(RegExp(`"${what}"`)));

  test('the adapter has the type of a WebSocketAdapter, and its types fit gateways, guards and filters', () => {
    expect(complaints).toBe('');
  });

  test.each([
    ['value', { a: [1] }, [{ event: 'value', data: { a: [1] } }]],
    ['promise', { text: 'kept' }, [{ event: 'kept', data: 'KEPT' }]],
    ['numbers', undefined, [1, 2, 3].map((data) => ({ event: 'number', data }))],
    ['who', undefined, [{ event: 'who', data: { name: 'Ada', path: '/events', transport: 'http1' } }]],
    ['all', 'everybody', [{ event: 'told', data: 'everybody' }]],
    ['integer', '41', [{ event: 'integer', data: 42 }]],
    ['guarded', undefined, [{ event: 'guarded', data: 'secret' }]],
    ['more', undefined, [{ event: 'more', data: 'of the second gateway' }]],
  ])('the answers to %s', async (event, data, answers) => {
    const client = await events();
    ask(client, event, data);
    for (const answer of answers) expect(await next(client)).toEqual(answer);
  });

  test('answers have the id of the message', async () => {
    const client = await events();
    ask(client, 'numbers', undefined, 7);
    expect(await next(client)).toEqual({ event: 'number', data: 1, id: 7 });
  });

  test('an endless observable does not hold back other messages, and is unsubscribed from at the end', async () => {
    const client = await events('Grace');
    ask(client, 'endless');
    expect(await next(client)).toEqual({ event: 'endless', data: 'first' });
    ask(client, 'value', 1);
    expect(await next(client)).toEqual({ event: 'value', data: 1 });
    client.client.close(4000, 'enough');
    expect(await told('unsubscribed')).toEqual({ unsubscribed: 'endless' });
    expect(await told('disconnected')).toEqual({ disconnected: 'Grace', code: 4000, reason: 'enough' });
  });

  test.each([
    ['guarded', 1, { status: 'error', message: 'Forbidden resource' }],
    ['integer', 'x', { message: 'Validation failed (numeric string is expected)' }],
    ['refuse', undefined, { why: 'because' }],
  ])(
    "what %s throws goes through Nest's filters, and the connection stays",
    async (event, data, expected) => {
      const client = await events('Bob');
      ask(client, event, data);
      expect(await next(client)).toMatchObject({ event: 'exception', data: expected });
      ask(client, 'value', 1);
      expect(await next(client)).toEqual({ event: 'value', data: 1 });
    },
  );

  test('an observable that fails after a value', async () => {
    const client = await events();
    ask(client, 'refuse-later');
    expect(await next(client)).toEqual({ event: 'refuse-later', data: 'a value' });
    expect(await next(client)).toMatchObject({ event: 'exception', data: { message: 'no more' } });
  });

  test('what a filter throws on closes that connection with 1011, and is told', async () => {
    const [client, other] = [await events(), await events()];
    ask(client, 'break');
    expect(await client.closed).toEqual({ code: 1011, reason: 'internal error' });
    expect(await told('error')).toEqual({ error: 'Error: a bug' });
    ask(other, 'value', 1);
    expect(await next(other)).toEqual({ event: 'value', data: 1 });
  });

  test('malformed and unknown messages, and answers of nothing, are passed over', async () => {
    const client = await events();
    for (const text of ['{', 'null', '[]', '"value"', '{"event":1}', '{"data":1}', '{"event":"__proto__"}'])
      client.client.send(text);
    client.client.send(Buffer.of(0xff, 0xfe));
    ask(client, 'unknown');
    ask(client, 'nothing');
    client.client.send(Buffer.from('{"event":"value","data":"as bytes"}'));
    expect(await next(client)).toEqual({ event: 'value', data: 'as bytes' });
  });

  test('authorize refuses, and the rest of the application is as before', async () => {
    expect(await refused(`ws://127.0.0.1:${port}/events`)).toEqual({ status: 401, text: 'Who are you?\n' });
    expect((await refused(`ws://127.0.0.1:${port}/other`)).status).toBe(404);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('a page\n');
  });

  test('a gateway on a port of its own', async () => {
    const client = await open(`ws://127.0.0.1:${ownPort}/own`);
    ask(client, 'value', 1);
    expect(await next(client)).toEqual({ event: 'value', data: [1, 'tcp'] });
    expect((await refused(`ws://127.0.0.1:${ownPort}/events?name=Ada`)).status).toBe(404);
  });

  test('a port that is taken ends the process, and says so', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port: taken } = other.address() as { port: number };
    const second = new Program(file, { OWN_PORT: `${taken}` });
    const { code, stderr } = await second.ended;
    other.close();
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${taken}`)]);
  });

  test('on Fastify', async () => {
    const fastify = new Program(file, { OWN_PORT: `${await freePort()}`, HTTP: 'fastify' });
    const { port } = JSON.parse(await fastify.line(/"port"/));
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('a page\n');
    const client = await open(`ws://127.0.0.1:${port}/events?name=Ada`);
    ask(client, 'value', 1);
    expect(await next(client)).toEqual({ event: 'value', data: 1 });
    fastify.say('stop');
    expect((await client.closed).code).toBe(1001);
    expect(await fastify.ended).toEqual({ code: 0, signal: null, stderr: '' });
  });

  test('the example', async () => {
    const example = new Program('examples/nest/start.mjs', { EVERY_MS: '1' });
    const client = await open(`ws://127.0.0.1:${await example.port()}/prices`);
    ask(client, 'price', 'GOLD');
    expect(await next(client)).toEqual({ event: 'price', data: expect.stringMatching(/^GOLD \d+\.\d\d$/) });
    const { signal, stderr } = await example.end('SIGTERM');
    expect([(await client.closed).code, signal, stderr]).toEqual([1001, 'SIGTERM', '']);
  });

  describe('docs/how-to/nest.md', () => {
    let copy: Awaited<ReturnType<typeof copyOf>>;
    const programs: Program[] = [];

    beforeAll(async () => {
      copy = await copyOf('nest');
      const [prices = '', chat = ''] = blocksIn('nest', 'typescript');
      const listen = `listen(0, '127.0.0.1');
        console.log('listening on :' + app.getHttpServer().address().port);`;
      await writeFile(
        join(copy.path, 'app.ts'),
        prices.replace('listen(3000);', listen).replace('interval(1000)', 'interval(1)'),
      );
      const main = prices.slice(prices.indexOf('@Module')).replace('PricesGateway', 'ChatGateway');
      const imports = prices
        .split('\n')
        .filter((line) => /'(reflect-metadata|@nestjs\/co|portal)/.test(line));
      await writeFile(
        join(copy.path, 'chat.ts'),
        [...imports, chat, main.replace('listen(3000);', listen)].join('\n'),
      );
    });
    afterAll(async () => {
      for (const program of programs) await program.end('SIGKILL');
      await copy?.remove();
    });
    const start = async (name: string) => {
      const program = new Program(join(copy.path, `built/${name}.js`));
      programs.push(program);
      return { program, url: `ws://127.0.0.1:${await program.port()}` };
    };

    test('its code passes the type checker', async () => {
      expect(await compile(copy.path)).toBe('');
    });

    test('the prices', async () => {
      const { url } = await start('app');
      const client = await open(`${url}/prices`);
      ask(client, 'price', 'TIN');
      const data = { status: 'error', message: 'there is no price of TIN' };
      expect(await next(client)).toMatchObject({ event: 'exception', data });
      ask(client, 'price', 'GOLD', 7);
      expect(await next(client)).toEqual({ event: 'price', data: 'GOLD 100', id: 7 });
      expect(await next(client)).toEqual({ event: 'price', data: 'GOLD 101', id: 7 });
    });

    test('the chat', async () => {
      const { program, url } = await start('chat');
      const client = await open(`${url}/chat/7?name=Ada`);
      expect(await next(client)).toEqual({ event: 'welcome', data: 'Ada' });
      ask(client, 'say', 'hello');
      expect(await next(client)).toEqual({ event: 'said', data: 'Ada: hello' });
      client.client.close();
      await program.line(/^Ada left with 1005$/);
      expect((await refused(`${url}/chat/7`)).status).toBe(401);
    });
  });

  test('app.close() closes all connections with 1001, and the process ends', async () => {
    const clients = [await events(), await events(), await open(`ws://127.0.0.1:${ownPort}/own`)];
    ask(clients[2] as Client, 'endless');
    app.say('stop');
    for (const { closed } of clients) expect((await closed).code).toBe(1001);
    await told('closed');
    expect(await app.ended).toEqual({ code: 0, signal: null, stderr: '' });
  });
});
