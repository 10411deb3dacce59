/**
 * The header Forwarded, by the grammar of RFC 7239 4 and 6 and by nothing wider.
 *
 * A proxy appends its element to whatever the client has sent. If broken quotes were tolerated, a client could begin a
 * quoted string that swallows the element of the proxy, and its own word would count. So a header that does not follow
 * the grammar in all of its elements is refused as a whole. The work is linear in its length.
 */
import { canonicalAddress } from './addresses.ts';
import { isHost } from './grammar.ts';

/** One element: what one proxy says about the request that it got. */
export interface ForwardedElement {
  /** Address of the client, in canonical form; undefined where it is hidden, unknown or left out. */
  readonly for?: string | undefined;
  readonly host?: string | undefined;
}

/** `token "=" ( token / quoted-string )` (RFC 7239 4, RFC 9110 5.6.4). The alternatives have no character in common. */
const PAIR =
  /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)")/y;
const BLANKS = /[ \t]*/y;

/**
 * The elements in the order of the header; null where it breaks the grammar. An empty element counts as one that says
 * nothing: the grammar allows it, and to skip it would let the one before it speak for the proxy that wrote it.
 */
export function parseForwarded(value: string): ForwardedElement[] | null {
  const elements: ForwardedElement[] = [];
  for (let at = 0; ; at += 1) {
    const pairs = new Map<string, string>();
    at = skipped(value, readPairs(value, skipped(value, at), pairs));
    const node = pairs.get('for');
    elements.push({ for: node && addressOfNode(node), host: pairs.get('host') || undefined });
    if (at === value.length) return elements;
    if (value[at] !== ',') return null;
  }
}

/**
 * Reads the pairs of one element, from `at`; returns where it stopped, which is a blank, a comma or the end unless the
 * grammar is broken there. Pairs may be empty, so semicolons may stand alone; there are no blanks beside them.
 */
function readPairs(value: string, at: number, pairs: Map<string, string>): number {
  for (let next = at; ; next += 1) {
    PAIR.lastIndex = next;
    const pair = PAIR.exec(value);
    if (pair !== null) {
      const name = (pair[1] as string).toLowerCase();
      const text = pair[2] ?? (pair[3] as string).replace(/\\(.)/g, '$1');
      // "Each parameter MUST NOT occur more than once per field-value" of an element.
      if (pairs.has(name) || !isParameter(name, text)) return next;
      pairs.set(name, text);
      next = PAIR.lastIndex;
    }
    if (value[next] !== ';') return next;
  }
}

function skipped(value: string, at: number): number {
  BLANKS.lastIndex = at;
  BLANKS.exec(value);
  return BLANKS.lastIndex;
}

/** Whether a value is what RFC 7239 5 says about its parameter. Of `by`, `proto` and others nothing is used. */
function isParameter(name: string, text: string): boolean {
  if (name === 'for') return isNode(text);
  return name !== 'host' || text === '' || isHost(text);
}

/** `nodename [ ":" node-port ]` (RFC 7239 6): the IPv4 address, the IPv6 one in its brackets, or neither. */
const NODE = /^(?:([\d.]+)|\[([0-9A-Fa-f:.]+)\]|unknown|_[\w.-]+)(?::(?:\d{1,5}|_[\w.-]+))?$/i;

function isNode(text: string): boolean {
  const node = NODE.exec(text);
  if (node === null) return false;
  const [, four, six] = node;
  return (four ?? six) === undefined || addressOfNode(text) !== undefined;
}

function addressOfNode(text: string): string | undefined {
  const [, four, six] = NODE.exec(text) ?? [];
  if (four !== undefined) return canonicalAddress(four);
  return six === undefined || !six.includes(':') ? undefined : canonicalAddress(six);
}
