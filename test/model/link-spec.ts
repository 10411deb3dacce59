/**
 * What the link to an engine must do, state by state and event by event: the oracle of its model-based tests, written by hand
 * from the design. An event that a state does not name is refused there: it changes nothing and calls nothing.
 */
import type { LinkEvent } from '../../src/machines/link-ports.ts';

/** The states without states inside, as dotted paths. */
export const LINK_STATES = [
  'down.idle',
  'down.ending',
  'down.restarting',
  'connecting',
  'up',
  'waiting',
] as const;
export type LinkLeaf = (typeof LINK_STATES)[number];

/** A sample of every event there is. */
const SAMPLES_OF: { readonly [Type in LinkEvent['type']]: Extract<LinkEvent, { type: Type }> } = {
  'link.start': { type: 'link.start' },
  'link.stop': { type: 'link.stop' },
  'engine.up': { type: 'engine.up' },
  'engine.failed': { type: 'engine.failed', error: new Error('refused') },
  'engine.ended': { type: 'engine.ended' },
  'timeout.retry': { type: 'timeout.retry' },
};

/** Every type of event: the closed set. */
export const LINK_EVENT_TYPES = Object.keys(SAMPLES_OF) as LinkEvent['type'][];
export const LINK_SAMPLES = Object.entries(SAMPLES_OF).map(([name, event]) => ({ name, event }));

interface Line {
  readonly to?: LinkLeaf;
  readonly does?: readonly string[];
  /** What becomes of the count of failures in a row: one more, or none. */
  readonly attempts?: 'more' | 'none';
}

const CONNECTS: Line = { to: 'connecting', does: ['announce connecting', 'connect'] };
const FAILS: Line = {
  to: 'waiting',
  does: ['tellFailure refused', 'announce waiting', 'wait #'],
  attempts: 'more',
};
const STOPS: Line = { to: 'down.ending', does: ['endEngine', 'announce down'], attempts: 'none' };

/** In `does`, `#` stands for the count of failures in a row. */
export const linkSpec: { readonly [Name in LinkLeaf]: Readonly<Record<string, Line>> } = {
  'down.idle': { 'link.start': CONNECTS, 'link.stop': { does: ['settleStop'] } },
  'down.ending': {
    'engine.ended': { to: 'down.idle', does: ['settleStop'] },
    'link.start': { to: 'down.restarting' },
  },
  'down.restarting': {
    'engine.ended': { ...CONNECTS, does: ['settleStop', ...(CONNECTS.does ?? [])] },
    'link.stop': { to: 'down.ending' },
  },
  connecting: {
    // Interest is there before anybody hears that it is up; members hear of a gap after that.
    'engine.up': { to: 'up', does: ['restore', 'announce up', 'tellGaps'], attempts: 'none' },
    'engine.failed': FAILS,
    'link.stop': STOPS,
  },
  up: { 'engine.failed': FAILS, 'link.stop': STOPS },
  waiting: { 'timeout.retry': CONNECTS, 'link.stop': STOPS },
};

/** The state of the specification along one path. */
export class LinkOracle {
  state: LinkLeaf = 'down.idle';
  attempts = 0;

  take(event: LinkEvent): readonly string[] {
    const line = linkSpec[this.state][event.type] ?? {};
    this.state = line.to ?? this.state;
    if (line.attempts === 'more') this.attempts++;
    if (line.attempts === 'none') this.attempts = 0;
    return (line.does ?? []).map((call) => call.replace('#', `${this.attempts}`));
  }
}
