/**
 * Who may watch. What an inspector shows is no payload, but it is who is connected, and it can close connections: so it
 * listens on loopback alone unless told otherwise, and beyond that it wants a token.
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

/** @throws OptionError when the token is too short, or missing where others than this computer can come. */
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

/** The refusal for this request; undefined lets it in. */
export function refuse(request: PlainRequest, token: string | undefined): HttpResponse | undefined {
  if (token !== undefined) {
    if (same(tokenOf(request), token)) return undefined;
    return textResponse(401, 'This inspector wants its token: ?token=… or Authorization: Bearer ….', {
      'WWW-Authenticate': 'Bearer',
    });
  }
  // A page elsewhere can point its own name at 127.0.0.1; the browser then says that name in Host.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (isLoopback(host)) return undefined;
  return textResponse(403, `This inspector serves localhost only, not ${host.slice(0, 200)}.`);
}

/** Whether a page of the inspector itself asks, or a program that is no browser: others may not close connections. */
export function isOwnPage({ headers }: PlainRequest): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function tokenOf({ query, headers }: PlainRequest): string {
  return query.get('token') ?? /^Bearer (.*)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
}

/** Compares without telling by its time how much was right. */
function same(given: string, token: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}
