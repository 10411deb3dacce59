/**
 * Who may watch. An inspector shows no payloads, but it shows who is connected, and it can close connections. So it
 * listens on loopback unless an option says otherwise, and then it needs a token.
 */
import { Buffer } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import { OptionError } from '../api/errors.ts';
import type { PlainRequest } from '../api/paths/handlers.ts';
import type { HttpResponse } from '../io/http/http-response.ts';
import { textResponse } from '../io/http/http-response.ts';

/** A token shorter than this can be guessed. */
const MIN_TOKEN_CHARACTERS = 16;

/** Whether a host is this computer itself: `localhost`, `127.0.0.0/8` or `::1`, with brackets or without. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** @throws OptionError when the token is too short, or missing although other computers can connect. */
export function checkAccess(host: string, token: string | undefined): void {
  const allowed = `a string of ${MIN_TOKEN_CHARACTERS} characters or more`;
  if (token === undefined) {
    if (isLoopback(host)) return;
    const message = `an inspector on ${host} can be reached from outside: give it a token, ${allowed}`;
    throw new OptionError('token', token, allowed, message);
  }
  if (typeof token !== 'string' || token.length < MIN_TOKEN_CHARACTERS) {
    throw new OptionError('token', token, allowed, `the token of an inspector is ${allowed}`);
  }
}

/** The HTTP answer that refuses this request; undefined when it is allowed. */
export function refuse(request: PlainRequest, token: string | undefined): HttpResponse | undefined {
  if (token !== undefined) {
    if (same(tokenOf(request), token)) return undefined;
    return textResponse(401, 'This inspector wants its token: ?token=… or Authorization: Bearer ….', {
      'WWW-Authenticate': 'Bearer',
    });
  }
  // A foreign page can point its own host name to 127.0.0.1 (DNS rebinding); the browser then sends that name in Host.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (isLoopback(host)) return undefined;
  return textResponse(403, `This inspector serves localhost only, not ${host.slice(0, 200)}.`);
}

/** True for a page of the inspector itself, and for programs that are no browsers. Only these may close connections. */
export function isOwnPage({ headers }: PlainRequest): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function tokenOf({ query, headers }: PlainRequest): string {
  return query.get('token') ?? /^Bearer (.*)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
}

/** Compares in constant time, so that the time does not tell how much was right. */
function same(given: string, token: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}
