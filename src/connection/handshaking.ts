/**
 * From the first byte to the answer: the request head, its path, its origin, and whom the user lets in.
 *
 * A named proxy may send a header of the PROXY protocol first, which says who the client is. A client that is itself a
 * named proxy may in turn say by Forwarded whom it speaks for.
 *
 * The order of the questions is the order of the answers that a peer may get: 400 and 431 for the head, 405, 426 and 400
 * for the handshake (RFC 6455 4.2.1), 503 where there is no room, 404 for the path, 403 for the origin, and then what the
 * user says.
 */
import type { PeerCertificate } from 'node:tls';
import type { Extension } from '../io/extensions/extension.ts';
import { type Fault, fault } from '../io/faults.ts';
import type { FrameDecoder } from '../io/frames/frame-decoder.ts';
import { agreeOnDeflate } from '../io/http/deflate-offer.ts';
import { readClient } from '../io/http/forwarded.ts';
import { readHandshake, type Upgrade } from '../io/http/handshake.ts';
import { type HeadResult, RequestHeadParser } from '../io/http/head-parser.ts';
import { checkedResponse, type HttpResponse, refusal } from '../io/http/http-response.ts';
import { checkOrigin } from '../io/http/origin.ts';
import { ProxyHeaderParser } from '../io/http/proxy-protocol.ts';
import type { RequestHead } from '../io/http/request-head.ts';
import {
  type AcceptVerdict,
  acceptHandshake,
  encodeVerdict,
  type HandshakeVerdict,
} from '../io/http/verdict.ts';
import { isThenable } from '../io/values.ts';
import type { ConnectionEvent } from '../machines/connection-ports.ts';
import type { Handover } from './handover.ts';
import type { Host } from './host.ts';
import type { Answer, Recipient, Refused } from './recipient.ts';

const NO_BYTES = new Uint8Array(0);
/** How much of a request an error repeats, in characters. */
const SHOWN_LENGTH = 200;

/** What the handshake agreed on. */
export interface Accepted {
  readonly head: RequestHead;
  /** Empty: none (RFC 6455 1.9). */
  readonly subprotocol: string;
}

/** A connection that may open, with the verdict that opens it. */
interface Opened extends Accepted {
  readonly kind: 'accepted';
  readonly verdict: AcceptVerdict;
  /** Makes what the client and we have agreed on; undefined: nothing. */
  readonly extend: (() => Extension) | undefined;
}

type Outcome = Opened | Refused;

/**
 * What the peer has asked for so far: nothing, since no byte of a request has come; something; or a page, a plain request
 * that the user has answered.
 */
export type Asked = 'nothing' | 'something' | 'page';

/** What the handshake needs of its connection. */
export interface HandshakingOwner {
  readonly recipient: Recipient;
  remoteAddress: string;
  /** What the peer has asked for so far. */
  asked: Asked;
  readonly transport: { peerCertificate?(): PeerCertificate | undefined };
  readonly reading: {
    readonly decoder: FrameDecoder;
    pauseTransport(): void;
    goOn(tell: () => void): void;
    /** An extension was agreed on. */
    useExtension(): void;
  };
  readonly sending: { readonly outbox: { raw(bytes: Uint8Array): void; extension: Extension | undefined } };
  /** What the handshake agreed on; set when it is accepted. */
  accepted: Accepted | undefined;
  tell(event: ConnectionEvent): void;
}

export class Handshaking<Session extends HandshakingOwner> {
  readonly #session: Session;
  readonly #recipient: () => Recipient;
  readonly #host: Host<Session>;
  /** A request whose head was read elsewhere. */
  readonly handover: Handover | undefined;
  /** Undefined where the head was read elsewhere. */
  readonly #parser: RequestHeadParser | undefined;
  /** Reads the header of the PROXY protocol; only where the socket is that of a named proxy, and until it is read. */
  #proxyHeader: ProxyHeaderParser | undefined;
  /** A header of the PROXY protocol came that names no client. */
  #isWithoutSource = false;
  /** Made when there is somebody to tell. */
  #abort: AbortController | undefined;
  /** Bytes that came while the user decides. */
  #earlyBytes = 0;
  #opened: Opened | undefined;
  /** The request, once it has come whole. */
  #head: RequestHead | undefined;
  #isOver = false;

  constructor(session: Session, host: Host<Session>, handover?: Handover) {
    this.#session = session;
    this.#recipient = () => session.recipient;
    this.#host = host;
    this.handover = handover;
    if (handover !== undefined) return;
    this.#parser = new RequestHeadParser(host.settings);
    const isProxy = host.settings.trustProxy?.includes(session.remoteAddress) === true;
    this.#proxyHeader = isProxy ? new ProxyHeaderParser() : undefined;
  }

  // ------------------------------------------------------------------ bytes

  /** Bytes of memory held for the head: what has come of it, or all of it while the user decides. */
  get heldBytes(): number {
    return (this.#parser?.heldBytes ?? 0) + (this.#head?.heldBytes ?? 0);
  }

  /** Bytes that have come of the head. */
  get receivedBytes(): number {
    return this.#parser?.receivedBytes ?? 0;
  }

  readHead(chunk: Uint8Array, shared: boolean): void {
    // A head that was read elsewhere is complete, with whatever came after it.
    const bytes = this.#proxyHeader === undefined ? chunk : this.#readProxyHeader(this.#proxyHeader, chunk);
    if (bytes.length > 0 || this.handover !== undefined) this.#readRequest(bytes, shared);
  }

  /** Returns the bytes after the header of the PROXY protocol, or all of them where there is no such header. */
  #readProxyHeader(parser: ProxyHeaderParser, chunk: Uint8Array): Uint8Array {
    const result = parser.push(chunk);
    if (result.kind === 'need-more') return NO_BYTES;
    this.#proxyHeader = undefined;
    if (result.kind === 'not-proxy') return result.bytes;
    if (result.kind === 'fault') {
      this.#session.asked = 'something';
      this.settle(refused(result.fault));
      return NO_BYTES;
    }
    this.#isWithoutSource = result.source === undefined;
    if (result.source !== undefined) this.#session.remoteAddress = result.source.address;
    return result.rest;
  }

  #readRequest(chunk: Uint8Array, shared: boolean): void {
    this.#session.asked = 'something';
    const result = this.#nextHead(chunk);
    if (result.kind === 'need-more') return;
    if (result.kind === 'fault') {
      this.settle(refused(result.fault));
      return;
    }
    this.#head = result.head;
    const { rest } = result;
    const outcome = this.#judge(result.head);
    if (rest.length > 0) this.#session.reading.decoder.push(shared ? rest.slice() : rest);
    if (isThenable(outcome)) this.#await(outcome);
    else this.settle(this.#stillOpen(outcome));
  }

  /** A head that was read elsewhere is there at once, and the first bytes are those after it. */
  #nextHead(chunk: Uint8Array): HeadResult {
    if (this.#parser !== undefined) return this.#parser.push(chunk);
    const { head } = this.handover as Handover; // where there is no parser
    return 'fault' in head ? { kind: 'fault', fault: head.fault } : { kind: 'head', head, rest: chunk };
  }

  /** Reading goes on for a while, so that a peer that hangs up is noticed. */
  holdBytes(chunk: Uint8Array, shared: boolean): void {
    const { reading } = this.#session;
    reading.decoder.append(shared ? chunk.slice() : chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > this.#host.settings.maxHeadBytes) reading.pauseTransport();
  }

  #await(outcome: Promise<Outcome>): void {
    this.#host.deciding(this.#session);
    this.#session.tell({ type: 'handshake.pending' });
    const settle = (settled: Outcome): void => {
      // An answer that comes after a 408, a 503 or the peer's end counts no more.
      if (this.#isOver) return;
      const outcome = this.#stillOpen(settled);
      this.#session.reading.goOn(() => this.settle(outcome));
    };
    outcome.then(settle).catch((cause: unknown) => settle({ ...refused(fault('callbackUndecided')), cause }));
  }

  /** While the user decided, the room may have gone, or the user has stopped the server. */
  #stillOpen(outcome: Outcome): Outcome {
    const full = outcome.kind === 'accepted' ? this.#host.full(this.#session) : undefined;
    return full === undefined ? outcome : refused(full);
  }

  // ------------------------------------------------------------------ the verdict

  /** Tells the machine, and the user where the peer was refused. */
  settle(outcome: Outcome): void {
    const session = this.#session;
    if (outcome.kind === 'accepted') {
      this.#opened = outcome;
      session.tell({ type: 'handshake.accepted' });
      return;
    }
    this.#recipient().refused(outcome, this.#head);
    session.tell({ type: 'handshake.refused', response: outcome.response });
  }

  #judge(head: RequestHead): Outcome | Promise<Outcome> {
    const session = this.#session;
    // A proxy that speaks the PROXY protocol passes HTTP on unread: without a source, nobody vouches for the headers.
    const proxies = this.#isWithoutSource ? undefined : this.#host.settings.trustProxy;
    const client = readClient(session.remoteAddress, head, proxies);
    if ('fault' in client) return refused(client.fault);
    session.remoteAddress = client.address;
    const handshake = readHandshake(head);
    if (handshake.kind === 'fault') return refused(handshake.fault);
    if (handshake.kind === 'request') return this.#answerRequest(head);
    const full = this.#host.full(session);
    if (full !== undefined) return refused(full);
    if (!this.#recipient().findPath(head.path)) return refused(noPath(head.path));
    return this.#judgeOrigin(head, client.host ?? head.host, handshake);
  }

  #answerRequest(head: RequestHead): Outcome | Promise<Outcome> {
    const toOutcome = (response: HttpResponse | undefined): Outcome => {
      if (response === undefined) return refused(fault('noUpgrade'));
      this.#session.asked = 'page';
      return { kind: 'refused', response: checkedResponse(response) };
    };
    // Plain requests of an attached server are the HTTP server's own.
    if (this.handover !== undefined) return refused(fault('noUpgrade'));
    return guarded(() => this.#recipient().answerRequest(head, this.#session.remoteAddress), toOutcome);
  }

  /** A function of the user's may decide about the origin, and throw. */
  #judgeOrigin(head: RequestHead, host: string, upgrade: Upgrade): Outcome | Promise<Outcome> {
    const { remoteAddress } = this.#session;
    const request = () => this.#recipient().plainRequest(head, remoteAddress) as never;
    const question = { origin: upgrade.origin, host, remoteAddress, request };
    return guarded(
      () => checkOrigin(question, this.#host.settings.origins),
      (wrong) => (wrong === undefined ? this.#ask(head, upgrade) : refused(wrong)),
    );
  }

  #ask(head: RequestHead, upgrade: Upgrade): Outcome | Promise<Outcome> {
    const signal = (): AbortSignal => {
      this.#abort ??= new AbortController();
      return this.#abort.signal;
    };
    const { remoteAddress } = this.#session;
    const { handover } = this;
    const incoming = handover && (() => handover.incoming());
    const peerCertificate = this.#session.transport.peerCertificate?.();
    return guarded(
      () => this.#recipient().decide({ head, upgrade, remoteAddress, peerCertificate, signal, incoming }),
      (answer) => toOutcome(head, upgrade, answer, this.#host),
    );
  }

  // ------------------------------------------------------------------ the answer

  /** Sends the 101; returns what was agreed on. */
  accept(): Accepted | undefined {
    this.#abort = undefined;
    if (this.#opened === undefined) return undefined;
    const { head, subprotocol, verdict, extend } = this.#opened;
    this.#answer(verdict);
    if (extend !== undefined) {
      this.#session.sending.outbox.extension = extend();
      this.#session.reading.useExtension();
    }
    return { head, subprotocol };
  }

  refuse(response: HttpResponse): void {
    this.#answer({ kind: 'refuse', response });
  }

  #answer(verdict: HandshakeVerdict): void {
    const answer = this.handover?.answer;
    const omitBody = this.#head?.method === 'HEAD';
    if (answer !== undefined) answer(verdict);
    else this.#session.sending.outbox.raw(encodeVerdict(verdict, { omitBody }));
  }

  /** The handshake is over: a callback that has not decided is told. */
  end(): void {
    this.#isOver = true;
    this.#abort?.abort();
  }
}

/** What the user said as the verdict that opens the connection (RFC 6455 4.2.2). */
function toOutcome(
  head: RequestHead,
  { key, extensions: offered }: Upgrade,
  answer: Answer,
  host: Pick<Host<never>, 'compress'>,
): Outcome {
  if (answer.kind === 'refused') return { ...answer, response: checkedResponse(answer.response) };
  const { subprotocol, headers, deflate } = answer;
  const terms = deflate && agreeOnDeflate(offered, deflate);
  const verdict = acceptHandshake({ key, subprotocol, extensions: terms?.answer, headers });
  const extend = deflate && terms && (() => host.compress(deflate, terms));
  return { kind: 'accepted', head, subprotocol: subprotocol ?? '', verdict, extend };
}

/** A handshake that comes to nothing for a reason of the ladder. */
export function refused(fault: Fault): Refused {
  return { kind: 'refused', response: refusal(fault), fault };
}

/** Calls a callback of the user's and reads its answer; a throw or a rejection of either is a 500. */
function guarded<T>(
  callback: () => T | Promise<T>,
  read: (answer: T) => Outcome | Promise<Outcome>,
): Outcome | Promise<Outcome> {
  const failed = (reason: unknown): Refused => {
    const cause = reason ?? new Error('rejected without a reason');
    return { ...refused(fault('callbackUndecided')), cause };
  };
  try {
    const answer = callback();
    return isThenable(answer) ? Promise.resolve(answer).then(read).catch(failed) : read(answer);
  } catch (cause) {
    return failed(cause);
  }
}

/** The fault of a request for a path that there is not. */
export function noPath(path: string): Fault {
  const shown = path.slice(0, SHOWN_LENGTH);
  return fault('noPath', { path: shown, quotedPath: JSON.stringify(shown) });
}
