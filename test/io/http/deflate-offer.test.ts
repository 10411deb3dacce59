// RFC 7692 7.1: what is agreed on, for every parameter that a client may offer.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeflateSettings } from '../../../src/io/extensions/deflate.ts';
import { agreeOnDeflate } from '../../../src/io/http/deflate-offer.ts';
import { SETTINGS } from '../../support/deflate-peer.ts';

const NAME = 'permessage-deflate';
const NEITHER = `${NAME}; server_no_context_takeover; client_no_context_takeover`;
const CONTEXTS: Partial<DeflateSettings> = { mode: 'contexts' };
const terms = (offer: string, settings: Partial<DeflateSettings> = {}) =>
  agreeOnDeflate(offer, { ...SETTINGS, ...settings });
const answer = (offer: string, settings: Partial<DeflateSettings> = {}) => terms(offer, settings)?.answer;

describe('context takeover', () => {
  test.each([
    [NAME, {}, NEITHER],
    [`${NAME}; server_no_context_takeover`, {}, NEITHER],
    [`${NAME}; client_no_context_takeover`, {}, NEITHER],
    [NAME, CONTEXTS, `${NAME}; client_no_context_takeover`],
    [`${NAME}; client_no_context_takeover`, CONTEXTS, `${NAME}; client_no_context_takeover`],
    [`${NAME}; server_no_context_takeover`, CONTEXTS, NEITHER],
  ])('%s with %j is answered by %s', (offer, settings, wanted) => {
    const agreed = terms(offer, settings);
    expect(agreed?.answer).toBe(wanted);
    expect(agreed?.takesOver).toBe(!wanted.includes('server_no'));
  });
});

describe('windows', () => {
  test.each([
    // What the client says about ours; ours may be smaller, and the answer has it only if the offer had it (7.1.2.1).
    [`${NAME}; server_max_window_bits=10`, {}, `${NEITHER}; server_max_window_bits=10`, 10, 15],
    [`${NAME}; server_max_window_bits=8`, {}, `${NEITHER}; server_max_window_bits=8`, 8, 15],
    [
      `${NAME}; server_max_window_bits=15`,
      { serverWindowBits: 12 },
      `${NEITHER}; server_max_window_bits=12`,
      12,
      15,
    ],
    [NAME, { serverWindowBits: 12 }, NEITHER, 12, 15],
    // What it says about its own: told only where it was offered, and only where that says something (7.1.2.2).
    [`${NAME}; client_max_window_bits`, {}, NEITHER, 15, 15],
    [
      `${NAME}; client_max_window_bits`,
      { clientWindowBits: 10 },
      `${NEITHER}; client_max_window_bits=10`,
      15,
      10,
    ],
    [
      `${NAME}; client_max_window_bits=9`,
      { clientWindowBits: 10 },
      `${NEITHER}; client_max_window_bits=9`,
      15,
      9,
    ],
    [`${NAME}; client_max_window_bits=15`, {}, NEITHER, 15, 15],
    [NAME, { clientWindowBits: 10 }, NEITHER, 15, 15],
    [
      `${NAME}; client_max_window_bits=8; server_max_window_bits=9`,
      {},
      `${NEITHER}; server_max_window_bits=9; client_max_window_bits=8`,
      9,
      8,
    ],
  ])('%s with %j is answered by %s', (offer, settings, wanted, serverWindowBits, clientWindowBits) => {
    expect(terms(offer, settings)).toEqual({
      answer: wanted,
      serverWindowBits,
      clientWindowBits,
      takesOver: false,
    });
  });

  test('values may be quoted, with backslashes, and blanks do not count (RFC 6455 9.1)', () => {
    const wanted = `${NEITHER}; server_max_window_bits=10`;
    expect(answer(`${NAME};server_max_window_bits="10"`)).toBe(wanted);
    expect(answer(`${NAME} ;\tserver_max_window_bits = "\\1\\0"`)).toBe(wanted);
  });
});

describe('an offer that must be declined, and the next one', () => {
  const wrong = [
    'server_no_context_takeover=1',
    'client_no_context_takeover="1"',
    'server_max_window_bits',
    ...['7', '16', '08', '010', '+9', '9.0', 'x', '150', '""'].flatMap((value) => [
      `server_max_window_bits=${value}`,
      `client_max_window_bits=${value}`,
    ]),
    'unknown',
    'unknown=1',
    'Server_no_context_takeover',
    'server_no_context_takeover; server_no_context_takeover',
    'client_max_window_bits; client_max_window_bits=9',
    'server_max_window_bits=9; server_max_window_bits=9',
  ];
  test.each(wrong)('%s', (parameters) => {
    expect(answer(`${NAME}; ${parameters}`)).toBeUndefined();
    expect(answer(`${NAME}; ${parameters}, ${NAME}; server_max_window_bits=9`)).toBe(
      `${NEITHER}; server_max_window_bits=9`,
    );
  });

  test('the first offer that can be accepted counts, whatever other extensions there are', () => {
    expect(answer('')).toBeUndefined();
    expect(answer('x-webkit-deflate-frame, permessage-bzip2; level=9')).toBeUndefined();
    expect(answer(`permessage-bzip2, ${NAME}; server_max_window_bits=9, ${NAME}`)).toBe(
      `${NEITHER}; server_max_window_bits=9`,
    );
  });
});

test('what is agreed on was offered, and is a valid answer, for any offer', () => {
  const parameter = fc.constantFrom(
    ...['server_no_context_takeover', 'client_no_context_takeover', 'client_max_window_bits', 'other'],
    ...[8, 9, 12, 15, 16].flatMap((bits) => [
      `server_max_window_bits=${bits}`,
      `client_max_window_bits=${bits}`,
    ]),
  );
  const offers = fc.array(fc.array(parameter, { maxLength: 4 }), { maxLength: 3 });
  const settings = fc.record({
    mode: fc.constantFrom('shared' as const, 'contexts' as const),
    serverWindowBits: fc.integer({ min: 8, max: 15 }),
    clientWindowBits: fc.integer({ min: 8, max: 15 }),
  });
  fc.assert(
    fc.property(offers, settings, (lists, given) => {
      const agreed = terms(lists.map((list) => [NAME, ...list].join('; ')).join(', '), given);
      if (agreed === undefined) return;
      // An answer is itself an offer that would be accepted.
      expect(terms(agreed.answer, given)).toBeDefined();
      expect(agreed.serverWindowBits).toBeLessThanOrEqual(given.serverWindowBits);
      const has = (name: string) => lists.some((list) => list.some((each) => each.startsWith(name)));
      if (agreed.answer.includes('client_max_window_bits')) expect(has('client_max_window_bits')).toBe(true);
      if (agreed.answer.includes('server_max_window_bits')) expect(has('server_max_window_bits')).toBe(true);
      if (!given.mode.startsWith('contexts')) expect(agreed.takesOver).toBe(false);
    }),
  );
});
