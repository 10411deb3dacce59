/**
 * From the first byte to the answer: the request head, its path, its origin, and whom the user lets in.
 *
 * The order of the questions is the order of the answers that a peer may get: 400 and 431 for the head, 405, 426 and 400
 * for the handshake (RFC 6455 4.2.1), 503 where there is no room, 404 for the path, 403 for the origin, and then what the
 * user says.
 */
import type { PeerCertificate } from 'node:tls';
import { type Fault, fault } from '../io/faults.ts';
import type { FrameDecoder } from '../io/frames/frame-decoder.ts';
import { readClient } from '../io/http/forwarded.ts';
import { readHandshake, type Upgrade } from '../io/http/handshake.ts';
import { RequestHeadParser } from '../io/http/head-parser.ts';
import { encodeHttpResponse, type HttpResponse, refusal } from '../io/http/http-response.ts';
import { checkOrigin } from '../io/http/origin.ts';
import type { RequestHead } from '../io/http/request-head.ts';
import { type AcceptVerdict, acceptHandshake, encodeVerdict } from '../io/http/verdict.ts';
import type { ConnectionEvent } from '../machines/connection-ports.ts';
import type { Host } from './host.ts';
import { isThenable } from './is-thenable.ts';
import type { Answer, Recipient, Refused } from './recipient.ts';

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
}

type Outcome = Opened | Refused;

/** What the handshake needs of its connection. */
export interface HandshakingOwner {
  readonly recipient: Recipient;
  readonly remoteAddress: string;
  peerCertificate(): PeerCertificate | undefined;
  readonly reading: { readonly decoder: FrameDecoder; pauseTransport(): void; goOn(tell: () => void): void };
  readonly sending: { readonly outbox: { raw(bytes: Uint8Array): void } };
  /** What the handshake agreed on; set when it is accepted. */
  accepted: Accepted | undefined;
  tell(event: ConnectionEvent): void;
}

export class Handshaking<Session extends HandshakingOwner> {
  readonly #session: Session;
  readonly #recipient: () => Recipient;
  readonly #host: Host<Session>;
  readonly #parser: RequestHeadParser;
  /** Made when there is somebody to tell. */
  #abort: AbortController | undefined;
  /** The request was HEAD: its answer has no body. */
  #omitBody = false;
  /** Bytes that came while the user decides. */
  #earlyBytes = 0;
  #verdict: AcceptVerdict | undefined;
  #isOver = false;

  constructor(session: Session, host: Host<Session>) {
    this.#session = session;
    this.#recipient = () => session.recipient;
    this.#host = host;
    this.#parser = new RequestHeadParser(host.settings);
  }

  // ------------------------------------------------------------------ bytes

  readHead(chunk: Uint8Array, shared: boolean): void {
    const result = this.#parser.push(chunk);
    if (result.kind === 'need-more') return;
    if (result.kind === 'fault') {
      this.settle(refused(result.fault));
      return;
    }
    this.#omitBody = result.head.method === 'HEAD';
    const { rest } = result;
    const outcome = this.#judge(result.head);
    if (rest.length > 0) this.#session.reading.decoder.push(shared ? rest.slice() : rest);
    if (isThenable(outcome)) this.#await(outcome);
    else this.settle(outcome);
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
    outcome.then((settled) => {
      // A verdict that comes after a 408, a 503 or the peer's end is void.
      if (this.#isOver) return;
      const full = settled.kind === 'accepted' ? this.#host.full(this.#session) : undefined;
      this.#session.reading.goOn(() => this.settle(full === undefined ? settled : refused(full)));
    });
  }

  // ------------------------------------------------------------------ the verdict

  /** Tells the machine, and the user where the peer was refused. */
  settle(outcome: Outcome): void {
    const session = this.#session;
    if (outcome.kind === 'accepted') {
      const { head, subprotocol, verdict } = outcome;
      this.#verdict = verdict;
      session.accepted = { head, subprotocol };
      session.tell({ type: 'handshake.accepted' });
      return;
    }
    this.#recipient().refused(outcome);
    session.tell({ type: 'handshake.refused', response: outcome.response });
  }

  #judge(head: RequestHead): Outcome | Promise<Outcome> {
    const session = this.#session;
    const client = readClient(session.remoteAddress, head, this.#host.settings.trustProxy);
    if ('fault' in client) return refused(client.fault);
    if (client.address !== session.remoteAddress) this.#host.moveTo(session, client.address);
    const handshake = readHandshake(head);
    if (handshake.kind === 'fault') return refused(handshake.fault);
    if (handshake.kind === 'request') return this.#answerRequest(head);
    const full = this.#host.full(session);
    if (full !== undefined) return refused(full);
    if (!this.#recipient().findPath(head.path)) {
      const path = head.path.slice(0, SHOWN_LENGTH);
      return refused(fault('noPath', { path, quotedPath: JSON.stringify(path) }));
    }
    return this.#judgeOrigin(head, client.host ?? head.host, handshake);
  }

  #answerRequest(head: RequestHead): Outcome | Promise<Outcome> {
    const toOutcome = (response: HttpResponse | undefined): Outcome => {
      if (response === undefined) return refused(fault('noUpgrade'));
      // Encoded once here, so that a malformed response is this callback's failure and not the connection's.
      encodeHttpResponse(response);
      return { kind: 'refused', response };
    };
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
    const peerCertificate = this.#session.peerCertificate();
    return guarded(
      () => this.#recipient().decide({ head, upgrade, remoteAddress, peerCertificate, signal }),
      (answer) => toOutcome(head, upgrade, answer),
    );
  }

  // ------------------------------------------------------------------ the answer

  accept(): void {
    this.#abort = undefined;
    if (this.#verdict !== undefined) this.#session.sending.outbox.raw(encodeVerdict(this.#verdict));
  }

  refuse(response: HttpResponse): void {
    const bytes = encodeVerdict({ kind: 'refuse', response }, { omitBody: this.#omitBody });
    this.#session.sending.outbox.raw(bytes);
  }

  /** The handshake is over: a callback that has not decided is told. */
  end(): void {
    this.#isOver = true;
    this.#abort?.abort();
  }
}

/** What the user said as the verdict that opens the connection (RFC 6455 4.2.2). */
function toOutcome(head: RequestHead, { key }: Upgrade, answer: Answer): Outcome {
  if (answer.kind === 'refused') {
    encodeHttpResponse(answer.response);
    return answer;
  }
  const { subprotocol, headers } = answer;
  const verdict = acceptHandshake({ key, subprotocol, headers });
  return { kind: 'accepted', head, subprotocol: subprotocol ?? '', verdict };
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
