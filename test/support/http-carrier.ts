/**
 * HTTP servers that carry the connections of a suite, in two ways.
 *
 * With `openHttpServer` a Portal server is attached. A client of HTTP/1.1 writes its request head as it does anywhere; for
 * HTTP/2 the head is translated to an extended CONNECT (RFC 8441), and the answer back, so that the same suites hold.
 *
 * `HandoverListener` accepts bare streams of bytes that an HTTP server has handed over for something else: what the
 * transports are is then tested from the first byte on, without a request that somebody else has read.
 */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { AnyHttpServer } from '../../src/index.ts';
import { Http2Transport } from '../../src/io/transports/http2-stream.ts';
import type { Accept, Address, Listener } from '../../src/io/transports/transport.ts';
import { takeSocket } from '../../src/io/transports/upgraded.ts';
import { headersOfConnect, headOfAnswer } from './connect-head.ts';

export type HttpKind = 'http1' | 'https' | 'http2';

/** A certificate, and who vouches for it. */
export interface Certified {
  readonly ca: string;
  readonly pair: { readonly key: string; readonly cert: string };
}

/** Node ends a session whose client resets a thousand streams within a short time. */
const STREAMS_OF_A_SESSION = 100;
/** MB that a session may hold; messages of 16 MiB must pass. Default of Node: 10. */
const ROOM = { maxSessionMemory: 200 };

interface Opened {
  readonly server: AnyHttpServer;
  /** A client's end, ready for a request head. */
  dial(): Promise<Duplex>;
  close(): void;
}

/** `NGHTTP2_CANCEL`: what RST is to TCP (RFC 8441 5). Node sends an END_STREAM before it, unless by an AbortSignal. */
const CANCEL = 8;

/** An HTTP server that listens on a free port of the loopback. */
export async function openHttpServer(kind: HttpKind, certified?: Certified): Promise<Opened> {
  const server = make(kind, certified);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  (server as http.Server).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sessions: Promise<ClientHttp2Session>[] = [];
  let dialled = 0;
  const close = () => {
    for (const session of sessions) void session.then((opened) => opened.destroy());
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const dial = async (): Promise<Duplex> => {
    if (kind !== 'http2') return await connect(port, certified);
    if (dialled++ % STREAMS_OF_A_SESSION === 0) sessions.unshift(openSession(port));
    return new ConnectStream(await (sessions[0] as Promise<ClientHttp2Session>));
  };
  return { server, dial, close };
}

function make(kind: HttpKind, certified: Certified | undefined): AnyHttpServer {
  // An upgrade that is asked for in another way than by RFC 6455 is an ordinary request.
  const page = (_: IncomingMessage, response: http.ServerResponse) => {
    response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end('This is for WebSockets.\n');
  };
  if (kind === 'http2') return http2.createServer(ROOM);
  return kind === 'http1' ? http.createServer(page) : https.createServer(certified?.pair ?? {}, page);
}

async function connect(port: number, certified: Certified | undefined): Promise<Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  if (certified === undefined) {
    await once(socket, 'connect');
    return socket;
  }
  const secure = tls.connect({ socket, ca: certified.ca, servername: 'localhost' });
  await once(secure, 'secureConnect');
  return Object.assign(secure, { resetAndDestroy: () => socket.resetAndDestroy() });
}

async function openSession(port: number): Promise<ClientHttp2Session> {
  const session = http2.connect(`http://127.0.0.1:${port}`, ROOM);
  session.on('error', () => {});
  session.setMaxListeners(0);
  await once(session, 'remoteSettings');
  return session;
}

/** A stream of HTTP/2 that is used as if it were a connection of HTTP/1.1. */
class ConnectStream extends Duplex {
  readonly #session: ClientHttp2Session;
  readonly #reset = new AbortController();
  #stream: ClientHttp2Stream | undefined;
  /** What has been written, until the head is whole. */
  #head = Buffer.alloc(0);

  constructor(session: ClientHttp2Session) {
    super({ allowHalfOpen: true });
    this.#session = session;
  }

  resetAndDestroy(): void {
    this.#reset.abort();
    this.destroy();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#stream !== undefined) {
      this.#pass(chunk, done);
      return;
    }
    this.#head = Buffer.concat([this.#head, chunk]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) {
      done();
      return;
    }
    const rest = this.#head.subarray(end + 4);
    try {
      this.#open(this.#head.toString('latin1', 0, end));
    } catch (error) {
      // What cannot be said in HTTP/2 at all.
      done(error as Error);
      return;
    }
    if (rest.length === 0) done();
    else this.#pass(rest, done);
  }

  /** A stream that is over takes everything without a word, as TCP does until its reset has come. */
  #pass(chunk: Buffer, done: (error?: Error | null) => void): void {
    const stream = this.#stream;
    if (stream?.writable) stream.write(chunk, () => done());
    else done();
  }

  #open(head: string): void {
    const { headers, key } = headersOfConnect(head);
    const stream = this.#session.request(headers, { signal: this.#reset.signal });
    this.#stream = stream;
    stream.on('response', (answer) => void this.push(headOfAnswer(answer, key)));
    stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause();
    });
    stream.on('end', () => {
      if (stream.rstCode === 0 || stream.rstCode === undefined) this.push(null);
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      if (stream.rstCode) this.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
      else this.destroy();
    });
  }

  override _read(): void {
    this.#stream?.resume();
  }

  override _final(done: () => void): void {
    if (this.#stream === undefined) this.push(null);
    else this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const stream = this.#stream;
    if (stream !== undefined && !stream.closed && !(stream.writableFinished && stream.readableEnded)) {
      stream.close(CANCEL);
    }
    done(error);
  }
}

/** Accepts what an HTTP server hands over. */
export class HandoverListener implements Listener {
  readonly #kind: HttpKind;
  readonly #way: 'handle' | 'socket';
  readonly #certified: Certified | undefined;
  readonly #numbered: (connect: () => Promise<Duplex>) => number;
  #opened: Opened | undefined;
  #number = 0;
  readonly #sessions = new Set<ClientHttp2Session>();

  constructor(
    kind: HttpKind,
    byHandle: boolean,
    certified: Certified | undefined,
    numbered: (connect: () => Promise<Duplex>) => number,
  ) {
    this.#kind = kind;
    this.#way = byHandle ? 'handle' : 'socket';
    this.#certified = certified;
    this.#numbered = numbered;
  }

  async listen(accept: Accept): Promise<void> {
    const opened = await openHttpServer(this.#kind, this.#certified);
    this.#opened = opened;
    const { server } = opened;
    if (this.#kind === 'http2') {
      (server as http2.Http2Server).updateSettings({ enableConnectProtocol: true });
      server.on('stream', (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200 });
        accept(new Http2Transport(stream));
      });
    } else {
      server.on('upgrade', (_: IncomingMessage, socket: Duplex, head: Buffer) => {
        // What is written before has left when the transport is made.
        socket.write(SWITCHED, () => accept(takeSocket(socket, head, this.#way).transport));
      });
    }
    const dial = async () => {
      if (this.#kind !== 'http2') return await upgraded((await opened.dial()) as Socket);
      const session = await openSession((server.address() as AddressInfo).port);
      this.#sessions.add(session);
      return await connectedStream(session);
    };
    this.#number = this.#numbered(dial);
  }

  async close(): Promise<void> {
    this.#opened?.server.close();
  }

  address(): Address | null {
    return this.#opened === undefined ? null : { address: '127.0.0.1', family: 'IPv4', port: this.#number };
  }

  /** Ends all that is left. */
  end(): void {
    for (const session of this.#sessions) session.destroy();
    this.#opened?.close();
  }
}

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n';

/** A connection after its upgrade; not a byte has come behind it. */
async function upgraded(socket: Socket): Promise<Socket> {
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n');
  for (let read = ''; read !== SWITCHED; ) {
    const chunk = socket.read(1) as Buffer | null;
    if (chunk === null) await once(socket, 'readable');
    else read += chunk.toString('latin1');
  }
  return socket;
}

async function connectedStream(session: ClientHttp2Session): Promise<Duplex> {
  const headers = { ':method': 'CONNECT', ':protocol': 'bytes', ':scheme': 'http', ':path': '/' };
  const reset = new AbortController();
  const stream = session.request(headers, { signal: reset.signal });
  stream.on('error', () => {});
  await once(stream, 'response');
  return Object.assign(stream, { resetAndDestroy: () => reset.abort() });
}
