/**
 * What a user's `authorize` returns, read strictly: nobody is let in by a mistake.
 */
import type { Answer, Opening } from '../../connection/recipient.ts';
import { fault } from '../../io/faults.ts';
import { chooseSubprotocol } from '../../io/http/handshake.ts';
import { isPlainObject } from '../../io/http/header-fields.ts';
import { refusal } from '../../io/http/http-response.ts';
import type { RequestHead } from '../../io/http/request-head.ts';
import type { HandshakeRequest, PlainRequest, Verdict } from './handlers.ts';
import type { Path } from './path.ts';
import type { Params } from './router.ts';

const ALLOWED =
  'true, false, { data, subprotocol, headers } with at least one of these, or an HTTP response { status, headers, body }';
const ACCEPTANCE_KEYS = ['data', 'subprotocol', 'headers'];
const RESPONSE_KEYS = ['status', 'headers', 'body'];

/** What `authorize` returned, after the check. */
export type ReadVerdict =
  | { readonly kind: 'accepted'; readonly data: unknown; readonly answer: Answer }
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
  const keys = isPlainObject(verdict) ? Object.keys(verdict) : [];
  const isMadeOf = (known: readonly string[]) => keys.length > 0 && keys.every((key) => known.includes(key));
  if ('status' in Object(verdict) && isMadeOf(RESPONSE_KEYS)) {
    return { kind: 'refused', answer: { kind: 'refused', response: verdict as { status: number } } };
  }
  if (isMadeOf(ACCEPTANCE_KEYS)) return accepted(path, opening, verdict as Acceptance);
  throw new TypeError(`authorize returned ${shown(verdict)}; allowed are ${ALLOWED}`);
}

interface Acceptance {
  readonly data?: unknown;
  readonly subprotocol?: string | undefined;
  readonly headers?: Extract<Answer, { kind: 'accepted' }>['headers'];
}

function accepted(path: Path, { upgrade }: Opening, acceptance: Acceptance): ReadVerdict {
  const { protocols } = upgrade;
  const { subprotocol = chooseSubprotocol(protocols, path.subprotocols), data, headers } = acceptance;
  // 4.2.2: the subprotocol must be one of those the client offered.
  if (subprotocol !== undefined && !protocols.includes(subprotocol)) {
    throw new TypeError(
      `authorize chose the subprotocol ${JSON.stringify(subprotocol)}, which was not offered`,
    );
  }
  if (path.codecs?.refuses(subprotocol ?? '')) {
    const missing = fault('noSubprotocol', { names: path.codecs.subprotocols.join(', ') });
    return { kind: 'refused', answer: { kind: 'refused', response: refusal(missing), fault: missing } };
  }
  return { kind: 'accepted', data, answer: { kind: 'accepted', subprotocol, headers } };
}

/** What was returned, short enough for one line. */
function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (!isPlainObject(value)) return `a ${value.constructor?.name ?? 'object of another kind'}`;
  const keys = Object.keys(value);
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
  { head, upgrade, remoteAddress, peerCertificate }: Opening,
  params: Params,
): HandshakeRequest {
  return Object.assign(plainRequest(head, remoteAddress), {
    params,
    origin: upgrade.origin,
    subprotocols: upgrade.protocols,
    peerCertificate,
  });
}
