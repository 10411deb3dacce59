// Chromium, headless, with a profile of its own that is deleted with it.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { PATIENCE_MS } from '../support/patience.ts';

const places = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'];

export const executable = places.find((place) => place !== '' && existsSync(place));

/** What to append to the name of a suite that needs Chromium. */
export const skipped = executable ? '' : ' (skipped: Chromium is not installed)';

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type Browser = { context: BrowserContext; close(): Promise<void> };

/** `more`: further flags of the command line. */
export async function launchBrowser(more: readonly string[] = []): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'portal-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    headless: true,
    args: [...args, ...more],
    timeout: PATIENCE_MS,
    ...(executable && { executablePath: executable }),
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { context, close };
}
