/**
 * Which web pages may connect: the check of the Origin header (RFC 6455 10.2, RFC 6454).
 *
 * A browser lets any page open a WebSocket to any server, with the user's cookies, and says in Origin which page it was.
 * So this check guards the users of browsers, and only them: a program can write what it likes into Origin, or leave it
 * out. That is why a request without Origin passes under every rule. Keeping programs out is the work of `authorize`.
 *
 * Browsers send an origin in one form only. Programs also send a path after it, or the ws:// address of the server (IoT
 * devices, old React Native): these are read as the origin that they are part of.
 */
import { type Fault, fault } from '../faults.ts';
import { isUnwantedPromise, rememberingLast } from '../values.ts';
import { isLoopbackAddress } from './addresses.ts';
import { readOrigin, serialised } from './origin-parts.ts';
import type { OriginRules } from './origin-rules.ts';

const DEFAULT_PORT: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };
/** How much of a refused header the answer repeats, in characters. */
const SHOWN_LENGTH = 200;

/** What is known of a handshake when its origin is checked. */
export interface OriginQuestion<Request> {
  readonly origin: string | undefined;
  /** The authority that the client asked for: `RequestHead.host`, or what a named proxy says. */
  readonly host: string;
  /** The peer's IP address. */
  readonly remoteAddress: string;
  /** The request, for a rule that is a function. */
  request(): Request;
}

/**
 * Decides about one handshake: undefined lets it in, a fault (403) does not. The fault's text names the origin and the
 * option; its advice is an `origins` that would let this very origin in. Throws only what a rule that is a function
 * throws, and `TypeError` where that returns no boolean.
 *
 * With no `origins`, a page is at home when its host and port are those of `host`; where one of them names no port, the
 * default of the origin's scheme counts, so that a proxy may add TLS in front. A server that must also hold against DNS
 * rebinding lists its origins, since there the attacker's name is in both headers.
 */
export function checkOrigin<Request>(
  { origin, host, remoteAddress, request }: OriginQuestion<Request>,
  rules: OriginRules<Request>,
): Fault | undefined {
  if (origin === undefined || rules.kind === 'any') return undefined;
  if (rules.kind === 'own') return isOwn(origin, host, remoteAddress) ? undefined : refused(origin, host);
  if (rules.kind === 'list') return isListed(origin, rules) ? undefined : refused(origin);
  const answer: unknown = rules.allows(origin, request());
  if (typeof answer === 'boolean') return answer ? undefined : denied(origin);
  if (!isUnwantedPromise(answer))
    throw new TypeError(`The function origins must return true or false, not ${String(answer)}.`);
  throw new TypeError(
    'The function origins must return true or false, not a promise; what has to wait is the work of authorize.',
  );
}

function isOwn(origin: string, host: string, remoteAddress: string): boolean {
  const page = pageOf(origin);
  const defaultPort = page && DEFAULT_PORT[page.protocol];
  const own = placeOf(host);
  if (page === undefined || defaultPort === undefined || own === undefined) return false;
  if (own.hostname === page.hostname && (own.port || defaultPort) === (page.port || defaultPort)) return true;
  return isLoopbackName(page.hostname) && isLoopbackName(own.hostname) && isLoopbackAddress(remoteAddress);
}

function isListed(origin: string, rules: OriginRules<never> & { kind: 'list' }): boolean {
  if (rules.exact.has(origin) || rules.matches(origin)) return true;
  const page = readOrigin(origin);
  if (page === undefined) return false;
  return rules.exact.has(serialised(page)) || rules.patterns.some((pattern) => pattern(page));
}

/** `own` is the host that an unlisted origin was compared with: a proxy that changes Host is a likely cause. */
function refused(origin: string, own?: string): Fault {
  const compared = own === undefined ? '' : ` It is not the requested host "${shortened(own)}".`;
  return fault('origin', { message: messageFor(origin, compared), advice: adviceFor(origin) });
}

function denied(origin: string): Fault {
  const message = `Pages from the origin "${shortened(origin)}" may not connect here.`;
  return fault('origin', { message, advice: 'The function in the option origins returned false.' });
}

function messageFor(origin: string, compared: string): string {
  return (
    `Pages from the origin "${shortened(origin)}" may not connect here.${compared} ` +
    `To allow them, add the origin to the server's option "origins".`
  );
}

/** What to write to let this very origin in; it is always something that the option takes. */
function adviceFor(origin: string): string {
  if (origin === 'null') return 'Write origins: ["null"].';
  const page = readOrigin(origin);
  if (origin.length > SHOWN_LENGTH) {
    return `No browser sends an origin of ${origin.length} characters; a function can let it in: origins: (origin) => boolean.`;
  }
  // With a * it would be a pattern as an entry of the list, and let in others too.
  if (page !== undefined && !page.hostname.includes('*')) {
    return `Write origins: [${JSON.stringify(serialised(page))}].`;
  }
  return `No browser sends this; a function can let it in: origins: (origin) => origin === ${JSON.stringify(origin)}.`;
}

function shortened(text: string): string {
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}...` : text;
}

/** Host and port of a Host header; the port is empty where none is named. */
function splitHost(host: string): { hostname: string; port: string } | undefined {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(host);
  const name = match === null ? undefined : readOrigin(`http://${match[1]}`);
  const port = match?.[2] ?? '';
  return name && { hostname: name.hostname, port: port === '' ? '' : String(Number(port)) };
}

const pageOf = rememberingLast(readOrigin);
const placeOf = rememberingLast(splitHost);

/** `localhost` and names under it (RFC 6761 6.3), 127.0.0.0/8 and ::1. Names come normalised from `readOrigin`. */
function isLoopbackName(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
