/**
 * What a user's `authorize` returns, read strictly: nobody is let in by a mistake.
 */

import type { Answer, Opening } from '../../connection/recipient.ts';
import { fault } from '../../io/faults.ts';
import { chooseSubprotocol } from '../../io/http/handshake.ts';
import { refusal } from '../../io/http/http-response.ts';
import type { RequestHead } from '../../io/http/request-head.ts';
import { isPlainObject } from '../../io/values.ts';
import type { Acceptance, HandshakeRequest, PlainRequest, Verdict } from './handlers.ts';
import type { Path } from './path.ts';
import type { Params } from './router.ts';

const ALLOWED =
  'true, false, { data, subprotocol, headers, join } with at least one of these, or an HTTP response { status, headers, body }';
const ACCEPTANCE_KEYS = ['data', 'subprotocol', 'headers', 'join'];
const RESPONSE_KEYS = ['status', 'headers', 'body'];

/** What `authorize` returned, after the check. */
export type ReadVerdict =
  | {
      readonly kind: 'accepted';
      readonly data: unknown;
      readonly join: Acceptance<unknown>['join'];
      readonly answer: Answer;
    }
  | { readonly kind: 'refused'; readonly answer: Answer };

/**
 * The answer to an opening handshake, by what `authorize` returned.
 * @throws TypeError for what is no verdict: only `true` and plain objects of known keys let anybody in.
 */
export function readVerdict(verdict: Verdict<unknown>, path: Path, opening: Opening): ReadVerdict {
  if (verdict === true) return accepted(path, opening, {});
  if (verdict === false) {
    const denied = fault('denied');
    return { kind: 'refused', answer: { kind: 'refused', response: refusal(denied), fault: denied } };
  }
  // Symbols and hidden properties count, too: an object that says more than an acceptance is none.
  const keys = isPlainObject(verdict) ? Reflect.ownKeys(verdict) : [];
  const isMadeOf = (known: readonly string[]) =>
    keys.length > 0 && keys.every((key) => known.includes(key as string));
  if ('status' in Object(verdict) && isMadeOf(RESPONSE_KEYS)) {
    return { kind: 'refused', answer: { kind: 'refused', response: verdict as { status: number } } };
  }
  if (isMadeOf(ACCEPTANCE_KEYS)) return accepted(path, opening, verdict as Acceptance<unknown>);
  throw new TypeError(`authorize returned ${shown(verdict)}; allowed are ${ALLOWED}`);
}

function accepted(path: Path, { upgrade }: Opening, acceptance: Acceptance<unknown>): ReadVerdict {
  const { protocols } = upgrade;
  const { subprotocol = chooseSubprotocol(protocols, path.subprotocols), data, headers, join } = acceptance;
  // 4.2.2: the subprotocol must be one of those the client offered.
  if (subprotocol !== undefined && !protocols.includes(subprotocol)) {
    throw new TypeError(`authorize chose the subprotocol ${shown(subprotocol)}, which was not offered`);
  }
  if (path.codecs?.refuses(subprotocol ?? '')) {
    const missing = fault('noSubprotocol', { names: path.codecs.subprotocols.join(', ') });
    return { kind: 'refused', answer: { kind: 'refused', response: refusal(missing), fault: missing } };
  }
  return {
    kind: 'accepted',
    data,
    join,
    answer: { kind: 'accepted', subprotocol, headers, deflate: path.deflate },
  };
}

/** What was returned, short enough for one line. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (!isPlainObject(value)) return `a ${String(value.constructor?.name || 'object of another kind')}`;
  const keys = Reflect.ownKeys(value).map(String);
  return keys.length === 0 ? 'an empty object' : `an object with ${keys.join(', ')}`;
}

/** A request as callbacks get it. */
export function plainRequest(head: RequestHead, remoteAddress: string): PlainRequest {
  return {
    method: head.method,
    path: head.path,
    query: new URLSearchParams(head.query),
    headers: head.headers,
    remoteAddress,
  };
}

/** An opening handshake as `authorize` gets it. */
export function handshakeRequest(
  { head, upgrade, remoteAddress, incoming, peerCertificate }: Opening,
  params: Params,
): HandshakeRequest {
  const withIncoming: Pick<HandshakeRequest, 'incoming'> = {
    // Over HTTP/2 it is made when somebody looks.
    get incoming() {
      return incoming?.() as HandshakeRequest['incoming'];
    },
  };
  return Object.assign(withIncoming, plainRequest(head, remoteAddress), {
    params,
    origin: upgrade.origin,
    subprotocols: upgrade.protocols,
    peerCertificate,
  });
}
