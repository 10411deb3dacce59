// docs/how-to/nginx.conf as it stands, but for names and ports, in the real Nginx: wss:// outside, ws:// inside.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { type Connection, createServer, type Server } from '../../src/index.ts';
import { root } from '../package/source.ts';
import { Authority, hasOpenssl } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';

const nginx = ['nginx', '/usr/sbin/nginx'].find((name) => spawnSync(name, ['-v']).status === 0);
const missing = [nginx ? '' : 'nginx', hasOpenssl ? '' : 'openssl'].filter((name) => name !== '');
const skipped = missing.length === 0 ? '' : ` (skipped: there is no ${missing.join(' and no ')})`;

/** The recipe with this test's ports and certificate; a line that is not there any more is an error. */
function recipe(outside: number, inside: string, folder: string): string {
  const changes = {
    'listen 443 ssl;': `listen 127.0.0.1:${outside} ssl;`,
    'server 127.0.0.1:5005;': `server ${inside};`,
    'server_name example.com;': 'server_name localhost;',
    '/etc/letsencrypt/live/example.com/fullchain.pem': join(folder, 'certificate.pem'),
    '/etc/letsencrypt/live/example.com/privkey.pem': join(folder, 'key.pem'),
  };
  return Object.entries(changes).reduce(
    (config, [from, to]) => {
      if (config.split(from).length !== 2) throw new Error(`docs/how-to/nginx.conf says not once: ${from}`);
      return config.replace(from, to);
    },
    readFileSync(`${root}docs/how-to/nginx.conf`, 'utf8'),
  );
}

/** What Debian's nginx.conf says around it, in a folder of this test's own. */
const around = (folder: string) => `
daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/temp; proxy_temp_path ${folder}/temp;
  fastcgi_temp_path ${folder}/temp; scgi_temp_path ${folder}/temp; uwsgi_temp_path ${folder}/temp;
  include ${folder}/portal.conf;
}`;

describe.skipIf(missing.length > 0).each(['a port', 'a Unix socket'])(
  `behind Nginx, by %s${skipped}`,
  (way) => {
    let folder: string;
    let server: Server;
    let proxy: ChildProcess;
    let port: number;
    let ca: string;
    const clients: WebSocket[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'portal-nginx-'));
      await mkdir(join(folder, 'temp'));
      const authority = new Authority();
      const { key, cert } = authority.issue('localhost');
      ca = authority.ca;
      authority.end();
      await writeFile(join(folder, 'key.pem'), key);
      await writeFile(join(folder, 'certificate.pem'), cert);

      server = createServer({
        ...(way === 'a port' ? { port: 0, host: '127.0.0.1' } : { socketPath: join(folder, 'app.sock') }),
        trustProxy: ['127.0.0.1', 'unix'],
        paths: {
          '/echo': { onMessage: (connection, message) => void connection.send(message) },
          '/members': { authorize: () => ({ status: 401, body: 'Who are you?\n' }) },
        },
        onRequest: ({ path }) => (path === '/health' ? { status: 200, body: 'well\n' } : undefined),
      });
      await server.start();
      port = await freePort();
      const { address, port: inside } = server.address() as { address: string; port: number };
      const upstream = way === 'a port' ? `127.0.0.1:${inside}` : `unix:${address}`;
      await writeFile(join(folder, 'portal.conf'), recipe(port, upstream, folder));
      await writeFile(join(folder, 'nginx.conf'), around(folder));
      proxy = spawn(nginx as string, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      await new Promise<void>((resolve, reject) => {
        let said = '';
        proxy.stderr?.on('data', (more) => {
          said += more;
          if (said.includes('event method')) resolve(); // its port is open by then
        });
        proxy.once('close', () => reject(new Error(`nginx ended: ${said}`)));
      });
    });

    afterEach(() => {
      for (const client of clients.splice(0)) client.terminate();
    });
    afterAll(async () => {
      if (proxy?.exitCode === null) {
        proxy.kill('SIGTERM');
        await once(proxy, 'close');
      }
      await server?.stop({ deadline: 0 });
      await rm(folder, { recursive: true, force: true });
    });

    const call = (path = '/echo', options: ClientOptions = {}) => {
      const client = new WebSocket(`wss://localhost:${port}${path}`, { ca, ...options });
      clients.push(client);
      return client;
    };

    /** A client that is open, and the server's side of it. */
    async function meet(options?: ClientOptions): Promise<{ client: WebSocket; connection: Connection }> {
      const opened = firstValueFrom(server.connections$);
      const client = call('/echo', options);
      await once(client, 'open');
      return { client, connection: await opened };
    }

    const echoed = async (client: WebSocket, message: string | Buffer) => {
      client.send(message);
      const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
      return isBinary ? data : data.toString();
    };

    test('text and binary come back, from none to a mebibyte', async () => {
      const { client } = await meet();
      for (const size of [0, 1, 126, 65_536, 1_048_576]) {
        expect(await echoed(client, 'a'.repeat(size))).toBe('a'.repeat(size));
        expect((await echoed(client, Buffer.alloc(size, 7))).length).toBe(size);
      }
    });

    test('fragments come through (RFC 6455 5.4)', async () => {
      const { client, connection } = await meet();
      const seen: unknown[] = [];
      connection.fragments$.subscribe(({ data, final }) => seen.push([data, final]));
      client.send('one ', { fin: false });
      client.send('two', { fin: true });
      expect(String((await once(client, 'message'))[0])).toBe('one two');
      expect(seen).toEqual([
        ['one ', false],
        ['two', true],
      ]);
    });

    test('pings are answered both ways (RFC 6455 5.5.2)', async () => {
      const { client, connection } = await meet();
      client.ping('from outside');
      expect(String((await once(client, 'pong'))[0])).toBe('from outside');
      const answer = firstValueFrom(connection.pongs$);
      connection.sendPing('from inside');
      expect(Buffer.from(await answer).toString()).toBe('from inside');
    });

    test.each([1000, 1001, 3000, 4999])(
      "the client's close code %i and its reason reach the server",
      async (code) => {
        const { client, connection } = await meet();
        const report = firstValueFrom(connection.closed$);
        const closed = once(client, 'close');
        client.close(code, 'because');
        expect(await report).toEqual({ code, reason: 'because', wasClean: true, initiator: 'peer' });
        expect((await closed)[0]).toBe(code);
      },
    );

    test.each([1000, 1011, 1013, 4321])(
      "the server's close code %i and its reason reach the client",
      async (code) => {
        const { client, connection } = await meet();
        const report = firstValueFrom(connection.closed$);
        connection.close(code, 'because');
        const [heard, reason] = await once(client, 'close');
        expect([heard, String(reason)]).toEqual([code, 'because']);
        expect(await report).toMatchObject({ code, wasClean: true, initiator: 'server' });
      },
    );

    test('a message over the cap is 1009', async () => {
      const { client } = await meet();
      client.send('a'.repeat(1_048_577));
      expect((await once(client, 'close'))[0]).toBe(1009);
    });

    test('a client that vanishes is 1006', async () => {
      const { client, connection } = await meet();
      const report = firstValueFrom(connection.closed$);
      client.terminate();
      expect(await report).toMatchObject({ code: 1006, wasClean: false });
    });

    test('a server that drops the connection is 1006', async () => {
      const { client, connection } = await meet();
      connection.terminate();
      expect((await once(client, 'close'))[0]).toBe(1006);
    });

    test('remoteAddress is that of the client, whatever the client claims', async () => {
      const claims = { 'X-Forwarded-For': '203.0.113.9', Forwarded: 'for=203.0.113.9' };
      const { connection } = await meet({ localAddress: '127.0.0.2', headers: claims });
      expect(connection.remoteAddress).toBe('127.0.0.2');
    });

    test('the Origin of its own host may come, another is refused with 403', async () => {
      const { client } = await meet({ origin: `https://localhost:${port}` });
      expect(await echoed(client, 'hello')).toBe('hello');
      const [error] = await once(call('/echo', { origin: 'https://elsewhere.example' }), 'error');
      expect(error.message).toBe('Unexpected server response: 403');
    });

    test.each([
      ['/members', 401],
      ['/nowhere', 404],
    ])('a handshake for %s is answered with %i', async (path, status) => {
      const [error] = await once(call(path), 'error');
      expect(error.message).toBe(`Unexpected server response: ${status}`);
    });

    test('plain GETs are answered by onRequest, or with 426', async () => {
      const ask = async (path: string) => {
        const request = get({ host: 'localhost', port, path, ca, agent: false });
        const [response] = await once(request, 'response');
        return [response.statusCode, await text(response)];
      };
      expect(await ask('/health')).toEqual([200, 'well\n']);
      expect(await ask('/echo')).toEqual([426, expect.stringContaining('This is a WebSocket server')]);
    });

    test('a server that stops says 1001 to everybody', async () => {
      const { client } = await meet();
      const closed = once(client, 'close');
      await server.stop({ reason: 'restart' });
      const [code, reason] = await closed;
      expect([code, String(reason)]).toEqual([1001, 'restart']);
      await server.start();
    });
  },
);
