/** Who is there, and what has changed since it was last asked. */
import { expect, test } from 'vitest';
import { Presence } from '../../src/topics/presence.ts';

const entries = (change: ReturnType<Presence['take']>) =>
  change && { joined: Object.fromEntries(change.joined), left: Object.fromEntries(change.left) };

test('who came and who went, once', () => {
  const presence = new Presence();
  presence.show('a', 'Ada', true);
  expect(presence.hasChanged).toBe(true);
  expect(entries(presence.take())).toEqual({ joined: { a: 'Ada' }, left: {} });
  expect(presence.hasChanged).toBe(false);
  expect(presence.take()).toBeUndefined();
  presence.hide('a', true);
  expect(entries(presence.take())).toEqual({ joined: {}, left: { a: 'Ada' } });
  expect([...presence.present]).toEqual([]);
});

test('who comes and goes in between was never there', () => {
  const presence = new Presence();
  presence.show('a', 1, true);
  presence.hide('a', true);
  expect(presence.take()).toBeUndefined();
});

test('who goes and comes back with the same was always there; with something else shows that now', () => {
  const presence = new Presence();
  presence.show('a', 1, false);
  presence.hide('a', true);
  presence.show('a', 1, true);
  expect(presence.take()).toBeUndefined();
  presence.hide('a', true);
  presence.show('a', 2, true);
  expect(entries(presence.take())).toEqual({ joined: { a: 2 }, left: {} });
});

test('undefined is something to show', () => {
  const presence = new Presence();
  presence.show('a', undefined, true);
  expect(entries(presence.take())).toEqual({ joined: { a: undefined }, left: {} });
  expect(presence.present.has('a')).toBe(true);
});

test('while nobody looks on, no changes are kept', () => {
  const presence = new Presence();
  presence.show('a', 1, false);
  presence.hide('a', false);
  presence.show('b', 2, false);
  expect(presence.hasChanged).toBe(false);
  expect([...presence.present]).toEqual([['b', 2]]);
});
