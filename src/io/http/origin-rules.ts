/**
 * The option `origins`, made ready: what it may be, and a clear error for everything else.
 */
import { types } from 'node:util';
import { isWebSocketScheme, type OriginParts, parseOrigin, serialised } from './origin-parts.ts';

/** Says whether pages of this origin may connect: true or false, at once. */
export type OriginFunction<Request> = (origin: string, request: Request) => boolean;

/** The option `origins`: which pages may connect. `'*'` is all of them. */
export type OriginsOption<Request> = '*' | RegExp | OriginFunction<Request> | readonly (string | RegExp)[];

/** The option, made ready by `compileOrigins`. */
export type OriginRules<Request> =
  /** `'*'`: any page. */
  | { readonly kind: 'any' }
  /** Left out: pages of the same host, and pages of this computer to a server on this computer. */
  | { readonly kind: 'own' }
  | {
      readonly kind: 'list';
      readonly exact: ReadonlySet<string>;
      readonly patterns: readonly ((page: OriginParts) => boolean)[];
      /** Whether one of the regular expressions fits the origin as sent. */
      matches(origin: string): boolean;
    }
  | { readonly kind: 'function'; readonly allows: OriginFunction<Request> };

/**
 * Makes the option `origins` ready. `undefined`: the same host, or loopback to loopback. `'*'`: any. A function decides
 * by itself. A regular expression is tried on the origin as sent, from its start each time. A list has entries of these
 * kinds; an empty list is no page at all:
 *
 * - an origin (`https://example.com`, `http://localhost:3000`); hosts are compared in any case, default ports left out
 * - `https://*.example.com`: one or more labels before a domain, not `https://example.com` itself
 * - `http://localhost:*`: any port, also the default one; also after a wildcard
 * - `moz-extension://*`: any host of a scheme that is not of the web
 * - `'null'`: the origin of sandboxed frames and local files
 * - a regular expression
 *
 * Throws `TypeError` for another type and `RangeError` for an entry that is none of these.
 */
export function compileOrigins<Request>(origins: OriginsOption<Request> | undefined): OriginRules<Request> {
  if (origins === undefined) return { kind: 'own' };
  if (origins === '*') return { kind: 'any' };
  if (typeof origins === 'function') return { kind: 'function', allows: origins };
  if (isRegExp(origins)) return listRules([origins]);
  if (!Array.isArray(origins))
    throw new TypeError(complaint(origins, ' Several or one, they stand in a list.'));
  return listRules(origins);
}

function listRules(entries: readonly unknown[]): OriginRules<never> & { kind: 'list' } {
  const exact = new Set<string>();
  const patterns: ((page: OriginParts) => boolean)[] = [];
  const expressions: RegExp[] = [];
  // A list with holes has undefined in them here.
  for (const entry of Array.from(entries)) {
    if (isRegExp(entry)) expressions.push(new RegExp(entry.source, entry.flags));
    else if (typeof entry !== 'string') {
      const advice = typeof entry === 'function' ? ' A function stands alone, not in a list.' : '';
      throw new TypeError(complaint(entry, advice));
    } else {
      const pattern = parsePattern(entry);
      if (pattern !== undefined) patterns.push(pattern);
      else exact.add(normalised(entry));
    }
  }
  return { kind: 'list', exact, patterns, matches: (origin) => expressions.some((one) => fits(one, origin)) };
}

/** A regular expression with the flag g or y remembers where it stopped: it begins anew for each origin. */
function fits(expression: RegExp, origin: string): boolean {
  expression.lastIndex = 0;
  return expression.test(origin);
}

/** Also one of another realm (Jest, `node:vm`). */
function isRegExp(value: unknown): value is RegExp {
  return types.isRegExp(value);
}

/** One entry without a wildcard, as browsers write it. */
function normalised(entry: string): string {
  if (entry === 'null') return entry;
  const origin = parseOrigin(entry);
  if (origin !== undefined && !entry.includes('*') && !isWebSocketScheme(origin)) return serialised(origin);
  throw new RangeError(complaint(entry, hint(entry)));
}

/** An entry with wildcards; undefined where there is none, or one in a wrong place. */
function parsePattern(entry: string): ((page: OriginParts) => boolean) | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*:)\/\/\*$/i.exec(entry)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    // Any page of the web would be "any page", which is written '*'.
    return /^(?:https?|wss?|file):$/.test(scheme) ? undefined : (page) => page.protocol === scheme;
  }
  const anyPort = entry.endsWith(':*');
  const rest = anyPort ? entry.slice(0, -2) : entry;
  const wildcard = rest.includes('://*.');
  if (!anyPort && !wildcard) return undefined;
  // The label in place of the wildcard keeps `*.1.2.3.4` from passing for an address.
  const origin = parseOrigin(wildcard ? rest.replace('://*.', '://x.') : rest);
  if (origin === undefined || rest.replace('://*.', '').includes('*') || isWebSocketScheme(origin))
    return undefined;
  if (anyPort && (origin.port !== '' || /:\d*$/.test(rest))) return undefined;
  const { protocol, port } = origin;
  const name = wildcard ? origin.hostname.slice(1) : origin.hostname;
  if (name === '' || name === '.' || name.startsWith('..')) return undefined;
  return (page) =>
    page.protocol === protocol &&
    (anyPort || page.port === port) &&
    (wildcard ? page.hostname.endsWith(name) && page.hostname.length > name.length : page.hostname === name);
}

function complaint(value: unknown, advice: string): string {
  const shown =
    typeof value === 'string'
      ? JSON.stringify(value)
      : typeof value === 'function'
        ? 'a function'
        : String(value);
  return (
    `origins: ${shown} is not an origin.${advice} Allowed are '*' alone, or a list of origins such as ` +
    `'https://example.com', 'http://localhost:3000', 'https://*.example.com', 'http://localhost:*', ` +
    `'moz-extension://*' and 'null', and of RegExps; or a RegExp; or a function.`
  );
}

/** What the likeliest mistakes mean. */
function hint(entry: string): string {
  if (entry === '*') return " To allow any page, write origins: '*'.";
  if (/^wss?:/i.test(entry)) return ' It names the page, not the server: write http:// or https://.';
  if (!entry.includes('://')) return ' It lacks its scheme, such as https://.';
  const origin = parseOrigin(/^[^:/]+:\/\/[^/?#]*/.exec(entry)?.[0] ?? '');
  const instead = origin === undefined || entry.includes('*') ? '' : ` Write '${serialised(origin)}'.`;
  return ` It must end after the host or port, and a wildcard stands only for the first labels or the port.${instead}`;
}
