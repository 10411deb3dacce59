// The first five minutes of a new user: the package as it is packed, installed into an empty folder; the README's first
// block; a browser that talks to it; and the likeliest mistakes, each of which says what happened, why, and what
// to do, as told in docs/how-to/when-something-goes-wrong.md.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, executable, launchBrowser, skipped } from '../clients/chromium.ts';
import { root } from '../package/source.ts';
import { blocksOf, compile, endAll, heard, programsOf, refused, run, serve } from './pages.ts';

const mistakes = 'docs/how-to/when-something-goes-wrong.md';
const said = blocksOf(mistakes)
  .filter(({ language }) => language === 'text')
  .map(({ code }) => code.trim());

let folder: string;
let user: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portal-first-'));
  user = join(folder, 'user');
  await mkdir(user);
  const npm = promisify(execFile);
  const { stdout } = await npm('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  const tarball = join(folder, stdout.trim().split('\n').at(-1) ?? '');
  await npm('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: user });
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A server whose `/` does what the test says; in the user's folder. */
const start = (handler: string, options = '') =>
  serve(
    `import { createServer } from 'portal-ws';
     const server = createServer({ port: 5005, host: '127.0.0.1', ${options} });
     ${handler}
     await server.start();`,
    user,
  );
const onMessage = (body: string) =>
  start(`server.path('/', { onMessage(connection, message) { ${body} } });`);

/** The text of the page that has this in it. */
function text(part: string): string {
  const found = said.filter((text) => text.includes(part));
  if (found.length !== 1) throw new Error(`the page has ${found.length} texts with "${part}"`);
  return `${found[0]}`;
}

/** What was said is in the page, with the port that the docs have. */
const toldOf = async (program: Awaited<ReturnType<typeof serve>>, part: string) => {
  const expected = text(part);
  await heard(program, expected.replaceAll(':5005', `:${program.port}`), 'err');
};

describe(`a browser${skipped}`, { skip: executable === undefined }, () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launchBrowser();
    page = browser.context.pages()[0] ?? (await browser.context.newPage());
  });
  afterAll(() => browser.close());

  test('the README: its first block in an empty folder, its second in the console of the page that it serves', async () => {
    const [server = '', inConsole = ''] = programsOf('README.md').map(({ code }) => code);
    const { port } = await serve(server, user);
    const lines: string[] = [];
    page.on('console', (message) => lines.push(message.text()));
    await page.goto(`http://127.0.0.1:${port}/`);
    expect(await page.textContent('body')).toContain('This is a WebSocket server');
    await page.evaluate(inConsole.replace('5005', `${port}`));
    await expect
      .poll(() => lines.filter((line) => line === 'welcome' || line === 'hello'))
      .toEqual(['welcome', 'hello']);
  });

  /** Connects from a page of the server itself, says something, and gives how it ended. */
  async function talk({ port }: { port: number }, path = '/', message?: string | number, scheme = 'ws') {
    await page.goto(`http://127.0.0.1:${port}/`);
    return page.evaluate(
      ([url, said]) =>
        new Promise((resolve) => {
          const socket = new WebSocket(`${url}`);
          socket.onopen = () =>
            said !== undefined && socket.send(typeof said === 'number' ? 'x'.repeat(said) : said);
          socket.onclose = ({ code, reason }) => resolve({ code, reason });
        }),
      [`${scheme}://127.0.0.1:${port}${path}`, message] as const,
    );
  }

  test('no such path', async () => {
    const program = await onMessage('');
    expect(await talk(program, '/ecko')).toEqual({ code: 1006, reason: '' });
    await toldOf(program, 'refused with 404');
  });

  test('origin refused', async () => {
    const program = await start(`server.path('/');`, `origins: ['https://example.com']`);
    expect(await talk(program)).toEqual({ code: 1006, reason: '' });
    await toldOf(program, 'refused with 403');
  });

  test('sending an object', async () => {
    const program = await onMessage('connection.send({ hello: message });');
    expect(await talk(program, '/', 'you')).toEqual({ code: 1011, reason: 'internal error' });
    await toldOf(program, 'cannot send an Object');
  });

  test('closing with 1005', async () => {
    const program = await onMessage('connection.close(1005);');
    expect(await talk(program, '/', 'bye')).toEqual({ code: 1011, reason: 'internal error' });
    await toldOf(program, 'close code 1005');
  });

  test('a handler that throws: the stack is told, and the server lives', async () => {
    const program = await onMessage(
      `if (message === 'bad') throw new Error('boom'); connection.close(4000, message);`,
    );
    expect(await talk(program, '/', 'bad')).toEqual({ code: 1011, reason: 'internal error' });
    await toldOf(program, 'unhandled Error: boom');
    await heard(program, 'at Object.onMessage', 'err');
    expect(await talk(program, '/', 'good')).toEqual({ code: 4000, reason: 'good' });
  });

  test('wss:// to a port without TLS', async () => {
    const program = await onMessage('');
    expect(await talk(program, '/', undefined, 'wss')).toEqual({ code: 1006, reason: '' });
    await toldOf(program, 'not TLS');
  });

  test('a message over the cap: the page is told which', async () => {
    const program = await start(
      `server.path('/', { onMessage() {} }); server.errors$.subscribe(({ error }) => console.error(error.limit));`,
    );
    expect(await talk(program, '/', 2 ** 20 + 1)).toEqual({ code: 1009, reason: text('over the cap') });
    await heard(program, 'cap', 'err');
  });

  test('one bad message ends a subscriber for all', async () => {
    const program = await start(`import { map } from 'rxjs';
      server.path('/api').messages$.pipe(map(({ message }) => JSON.parse(message))).subscribe();`);
    expect(await talk(program, '/api', 'oops')).toEqual({ code: 1011, reason: 'internal error' });
    await toldOf(program, 'SubscriberError');
  });

  test('a handler that never ends; told after 1 ms here, after 30 s by default', async () => {
    const program = await start(
      `server.path('/echo', { onMessage: () => new Promise(() => {}) });`,
      'handlerWarning: 1',
    );
    await page.goto(`http://127.0.0.1:${program.port}/`);
    await page.evaluate(
      (url) =>
        new Promise<void>((resolve) => {
          const socket = new WebSocket(url);
          socket.onopen = () => resolve(socket.send('x'));
        }),
      `ws://127.0.0.1:${program.port}/echo`,
    );
    await heard(program, text('has been pending').replace('30 s', '0.001 s'), 'err');
  });

  test('subscribing late', async () => {
    const program = await start(`server.path('/late').connections$.subscribe(async (connection) => {
      await new Promise((resolve) => setTimeout(resolve, 3_600_000).unref());
      connection.messages$.subscribe();
    });`);
    expect(await talk(program, '/late', 'anybody?')).toEqual({ code: 1011, reason: 'internal error' });
    await toldOf(program, 'NoMessageHandlerError');
  });
});

test('the port is taken: the process ends and says so', async () => {
  const { port } = await onMessage('');
  const second = run(
    `import { createServer } from 'portal-ws'; await createServer({ port: ${port}, host: '127.0.0.1' }).start();`,
    user,
  );
  expect((await once(second.child, 'close'))[0]).toBe(1);
  expect(second.said.err).toContain(text('is in use').replace('5005', `${port}`));
});

test('two servers of one name: the process ends and says so', async () => {
  const program = run(
    `import { newServer } from 'portal-ws'; newServer('test', { port: 5005 }); newServer('test', { port: 5006 });`,
    user,
  );
  expect((await once(program.child, 'close'))[0]).toBe(1);
  expect(program.said.err).toContain(text('exists already'));
});

/** An attached server in the user's folder; `others` is what else is done with the HTTP server. */
const attach = (others: string, options = '') =>
  serve(
    `import http from 'node:http';
     import { createServer } from 'portal-ws';
     const httpServer = http.createServer();
     const portal = createServer({ ${options} });
     portal.path('/echo');
     portal.attach(httpServer);
     ${others}
     httpServer.listen(0, '127.0.0.1');
     await new Promise((resolve) => httpServer.once('listening', resolve));
     const server = httpServer;`,
    user,
  );

test('an attached server that was not started', async () => {
  const program = await attach('');
  expect(await refused(`${program.url}/echo`)).toEqual({ status: 503, text: 'The server is not started.\n' });
  await toldOf(program, 'refused with 503');
});

test('nobody answers beside others; told after 1 ms here, after 10 s by default', async () => {
  const program = await attach(
    `httpServer.on('upgrade', () => {}); await portal.start();`,
    'handshakeDeadline: 1',
  );
  const socket = connect(program.port, '127.0.0.1');
  socket.write('GET /ecko HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await heard(program, text('has had no answer').replace('10 s', '0.001 s'), 'err');
  socket.destroy();
});

test('authorize returned something else: the peer gets 500, the server says what', async () => {
  const program = await start(`server.path('/', { authorize: () => ({ ok: false }) });`);
  expect(await refused(program.url)).toMatchObject({ status: 500 });
  await toldOf(program, 'authorize returned');
});

test('the page has a text for each of the fifteen, and its program passes the type checker and hears of a fault', async () => {
  expect(said).toHaveLength(15);
  const { complaints, programs } = await compile(mistakes);
  expect(complaints).toBe('');
  const program = await serve(programs.get(mistakes)?.[0]);
  await fetch(`http://127.0.0.1:${program.port}/`, { headers: { connection: 'close' } });
  await heard(program, 'HandshakeError: This is a WebSocket server', 'err');
});
