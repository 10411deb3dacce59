/** A fleet without processes: the test says what becomes of each child, and lets time pass. */
import { Fleet } from '../../src/workers/fleet.ts';
import type { ToWorker } from '../../src/workers/protocol.ts';
import type { ChildEvents } from '../../src/workers/worker.ts';

export class FakeChild {
  readonly got: ToWorker[] = [];
  wasKilled = false;
  readonly pid: number;
  readonly events: ChildEvents;
  readonly isFirst: boolean;
  constructor(pid: number, events: ChildEvents, isFirst: boolean) {
    this.pid = pid;
    this.events = events;
    this.isFirst = isFirst;
  }
  send(message: ToWorker, done: () => void): void {
    this.got.push(message);
    done();
  }
  kill(): void {
    this.wasKilled = true;
    this.events.ended('by SIGKILL');
  }
  load(): void {
    this.events.said({ portal: 'loaded' });
  }
  serve(): void {
    this.load();
    this.events.said({ portal: 'listening' });
  }
  end(how = 'with code 0'): void {
    this.events.ended(how);
  }
}

export function makeFleet(count: number) {
  const children: FakeChild[] = [];
  const lines: string[] = [];
  const timers = new Set<{ readonly at: number; readonly task: () => void }>();
  let nowMs = 0;
  const fleet = new Fleet(
    { count, startDeadline: 1000, stopDeadline: 2000 },
    {
      fork(events, isFirst) {
        const child = new FakeChild(children.length + 1, events, isFirst);
        children.push(child);
        return child;
      },
      after(ms, task) {
        const timer = { at: nowMs + ms, task };
        timers.add(timer);
        return () => timers.delete(timer);
      },
      now: () => nowMs,
      log: (line) => lines.push(line),
    },
  );
  /** What was promised happens. */
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pass = async (ms: number) => {
    nowMs += ms;
    for (const timer of [...timers]) {
      if (timer.at > nowMs) continue;
      timers.delete(timer);
      timer.task();
    }
    await settle();
  };
  /** All of them serve. */
  const serve = async () => {
    const starting = fleet.start();
    for (let at = 0; at < count; at++) {
      children[at]?.serve();
      await settle();
    }
    await starting;
  };
  return { fleet, children, lines, timers, settle, pass, serve };
}
