/** The user's side of a server: its paths, and who is told of errors that are no connection's. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { InternalError, OptionError } from '../../../src/api/errors.ts';
import { readOptions } from '../../../src/api/options/options.ts';
import { Dispatcher } from '../../../src/api/server/dispatcher.ts';
import { ManualClock } from '../../../src/io/time/manual-clock.ts';
import { Ticker } from '../../../src/io/time/ticker.ts';
import type { ServerActor } from '../../../src/machines/server-machine.ts';

afterEach(() => void vi.restoreAllMocks());

const SERVER = { name: 'the server' };
const settings = readOptions({ port: 0, clock: new ManualClock({ epochMs: 1000 }) });
const core = {
  ticker: new Ticker(settings.clock),
  actor: {} as ServerActor, // only a link to an engine asks for it
  handlerWarning: 30_000,
  handlerBegan: vi.fn(() => 7),
  handlerEnded: vi.fn(),
};
const make = (defaults = {}) => {
  const dispatcher = new Dispatcher(settings, defaults, SERVER);
  dispatcher.begin(core);
  return dispatcher;
};

describe('paths', () => {
  test('one for each pattern; new handlers take the place of those of the same name', () => {
    const dispatcher = make({ onOpen: () => 'default' });
    const [first, second] = [() => 1, () => 2];
    const path = dispatcher.path('/rooms/:room', { onMessage: first });
    expect(dispatcher.path('/rooms/:room', { onMessage: second })).toBe(path);
    expect(path.handlers.onMessage).toBe(second);
    expect(path.handlers.onOpen?.(undefined as never)).toBe('default');
    expect(dispatcher.match('/rooms/red')).toMatchObject({ route: path, params: { room: 'red' } });
    expect(dispatcher.match('/elsewhere')).toBeUndefined();
  });

  test('a wrong pattern or handler throws, and nothing is found there', () => {
    const dispatcher = make();
    expect(() => dispatcher.path('room', {})).toThrow(OptionError);
    expect(() => dispatcher.path('/room', { onMessage: 1 as never })).toThrow(OptionError);
    expect(dispatcher.match('/room')).toBeUndefined();
  });
});

describe('errors', () => {
  test('go to errors$ of the server, with no connection', () => {
    const dispatcher = make();
    const heard: unknown[] = [];
    dispatcher.streams.errors.observable.subscribe((failure) => heard.push(failure));
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const error = new Error('port lost');
    dispatcher.failed(error);
    expect(heard).toEqual([{ connection: undefined, error }]);
    expect(emitWarning).not.toHaveBeenCalled();
  });

  test('that nobody listens to are a warning', () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    make().failed(new Error('port lost'));
    const warning = { name: 'PortalWarning', message: expect.stringContaining('port lost') };
    expect(emitWarning.mock.calls).toEqual([[expect.objectContaining(warning)]]);
  });

  test('of a part of this library are internal ones, with their cause', () => {
    const dispatcher = make();
    const heard: unknown[] = [];
    dispatcher.streams.errors.observable.subscribe(({ error }) => heard.push(error));
    const cause = new TypeError('a transport');
    dispatcher.broke(cause);
    expect(heard).toEqual([expect.any(InternalError)]);
    expect(heard).toMatchObject([{ cause }]);
  });

  test('of a subscriber go to the connection that it was given, and else to errors$', () => {
    const dispatcher = make();
    const heard: unknown[] = [];
    dispatcher.streams.errors.observable.subscribe(({ error }) => heard.push(error));
    const failed = vi.fn((_: unknown) => true);
    const error = new Error('subscriber');
    dispatcher.streams.connections.observable.subscribe(() => {
      throw error;
    });
    dispatcher.streams.connections.next({ failed } as never);
    expect([failed.mock.calls, heard]).toEqual([[[error]], []]);
    // That connection has ended, and nobody else was told.
    failed.mockReturnValue(false);
    dispatcher.streams.connections.next({ failed } as never);
    expect(heard).toEqual([error]);
  });
});

test('a change of state is published where somebody listens, with the error that led to it', () => {
  const dispatcher = make();
  const heard: unknown[] = [];
  const hear = (message: unknown) => heard.push(message);
  dispatcher.changed('starting', 'failed', undefined);
  for (const name of ['listening', 'failed']) subscribe(`portal-ws.server.${name}`, hear);
  const error = new Error('in use');
  dispatcher.changed('starting', 'listening', undefined);
  dispatcher.changed('starting', 'failed', error);
  dispatcher.changed('listening', 'draining', undefined);
  for (const name of ['listening', 'failed']) unsubscribe(`portal-ws.server.${name}`, hear);
  expect(heard).toEqual([
    { server: SERVER, from: 'starting', to: 'listening', at: 1000 },
    { server: SERVER, from: 'starting', to: 'failed', at: 1000, error },
  ]);
});

test('pending handlers are counted where the server says', () => {
  expect(make().handlers).toBe(core);
});

test('the open connections are those that came and have not left', () => {
  const dispatcher = make();
  const [a, b] = [{ id: 1 }, { id: 2 }] as never[];
  if (a === undefined || b === undefined) return;
  dispatcher.opened(a);
  dispatcher.opened(b);
  dispatcher.left(a);
  expect([...dispatcher.open]).toEqual([b]);
});
