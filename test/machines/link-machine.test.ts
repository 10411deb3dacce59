// The shape of the link machine. What it does at each event is walked by the model-based tests in test/model.

import { expect, test } from 'vitest';
import { createActor } from 'xstate';
import { linkMachine } from '../../src/machines/link-machine.ts';
import { RecordingLinkPort } from '../support/recording-port.ts';

test('its states are those that users see, and it begins down', () => {
  expect(Object.keys(linkMachine.states)).toEqual(['down', 'connecting', 'up', 'waiting']);
  expect(linkMachine.config.initial).toBe('down');
});

test('is plain data but for the context: nothing is lost in JSON', () => {
  const { context, ...rest } = linkMachine.config;
  expect(typeof context).toBe('function');
  expect(JSON.parse(JSON.stringify(rest))).toEqual(rest);
});

test('waits longer after each failure in a row, counted from the last time that it was up', () => {
  const port = new RecordingLinkPort();
  const link = createActor(linkMachine, { input: { port } });
  link.start();
  const failed = { type: 'engine.failed', error: new Error('refused') } as const;
  const retry = { type: 'timeout.retry' } as const;
  link.send({ type: 'link.start' });
  for (const event of [failed, retry, failed, retry, { type: 'engine.up' } as const, failed])
    link.send(event);
  expect(port.takeCalls().filter((call) => call.startsWith('wait'))).toEqual(['wait 1', 'wait 2', 'wait 1']);
});

test('a persisted snapshot shows its port', () => {
  const link = createActor(linkMachine, { input: { port: new RecordingLinkPort() } });
  expect(link.getPersistedSnapshot()).toMatchObject({
    value: { down: 'idle' },
    context: { port: { name: 'nats' } },
  });
});
