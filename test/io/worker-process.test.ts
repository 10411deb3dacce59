import { afterEach, expect, test } from 'vitest';
import { beWorker, type WorkerProcess, workerProcess } from '../../src/io/worker-process.ts';

afterEach(() => beWorker(undefined));

test('a process is a worker when it is made one', () => {
  expect(workerProcess()).toBe(undefined);
  const worker = { reusePort: true } as WorkerProcess;
  beWorker(worker);
  expect(workerProcess()).toBe(worker);
  beWorker(undefined);
  expect(workerProcess()).toBe(undefined);
});
