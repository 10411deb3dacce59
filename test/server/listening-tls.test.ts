/** A server at several places: TLS, Unix sockets and descriptors beside a port; renewal under traffic; failed handshakes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Connection, ConnectionLostError, HandshakeError, type ServerOptions } from '../../src/index.ts';
import { certificate, socketPath } from '../support/carrier.ts';
import { Authority, hasOpenssl, skippedTls } from '../support/certificates.ts';
import { bytes, requestHead, textFrame } from '../support/raw-client.ts';
import { refusal } from '../support/refusal.ts';
import { make, record, until } from '../support/serving.ts';

const LOOPBACK = { port: 0, host: '127.0.0.1' };
const echo: ServerOptions['paths'] = {
  '/echo': { onMessage: (connection, message) => void connection.send(message) },
};

async function talk(url: string, options: object = {}): Promise<WebSocket> {
  const client = new WebSocket(url, options);
  await once(client, 'open');
  return client;
}

/** Sends a message and awaits its echo. */
async function echoed(client: WebSocket, text: string): Promise<string> {
  client.send(text);
  const [data] = await once(client, 'message');
  return `${data}`;
}

describe('several places', () => {
  test('are opened together; each connection says what carries it', async () => {
    const path = socketPath();
    const { server } = make({ ...LOOPBACK, paths: echo, listeners: [{ socketPath: path }, LOOPBACK] });
    const seen: Connection[] = [];
    server.connections$.subscribe((connection) => void seen.push(connection));
    await server.start();
    const [first, unix, second] = server.addresses();
    expect(server.address()).toEqual(first);
    expect(unix).toEqual({ address: path, family: 'unix', port: 0 });
    const clients = [
      await talk(`ws://127.0.0.1:${first?.port}/echo`),
      await talk(`ws+unix:${path}:/echo`),
      await talk(`ws://127.0.0.1:${second?.port}/echo`),
    ];
    for (const client of clients) expect(await echoed(client, 'hello')).toBe('hello');
    expect(seen.map(({ transport, remoteAddress }) => [transport, remoteAddress])).toEqual([
      ['tcp', '127.0.0.1'],
      ['unix', ''],
      ['tcp', '127.0.0.1'],
    ]);
    await server.stop({ deadline: 0 });
    expect([server.address(), server.addresses(), existsSync(path)]).toEqual([null, [], false]);
  });

  test('are opened all or none: one that is taken closes the others, and the server can start when it is free', async () => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as net.AddressInfo;
    const path = socketPath();
    const { server } = make({ socketPath: path, listeners: [{ port, host: '127.0.0.1' }] });
    await expect(server.start()).rejects.toThrow(`port ${port} is in use`);
    expect([server.state, existsSync(path), server.addresses()]).toEqual(['failed', false, []]);
    squatter.close();
    await once(squatter, 'close');
    await server.start();
    expect(server.addresses()).toHaveLength(2);
  });

  test('one that is taken by a live server says so', async () => {
    const path = socketPath();
    const { server } = make({ socketPath: path });
    await server.start();
    const { server: second } = make({ socketPath: path });
    await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(second.start()).rejects.toThrow(`a server listens at ${path} already`);
  });
});

describe('a descriptor that a parent hands down', () => {
  const program = `
    import { createServer } from './src/index.ts';
    const server = createServer({ fd: 3, paths: { '/echo': { onMessage: (c, m) => void c.send(m + ' of ' + c.transport) } } });
    await server.start();
    console.log(JSON.stringify(server.address()));
    process.once('SIGTERM', async () => {
      await server.stop();
      await server.start().catch((error) => console.log(error.message));
    });
  `.replaceAll('./src/index.ts', new URL('../../dist/index.js', import.meta.url).href);

  /** Gives the descriptor of a listening socket to a child, lets `listening` go, and talks to the child. */
  async function handDown(listening: net.Server, letGo: () => string | number) {
    const { fd } = (listening as unknown as { _handle: { fd: number } })._handle;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit', fd],
    });
    const stdout = child.stdout as NonNullable<typeof child.stdout>;
    try {
      const [line] = await once(stdout, 'data');
      const client = await talk(`${letGo()}/echo`);
      const answer = await echoed(client, 'hello');
      client.terminate();
      child.kill();
      const [restarted] = await once(stdout, 'data');
      return { address: JSON.parse(`${line}`), answer, restarted: `${restarted}` };
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  }

  const isStartedOnce = 'a server with a fd is started once';

  test('of a port: it listens there, once', async () => {
    const listening = net.createServer();
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const { port } = listening.address() as net.AddressInfo;
    const seen = await handDown(listening, () => {
      listening.close();
      return `ws://127.0.0.1:${port}`;
    });
    expect(seen.address).toMatchObject({ address: '127.0.0.1', port });
    expect([seen.answer, seen.restarted]).toEqual(['hello of tcp', expect.stringContaining(isStartedOnce)]);
  });

  test('of a Unix socket: it is one, with its path where the system tells it', async () => {
    const [path, moved] = [socketPath(), socketPath()];
    const listening = net.createServer();
    await new Promise<void>((resolve) => listening.listen(path, resolve));
    const seen = await handDown(listening, () => {
      // Node would remove the file.
      renameSync(path, moved);
      listening.close();
      return `ws+unix:${moved}:`;
    });
    const told = process.platform === 'linux' ? path : '';
    expect(seen.address).toEqual({ address: told, family: 'unix', port: 0 });
    expect([seen.answer, seen.restarted]).toEqual(['hello of unix', expect.stringContaining(isStartedOnce)]);
  });
});

describe.skipIf(!hasOpenssl)(`TLS${skippedTls}`, () => {
  const secure = (more: object = {}): Partial<ServerOptions> => ({
    ...LOOPBACK,
    tls: { ...certificate().pair, ...more },
    paths: echo,
  });
  const url = (server: { address(): { port: number } | null }) =>
    `wss://localhost:${server.address()?.port}/echo`;

  test('a renewal under traffic: open connections live on, new ones see the new certificate', async () => {
    const { server } = make(secure());
    await server.start();
    const { ca } = certificate();
    const old = await talk(url(server), { ca });
    const other = new Authority('Next');
    const next = other.issue('localhost');
    let isDone = false;
    const traffic = (async () => {
      let count = 0;
      while (!isDone) expect(await echoed(old, `${count}`)).toBe(`${count++}`);
      return count;
    })();
    server.renewTls(next);
    await expect(talk(url(server), { ca })).rejects.toThrow();
    const fresh = await talk(url(server), { ca: other.ca });
    expect(await echoed(fresh, 'hello')).toBe('hello');
    expect(() => server.renewTls({ key: next.key, cert: certificate().pair.cert })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', option: 'tls.key' }),
    );
    await talk(url(server), { ca: other.ca });
    isDone = true;
    expect(await traffic).toBeGreaterThan(0);
    other.end();
  });

  test.each(['handle', 'socket'] as const)(
    'frames that come with the end of the TLS handshake are read, by the %s',
    async (tcp) => {
      const { server } = make({ ...secure(), tcp });
      await server.start();
      const frames = Buffer.from('81036f6e65810374776f', 'hex').toString('latin1');
      const at = { port: server.address()?.port ?? 0, host: '127.0.0.1', servername: 'localhost' };
      for (const when of ['before', 'after']) {
        const client = tls.connect({ ...at, ca: certificate().ca });
        // Before: in the client's last flight. After: in one record.
        if (when === 'after') await once(client, 'secureConnect');
        client.write(bytes(requestHead(), textFrame('one'), textFrame('two')));
        let answer = '';
        client.setEncoding('latin1').on('data', (chunk) => {
          answer += chunk;
        });
        await until(() => answer.endsWith('two'));
        expect([answer.slice(0, 12), answer.split('\r\n\r\n')[1]]).toEqual(['HTTP/1.1 101', frames]);
        client.destroy();
      }
    },
  );

  test('wss:// to the plain port: the developer is told once, and the client cannot read an answer', async () => {
    const { server } = make({ ...LOOPBACK, paths: echo });
    const errors = record(server.errors$);
    await server.start();
    const client = new WebSocket(`wss://127.0.0.1:${server.address()?.port}/echo`);
    const [error] = await once(client, 'error');
    expect((error as NodeJS.ErrnoException).code).toMatch(/SSL|EPROTO/);
    await until(() => errors.values.length === 1);
    const [{ error: told } = {}] = errors.values;
    expect(told).toBeInstanceOf(HandshakeError);
    expect((told as HandshakeError).advice).toContain('ws://');
  });

  test('a server without TLS has nothing to renew', () => {
    const { server } = make();
    expect(() => server.renewTls(certificate().pair)).toThrow('no listener of this server has tls');
  });

  test('authorize gets the certificate of the client, or nothing', async () => {
    const { ca } = certificate();
    const seen: unknown[] = [];
    const { server } = make({
      ...secure({ requestCert: true, rejectUnauthorized: false, ca }),
      authorize: ({ peerCertificate }) => {
        seen.push(peerCertificate?.subject.CN);
        return true;
      },
    });
    await server.start();
    await talk(url(server), { ca });
    await talk(url(server), { ca, ...certificate().pair });
    expect(seen).toEqual([undefined, 'localhost']);
  });

  test('a certificate of a client that is not verified is told by its reason, none by what OpenSSL says', async () => {
    const { ca } = certificate();
    const { server } = make(secure({ requestCert: true, ca }));
    const errors = record(server.errors$);
    await server.start();
    const elsewhere = new Authority('Elsewhere');
    for (const shown of [elsewhere.issue('client'), {}]) {
      const client = new WebSocket(url(server), { ca, ...shown });
      await once(client, 'error');
    }
    await until(() => errors.values.length === 2);
    const [wrong, none] = errors.values.map(({ error }) => (error as Error).message);
    expect(wrong).toMatch(
      /: the client's certificate was not verified: [A-Z_]*(ISSUER|LEAF|SELF_SIGNED)[A-Z_]*$/,
    );
    expect(none).toContain('peer did not return a certificate');
    await talk(url(server), { ca, ...certificate().pair });
    elsewhere.end();
  });

  test('a renewal of one host leaves the others, and is all or nothing', async () => {
    const authority = new Authority();
    const [one, two] = [authority.issue('one.example'), authority.issue('two.example')];
    const next = authority.issue('next');
    const { server } = make(secure({ contexts: { 'One.example': one, '*.two.example': two } }));
    await server.start();
    const shown = async (servername: string) => {
      const at = { port: server.address()?.port ?? 0, host: '127.0.0.1' };
      const client = tls.connect({ ...at, servername, rejectUnauthorized: false });
      await once(client, 'secureConnect');
      const { CN } = client.getPeerCertificate().subject;
      client.destroy();
      return CN;
    };
    const all = async () => [await shown('one.example'), await shown('a.two.example'), await shown('else')];
    expect(await all()).toEqual(['one.example', 'two.example', 'localhost']);
    server.renewTls({ contexts: { 'ONE.example': next } });
    expect(await all()).toEqual(['next', 'two.example', 'localhost']);
    const mixed = { key: one.key, cert: two.cert };
    const refused = refusal(() => server.renewTls({ contexts: { 'one.example': one, 'a.b': mixed } }));
    expect([refused.option, refused.message]).toEqual([
      'tls.contexts["a.b"].key',
      expect.stringContaining('it is not the key of tls.contexts["a.b"].cert'),
    ]);
    expect(refusal(() => server.renewTls({ SNICallback: () => {} })).message).toContain(
      'give one of the two',
    );
    expect(await all()).toEqual(['next', 'two.example', 'localhost']);
    authority.end();
  });

  test('ws:// to the TLS port: the peer reads why, and the developer too', async () => {
    const { server } = make(secure());
    const errors = record(server.errors$);
    await server.start();
    const client = net.connect(server.address()?.port ?? 0, '127.0.0.1');
    client.write('GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let answer = '';
    for await (const chunk of client) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*wss:\/\//);
    const [{ error } = {}] = errors.values;
    expect(error).toBeInstanceOf(HandshakeError);
    expect((error as HandshakeError).advice).toContain('wss://');
  });

  test('a handshake that fails is counted and told as the fault of the peer; the server goes on', async () => {
    const { server } = make(secure());
    const errors = record(server.errors$);
    await server.start();
    const stranger = tls.connect({
      port: server.address()?.port ?? 0,
      host: '127.0.0.1',
      ALPNProtocols: ['h2'],
    });
    await once(stranger, 'error');
    await until(() => errors.values.length === 1);
    expect(errors.values[0]?.error).toBeInstanceOf(ConnectionLostError);
    expect(String(errors.values[0]?.error)).toContain('the TLS handshake failed: ');
    expect(server.stats().refused).toBe(1);
    const { ca } = certificate();
    expect(await echoed(await talk(url(server), { ca }), 'hello')).toBe('hello');
  });
});
