// The how-tos are true: the code of each page passes the type checker and does what the page says.

import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { root } from '../package/source.ts';
import { Authority, hasOpenssl, type Pair, skippedTls } from '../support/certificates.ts';
import { compile, endAll, heard, open, refused, run, serve } from './pages.ts';

const howTo = (name: string) => `docs/how-to/${name}.md`;
const pages = [
  'echo',
  'chat-with-rxjs',
  'live-prices',
  'topics',
  'authorisation',
  'upload-by-fragments',
  'backpressure',
  'graceful-shutdown',
  'typed-messages',
  'testing-handlers',
  'tls',
  'unix-socket-and-systemd',
  'compress-messages',
].map(howTo);

let compiled: Awaited<ReturnType<typeof compile>>;
beforeAll(async () => {
  compiled = await compile(...pages);
});
afterEach(endAll);

/** The n-th block of a page as JavaScript; from 0. */
const block = (name: string, n = 0) => {
  const code = compiled.programs.get(howTo(name))?.[n];
  if (code === undefined) throw new Error(`${name} has no block ${n}`);
  return code;
};

test('their code passes the type checker', () => {
  expect(compiled.complaints).toBe('');
});

describe('echo', () => {
  test.each([0, 1])('block %i sends back text and bytes', async (n) => {
    const { url } = await serve(block('echo', n));
    const { client, next } = await open(`${url}/echo`);
    client.send('hello');
    expect(await next()).toBe('hello');
    client.send(Uint8Array.of(1, 2));
    const [data, isBinary] = await once(client, 'message');
    expect([...data, isBinary]).toEqual([1, 2, true]);
  });

  test('a message over the cap closes with 1009', async () => {
    const { url } = await serve(block('echo'));
    const { client, closed } = await open(`${url}/echo`);
    client.send(new Uint8Array(2 ** 20 + 1));
    expect((await closed).code).toBe(1009);
  });

  test('the block for a client hears its hello, and ends', async () => {
    const { port } = await serve(block('echo'));
    const client = run(
      `import { WebSocket } from 'undici'; globalThis.WebSocket = WebSocket; ${block('echo', 2).replace('5005', `${port}`)}`,
    );
    expect(await heard(client, '\n')).toBe('hello\n');
    expect((await once(client.child, 'close'))[0]).toBe(0);
  });
});

test('chat: lines are cleaned, repeats left out, and who comes later hears the past', async () => {
  const { url } = await serve(block('chat-with-rxjs'));
  const ada = await open(`${url}/chat`);
  for (const said of ['  hello ', '', 'hello', 'bye']) ada.client.send(said);
  ada.client.send(Buffer.from('bytes'));
  const lines = [await ada.next(), await ada.next()];
  expect(lines).toEqual([expect.stringMatching(/^\d+: hello$/), expect.stringMatching(/^\d+: bye$/)]);
  const grace = await open(`${url}/chat`);
  expect([await grace.next(), await grace.next()]).toEqual(lines);
  ada.client.close();
  await ada.closed;
  grace.client.send('anybody?');
  expect(await grace.next()).toMatch(/: anybody\?$/);
});

describe('live prices', () => {
  test('one feed serves all listeners of a symbol, and a message of theirs is ignored', async () => {
    const { url } = await serve(block('live-prices'));
    const [one, two] = [await open(`${url}/prices/GOLD`), await open(`${url}/prices/GOLD`)];
    one.client.send('ignored');
    const quote = await one.next();
    expect(quote).toMatch(/^GOLD \d+\.\d\d$/);
    expect(await two.next()).toBe(quote);
    expect(await one.next()).toMatch(/^GOLD/);
  });

  test('broadcast reaches every connection of the path', async () => {
    const { url } = await serve(block('live-prices', 1));
    const [one, two] = [await open(`${url}/clock`), await open(`${url}/clock`)];
    const times = [await one.next(), await two.next()];
    expect(times[0]).toMatch(/^\d{4}-.*Z$/);
    expect(times[1]).toBe(times[0]);
  });
});

describe('topics', () => {
  test('a message goes to the others of its room, and to no other room', async () => {
    const { url } = await serve(block('topics'));
    const [one, two, other] = [
      await open(`${url}/rooms/red`),
      await open(`${url}/rooms/red`),
      await open(`${url}/rooms/blue`),
    ];
    one.client.send('hello');
    expect(await two.next()).toBe('hello');
    two.client.send('hi');
    expect(await one.next()).toBe('hi');
    const third = await open(`${url}/rooms/blue`);
    third.client.send('blue');
    expect(await other.next()).toBe('blue');
  });

  test('typed ones, joined as the connection opens', async () => {
    const { url } = await serve(block('topics', 1));
    const gold = await open(`${url}/prices?symbol=GOLD`);
    const both = await open(`${url}/prices?symbol=GOLD&symbol=SILVER`);
    for (let n = 0; n < 2; n++)
      expect(JSON.parse((await gold.next()) ?? '')).toMatchObject({ symbol: 'GOLD' });
    const symbols = [await both.next(), await both.next()].map((price) => JSON.parse(price ?? '').symbol);
    expect(symbols.sort()).toEqual(['GOLD', 'SILVER']);
  });

  test('presence: who is there, who comes, and who goes', async () => {
    const { url } = await serve(block('topics', 2));
    const ada = await open(`${url}/lobby?name=Ada`);
    expect([await ada.next(), await ada.next()]).toEqual(['here: Ada', 'Ada is here']);
    const bob = await open(`${url}/lobby?name=Bob`);
    expect([await bob.next(), await bob.next()]).toEqual(['here: Ada, Bob', 'Bob is here']);
    expect(await ada.next()).toBe('Bob is here');
    bob.client.close();
    expect(await ada.next()).toBe('Bob has gone');
  });

  test('history: who comes back gets what was missed; the client on the page does so', async () => {
    const { url, port } = await serve(block('topics', 3));
    const speaker = await open(`${url}/feed?since=`);
    const [start] = ((await speaker.next()) ?? '').split('\n');
    const client = run(
      `import { WebSocket } from 'undici'; globalThis.WebSocket = WebSocket; ${block('topics', 4).replace('5005', `${port}`)}`,
    );
    expect(await heard(client, '\n')).toBe('from here on\n');
    speaker.client.send('one');
    expect(await speaker.next()).toBe(`${start?.replace(/0$/, '1')}\none`);
    await heard(client, 'one\n');
    const back = await open(`${url}/feed?since=${start}`);
    expect(await back.next()).toBe(`${start?.replace(/0$/, '1')}\none`);
    client.child.kill();
    await once(client.child, 'close');
  });
});

describe('authorisation', () => {
  test('lets in who has the session, with data; 401 for others, 403 for other pages', async () => {
    const { url } = await serve(block('authorisation'));
    const client = new WebSocket(`${url}/private`, { headers: { cookie: 'a=b; session=s3cret' } });
    expect(String((await once(client, 'message'))[0])).toBe('hello, Ada');
    client.send('hi');
    expect(String((await once(client, 'message'))[0])).toBe('Ada: hi');
    client.terminate();
    expect(await refused(`${url}/private`)).toEqual({ status: 401, text: 'Log in first.\n' });
    const elsewhere = await refused(`${url}/private`, { origin: 'https://evil.example' });
    expect(elsewhere.status).toBe(403);
    expect(elsewhere.text).toContain('"https://evil.example"');
  });

  test('nothing returned lets nobody in', async () => {
    const forgetful = block('authorisation').replace('return user === undefined', 'user === undefined');
    const program = await serve(forgetful);
    expect((await refused(`${program.url}/private`)).status).toBe(500);
    await heard(program, 'authorize returned undefined', 'err');
  });

  test('a token as the first message', async () => {
    const { url } = await serve(block('authorisation', 1).replace('5000', '50'));
    const right = await open(`${url}/late`);
    right.client.send('s3cret');
    expect(await right.next()).toBe('welcome');
    right.client.send('echo?');
    expect(await right.next()).toBe('echo?');
    const wrong = await open(`${url}/late`);
    wrong.client.send('guess');
    expect(await wrong.closed).toEqual({ code: 1008, reason: 'wrong token' });
    const silent = await open(`${url}/late`);
    expect(await silent.closed).toEqual({ code: 1008, reason: 'no token' });
  });
});

describe('upload by fragments', () => {
  let folder: string;
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const start = async () => {
    folder = await mkdtemp(join(tmpdir(), 'portal-upload-'));
    const code = block('upload-by-fragments').replace("'uploads'", JSON.stringify(join(folder, 'uploads')));
    return serve(code);
  };
  const stored = () => readdir(join(folder, 'uploads'));

  test('fragments and whole messages make one file', async () => {
    const { url } = await start();
    const { client, next, closed } = await open(`${url}/upload`);
    client.send(Buffer.from('one '), { fin: false });
    client.send(Buffer.from('two '), { fin: true });
    client.send(Buffer.from('three'));
    client.send('end');
    expect(await next()).toBe('stored 13 bytes');
    expect((await closed).code).toBe(1000);
    const [name = ''] = await stored();
    expect(await readFile(join(folder, 'uploads', name), 'utf8')).toBe('one two three');
  });

  test('one that breaks off leaves nothing', async () => {
    const { url } = await start();
    const { client } = await open(`${url}/upload`);
    client.send(Buffer.from('half'), { fin: false });
    await expect.poll(stored).toEqual([expect.stringMatching(/\.part$/)]);
    client.terminate();
    await expect.poll(stored).toEqual([]);
  });

  test('the function for a page uploads a file and hears how much was stored', async () => {
    const { url } = await start();
    const page = run(`
      import { WebSocket } from 'undici'; globalThis.WebSocket = WebSocket;
      ${block('upload-by-fragments', 1)}
      console.log(await upload(new Blob([new Uint8Array(3_000_000)]), '${url}/upload'));`);
    expect(await heard(page, '\n')).toBe('stored 3000000 bytes\n');
  });
});

describe('backpressure', () => {
  test('a hundred thousand numbers arrive in order, though the reader stops for a while', async () => {
    const { url } = await serve(block('backpressure'));
    const client = new WebSocket(`${url}/numbers`);
    let count = 0;
    let inOrder = true;
    client.on('message', (data) => {
      inOrder &&= String(data) === `number ${++count}`;
      if (count === 1000) {
        client.pause();
        setImmediate(() => client.resume());
      }
    });
    expect((await once(client, 'close'))[0]).toBe(1000);
    expect([count, inOrder]).toEqual([100_000, true]);
  });

  test('the loop takes jobs one after the other', async () => {
    const { url } = await serve(block('backpressure', 1));
    const { client, next } = await open(`${url}/jobs`);
    for (const job of ['a', 'b', 'c']) client.send(job);
    expect([await next(), await next(), await next()]).toEqual(['done a', 'done b', 'done c']);
  });
});

describe('graceful shutdown', () => {
  test('SIGTERM closes with 1012, says what it did, and ends with 0', async () => {
    const program = await serve(block('graceful-shutdown'));
    const health = async () => {
      const headers = { connection: 'close' };
      const answer = await fetch(`http://127.0.0.1:${program.port}/health`, { headers });
      return [answer.status, await answer.text()];
    };
    expect(await health()).toEqual([200, 'listening\n']);
    const { client, closed } = await open(`${program.url}/echo`);
    client.pause(); // it does not answer the Close yet
    const exitCode = program.stop();
    await expect.poll(health).toEqual([503, 'draining\n']);
    client.resume();
    expect(await closed).toEqual({ code: 1012, reason: 'restarting' });
    expect(await exitCode).toBe(0);
    expect(program.said.out).toMatch(/^listening\nstopped; \d connections, 0 by force\n$/);
  });
});

describe('compress messages', () => {
  /** Bytes that come back for each of these messages. */
  async function bytesOf(client: WebSocket, messages: readonly string[]) {
    // The socket counts what it reads.
    const { _socket: socket } = client as unknown as { _socket: { bytesRead: number } };
    const sizes: number[] = [];
    for (const message of messages) {
      const before = socket.bytesRead;
      client.send(message);
      expect(String((await once(client, 'message'))[0])).toBe(message);
      sizes.push(socket.bytesRead - before);
    }
    return sizes;
  }
  const quote = (price: number) => JSON.stringify({ symbol: 'GOLD', price, currency: 'EUR', venue: 'XETR' });
  const report = JSON.stringify(Array.from({ length: 40 }, (_, id) => ({ id, item: `item ${id}` })));

  test('each path in its own way, and the server says what was agreed on', async () => {
    const program = await serve(block('compress-messages'));
    const reports = await open(`${program.url}/reports`);
    const agreed = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
    await heard(program, `${agreed}\n`);
    const [bytes = 0] = await bytesOf(reports.client, [report]);
    expect(bytes).toBeLessThan(report.length / 3);
    const quotes = await open(`${program.url}/quotes`);
    const [first = 0, second = 0] = await bytesOf(quotes.client, [quote(1.5), quote(1.75)]);
    expect(second).toBeLessThan(first / 2);
    const images = await open(`${program.url}/images`);
    expect(images.client.extensions).toBe('');
    expect(await bytesOf(images.client, [report])).toEqual([report.length + 4]);
  });

  test('the tuned options are taken, and what is not to be compressed is not', async () => {
    const { url } = await serve(block('compress-messages', 1));
    const { client, next } = await open(`${url}/chat`);
    const came: Buffer[] = [];
    (client as unknown as { _socket: { on(event: string, take: (data: Buffer) => void): void } })._socket.on(
      'data',
      (data) => came.push(data),
    );
    client.send('hello');
    expect([await next(), await next(), await next()]).toEqual([
      'hello',
      'a token, beside nothing of a stranger',
      'short',
    ]);
    expect(Buffer.concat(came).toString('latin1')).toContain('a token, beside nothing of a stranger');
  });
});

describe('typed messages', () => {
  test('a schema: what fits is answered, what does not closes with 1007', async () => {
    const { url } = await serve(block('typed-messages'));
    const { client, next, closed } = await open(`${url}/orders`);
    client.send('{"item":"tea","count":1}');
    expect(await next()).toBe('{"item":"tea","count":2}');
    client.send('{"item":"tea","count":-1}');
    expect((await closed).code).toBe(1007);
  });

  test('onInvalid: onError answers and goes on', async () => {
    const { url } = await serve(block('typed-messages', 1));
    const { client, next } = await open(`${url}/answers`);
    client.send('{"ask":1}');
    expect(await next()).toMatch(/^\{"error":".*ask/);
    client.send('{"ask":"why"}');
    expect(await next()).toBe('{"answer":"WHY"}');
  });

  test('a codec of bytes', async () => {
    const { url } = await serve(block('typed-messages', 2));
    const { client, closed } = await open(`${url}/temperatures`);
    client.send(Uint8Array.of(0x42, 0xc8, 0, 0)); // 100
    expect([...(await once(client, 'message'))[0]]).toEqual([0x43, 0x54, 0, 0]); // 212
    client.send('hot');
    expect((await closed).code).toBe(1007);
  });

  test('codecs by subprotocol, and 400 for a client that offers none', async () => {
    const { url } = await serve(block('typed-messages', 3));
    const { client, next } = await open(`${url}/orders`, { protocols: ['orders.v1', 'orders.v2'] });
    expect(client.protocol).toBe('orders.v2');
    client.send('{"item":"tea","count":3}');
    expect(JSON.parse((await next()) ?? '')).toEqual({ item: 'tea', count: 3 });
    const old = await open(`${url}/orders`, { protocols: ['orders.v1'] });
    old.client.send('{"item":"tea"}');
    expect(await old.next()).toBe('{"count":1,"item":"tea"}');
    expect(await refused(`${url}/orders`)).toMatchObject({
      status: 400,
      text: expect.stringContaining('orders.v2, orders.v1'),
    });
  });
});

test('testing handlers: the tests on the page pass', async () => {
  const program = run(block('testing-handlers'));
  const [exitCode] = await once(program.child, 'close');
  expect(program.said.out).toContain('# pass 4\n');
  expect([exitCode, program.said.out.match(/^# fail (\d+)$/m)?.[1]]).toEqual([0, '0']);
});

test.skipIf(!hasOpenssl)(
  `TLS: the program on the page sees that Certbot has renewed${skippedTls}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portal-live-'));
    const authority = new Authority();
    const [archive, live] = [join(folder, 'archive'), join(folder, 'live')];
    for (const made of [archive, live]) await mkdir(made);
    let files = 0;
    /** Writes new files, and lets the links point to them, fullchain.pem last. */
    const renew = async ({ key, cert }: Pair) => {
      files++;
      for (const [name, content] of Object.entries({ 'privkey.pem': key, 'fullchain.pem': cert })) {
        await writeFile(join(archive, `${files}-${name}`), content);
        await rm(join(live, name), { force: true });
        await symlink(join('..', 'archive', `${files}-${name}`), join(live, name));
      }
    };
    await renew(authority.issue('localhost'));
    const code = block('tls')
      .replace('/etc/letsencrypt/live/example.com', live)
      .replace('interval: 60_000', 'interval: 5')
      .replace('port: 443', 'port: 0');
    const { port } = await serve(code);
    const shown = async () => {
      const client = tls.connect({
        port,
        host: '127.0.0.1',
        servername: 'localhost',
        rejectUnauthorized: false,
      });
      await once(client, 'secureConnect');
      const { CN } = client.getPeerCertificate().subject;
      client.destroy();
      return CN;
    };
    expect(await shown()).toBe('localhost');
    const next = authority.issue('renewed');
    // Again and again: the first renewal may come before the program has looked at the file at all.
    await expect
      .poll(async () => {
        await renew(next);
        return shown();
      })
      .toBe('renewed');
    await rm(folder, { recursive: true });
    authority.end();
  },
);

test('every how-to is under test here, or elsewhere', async () => {
  const elsewhere = [
    'when-something-goes-wrong.md',
    'behind-nginx.md',
    'on-your-http-server.md',
    'nest.md',
    'stately-inspector.md',
    'workers.md',
    'many-machines.md',
  ];
  const names = (await readdir(`${root}docs/how-to`)).filter(
    (name) => name.endsWith('.md') && !elsewhere.includes(name),
  );
  expect(names.map((name) => `docs/how-to/${name}`).sort()).toEqual([...pages].sort());
});
