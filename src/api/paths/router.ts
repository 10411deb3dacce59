/**
 * Which path of a server a request is for. For each segment, an exact match is tried first, then a parameter, then `*`. The
 * time is linear in the length of the request's path, unless patterns share a prefix with parameters.
 */
import { OptionError } from '../errors.ts';

/** What stands for `:name` in the pattern of a path, by name. */
export type Params = Readonly<Record<string, string>>;
export interface Match<T> {
  readonly route: T;
  readonly params: Params;
}

/** The names of a pattern's parameters, for typing `connection.params`. */
export type ParamsOf<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string>>
  : { readonly [Name in NamesIn<Pattern, '/'>]: string };
/** The names of the parameters of a pattern whose segments this separates. */
export type NamesIn<
  Pattern extends string,
  Separator extends string,
> = Pattern extends `${infer Head}${Separator}${infer Tail}`
  ? NamesIn<Head, Separator> | NamesIn<Tail, Separator>
  : Pattern extends `:${infer Name}`
    ? Name
    : Pattern extends '*'
      ? '*'
      : never;

interface Node<T> {
  readonly exact: Map<string, Node<T>>;
  parameter: Node<T> | undefined;
  /** The route of a pattern that ends here, with the names of its parameters in order. */
  leaf: { route: T; names: readonly string[] } | undefined;
  /** The route of a `*` here, which matches one segment or more. */
  rest: { route: T; names: readonly string[] } | undefined;
}

const newNode = <T>(): Node<T> => ({
  exact: new Map(),
  parameter: undefined,
  leaf: undefined,
  rest: undefined,
});

/** Request paths with more segments than this match nothing. */
const MAX_SEGMENTS = 256;

export class Router<T> {
  readonly #root: Node<T> = newNode();

  /**
   * Adds a pattern: `/echo`, `/prices/:symbol`, `/files/*`, or `*` for every path.
   * @throws OptionError when the pattern is malformed, or matches exactly the paths of another one.
   */
  add(pattern: string, route: T): void {
    this.addSegments(pattern, checkPattern(pattern), route, 'paths');
  }

  /** Adds a pattern that was split. @throws OptionError, naming `option`, when it equals another one. */
  addSegments(pattern: string, segments: readonly string[], route: T, option: string): void {
    const names: string[] = [];
    let node = this.#root;
    for (const segment of segments) {
      if (segment === '*') {
        if (node.rest !== undefined) throw new OptionError(option, pattern, 'a pattern that no other equals');
        node.rest = { route, names: [...names, '*'] };
        return;
      }
      if (segment.startsWith(':')) {
        names.push(segment.slice(1));
        node = node.parameter ??= newNode();
      } else {
        let next = node.exact.get(segment);
        if (next === undefined) {
          next = newNode();
          node.exact.set(segment, next);
        }
        node = next;
      }
    }
    if (node.leaf !== undefined) throw new OptionError(option, pattern, 'a pattern that no other equals');
    node.leaf = { route, names };
  }

  /** The route for a request's path, percent-encoded as sent; undefined when none matches. */
  match(path: string): Match<T> | undefined {
    const segments = path.split('/', MAX_SEGMENTS + 2).slice(1);
    if (segments.length > MAX_SEGMENTS) return undefined;
    const decoded: string[] = [];
    for (const segment of segments) {
      const text = decode(segment);
      if (text === undefined) return undefined;
      decoded.push(text);
    }
    return this.matchSegments(decoded, '/');
  }

  /** The same for what was split at `separator`, which `*` puts back. */
  matchSegments(segments: readonly string[], separator: string): Match<T> | undefined {
    return find(this.#root, segments, separator, 0, []);
  }
}

function find<T>(
  node: Node<T>,
  segments: readonly string[],
  separator: string,
  at: number,
  values: string[],
): Match<T> | undefined {
  if (at === segments.length) {
    return node.leaf && { route: node.leaf.route, params: toParams(node.leaf.names, values) };
  }
  const segment = segments[at] as string; // at < length
  const exact = node.exact.get(segment);
  const found =
    (exact && find(exact, segments, separator, at + 1, values)) ??
    (node.parameter && segment !== ''
      ? find(node.parameter, segments, separator, at + 1, [...values, segment])
      : undefined);
  if (found !== undefined) return found;
  if (node.rest === undefined) return undefined;
  const rest = segments.slice(at).join(separator);
  return { route: node.rest.route, params: toParams(node.rest.names, [...values, rest]) };
}

const NO_PARAMS: Params = Object.freeze(Object.create(null));

function toParams(names: readonly string[], values: readonly string[]): Params {
  if (names.length === 0) return NO_PARAMS;
  const params: Record<string, string> = Object.create(null);
  for (let i = 0; i < names.length; i++) params[names[i] as string] = values[i] as string;
  return Object.freeze(params);
}

function decode(segment: string): string | undefined {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function checkPattern(pattern: string): string[] {
  const allowed = '"*", or segments each led by "/": plain text, ":name", or a last "*"';
  if (pattern === '*') return ['*'];
  if (typeof pattern !== 'string' || !pattern.startsWith('/') || /[?#\s]/.test(pattern)) {
    throw new OptionError('paths', pattern, allowed);
  }
  const segments = pattern.split('/').slice(1);
  if (!areSegments(segments)) throw new OptionError('paths', pattern, allowed);
  return segments.map((segment) => decode(segment) ?? segment);
}

/** Each is plain text or `:name`, names differ, and `*` is the last. */
export function areSegments(segments: readonly string[]): boolean {
  const names = new Set<string>();
  return segments.every((segment, index) => {
    if (segment.includes('*')) return segment === '*' && index === segments.length - 1;
    if (!segment.startsWith(':')) return true;
    const name = segment.slice(1);
    const isNew = /^\w+$/.test(name) && !names.has(name);
    names.add(name);
    return isNew;
  });
}
