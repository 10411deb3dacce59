/**
 * Makes connections of the requests that HTTP servers hand over: an upgrade of HTTP/1.1, or a stream of HTTP/2.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Handover } from '../connection/handover.ts';
import { ErrorKinds } from '../io/error-kinds.ts';
import { type Fault, fault } from '../io/faults.ts';
import type { HeadLimits } from '../io/http/head-parser.ts';
import { http2Answer } from '../io/http/http2-answer.ts';
import { type HeadParts, headFromParts, RequestHead } from '../io/http/request-head.ts';
import type { HandshakeVerdict } from '../io/http/verdict.ts';
import { Http2Transport } from '../io/transports/http2-stream.ts';
import type { Transport } from '../io/transports/transport.ts';
import { takeSocket, whenAnswered } from '../io/transports/upgraded.ts';
import type { ServerState } from '../machines/server-ports.ts';
import type { Claim, Taker } from './http-servers.ts';
import type { ServerRecipient } from './recipient.ts';
import type { ServerSettings } from './settings.ts';
import { asksForWebSocket } from './without-upgrade.ts';

/** A path is repeated up to here. */
const SHOWN_LENGTH = 200;

const NO_BYTES = new Uint8Array(0);

/** On sockets that were taken, by whichever server. A WeakSet of all of them would cost each collection some work. */
const kTaken = Symbol('taken');
const isTaken = (socket: Duplex & { [kTaken]?: true }): boolean => socket[kTaken] === true;

/** What attaching needs of its server. */
export interface AttachingHost {
  readonly settings: ServerSettings;
  readonly recipient: ServerRecipient;
  readonly state: ServerState;
  takeOver(transport: Transport, handover: Handover): void;
}

export class Attaching implements Taker {
  readonly #host: AttachingHost;
  readonly #unanswered = new ErrorKinds();

  constructor(host: AttachingHost) {
    this.#host = host;
  }

  /** Whether the socket of an upgrade was taken already. */
  isTaken(socket: Duplex): boolean {
    return isTaken(socket);
  }

  get isRunning(): boolean {
    return this.#host.state === 'listening';
  }

  /** Tells once for each path that nobody has answered: a handshake that was mistyped would leave no trace. */
  leave({ url = '' }: IncomingMessage, socket: Duplex & { readonly bytesWritten?: number }): void {
    const { clock, handshakeDeadline } = this.#host.settings;
    const before = socket.bytesWritten;
    const forget = clock.every(handshakeDeadline, () => {
      forget();
      // Somebody else may have dispatched it to a Portal server by hand.
      if (socket.destroyed || socket.bytesWritten !== before || isTaken(socket)) return;
      const error = nobodyAnswered(url, handshakeDeadline);
      if (this.#unanswered.isNews(error)) this.#host.recipient.failed(error);
    });
  }

  /** An upgrade to something else than WebSocket is nobody's path. */
  takeUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, claim: Claim): boolean {
    // Somebody has dispatched it by hand before the event came here.
    if (isTaken(socket)) return true;
    const isOurs = asksForWebSocket(request) && this.#serves(request.url ?? '');
    if (!isOurs && claim === 'own paths') return false;
    Object.assign(socket, { [kTaken]: true });
    whenAnswered(socket, () => this.#take(request, socket, head));
    return true;
  }

  #take(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    if (socket.destroyed || socket.readableEnded || socket.writableEnded) {
      // The peer has gone while somebody dispatched by hand, or the answer before was the last one.
      socket.destroy();
      return;
    }
    const { method = '', url = '', httpVersion, rawHeaders } = request;
    const { transport, early } = takeSocket(socket, head, this.#host.settings.tcp);
    const parts = { method, target: url, httpVersion, rawHeaders };
    this.#host.takeOver(transport, handover(parts, early, this.#host.settings, { incoming: () => request }));
  }

  takeStream(stream: ServerHttp2Stream, rawHeaders: readonly string[], claim: Claim): boolean {
    const target = rawHeaders[rawHeaders.indexOf(':path') + 1] ?? '';
    if (claim === 'own paths' && !this.#serves(target)) return false;
    if (stream.destroyed) return true;
    const parts = { method: 'CONNECT', target, httpVersion: '2.0', rawHeaders };
    const more = {
      incoming: () => http2Request(stream, rawHeaders),
      answer: (verdict: HandshakeVerdict) => answerStream(stream, verdict),
    };
    this.#host.takeOver(new Http2Transport(stream), handover(parts, NO_BYTES, this.#host.settings, more));
    return true;
  }

  #serves(target: string): boolean {
    return this.#host.recipient.serves(new RequestHead('GET', target, '').path);
  }
}

function nobodyAnswered(target: string, ms: number): Error {
  const path = new RequestHead('GET', target, '').path.slice(0, SHOWN_LENGTH);
  return new Error(
    `a handshake for ${path} has had no answer for ${ms / 1000} s: no path of this server matches it, and none of the other ` +
      `listeners of 'upgrade' has answered it; server.path(${JSON.stringify(path)}, { onMessage }) would take it. ` +
      '(Said once for each path.)',
  );
}

function handover(
  parts: HeadParts,
  early: Uint8Array,
  limits: HeadLimits,
  more: Pick<Handover, 'incoming' | 'answer'>,
): Handover {
  // As HTTP/1.1 writes them: two blanks, the version and a line's end; a colon, a blank and a line's end for each field.
  let headBytes = parts.method.length + parts.target.length + 14;
  for (const text of parts.rawHeaders) headBytes += text.length + 2;
  return { head: tooMuch(parts, headBytes, limits) ?? headFromParts(parts), headBytes, early, ...more };
}

/** The same limits as on a port of our own, though Node has read the head already. */
function tooMuch(
  { rawHeaders }: HeadParts,
  headBytes: number,
  { maxHeadBytes, maxHeaders }: HeadLimits,
): { fault: Fault } | undefined {
  if (headBytes > maxHeadBytes) return { fault: fault('maxHeadBytes', { bytes: maxHeadBytes }) };
  // A pseudo-header of HTTP/2 stands for the request line.
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (!rawHeaders[at]?.startsWith(':')) count++;
  return count > maxHeaders ? { fault: fault('maxHeaders', { count: maxHeaders }) } : undefined;
}

function answerStream(stream: ServerHttp2Stream, verdict: HandshakeVerdict): void {
  if (stream.destroyed || stream.closed) return;
  const { headers, body } = http2Answer(verdict);
  stream.respond(headers);
  if (verdict.kind === 'accept') return;
  if (body.length > 0) stream.write(body);
  // Whoever was refused has nothing to send: its side is not waited for (RFC 9113 8.1).
  stream.once('finish', () => stream.close());
}

/** The request as frameworks have it. Node loads `node:http2` for the server that brought the stream, not for us. */
function http2Request(stream: ServerHttp2Stream, rawHeaders: readonly string[]): Http2ServerRequest {
  const { Http2ServerRequest: Request } = process.getBuiltinModule('node:http2');
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at] as string, rawHeaders[at + 1] as string];
    const before = headers[name];
    const separator = name === 'cookie' ? '; ' : ', ';
    headers[name] = before === undefined ? value : `${before}${separator}${value}`;
  }
  return new Request(stream, headers, {}, rawHeaders as string[]);
}
