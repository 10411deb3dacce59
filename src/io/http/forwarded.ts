/**
 * Who is behind a proxy: the client's address in Forwarded (RFC 7239) and X-Forwarded-For.
 *
 * Anybody can send these headers, so they are read only when they come from a proxy that the user has named, and only
 * as far as named proxies vouch for them: each proxy adds, at the end, the address it was called from, so the list
 * is walked from its end, over named proxies, to the first address that is none. What stands before it was written
 * by that client itself and means nothing. A proxy writes one of the two headers and passes the other on as the
 * client sent it; when both are there and differ, one of them is forged, and the request is refused.
 */

/** A test for the addresses of the option `trustProxy`. */
export type Proxies = (address: string) => boolean;

interface Range {
  readonly network: readonly number[];
  readonly bits: number;
}

/**
 * Makes the option `trustProxy` ready: IPv4 and IPv6 addresses, and ranges such as `10.0.0.0/8`.
 * @throws RangeError for an entry that is neither.
 */
export function compileProxies(list: readonly string[]): Proxies {
  const ranges = list.map(parseRange);
  return (address) => {
    const bytes = parseAddress(address);
    return bytes !== undefined && ranges.some((range) => contains(range, bytes));
  };
}

/** The two headers, as far as they are there. */
export interface ForwardedHeaders {
  readonly forwarded: string | undefined;
  readonly xForwardedFor: string | undefined;
}

/**
 * The address of the client that `remoteAddress`, the socket's, speaks for; undefined when the headers contradict each
 * other. Without a named proxy or without headers it is the socket's own; an entry that is no address (`unknown`,
 * `_hidden`) ends the walk, and the proxy that wrote it stands for its client.
 */
export function clientAddress(
  remoteAddress: string,
  { forwarded, xForwardedFor }: ForwardedHeaders,
  proxies: Proxies,
): string | undefined {
  if (!proxies(remoteAddress)) return remoteAddress;
  const walk = (hops: readonly string[]) => walkBack(remoteAddress, hops, proxies);
  if (forwarded === undefined) {
    return xForwardedFor === undefined ? remoteAddress : walk(readList(xForwardedFor));
  }
  const client = walk(readForwarded(forwarded));
  if (xForwardedFor === undefined || walk(readList(xForwardedFor)) === client) return client;
  return undefined;
}

function walkBack(remoteAddress: string, hops: readonly string[], proxies: Proxies): string {
  let client = remoteAddress;
  for (let at = hops.length - 1; at >= 0 && proxies(client); at--) {
    const address = withoutPort(hops[at] as string);
    if (address === undefined) break;
    client = address;
  }
  return client;
}

const readList = (value: string): string[] => value.split(',').map((hop) => hop.trim());

/** The `for` of each element of Forwarded (RFC 7239 4); empty where an element has none. */
function readForwarded(value: string): string[] {
  return splitOutsideQuotes(value, ',').map((element) => {
    for (const pair of splitOutsideQuotes(element, ';')) {
      const at = pair.indexOf('=');
      if (pair.slice(0, at).trim().toLowerCase() === 'for') return unquoted(pair.slice(at + 1).trim());
    }
    return '';
  });
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') quoted = !quoted;
    else if (character === '\\' && quoted) at++;
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function unquoted(text: string): string {
  const quoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
  return quoted ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}

/** The address of a hop: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`; undefined for anything else. */
function withoutPort(hop: string): string | undefined {
  const bracketed = /^\[([^\]]+)\](?::\w+)?$/.exec(hop)?.[1];
  const dotted = /^(\d+\.\d+\.\d+\.\d+)(?::\w+)?$/.exec(hop)?.[1];
  const address = bracketed ?? dotted ?? hop;
  return parseAddress(address) === undefined ? undefined : address.toLowerCase();
}

function parseRange(entry: string): Range {
  const [address = '', bits, more] = typeof entry === 'string' ? entry.split('/') : [];
  const network = parseAddress(address);
  // An IPv4 address lies in the last 32 of 128 bits (RFC 4291 2.5.5.2).
  const before = address.includes(':') ? 0 : 96;
  const length = bits === undefined ? 128 : before + (/^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN);
  if (network === undefined || more !== undefined || !(length <= 128)) {
    throw new RangeError(`${JSON.stringify(entry)} is neither an address nor a range such as 10.0.0.0/8`);
  }
  return { network, bits: length };
}

function contains({ network, bits }: Range, address: readonly number[]): boolean {
  for (let at = 0; at < 16; at++) {
    const left = bits - at * 8;
    if (left <= 0) return true;
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if ((((network[at] as number) ^ (address[at] as number)) & mask) !== 0) return false;
  }
  return true;
}

/** The 16 bytes of an address, IPv4 as the IPv6 address that maps it; undefined for anything else. */
function parseAddress(text: string): readonly number[] | undefined {
  if (!text.includes(':')) {
    const four = parseIPv4(text);
    return four && [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...four];
  }
  // A zone, as in fe80::1%eth0, says through which interface: it is no part of the address.
  const [address = '', zone] = text.split('%');
  return zone === '' ? undefined : parseIPv6(address);
}

function parseIPv4(text: string): number[] | undefined {
  const parts = text.split('.');
  // No leading zero, which some read as octal.
  const valid = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part));
  const bytes = parts.map(Number);
  return valid && bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function parseIPv6(text: string): number[] | undefined {
  const [head = '', tail, more] = text.split('::');
  if (more !== undefined) return undefined;
  const front = parseGroups(head, tail === undefined);
  const back = tail === undefined ? [] : parseGroups(tail, true);
  if (front === undefined || back === undefined) return undefined;
  const missing = 16 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return [...front, ...new Array<number>(missing).fill(0), ...back];
}

/** Groups of four hexadecimal digits; the last may be an IPv4 address when the whole address ends there. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [at, group] of groups.entries()) {
    const four = last && at === groups.length - 1 && group.includes('.') ? parseIPv4(group) : undefined;
    if (four !== undefined) bytes.push(...four);
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}
