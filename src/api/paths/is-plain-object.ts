/**
 * Whether a value is an object as `{}` makes it, of whatever realm, and no Array, Map, Error, Response or other class.
 */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  // Of another realm, too, the prototype of plain objects is the one that has none itself.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'hasOwnProperty');
}
