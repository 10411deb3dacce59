/** Who is told of an error, and what its `onError` decides. */
import { describe, expect, test } from 'vitest';
import { publish, report, type Scene } from '../../../src/api/connection/failures.ts';
import { Path, Streams } from '../../../src/api/paths/path.ts';
import type { Failure, Handlers } from '../../../src/index.ts';

const connection = { id: 1 } as never;
const ERROR = new Error('handler');

/** A scene that writes down who was told what: `path`, `server`, `onError`, `unheard`. */
function make({
  onError,
  isOpened = true,
  hasPath = true,
  listen = [],
}: {
  onError?: Handlers['onError'];
  isOpened?: boolean;
  hasPath?: boolean;
  listen?: ('path' | 'server')[];
} = {}) {
  const log: unknown[][] = [];
  const newStreams = () => new Streams({ subscriberFailed() {}, subscriberEnded() {} });
  const [ofPath, ofServer] = [newStreams(), newStreams()];
  const path = new Path('/', {}, ofPath, { perMessageDeflate: undefined, overflow: 'close' });
  if (onError) {
    path.handle({
      onError: (...args) => {
        log.push(['onError', ...args]);
        return onError(...args);
      },
    });
  }
  const hear = (name: string) => (failure: Failure) => log.push([name, failure.connection, failure.error]);
  if (listen.includes('path')) ofPath.errors.observable.subscribe(hear('path'));
  if (listen.includes('server')) ofServer.errors.observable.subscribe(hear('server'));
  const scene: Scene = {
    connection,
    path: hasPath ? (path as never) : undefined,
    isOpened,
    streams: ofServer,
    unheard: (error) => log.push(['unheard', error]),
  };
  return { scene, log };
}

describe('who is told', () => {
  test('errors$ of the path and of the server, then onError', () => {
    const { scene, log } = make({ listen: ['path', 'server'], onError: () => 'continue' });
    expect(report(ERROR, scene)).toBe('continue');
    expect(log).toEqual([
      ['path', connection, ERROR],
      ['server', connection, ERROR],
      ['onError', connection, ERROR],
    ]);
  });

  test.each(['path', 'server'] as const)('errors$ of the %s alone is enough', (name) => {
    const { scene, log } = make({ listen: [name] });
    expect(report(ERROR, scene)).toBe('close');
    expect(log).toEqual([[name, connection, ERROR]]);
  });

  test('onError alone is enough', () => {
    const { scene, log } = make({ onError: () => 'close' });
    report(ERROR, scene);
    expect(log).toEqual([['onError', connection, ERROR]]);
  });

  test('nobody: the error is unheard', () => {
    const { scene, log } = make();
    expect(report(ERROR, scene)).toBe('close');
    expect(log).toEqual([['unheard', ERROR]]);
  });

  test('before it is open, the connection is in nobody’s hands', () => {
    const { scene, log } = make({ isOpened: false, listen: ['server'], onError: () => 'retry' });
    expect(report(ERROR, scene)).toBe('close');
    expect(log).toEqual([['server', undefined, ERROR]]);
  });

  test('before the path is known, the server alone', () => {
    const { scene, log } = make({ hasPath: false, listen: ['path', 'server'] });
    expect(publish(ERROR, scene)).toBe(true);
    expect(log).toEqual([['server', connection, ERROR]]);
  });
});

describe('what onError decides', () => {
  test.each<[unknown, string]>([
    ['close', 'close'],
    ['continue', 'continue'],
    ['retry', 'retry'],
    [undefined, 'close'],
    ['no decision', 'close'],
    [Promise.resolve('continue'), 'close'],
  ])('%o is %s', (answer, decision) => {
    const { scene } = make({ onError: () => answer as never });
    expect(report(ERROR, scene)).toBe(decision);
  });

  const second = new Error('onError itself');
  test('what it throws is told too, to others, and the connection closes', () => {
    const { scene, log } = make({
      onError: () => {
        throw second;
      },
    });
    expect(report(ERROR, scene)).toBe('close');
    expect(log).toEqual([
      ['onError', connection, ERROR],
      ['unheard', second],
    ]);
  });

  test('what its promise rejects with is told too', async () => {
    const { scene, log } = make({ onError: () => Promise.reject(second) as never, listen: ['server'] });
    expect(report(ERROR, scene)).toBe('close');
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual([
      ['server', connection, ERROR],
      ['onError', connection, ERROR],
      ['server', connection, second],
    ]);
  });
});

test('publish says whether somebody is subscribed', () => {
  expect(publish(ERROR, make().scene)).toBe(false);
  expect(publish(ERROR, make({ onError: () => 'close' }).scene)).toBe(false);
  expect(publish(ERROR, make({ listen: ['path'] }).scene)).toBe(true);
});
