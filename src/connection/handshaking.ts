/**
 * From the first byte to the verdict: the request head, its path, its origin, and whoever `authorize` lets in.
 *
 * The order of the questions is the order of the answers a peer may get: 400 and 431 for the head, 405, 426 and 400
 * for the handshake (RFC 6455 4.2.1), 404 for the path, 403 for the origin, then `authorize`.
 */

import type { Settings } from '../api/options/options.ts';
import type { Acceptance, HandshakeRequest, PlainRequest, Verdict } from '../api/paths/handlers.ts';
import type { Path } from '../api/paths/path.ts';
import type { Match, Params } from '../api/paths/router.ts';
import { type Fault, fault } from '../io/faults.ts';
import { readClient } from '../io/http/forwarded.ts';
import { chooseSubprotocol, readHandshake, type Upgrade } from '../io/http/handshake.ts';
import { RequestHeadParser } from '../io/http/head-parser.ts';
import { encodeHttpResponse, type HttpResponse, refusal } from '../io/http/http-response.ts';
import { checkOrigin } from '../io/http/origin.ts';
import type { RequestHead } from '../io/http/request-head.ts';
import { acceptHandshake, encodeVerdict } from '../io/http/verdict.ts';

/** How much of a request an error repeats, in characters. */
const SHOWN_LENGTH = 200;

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
export interface Refused {
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
    if (result.kind === 'fault') return refusedFor(result.fault);
    this.rest = result.rest;
    const { head } = result;
    this.omitBody = head.method === 'HEAD';
    const client = readClient(this.#remoteAddress, head, this.#settings.trustProxy);
    if ('fault' in client) return refusedFor(client.fault);
    this.#remoteAddress = client.address;
    const handshake = readHandshake(head);
    if (handshake.kind === 'fault') return refusedFor(handshake.fault);
    if (handshake.kind === 'request') return this.#answerRequest(head);
    const full = admission.admit(client.address);
    if (full !== undefined) return refused(full);
    return this.#judge(head, client.host ?? head.host, handshake);
  }

  /** The peer is gone or the deadline has passed: tells `authorize`. */
  abort(): void {
    this.#abort?.abort();
  }

  #answerRequest(head: RequestHead): Outcome | Promise<Outcome> {
    const { onRequest } = this.#settings;
    if (onRequest === undefined) return refusedFor(fault('noUpgrade'));
    // Encoded here once, so that a malformed response is this callback's failure and not the connection's.
    const toOutcome = (response: HttpResponse | undefined): Outcome => {
      if (response === undefined) return refusedFor(fault('noUpgrade'));
      encodeHttpResponse(response);
      return refused(response);
    };
    return guarded(() => onRequest(this.#plainRequest(head)), toOutcome);
  }

  #judge(head: RequestHead, host: string, upgrade: Upgrade): Outcome | Promise<Outcome> {
    const match = this.#match(head.path);
    if (match === undefined) {
      const path = head.path.slice(0, SHOWN_LENGTH);
      return refusedFor(fault('noPath', { path, quotedPath: JSON.stringify(path) }));
    }
    const question = {
      origin: upgrade.origin,
      host,
      remoteAddress: this.#remoteAddress,
      request: () => this.#plainRequest(head),
    };
    // A function of the user's may decide, and throw.
    return guarded(
      () => checkOrigin(question, this.#settings.origins),
      (wrong) => (wrong === undefined ? this.#authorize(head, upgrade, match) : refusedFor(wrong)),
    );
  }

  #authorize(head: RequestHead, upgrade: Upgrade, match: Match<Path>): Outcome | Promise<Outcome> {
    const { authorize, subprotocols = this.#settings.subprotocols } = match.route.handlers;
    const chosen = chooseSubprotocol(upgrade.protocols, subprotocols);
    const accept = (acceptance: Acceptance<unknown>) =>
      this.#accept(head, upgrade, match, chosen, acceptance);
    if (authorize === undefined) return accept({});
    const readVerdict = (answer: Verdict<unknown>) => {
      if (answer === true) return accept({});
      if (answer === false) return refusedFor(fault('denied'));
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
      return refusedFor(fault('noSubprotocol', { names }));
    }
    const answer = encodeVerdict(acceptHandshake({ key, subprotocol, headers }));
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

function refused(response: HttpResponse): Refused {
  return { kind: 'refused', response };
}

function refusedFor(wrong: Fault): Refused {
  const { advice } = wrong;
  return { ...refused(refusal(wrong)), ...(advice === undefined ? {} : { advice }) };
}

/** Calls a callback of the user's and reads its answer; a throw or a rejection of either is a 500. */
function guarded<T>(
  callback: () => T | Promise<T>,
  read: (answer: T) => Outcome | Promise<Outcome>,
  path?: Path,
): Outcome | Promise<Outcome> {
  const failed = (reason: unknown): Refused => {
    const cause = reason ?? new Error('rejected without a reason');
    const response = refusal(fault('callbackUndecided'));
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
