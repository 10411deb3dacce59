// Python's websockets (Debian: python3-websockets) against examples/echo.mjs.

import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PATIENCE_MS } from '../support/patience.ts';
import { binaries, many, texts } from './conversation.ts';
import { type Program, start } from './example.ts';

const python = '/usr/bin/python3';
const script = fileURLToPath(new URL('python_websockets.py', import.meta.url));
const present = spawnSync(python, ['-c', 'import websockets']).status === 0;
const skipped = present ? '' : ` (skipped: ${python} cannot import websockets)`;

const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');

describe.skipIf(!present).each(['', '1', 'contexts'])(
  `Python's websockets${skipped}, DEFLATE=%s`,
  (DEFLATE) => {
    const said = { texts: Object.values(texts), binaries: Object.values(binaries).map(hex), many };
    let echo: Program;
    let heard: Record<string, unknown>;

    beforeAll(async () => {
      echo = await start('examples/echo.mjs', { DEFLATE });
      const input = JSON.stringify(said);
      heard = JSON.parse(
        execFileSync(python, [script, echo.url], { input, encoding: 'utf8', timeout: PATIENCE_MS }),
      );
    });
    afterAll(async () => {
      await echo?.stop();
    });

    test('agrees on compression where the server does', () => {
      const takeover = `${DEFLATE === '1' ? 'server_no_context_takeover; ' : ''}client_no_context_takeover`;
      // Which windows it asks for depends on its version.
      const agreed = String(heard.extensions).replace(/; \w+_max_window_bits=\d+/g, '');
      expect(agreed).toBe(DEFLATE === '' ? 'null' : `permessage-deflate; ${takeover}`);
    });

    test('gets each text back as text, the empty one and 70,000 bytes too (RFC 6455 5.6)', () => {
      expect(heard.texts).toEqual(said.texts);
    });

    test('gets each binary message back as binary (RFC 6455 5.6)', () => {
      expect(heard.binaries).toEqual(said.binaries);
    });

    test('gets a message of three fragments back as one (RFC 6455 5.4)', () => {
      expect(heard.fragments).toBe('one two three');
    });

    test('gets many messages in a row back in their order', () => {
      expect(heard.many).toEqual(many);
    });

    test('gets its ping answered (RFC 6455 5.5.3)', () => {
      expect(heard.pong).toBe(true);
    });

    test('closes with a code and a reason, and hears that code (RFC 6455 7.1.5)', () => {
      expect(heard.close).toBe(4321);
    });
  },
);
