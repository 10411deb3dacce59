/**
 * Which web pages may connect: the check of the Origin header (RFC 6455 10.2, RFC 6454).
 *
 * A browser lets any page open a WebSocket to any server, with the user's cookies, and says in Origin which page it
 * was. So this check guards the users of browsers, and only them: a program can write what it likes into Origin or
 * leave it out. That is why a request without Origin passes under every rule. Keeping programs out is the work of
 * `authorize`.
 */

/** The option `origins`, made ready by `compileOrigins`. */
export type OriginRules =
  /** `'*'`: any page. */
  | { readonly kind: 'any' }
  /** Left out: pages of the same host, and pages of this computer to a server on this computer. */
  | { readonly kind: 'own' }
  | { readonly kind: 'list'; readonly exact: ReadonlySet<string>; readonly wildcards: readonly Wildcard[] };

/** `https://*.example.com`: a scheme, `.example.com`, a port (empty for the scheme's default). */
interface Wildcard {
  readonly protocol: string;
  readonly suffix: string;
  readonly port: string;
}

export type OriginVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly message: string };

const ALLOWED: OriginVerdict = { allowed: true };
const DEFAULT_PORT: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };
/** How much of a refused header the answer repeats, in characters. */
const SHOWN_LENGTH = 200;

/**
 * Decides about one handshake; never throws. `host` is the authority the client asked for (`RequestHead.host`),
 * `remoteAddress` the peer's IP address. The message of a refusal is for the 403 answer: it names the origin and
 * the option.
 *
 * With no `origins`, a page is at home when its host and port are those of `host`; where one of them names no port,
 * the default of the origin's scheme counts, so that a proxy may add TLS in front. A server that must also hold
 * against DNS rebinding lists its origins, since there the attacker's name is in both headers.
 */
export function checkOrigin(
  origin: string | undefined,
  host: string,
  remoteAddress: string,
  rules: OriginRules,
): OriginVerdict {
  if (rules.kind === 'any' || origin === undefined) return ALLOWED;
  if (rules.kind === 'list') return isListed(origin, rules) ? ALLOWED : refused(origin);
  return isOwn(origin, host, remoteAddress) ? ALLOWED : refused(origin, host);
}

/**
 * Makes the option `origins` ready. `undefined`: the same host, or loopback to loopback. `'*'`: any. A list: each
 * entry is an origin (`https://example.com`, `http://localhost:3000`), a wildcard for one or more labels before a
 * domain (`https://*.example.com`, which is not `https://example.com` itself), or `'null'`, the origin of sandboxed
 * frames and local files; an empty list is no page at all. Hosts are compared in any case, default ports are left out.
 * Throws `TypeError` for another type and `RangeError` for an entry that is none of these.
 */
export function compileOrigins(origins: '*' | readonly string[] | undefined): OriginRules {
  if (origins === undefined) return { kind: 'own' };
  if (origins === '*') return { kind: 'any' };
  if (!Array.isArray(origins))
    throw new TypeError(complaint(origins, ' Several or one, they stand in a list.'));
  const exact = new Set<string>();
  const wildcards: Wildcard[] = [];
  for (const entry of origins as readonly unknown[]) {
    if (typeof entry !== 'string') throw new TypeError(complaint(entry, ''));
    const wildcard = parseWildcard(entry);
    if (wildcard !== undefined) wildcards.push(wildcard);
    else exact.add(normalised(entry));
  }
  return { kind: 'list', exact, wildcards };
}

function isOwn(origin: string, host: string, remoteAddress: string): boolean {
  const page = parseOrigin(origin);
  const defaultPort = page && DEFAULT_PORT[page.protocol];
  const own = splitHost(host);
  if (page === undefined || defaultPort === undefined || own === undefined) return false;
  if (own.hostname === page.hostname && (own.port || defaultPort) === (page.port || defaultPort)) return true;
  return isLoopbackName(page.hostname) && isLoopbackName(own.hostname) && isLoopbackAddress(remoteAddress);
}

function isListed(origin: string, rules: OriginRules & { kind: 'list' }): boolean {
  if (rules.exact.has(origin)) return true;
  const page = parseOrigin(origin);
  if (page === undefined) return false;
  if (rules.exact.has(serialised(page))) return true;
  return rules.wildcards.some(
    ({ protocol, suffix, port }) =>
      page.protocol === protocol &&
      page.port === port &&
      page.hostname.endsWith(suffix) &&
      page.hostname.length > suffix.length,
  );
}

/** `own` is the Host that an unlisted origin was compared with: a proxy that changes Host is a likely cause. */
function refused(origin: string, own?: string): OriginVerdict {
  const compared = own === undefined ? '' : ` It is not the requested host "${shortened(own)}".`;
  const message =
    `Pages from the origin "${shortened(origin)}" may not connect here.${compared} ` +
    `To allow them, add the origin to the server's option "origins".`;
  return { allowed: false, message };
}

function shortened(text: string): string {
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}...` : text;
}

interface Origin {
  readonly protocol: string;
  readonly hostname: string;
  /** Empty for the scheme's default. */
  readonly port: string;
}

/** `scheme "://" host [ ":" port ]` and nothing more (RFC 6454 7.1); only `file://` has an empty host. */
function parseOrigin(text: string): Origin | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s\p{Cc}]*$/iu.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port } = new URL(text);
  if (hostname === '' && text.toLowerCase() !== 'file://') return undefined;
  return { protocol, hostname: hostname.toLowerCase(), port };
}

function serialised({ protocol, hostname, port }: Origin): string {
  return `${protocol}//${hostname}${port === '' ? '' : `:${port}`}`;
}

/** One entry of the list, as browsers write it. */
function normalised(entry: string): string {
  if (entry === 'null') return entry;
  const origin = parseOrigin(entry);
  if (origin !== undefined && !entry.includes('*') && !/^wss?:$/.test(origin.protocol))
    return serialised(origin);
  throw new RangeError(complaint(entry, hint(entry)));
}

function parseWildcard(entry: string): Wildcard | undefined {
  const [scheme, domain, more] = entry.split('://*.');
  if (domain === undefined || more !== undefined || domain.includes('*')) return undefined;
  // The label before the domain keeps `*.1.2.3.4` from passing for an address.
  const origin = parseOrigin(`${scheme}://x.${domain}`);
  if (origin === undefined || domain === '' || domain.startsWith('.')) return undefined;
  if (/^wss?:$/.test(origin.protocol)) return undefined;
  return { protocol: origin.protocol, suffix: origin.hostname.slice(1), port: origin.port };
}

function complaint(value: unknown, advice: string): string {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return (
    `origins: ${shown} is not an origin.${advice} Allowed are '*' alone, or a list of origins such as ` +
    `'https://example.com', 'http://localhost:3000', 'https://*.example.com' and 'null'.`
  );
}

/** What the likeliest mistakes mean. */
function hint(entry: string): string {
  if (entry === '*') return " To allow any page, write origins: '*'.";
  if (/^wss?:/i.test(entry)) return ' It names the page, not the server: write http:// or https://.';
  if (!entry.includes('://')) return ' It lacks its scheme, such as https://.';
  return ' It must end after the host or port, and a wildcard stands only for the first labels.';
}

/** Host and port of a Host header; the port is empty where none is named. */
function splitHost(host: string): { hostname: string; port: string } | undefined {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(host);
  const name = match === null ? undefined : parseOrigin(`http://${match[1]}`);
  const port = match?.[2] ?? '';
  return name && { hostname: name.hostname, port: port === '' ? '' : String(Number(port)) };
}

/** `localhost` and names under it (RFC 6761 6.3), 127.0.0.0/8 and ::1. Names come normalised from `parseOrigin`. */
function isLoopbackName(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

function isLoopbackAddress(address: string): boolean {
  return /^(?:(?:::ffff:)?127\.\d+\.\d+\.\d+|::1)$/.test(address);
}
