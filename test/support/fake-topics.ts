/**
 * Topics without a server: the test lets time pass and turns end.
 */
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { Ticker } from '../../src/io/time/ticker.ts';
import type { HistoryRule, Rule } from '../../src/topics/member.ts';
import { Topics, type TopicsHost } from '../../src/topics/topics.ts';
import { FakeMember, message, textOf } from './fake-member.ts';

export const historyRule = (size: number, ttl = 60_000): HistoryRule => ({
  size,
  ttl,
  stamp: (each, position) => message(`${position.split('.')[1]}:${textOf(each)}`),
});

export function makeTopics(
  rules: Readonly<Record<string, Rule<FakeMember>>> = {},
  limits: Partial<TopicsHost<FakeMember>['limits']> = {},
) {
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  ticker.start();
  const errors: unknown[] = [];
  let deliveries = 0;
  const tasks: (() => void)[] = [];
  const topics = new Topics<FakeMember>({
    limits: {
      maxTopics: 100,
      maxTopicLength: 20,
      sendLimit: 1000,
      historyBudget: 1_000_000,
      overflow: 'close',
      ...limits,
    },
    clock,
    ticker,
    ruleOf: (name) => rules[name],
    beginDelivery: () => {
      deliveries++;
      return deliveries;
    },
    nextTurn: (task) => tasks.push(task),
    failed: (error) => errors.push(error),
  });
  /** What was put off to the next turn happens now. */
  const turn = () => {
    for (const task of tasks.splice(0)) task();
  };
  const member = (id: number, ...names: string[]) => {
    const made = new FakeMember(id);
    for (const name of names) topics.join(made, name);
    return made;
  };
  /** Publishes a text. */
  const say = (name: string, text: string, publication = {}) =>
    topics.publish(name, message(text), publication);
  /** A member goes, as a connection does. */
  const close = (gone: FakeMember) => {
    gone.isOpen = false;
    topics.leaveAll(gone);
  };
  return { topics, clock, ticker, errors, turn, member, say, close };
}
