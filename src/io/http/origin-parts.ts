/**
 * An origin taken apart: scheme, host and port (RFC 6454 4 and 7.1).
 */

export interface OriginParts {
  /** With its colon. */
  readonly protocol: string;
  readonly hostname: string;
  /** Empty for the scheme's default. */
  readonly port: string;
}

/** `scheme "://" host [ ":" port ]` and nothing more, as browsers send it; only `file://` has an empty host. */
export function parseOrigin(text: string): OriginParts | undefined {
  const url = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s\p{Cc}]*$/iu.test(text) ? urlOf(text) : undefined;
  if (url === undefined || (url.hostname === '' && text.toLowerCase() !== 'file://')) return undefined;
  return { protocol: url.protocol, hostname: url.hostname.toLowerCase(), port: url.port };
}

/** Not by `URL.canParse` first, which would parse each origin twice. */
function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/**
 * The same for what programs send: a path after the origin does not count, and a WebSocket scheme stands for the HTTP
 * scheme of the page (ws for http, wss for https).
 */
export function readOrigin(text: string): OriginParts | undefined {
  const withoutPath = /^[^:/]+:\/\/[^/]*/.exec(text)?.[0] ?? text;
  const parts = parseOrigin(withoutPath);
  if (parts === undefined || !isWebSocketScheme(parts)) return parts;
  return { ...parts, protocol: parts.protocol === 'ws:' ? 'http:' : 'https:' };
}

export function isWebSocketScheme({ protocol }: OriginParts): boolean {
  return protocol === 'ws:' || protocol === 'wss:';
}

/** As browsers write it. */
export function serialised({ protocol, hostname, port }: OriginParts): string {
  return `${protocol}//${hostname}${port === '' ? '' : `:${port}`}`;
}
