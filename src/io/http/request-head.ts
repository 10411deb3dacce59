/**
 * The head of a request: method, target and header fields, checked (RFC 9112 3 and 5, RFC 9110 5 and 7.2).
 *
 * It is made in two ways, under the same laws: by `RequestHeadParser` from the bytes of HTTP/1.x, or by `headFromParts`
 * from what another parser has read, such as Node's `http` or `http2`.
 *
 * A head stays in memory as long as its connection is open, so it keeps flat strings and nothing that it can work out
 * again; none of the strings shares memory with a chunk.
 */
import { type Fault, fault } from '../faults.ts';
import { rememberingLast } from '../values.ts';
import { isFieldValue, isHost, isToken, trimmed } from './grammar.ts';

/** Longest method, in characters. The longest registered one has 17 (RFC 9110 16.1.1). */
export const LONGEST_METHOD = 32;

/** What a request head is made of, as Node's `IncomingMessage` and `Http2ServerRequest` have it. */
export interface HeadParts {
  readonly method: string;
  /** The request target (`url` in Node), in HTTP/2 `:path`. */
  readonly target: string;
  /** `'1.0'`, `'1.1'`, `'2.0'` ... */
  readonly httpVersion: string;
  /** Names and values in turn, duplicates kept. In HTTP/2 with the pseudo-headers. */
  readonly rawHeaders: readonly string[];
}

/** A request head that was found valid. Immutable; strings are latin1, one character per byte. */
export class RequestHead {
  /** As sent; methods are case-sensitive (RFC 9110 9.1). */
  readonly method: string;
  /** The request target as sent, in origin-form or absolute-form (RFC 9112 3.2). */
  readonly target: string;
  /** `'1.0'`, `'1.1'` ..., `'2.0'`. */
  readonly httpVersion: string;
  /** The pseudo-header `:protocol` of an extended CONNECT (RFC 8441 4); undefined in HTTP/1.x. */
  readonly protocol: string | undefined;
  /** Where the path begins in `target`: 0 in origin-form. */
  readonly #pathStart: number;
  /** The header lines, each with its CR LF. */
  readonly #fields: string;

  /** For the parser and `headFromParts`: nothing is checked here. */
  constructor(method: string, target: string, fields: string, httpVersion = '1.1', protocol?: string) {
    this.method = method === 'GET' ? 'GET' : method; // one string for all connections
    this.target = target;
    this.httpVersion = httpVersion === '1.1' ? '1.1' : httpVersion;
    this.protocol = protocol;
    this.#pathStart = target.startsWith('/') ? 0 : (ABSOLUTE_FORM.exec(target)?.[0].length ?? 0);
    this.#fields = fields;
  }

  /** Bytes that its texts take up in memory: about as many as came. */
  get heldBytes(): number {
    return this.target.length + this.#fields.length;
  }

  /** The path, before any `?`, without percent-decoding; it begins with `/`. */
  get path(): string {
    const mark = this.target.indexOf('?', this.#pathStart);
    return this.target.slice(this.#pathStart, mark === -1 ? undefined : mark) || '/';
  }

  /** What stands after the first `?`, without decoding; empty if there is none. */
  get query(): string {
    const mark = this.target.indexOf('?', this.#pathStart);
    return mark === -1 ? '' : this.target.slice(mark + 1);
  }

  /**
   * Host and port that the client asked for; empty for an HTTP/1.0 request without Host. An absolute-form target
   * overrules the Host header (RFC 9112 3.2.2).
   */
  get host(): string {
    if (this.#pathStart === 0) return this.header('host') ?? '';
    return this.target.slice(this.target.indexOf('//') + 2, this.#pathStart);
  }

  /**
   * All headers: a frozen object without a prototype, names in lower case, values as sent without the whitespace
   * around them, duplicates joined by `, ` (RFC 9110 5.3), those of `cookie` by `; ` (RFC 6265 5.4).
   * It is made anew at each use, since few handlers look at it: keep it to look twice, or ask for one `header(name)`.
   */
  get headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = Object.create(null);
    eachField(this.#fields, (name, value) => {
      headers[name] = joined(name, headers[name], value);
    });
    return Object.freeze(headers);
  }

  /** One header by its name, in any case; duplicates joined as in `headers`. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const list = namesAndValues(this.#fields);
    let found: string | undefined;
    for (let at = 0; at < list.length; at += 2) {
      if (list[at] === wanted) found = joined(wanted, found, list[at + 1] as string);
    }
    return found;
  }
}

/**
 * A head from parts that were parsed elsewhere, with the checks that the parser makes: method, target, names and values,
 * Host, no body. Sizes were limited by whoever parsed them. In HTTP/2, `:authority` stands for Host (RFC 9113 8.3.1).
 */
export function headFromParts(parts: HeadParts): RequestHead | { readonly fault: Fault } {
  const { method, target, httpVersion, rawHeaders } = parts;
  if (!isToken(method)) return { fault: fault('badMethod') };
  if (method.length > LONGEST_METHOD) return { fault: fault('longMethod') };
  if (!/^[!$-;=?-~]+$/.test(target)) return { fault: fault('badTarget') };
  if (!/^[1-3]\.\d$/.test(httpVersion)) return { fault: fault('wrongVersion') };
  let authority: string | undefined;
  let protocol: string | undefined;
  let fields = '';
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at] as string, rawHeaders[at + 1] as string];
    if (!isFieldValue(value)) return { fault: fault('headerValue') };
    if (isToken(name)) fields += `${name}:${value}\r\n`;
    else if (httpVersion < '2' || !name.startsWith(':')) return { fault: fault('headerName') };
    else if (name === ':authority') authority = value;
    else if (name === ':protocol') protocol = value;
  }
  // A Host beside it must say the same, or the request is malformed (RFC 9113 8.3.1): both then count.
  if (authority !== undefined && !isHostIn(fields, authority)) fields = `host:${authority}\r\n${fields}`;
  const wrong = faultInHead(method, target, fields, httpVersion);
  return wrong === undefined
    ? new RequestHead(method, target, fields, httpVersion, protocol)
    : { fault: wrong };
}

function isHostIn(fields: string, authority: string): boolean {
  return new RequestHead('', '/', fields).header('host')?.toLowerCase() === authority.toLowerCase();
}

/** The laws that need the whole head. `fields` are lines whose syntax is right. */
export function faultInHead(
  method: string,
  target: string,
  fields: string,
  httpVersion: string,
): Fault | undefined {
  return faultInTarget(target) ?? faultInFields(method, fields, httpVersion);
}

function joined(name: string, before: string | undefined, value: string): string {
  return before === undefined ? value : before + (name === 'cookie' ? '; ' : ', ') + value;
}

/** Calls `visit` with each header's name, in lower case, and its trimmed value. */
function eachField(fields: string, visit: (name: string, value: string) => void): void {
  const list = namesAndValues(fields);
  for (let at = 0; at < list.length; at += 2) visit(list[at] as string, list[at + 1] as string);
}

/** In turn. The last list is kept, since a handshake asks for it several times. */
const namesAndValues = rememberingLast((fields: string): readonly string[] => {
  const list: string[] = [];
  for (let at = 0; at < fields.length; ) {
    const colon = fields.indexOf(':', at);
    const end = fields.indexOf('\r\n', colon);
    list.push(fields.slice(at, colon).toLowerCase(), trimmed(fields, colon + 1, end));
    at = end + 2;
  }
  return list;
});

/** Scheme and authority of an absolute-form target (RFC 9112 3.2.2); RFC 6455 4.1 names http and https. */
const ABSOLUTE_FORM = /^(?:http|ws)s?:\/\/([^/?]*)/i;

/** RFC 9112 3.2: `*` and authority-form are for OPTIONS and CONNECT, and name nothing that can be opened here. */
function faultInTarget(target: string): Fault | undefined {
  if (target.startsWith('/')) return undefined;
  const authority = ABSOLUTE_FORM.exec(target)?.[1];
  return authority !== undefined && isHost(authority) ? undefined : fault('targetForm');
}

function faultInFields(method: string, fields: string, httpVersion: string): Fault | undefined {
  const takesNoBody = method === 'GET' || method === 'HEAD';
  let hosts = 0;
  let found: Fault | undefined;
  eachField(fields, (name, value) => {
    if (name === 'host') {
      hosts += 1;
      if (!isHost(value)) found ??= fault('badHost');
    } else if (
      takesNoBody &&
      (name === 'transfer-encoding' || (name === 'content-length' && !/^0+$/.test(value)))
    ) {
      // WebSocket frames follow the head. If a proxy took them for a body, requests could be smuggled in it.
      found ??= fault('requestBody', { method });
    }
  });
  // RFC 9112 3.2: 400 for a request that has more than one Host, or none where HTTP/1.1 or later asks for it.
  if (hosts > 1 || (hosts === 0 && httpVersion !== '1.0')) found ??= fault('hostCount', { count: hosts });
  return found;
}
