/**
 * From the first byte to the answer: the request head, its path, its origin, and whom the user lets in.
 *
 * The order of the questions is the order of the answers that a peer may get: 400 and 431 for the head, 405, 426 and 400
 * for the handshake (RFC 6455 4.2.1), 503 where there is no room, 404 for the path, 403 for the origin, and then what the
 * user says.
 */
import { fault, type FaultName, type FaultValues } from '../io/faults.ts';
import { clientAddress } from '../io/http/forwarded.ts';
import { readHandshake, type Upgrade, upgradeRequired, upgradeResponse } from '../io/http/handshake.ts';
import { encodeHttpResponse, type HttpResponse, refusal } from '../io/http/http-response.ts';
import { checkOrigin } from '../io/http/origin.ts';
import { type RequestHead, RequestHeadParser } from '../io/http/request-head.ts';
import type { Host } from './host.ts';
import { isThenable } from './is-thenable.ts';
import type { Answer, Recipient, Refused } from './recipient.ts';
import type { Session } from './session.ts';

/** How much of a request an error repeats, in characters. */
const SHOWN_LENGTH = 200;

/** What the handshake agreed on. */
export interface Accepted {
  readonly head: RequestHead;
  /** Empty: none (RFC 6455 1.9). */
  readonly subprotocol: string;
}

/** A connection that may open, with the answer that opens it. */
interface Verdict extends Accepted {
  readonly kind: 'accepted';
  readonly answer: Uint8Array;
}

type Outcome = Verdict | Refused;

export class Handshaking {
  readonly #session: Session;
  readonly #recipient: () => Recipient;
  readonly #host: Host;
  readonly #parser: RequestHeadParser;
  /** Made when there is somebody to tell. */
  #abort: AbortController | undefined;
  /** The request was HEAD: its answer has no body. */
  #omitBody = false;
  /** Bytes that came while the user decides. */
  #earlyBytes = 0;
  #answer: Uint8Array | undefined;
  #isOver = false;

  constructor(session: Session, host: Host) {
    this.#session = session;
    this.#recipient = () => session.recipient;
    this.#host = host;
    this.#parser = new RequestHeadParser(host.settings);
  }

  // ------------------------------------------------------------------ bytes

  readHead(chunk: Uint8Array, shared: boolean): void {
    const result = this.#parser.push(chunk);
    if (result.kind === 'need-more') return;
    if (result.kind === 'error') {
      this.settle(refuse(result.fault));
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
      this.#session.reading.goOn(() =>
        this.settle(full === undefined ? settled : { kind: 'refused', response: full }),
      );
    });
  }

  // ------------------------------------------------------------------ the verdict

  /** Tells the machine, and the user where the peer was refused. */
  settle(outcome: Outcome): void {
    const session = this.#session;
    if (outcome.kind === 'accepted') {
      const { head, subprotocol, answer } = outcome;
      this.#answer = answer;
      session.accepted = { head, subprotocol };
      session.tell({ type: 'handshake.accepted' });
      return;
    }
    this.#recipient().refused(outcome);
    session.tell({ type: 'handshake.refused', response: outcome.response });
  }

  #judge(head: RequestHead): Outcome | Promise<Outcome> {
    const client = this.#clientOf(head);
    if (client === undefined) return refuse('contradictingProxies');
    if (client !== this.#session.remoteAddress) this.#host.moveTo(this.#session, client);
    const handshake = readHandshake(head);
    if (handshake.kind === 'refusal') return { kind: 'refused', response: handshake.response };
    if (handshake.kind === 'request') return this.#answerRequest(head);
    const full = this.#host.full(this.#session);
    if (full !== undefined) return { kind: 'refused', response: full };
    return this.#judgeUpgrade(head, handshake);
  }

  #clientOf(head: RequestHead): string | undefined {
    const { trustProxy } = this.#host.settings;
    const { remoteAddress } = this.#session;
    if (trustProxy === undefined) return remoteAddress;
    const [forwarded, xForwardedFor] = [head.header('forwarded'), head.header('x-forwarded-for')];
    return clientAddress(remoteAddress, { forwarded, xForwardedFor }, trustProxy);
  }

  #answerRequest(head: RequestHead): Outcome | Promise<Outcome> {
    const toOutcome = (response: HttpResponse | undefined): Outcome => {
      if (response === undefined) return { kind: 'refused', response: upgradeRequired() };
      // Encoded once here, so that a malformed response is this callback's failure and not the connection's.
      encodeHttpResponse(response);
      return { kind: 'refused', response };
    };
    return guarded(() => this.#recipient().answerRequest(head, this.#session.remoteAddress), toOutcome);
  }

  #judgeUpgrade(head: RequestHead, upgrade: Upgrade): Outcome | Promise<Outcome> {
    if (!this.#recipient().findPath(head.path)) {
      const path = head.path.slice(0, SHOWN_LENGTH);
      return refuse('noPath', { path, quotedPath: JSON.stringify(path) });
    }
    const { remoteAddress } = this.#session;
    const verdict = checkOrigin(upgrade.origin, head.host, remoteAddress, this.#host.settings.origins);
    if (!verdict.allowed) {
      const quotedOrigin = String(JSON.stringify(upgrade.origin?.slice(0, SHOWN_LENGTH)));
      return refuse('origin', { message: verdict.message, quotedOrigin });
    }
    const signal = (): AbortSignal => {
      this.#abort ??= new AbortController();
      return this.#abort.signal;
    };
    const opening = { head, upgrade, remoteAddress, signal };
    return guarded(
      () => this.#recipient().decide(opening),
      (answer) => toVerdict(head, upgrade, answer),
    );
  }

  // ------------------------------------------------------------------ the answer

  accept(): void {
    if (this.#answer !== undefined) this.#session.sending.outbox.raw(this.#answer);
  }

  refuse(response: HttpResponse): void {
    this.#session.sending.outbox.raw(encodeHttpResponse(response, { omitBody: this.#omitBody }));
  }

  refuseFor(name: FaultName): void {
    this.refuse(refusalOf(name));
  }

  /** The machine or the port broke. */
  answerBroken(): void {
    this.refuse(refusalOf('callbackUndecided'));
  }

  /** The handshake is over: a callback that still decides is told. */
  end(): void {
    this.#isOver = true;
    this.#abort?.abort();
  }
}

/** The head and the verdict as the answer that opens the connection (RFC 6455 4.2.2). */
function toVerdict(head: RequestHead, { key }: Upgrade, answer: Answer): Outcome {
  if (answer.kind === 'refused') {
    encodeHttpResponse(answer.response);
    return answer;
  }
  const { subprotocol, headers } = answer;
  const bytes = upgradeResponse({ key, subprotocol, headers });
  return { kind: 'accepted', head, subprotocol: subprotocol ?? '', answer: bytes };
}

function refuse(name: FaultName, values?: FaultValues): Refused {
  return { kind: 'refused', response: refusalOf(name, values), fault: fault(name, values) };
}

/** Calls a callback of the user's and reads its answer; a throw or a rejection of either is a 500. */
function guarded<T>(
  callback: () => T | Promise<T>,
  read: (answer: T) => Outcome,
): Outcome | Promise<Outcome> {
  const failed = (reason: unknown): Refused => {
    const cause = reason ?? new Error('rejected without a reason');
    return { ...refuse('callbackUndecided'), cause };
  };
  try {
    const answer = callback();
    return isThenable(answer) ? Promise.resolve(answer).then(read).catch(failed) : read(answer);
  } catch (cause) {
    return failed(cause);
  }
}
