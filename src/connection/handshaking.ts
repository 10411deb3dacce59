/**
 * From the first byte to the verdict: the request head, its path, its origin, and whoever `authorize` lets in.
 *
 * The order of the questions is the order of the answers a peer may get: 400 and 431 for the head, 405, 426 and 400
 * for the handshake (RFC 6455 4.2.1), 404 for the path, 403 for the origin, then `authorize`.
 */
import { clientAddress } from '../io/http/forwarded.ts';
import {
  chooseSubprotocol,
  readHandshake,
  type Upgrade,
  upgradeRequired,
  upgradeResponse,
} from '../io/http/handshake.ts';
import { encodeHttpResponse, type HttpResponse, refusal } from '../io/http/http-response.ts';
import { checkOrigin } from '../io/http/origin.ts';
import { NOT_TLS, type RequestHead, RequestHeadParser } from '../io/http/request-head.ts';
import type { Acceptance, HandshakeRequest, PlainRequest, Verdict } from '../api/paths/handlers.ts';
import type { Settings } from '../api/options/options.ts';
import type { Path } from '../api/paths/path.ts';
import type { Match, Params } from '../api/paths/router.ts';

/** How much of a request an error repeats, in characters. */
const SHOWN_LENGTH = 200;
const TLS_ADVICE = 'Connect with ws://, or put a proxy that speaks TLS in front.';

/** A connection that may open, with the 101 answer that opens it. */
export interface Accepted {
  readonly kind: 'accepted';
  readonly head: RequestHead;
  readonly path: Path;
  readonly params: Params;
  readonly subprotocol: string;
  readonly data: unknown;
  /** Let go of once it is sent. */
  answer: Uint8Array;
}

/** One that may not. `cause` is what a callback of the user's threw; the peer never sees it. */
interface Refused {
  readonly kind: 'refused';
  readonly response: HttpResponse;
  readonly cause?: unknown;
  /** The path whose `authorize` it was. */
  readonly path?: Path;
  /** What to do if it was a mistake of this program's; the peer never sees it. */
  readonly advice?: string;
}

export type Outcome = Accepted | Refused;

/** Who knows whether there is room for one more. */
export interface Admission {
  /** The answer that says no to a client of this address, or undefined. */
  admit(remoteAddress: string): HttpResponse | undefined;
}

const CONTRADICTION = 'Forwarded and X-Forwarded-For name different clients.';

export class Handshaking {
  readonly #settings: Settings;
  readonly #match: (path: string) => Match<Path> | undefined;
  /** Of the socket; of the client behind a named proxy once the head is read. */
  #remoteAddress: string;
  readonly #parser: RequestHeadParser;
  /** Made when there is somebody to tell. */
  #abort: AbortController | undefined;

  /** Bytes that came behind the head: the first frames. */
  rest: Uint8Array = new Uint8Array(0);
  /** The request was HEAD: its answer has no body. */
  omitBody = false;
  /** Bytes that came while a callback decides. */
  earlyBytes = 0;

  constructor(settings: Settings, match: (path: string) => Match<Path> | undefined, remoteAddress: string) {
    this.#settings = settings;
    this.#match = match;
    this.#remoteAddress = remoteAddress;
    this.#parser = new RequestHeadParser(settings);
  }

  /** Takes the next bytes; undefined while the head is not whole, a promise while a callback decides. */
  push(chunk: Uint8Array, admission: Admission): Outcome | Promise<Outcome> | undefined {
    const result = this.#parser.push(chunk);
    if (result.kind === 'need-more') return undefined;
    if (result.kind === 'error') {
      const advice = result.message === NOT_TLS ? TLS_ADVICE : undefined;
      return refused(refusal(result.status, result.message), advice);
    }
    this.rest = result.rest;
    const { head } = result;
    this.omitBody = head.method === 'HEAD';
    const client = this.#clientOf(head);
    if (client === undefined) return refused(refusal(400, CONTRADICTION));
    this.#remoteAddress = client;
    const handshake = readHandshake(head);
    if (handshake.kind === 'refusal') return refused(handshake.response);
    if (handshake.kind === 'request') return this.#answerRequest(head);
    const full = admission.admit(client);
    if (full !== undefined) return refused(full);
    return this.#judge(head, handshake);
  }

  /** The peer is gone or the deadline has passed: tells `authorize`. */
  abort(): void {
    this.#abort?.abort();
  }

  #clientOf(head: RequestHead): string | undefined {
    const { trustProxy } = this.#settings;
    if (trustProxy === undefined) return this.#remoteAddress;
    const [forwarded, xForwardedFor] = [head.header('forwarded'), head.header('x-forwarded-for')];
    return clientAddress(this.#remoteAddress, { forwarded, xForwardedFor }, trustProxy);
  }

  #answerRequest(head: RequestHead): Outcome | Promise<Outcome> {
    const { onRequest } = this.#settings;
    if (onRequest === undefined) return refused(upgradeRequired());
    // Encoded here once, so that a malformed response is this callback's failure and not the connection's.
    const toOutcome = (response: HttpResponse | undefined): Outcome => {
      if (response === undefined) return refused(upgradeRequired());
      encodeHttpResponse(response);
      return refused(response);
    };
    return guarded(() => onRequest(this.#plainRequest(head)), toOutcome);
  }

  #judge(head: RequestHead, upgrade: Upgrade): Outcome | Promise<Outcome> {
    const match = this.#match(head.path);
    if (match === undefined) {
      const path = head.path.slice(0, SHOWN_LENGTH);
      const advice = `server.path(${JSON.stringify(path)}, { onMessage }) would make it.`;
      return refused(refusal(404, `There is nothing at ${path}.`), advice);
    }
    const verdict = checkOrigin(upgrade.origin, head.host, this.#remoteAddress, this.#settings.origins);
    if (!verdict.allowed) {
      const origin = JSON.stringify(upgrade.origin?.slice(0, SHOWN_LENGTH));
      return refused(refusal(403, verdict.message), `Write origins: [${origin}].`);
    }
    const { authorize, subprotocols = this.#settings.subprotocols } = match.route.handlers;
    const chosen = chooseSubprotocol(upgrade.protocols, subprotocols);
    const accept = (acceptance: Acceptance<unknown>) =>
      this.#accept(head, upgrade, match, chosen, acceptance);
    if (authorize === undefined) return accept({});
    const readVerdict = (answer: Verdict<unknown>) => {
      if (answer === true) return accept({});
      if (answer === false) return refused(refusal(403, 'You may not connect here.'));
      // Nobody comes in by a mistake: null is what a search that found no user returns, undefined a forgotten return.
      if (typeof answer !== 'object' || answer === null) {
        const allowed = 'true, false, { data, subprotocol, headers } or an HTTP response { status }';
        throw new TypeError(`authorize returned ${String(answer)}; allowed are ${allowed}`);
      }
      if (!('status' in answer)) return accept(answer);
      encodeHttpResponse(answer);
      return refused(answer);
    };
    const request: HandshakeRequest = Object.assign(this.#plainRequest(head), {
      params: match.params,
      origin: upgrade.origin,
      subprotocols: upgrade.protocols,
    });
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    return guarded(() => authorize(request, signal), readVerdict, match.route);
  }

  #accept(
    head: RequestHead,
    { key, protocols }: Upgrade,
    { route, params }: Match<Path>,
    chosen: string | undefined,
    { data, subprotocol = chosen, headers }: Acceptance<unknown>,
  ): Outcome {
    // 4.2.2: the subprotocol must be one of those the client offered.
    if (subprotocol !== undefined && !protocols.includes(subprotocol)) {
      throw new TypeError(
        `authorize chose the subprotocol ${JSON.stringify(subprotocol)}, which was not offered`,
      );
    }
    if (route.codecs?.refuses(subprotocol ?? '')) {
      const names = route.codecs.subprotocols.join(', ');
      return refused(
        refusal(400, `Messages here are of a subprotocol: offer ${names} (Sec-WebSocket-Protocol).`),
      );
    }
    const answer = upgradeResponse({ key, subprotocol, headers });
    return { kind: 'accepted', head, path: route, params, subprotocol: subprotocol ?? '', data, answer };
  }

  #plainRequest(head: RequestHead): PlainRequest {
    return {
      method: head.method,
      path: head.path,
      query: new URLSearchParams(head.query),
      headers: head.headers,
      remoteAddress: this.#remoteAddress,
    };
  }
}

function refused(response: HttpResponse, advice?: string): Refused {
  return { kind: 'refused', response, ...(advice === undefined ? {} : { advice }) };
}

/** Calls a callback of the user's and reads its answer; a throw or a rejection of either is a 500. */
function guarded<T>(
  callback: () => T | Promise<T>,
  read: (answer: T) => Outcome,
  path?: Path,
): Outcome | Promise<Outcome> {
  const failed = (reason: unknown): Refused => {
    const cause = reason ?? new Error('rejected without a reason');
    const response = refusal(500, 'The server could not decide.');
    return { kind: 'refused', response, cause, ...(path === undefined ? {} : { path }) };
  };
  try {
    const answer = callback();
    return isThenable(answer) ? Promise.resolve(answer).then(read).catch(failed) : read(answer);
  } catch (cause) {
    return failed(cause);
  }
}

/** Whether a callback answered with a promise. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
