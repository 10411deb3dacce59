// What the tests of the inspector share: a served echo, an inspector beside it, and the messages of a receiver.

import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach } from 'vitest';
import type { Handlers, ServerOptions } from '../../src/index.ts';
import { type InspectOptions, type Inspector, inspect } from '../../src/inspect/index.ts';
import { serve, until } from '../support/serving.ts';

const inspectors: Inspector[] = [];

afterEach(async () => {
  for (const inspector of inspectors.splice(0)) await inspector.stop();
});

/** An inspector on a free port; it is stopped after the test. */
export async function watch(server: Parameters<typeof inspect>[0], options: InspectOptions = {}) {
  const inspector = await inspect(server, { port: 0, ...options });
  inspectors.push(inspector);
  return inspector;
}

/** A server whose `/echo` has these handlers, and an inspector of it. */
export async function serveWatched(
  { handlers = {}, ...inspectOptions }: InspectOptions & { handlers?: Handlers } = {},
  options: Partial<ServerOptions> = {},
) {
  const served = await serve(
    { onMessage: (connection, message) => connection.send(message), ...handlers },
    options,
  );
  return { ...served, inspector: await watch(served.server, inspectOptions) };
}

export type Heard = StatelyInspectionEvent & Record<string, unknown>;

/** The official receiver, its messages in order, and a wait for the first that fits. */
export function receive(url: string) {
  const heard: Heard[] = [];
  createWebSocketReceiver({ server: url }).subscribe((event) => heard.push(event as Heard));
  const first = async (fits: (event: Heard) => boolean): Promise<Heard> => {
    await until(() => heard.some(fits));
    return heard.find(fits) as Heard;
  };
  return { heard, first };
}

export const isSnapshot = (value: string) => (event: Heard) =>
  event.type === '@xstate.snapshot' &&
  JSON.stringify((event.snapshot as { value?: unknown }).value) === value;
