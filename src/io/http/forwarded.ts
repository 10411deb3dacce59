/**
 * Who is behind a proxy: the client's address and the host that it asked for, from Forwarded (RFC 7239) or from
 * X-Forwarded-For and X-Forwarded-Host.
 *
 * Anybody can send these headers. So they are read only from a proxy that the user has named, and only as far as named
 * proxies vouch for them: each proxy appends the address that called it, so the list is read from its end, over named
 * proxies, to the first address that is no named proxy. Everything before that one was written by the client itself.
 *
 * A proxy writes one kind of header and passes the other on as the client sent it. The option `header` says which one
 * it writes. Without it both are read, and a request in which they differ is refused, since one of them is forged.
 */
import { type Fault, fault } from '../faults.ts';
import { type AddressSet, canonicalAddress, compileAddresses } from './addresses.ts';
import { type ForwardedElement, parseForwarded } from './forwarded-header.ts';
import { listItems, trimmed } from './grammar.ts';

/** Stands for whoever calls over a Unix socket, which has no address: its file says who may. */
const UNIX = 'unix';

/** The option `trustProxy`: proxies by address or range, and the header that they write. */
export type TrustProxy =
  | readonly string[]
  | {
      /** Addresses and ranges of the proxies, such as `10.0.0.0/8`; `unix` for who calls over a Unix socket. */
      readonly addresses: readonly string[];
      /** The header that they write; the other kind is not read. Unset: both are read and must agree. */
      readonly header?: 'forwarded' | 'x-forwarded-for' | undefined;
    };

/** The option `trustProxy`, made ready by `compileProxies`. */
export interface Proxies {
  /** Whether an address is that of a named proxy. */
  readonly includes: AddressSet;
  readonly header: 'forwarded' | 'x-forwarded-for' | undefined;
}

/** Who called, as far as the named proxies say. */
export interface Client {
  /** In canonical form. */
  readonly address: string;
  /** The host that the client asked its proxy for; undefined where no proxy says so: then it is that of the request. */
  readonly host: string | undefined;
}

/** What is read of a request: `RequestHead`, or anything else that knows its headers. */
export interface HeaderSource {
  header(name: string): string | undefined;
}

/**
 * Makes the option `trustProxy` ready.
 * @throws TypeError for something of another shape, RangeError for an entry that is neither address nor range.
 */
export function compileProxies(option: TrustProxy): Proxies {
  const { addresses, header, ...others } = readShape(option);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new TypeError(`there is no ${unknown} in it; it has addresses and header`);
  }
  if (!Array.isArray(addresses)) throw new TypeError(`its addresses must be a list, not ${shown(addresses)}`);
  if (header !== undefined && header !== 'forwarded' && header !== 'x-forwarded-for') {
    throw new TypeError(`its header must be 'forwarded' or 'x-forwarded-for', not ${shown(header)}`);
  }
  const named = compileAddresses(addresses.filter((entry) => entry !== UNIX));
  const trustsUnix = addresses.includes(UNIX);
  return { includes: (address) => (address === '' ? trustsUnix : named(address)), header };
}

function readShape(option: TrustProxy): { addresses?: unknown; header?: unknown } {
  if (Array.isArray(option)) return { addresses: option };
  if (typeof option === 'object' && option !== null) return option as { addresses?: unknown };
  throw new TypeError(`it must be a list of addresses, or { addresses, header }, not ${shown(option)}`);
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

/**
 * The client that the socket's address speaks for, or the fault of the headers. Without a named proxy or without headers
 * it is the socket's own. An entry that is no address (`unknown`, `_hidden`) ends the walk: the proxy that wrote it
 * stands for its client. Never throws.
 */
export function readClient(
  remoteAddress: string,
  head: HeaderSource,
  proxies: Proxies | undefined,
): Client | { readonly fault: Fault } {
  const own = canonicalAddress(remoteAddress) ?? remoteAddress;
  if (proxies === undefined || !proxies.includes(own)) return { address: own, host: undefined };
  const { header, includes } = proxies;
  const forwarded = header === 'x-forwarded-for' ? undefined : head.header('forwarded');
  const xFor = header === 'forwarded' ? undefined : head.header('x-forwarded-for');
  const xHost = header === 'forwarded' ? undefined : head.header('x-forwarded-host');
  const elements = forwarded === undefined ? undefined : parseForwarded(forwarded);
  if (elements === null) return { fault: fault('badForwarded') };
  const byForwarded = elements && walk(own, elements, includes);
  const byOthers =
    xFor === undefined && xHost === undefined ? undefined : readXForwarded(own, xFor, xHost, includes);
  if (byForwarded === undefined || byOthers === undefined) {
    return byForwarded ?? byOthers ?? { address: own, host: undefined };
  }
  // A host alone says nothing about the address.
  if (xFor !== undefined && byForwarded.address !== byOthers.address) {
    return { fault: fault('contradictingProxies') };
  }
  const { host = byOthers.host } = byForwarded;
  if (byOthers.host !== undefined && byOthers.host.toLowerCase() !== host?.toLowerCase()) {
    return { fault: fault('contradictingHosts') };
  }
  return { address: byForwarded.address, host };
}

/**
 * Walks from the last element to the first that no named proxy wrote. The host is that of the proxy which the client
 * called, or else of the next one that names any.
 */
function walk(
  own: string,
  elements: readonly ForwardedElement[],
  named: AddressSet,
): Client & { hops: number } {
  let address = own;
  let host: string | undefined;
  let hops = 0;
  for (let at = elements.length - 1; at >= 0 && named(address); at--) {
    const element = elements[at] as ForwardedElement;
    hops += 1;
    host = element.host ?? host;
    if (element.for === undefined) break;
    address = element.for;
  }
  return { address, host, hops };
}

/**
 * X-Forwarded-For names the clients, X-Forwarded-Host the hosts, each appended by the proxies in turn: with so many
 * steps over proxies, the host stands so many places from the end. A proxy that appends no host leaves the list shorter.
 */
function readXForwarded(
  own: string,
  xFor: string | undefined,
  xHost: string | undefined,
  named: AddressSet,
): Client {
  const elements =
    xFor === undefined ? [] : xFor.split(',').map((hop) => ({ for: addressOfHop(trimmed(hop)) }));
  const { address, hops } = walk(own, elements, named);
  const hosts = xHost === undefined ? [] : listItems(xHost);
  const host = hosts.at(-Math.min(Math.max(hops, 1), hosts.length));
  return { address, host };
}

/** The address of a hop: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`; undefined for anything else. */
function addressOfHop(hop: string): string | undefined {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(hop)?.[1];
  const dotted = /^([\d.]+):\d{1,5}$/.exec(hop)?.[1];
  return canonicalAddress(bracketed ?? dotted ?? hop);
}
