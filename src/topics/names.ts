/**
 * Names of topics: any text that is not too long.
 */

/** A surrogate without its other half has no UTF-8, so two such names would be one in an engine. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/** @throws RangeError for what is no name of a topic. */
export function checkTopicName(name: unknown, maxTopicLength: number): asserts name is string {
  const isName =
    typeof name === 'string' && name.length > 0 && name.length <= maxTopicLength && isWellFormed(name);
  if (isName) return;
  const allowed = `a string of 1 to ${maxTopicLength} characters (maxTopicLength), without half a surrogate pair`;
  throw new RangeError(`the name of a topic is ${shownName(name)}; allowed is ${allowed}`);
}

/** Characters of a name that an error repeats. */
const SHOWN_LENGTH = 40;

/** A name, right or wrong, as errors show it. */
export function shownName(name: unknown): string {
  if (typeof name !== 'string') return name === null ? 'null' : `of the type ${typeof name}`;
  if (name.length <= SHOWN_LENGTH) return JSON.stringify(name);
  return `${JSON.stringify(name.slice(0, SHOWN_LENGTH))}… (${name.length} characters)`;
}
