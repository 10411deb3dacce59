/**
 * Checks that several options share.
 */
import { OptionError } from '../errors.ts';

/** The error of an option whose value is not to be shown, or is not what is wrong. `why` ends the message. */
export function refusal(name: string, allowed: string, why = ''): OptionError {
  return new OptionError(
    name,
    undefined,
    allowed,
    `option ${name}: allowed is ${allowed}${why && `; ${why}`}`,
  );
}

/** What a value is, where it is too long to be shown or holds a secret: `null`, `a Socket`, `of type string`. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  const name = typeof value === 'object' ? value.constructor?.name : undefined;
  return name && name !== 'Object' ? `a ${name}` : `of type ${typeof value}`;
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws OptionError for a value that is none of these. */
export function oneOf<Value extends string>(name: string, value: Value, values: readonly Value[]): Value {
  if (values.includes(value)) return value;
  throw new OptionError(name, value, values.map((allowed) => `'${allowed}'`).join(' or '));
}

/** @throws OptionError for anything but a boolean; undefined is the default. */
export function readBoolean(name: string, value: boolean | undefined, byDefault: boolean): boolean {
  if (value === undefined) return byDefault;
  if (typeof value === 'boolean') return value;
  throw new OptionError(name, value, 'true or false');
}

/**
 * The names that `options` has must be among `names`. `where` says whose they are, and is empty for those of the server;
 * `known` ends the message, such as "it has a, b".
 * @throws OptionError for the first that is not.
 */
export function checkNames(options: object, names: readonly string[], where: string, known: string): void {
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const [full, owner] = where === '' ? [unknown, ''] : [`${where}.${unknown}`, ` in ${where}`];
  throw new OptionError(full, undefined, names.join(', '), `there is no option ${unknown}${owner}; ${known}`);
}
