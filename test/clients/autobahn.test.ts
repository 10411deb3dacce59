// Sections 12 and 13 of the Autobahn test suite against examples/echo.mjs, in both modes. `npm test` sends a few messages for
// each case, `npm run check` more, and `PORTAL_TIMES=3000` as many as Autobahn does.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../support/raw-client.ts';
import { TIMES } from '../support/times.ts';
import { COUNT, converse, SECTIONS, type Section, SIZES } from './autobahn.ts';
import { type Program, start } from './example.ts';

const IS_SHORT = TIMES === 1;
/** Bytes of all messages of one case, about. */
const CASE_BYTES = 50_000 * TIMES;
const countOf = (size: number): number =>
  Math.max(2, Math.min(COUNT, IS_SHORT ? 3 : 30 * TIMES, Math.ceil(CASE_BYTES / size)));
/** In `npm test` each section takes other ones, so that all sections together take each size. */
const sizesOf = (section: Section) =>
  SIZES.filter((_, i) => !IS_SHORT || i % 9 === SECTIONS.indexOf(section) % 9);

const ANSWERS: Record<string, Record<string, string>> = {
  '1': {
    '13.3': '; server_max_window_bits=9',
    '13.4': '; server_max_window_bits=15',
    '13.5': '; server_max_window_bits=9',
    '13.6': '; server_max_window_bits=15',
    '13.7': '; server_max_window_bits=9',
    '13.8': '; server_max_window_bits=8',
    '13.9': '; server_max_window_bits=8',
    '13.10': '; client_max_window_bits=9',
  },
  contexts: {
    '13.3': '; server_max_window_bits=9',
    '13.4': '; server_max_window_bits=12',
    '13.5': '; server_max_window_bits=9',
    '13.6': '; server_max_window_bits=12',
    '13.7': '; server_max_window_bits=9',
    '13.8': '; server_max_window_bits=8',
    '13.9': '; server_max_window_bits=8',
    '13.10': '; client_max_window_bits=9',
  },
};

describe.each(['1', 'contexts'])('Autobahn’s cases, DEFLATE=%s', (DEFLATE) => {
  let echo: Program;

  beforeAll(async () => {
    echo = await start('examples/echo.mjs', { DEFLATE });
  });
  afterEach(() => RawClient.destroyAll());
  afterAll(async () => {
    await echo?.stop();
  });

  test.each(SECTIONS)('$name: $source, $offer', async (section) => {
    const port = Number(new URL(echo.url).port);
    const forgets = DEFLATE === '1' || section.offer.split(',')[0]?.includes('server_no_context_takeover');
    const takeover = `${forgets ? 'server_no_context_takeover; ' : ''}client_no_context_takeover`;
    const answer = `permessage-deflate; ${takeover}${ANSWERS[DEFLATE]?.[section.name] ?? ''}`;
    const talks = sizesOf(section).map((size) => converse(port, section, size, countOf(size[0])));
    expect(new Set(await Promise.all(talks))).toEqual(new Set([answer]));
  });
});
