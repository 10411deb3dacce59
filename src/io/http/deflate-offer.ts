/**
 * The negotiation of permessage-deflate (RFC 7692 7.1, RFC 6455 9.1): what the client offers, and what is agreed on.
 *
 * A client may make several offers, the best one first, also in several header lines. An offer with something wrong in it
 * is declined by itself (7.1: "A server MUST decline ..."), and the next one is looked at; without one that can be accepted,
 * the connection goes on uncompressed.
 */
import type { DeflateSettings, DeflateTerms } from '../extensions/deflate.ts';
import { listItems, trimmed } from './grammar.ts';

const NAME = 'permessage-deflate';
const MOST_BITS = 15;

/** An offer that can be accepted: its parameters. */
interface Offer {
  readonly serverNoTakeover: boolean;
  /** Most bits that our window may have; undefined: the client says nothing. */
  readonly serverBits: number | undefined;
  /** Bits of the client's window; `asks`: it has none of its own, and we may say how many. Undefined: we may not. */
  readonly clientBits: number | 'asks' | undefined;
}

/**
 * What is agreed on with a client that sent this Sec-WebSocket-Extensions, whose syntax is in order; undefined: nothing.
 * Time and memory are linear in the length of the header.
 */
export function agreeOnDeflate(extensions: string, settings: DeflateSettings): DeflateTerms | undefined {
  for (const item of listItems(extensions)) {
    const offer = readOffer(item);
    if (offer !== undefined) return accept(offer, settings);
  }
  return undefined;
}

function accept(offer: Offer, settings: DeflateSettings): DeflateTerms {
  const takesOver = settings.mode === 'contexts' && !offer.serverNoTakeover;
  // 7.1.1.2: a server may ask for this without being offered it. So nothing is kept between two messages of a client.
  const answer = [NAME, ...(takesOver ? [] : ['server_no_context_takeover']), 'client_no_context_takeover'];
  const serverWindowBits = Math.min(offer.serverBits ?? MOST_BITS, settings.serverWindowBits);
  // 7.1.2.1: with the parameter in the offer, the answer has it too. Without it, our window is our own business.
  if (offer.serverBits !== undefined) answer.push(`server_max_window_bits=${serverWindowBits}`);
  const clientWindowBits = clientBitsOf(offer, settings);
  // 7.1.2.2: only a client that has offered it may be told.
  if (clientWindowBits < MOST_BITS) answer.push(`client_max_window_bits=${clientWindowBits}`);
  return { answer: answer.join('; '), serverWindowBits, clientWindowBits, takesOver };
}

function clientBitsOf({ clientBits }: Offer, settings: DeflateSettings): number {
  if (clientBits === undefined) return MOST_BITS;
  return Math.min(clientBits === 'asks' ? MOST_BITS : clientBits, settings.clientWindowBits);
}

/** Undefined for another extension, and for an offer that must be declined. */
function readOffer(item: string): Offer | undefined {
  const [name, ...list] = item.split(';').map((part) => trimmed(part));
  if (name !== NAME) return undefined;
  const parameters = readParameters(list);
  if (parameters === undefined) return undefined;
  const serverBits = parameters.get('server_max_window_bits');
  const clientBits = parameters.get('client_max_window_bits');
  return {
    serverNoTakeover: parameters.has('server_no_context_takeover'),
    serverBits: serverBits === undefined ? undefined : Number(serverBits),
    clientBits: clientBits === undefined ? undefined : clientBits === '' ? 'asks' : Number(clientBits),
  };
}

/** 8 to 15, "a decimal integer value without leading zeroes" (7.1.2). */
const BITS = /^(?:[89]|1[0-5])$/;
const NO_VALUE = /^$/;
/** What each parameter may have for a value; empty: none. */
const ALLOWED = new Map([
  ['server_no_context_takeover', NO_VALUE],
  ['client_no_context_takeover', NO_VALUE],
  ['server_max_window_bits', BITS],
  ['client_max_window_bits', /^(?:|[89]|1[0-5])$/],
]);

/** The parameters of one offer by name; undefined where one is unknown, there twice, or has a wrong value (7.1). */
function readParameters(list: readonly string[]): Map<string, string> | undefined {
  const found = new Map<string, string>();
  for (const parameter of list) {
    const equals = parameter.indexOf('=');
    const name = trimmed(equals < 0 ? parameter : parameter.slice(0, equals));
    const value = equals < 0 ? undefined : unquoted(trimmed(parameter.slice(equals + 1)));
    // An empty value is not the same as none.
    if (found.has(name) || value === '' || !ALLOWED.get(name)?.test(value ?? '')) return undefined;
    found.set(name, value ?? '');
  }
  return found;
}

/** RFC 6455 9.1: a quoted value is the token that is left when it is unquoted. */
function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value;
}
