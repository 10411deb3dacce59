/**
 * IP addresses by their value: one form for each address, sets of addresses and ranges, and the key under which the
 * limits for an address count. `node:net` reads the addresses; this is the one file of `src/io/http` that uses it.
 */
import { BlockList, isIP } from 'node:net';

/** A set of addresses and ranges. What is no IP address is in no set. */
export type AddressSet = (address: string) => boolean;

/** IPv4 addresses that a translator writes into IPv6 ones (RFC 6052 2.1): each is another client. */
const TRANSLATED = /^64:ff9b::(?:[0-9a-f]+:)?[0-9a-f]*$/;

/**
 * The one form of an IP address: IPv4 dotted, also where it came as IPv6 (`::ffff:192.0.2.1`, RFC 4291 2.5.5.2); IPv6 as
 * RFC 5952 writes it, with its zone if it has one. Undefined for anything else.
 */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family !== 6) return family === 4 ? text : undefined;
  const [address, zone] = text.split('%') as [string, string?];
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(written);
  if (mapped === null) return zone === undefined ? written : `${written}%${zone}`;
  const [high, low] = [Number.parseInt(mapped[1] as string, 16), Number.parseInt(mapped[2] as string, 16)];
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}

/**
 * The key under which limits for an address count: an IPv4 address itself; for an IPv6 address the network of its first
 * `prefixLength` bits, 0 to 128, since a single client has usually a whole /64 of addresses. Addresses that embed an
 * IPv4 address by the well-known prefix 64:ff9b::/96 count each by itself, and so does what is no address.
 */
export function addressKey(address: string, prefixLength = 64): string {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return address;
  const plain = withoutZone(canonical);
  if (!plain.includes(':') || TRANSLATED.test(plain) || prefixLength >= 128) return plain;
  const network = groupsOf(plain).map((group, at) => {
    const bits = Math.min(16, Math.max(0, prefixLength - 16 * at));
    return (group & (0xffff << (16 - bits)) & 0xffff).toString(16);
  });
  return `${canonicalAddress(network.join(':'))}/${prefixLength}`;
}

/** Whether it is 127.0.0.0/8 or ::1. */
export function isLoopbackAddress(address: string): boolean {
  const canonical = canonicalAddress(address);
  return canonical !== undefined && (canonical.startsWith('127.') || canonical === '::1');
}

/**
 * A set of IPv4 and IPv6 addresses, and of ranges such as `10.0.0.0/8`.
 * @throws RangeError for an entry that is neither.
 */
export function compileAddresses(list: readonly string[]): AddressSet {
  const members = new BlockList();
  for (const entry of list) addEntry(members, entry);
  return (address) => {
    const canonical = canonicalAddress(address);
    if (canonical === undefined) return false;
    return members.check(withoutZone(canonical), canonical.includes(':') ? 'ipv6' : 'ipv4');
  };
}

function addEntry(members: BlockList, entry: string): void {
  const [text = '', length, more] = typeof entry === 'string' ? entry.split('/') : [];
  const canonical = canonicalAddress(text);
  const written = text.includes(':') ? 128 : 32;
  const bits = length === undefined ? written : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (canonical === undefined || more !== undefined || !(bits <= written)) {
    throw new RangeError(`${JSON.stringify(entry)} is neither an address nor a range such as 10.0.0.0/8`);
  }
  // The IPv4 address of an IPv6 one that maps it lies in the last 32 of 128 bits.
  const before = written === 128 && !canonical.includes(':') ? 96 : 0;
  if (bits >= before) {
    members.addSubnet(withoutZone(canonical), bits - before, canonical.includes(':') ? 'ipv6' : 'ipv4');
  } else members.addSubnet(withoutZone(text), bits, 'ipv6');
}

/** A zone, as in fe80::1%eth0, names the interface (RFC 4007 11): it is no part of the address's value. */
const withoutZone = (address: string): string => address.split('%')[0] as string;

/** The eight groups of an IPv6 address in canonical form. */
function groupsOf(address: string): number[] {
  const [front = '', back] = address.split('::');
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  if (back === undefined) return groups(front);
  const [before, after] = [groups(front), groups(back)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}
