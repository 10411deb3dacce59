/**
 * Executes paths of the model against a real server over a real socket. Each event is made to happen by its real
 * cause; one that nothing can cause in its state is sent to the connection's machine, and must change nothing.
 *
 * After each step: the state that users see, every frame on the wire and not a byte more, every line that handlers
 * and subscribers saw and no other, in order.
 */
import { connectionMachine } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { type Cause, causeOf, holdHandler, isImpossible } from './causes.ts';
import type { ConnectionPath } from './connection-model.ts';
import { ConnectionOracle, EVENT_TYPES, type Leaf, nameOfEvent } from './connection-spec.ts';
import { agree } from './prove.ts';
import { RealLife, type TransportName } from './real-life.ts';
import { leafOf, tripleTaken } from './triples.ts';

/** What a path did, event by event: by its real cause, or sent because nothing can cause it. */
export interface Executed {
  /** State, event and branch, as `triplesOf` names them. */
  readonly triple: string;
  /** Why it had to be sent; undefined when its real cause made it. */
  readonly why: string | undefined;
}

/** Executes a path; throws where the server does not do what is specified. */
export async function executePath(path: ConnectionPath, transport: TransportName): Promise<Executed[]> {
  const life = await RealLife.begin(transport);
  try {
    const run = new RealRun(life, path);
    await path.test({
      events: Object.fromEntries(
        EVENT_TYPES.map((type) => [type, ({ event }: { event: ConnectionEvent }) => run.take(event)]),
      ),
      states: { '*': (state) => agree('state', run.stateOfStep, topOf(leafOf(state))) },
    });
    return run.executed;
  } finally {
    await life.end();
  }
}

class RealRun {
  readonly executed: Executed[] = [];
  readonly #life: RealLife;
  readonly #oracle = new ConnectionOracle();
  /** A handler's promise must stay pending until it is rejected in a later state. */
  readonly #holds: boolean;
  #wasOpen = false;
  #stateOfStep: string | undefined;

  constructor(life: RealLife, path: ConnectionPath) {
    this.#life = life;
    const steps = path.steps.map(({ event, state }) => ({ event, leaf: leafOf(state) }));
    this.#holds = steps.some(
      ({ event }, index) =>
        event.type === 'callback.failed' &&
        ['closing.remote', 'closing.failing'].includes(steps[index - 1]?.leaf ?? ''),
    );
  }

  /** The state that users saw when the step's own event had been handled. */
  get stateOfStep(): string {
    return this.#stateOfStep ?? this.#life.state;
  }

  async take(event: ConnectionEvent): Promise<void> {
    const { leaf } = this.#oracle;
    const name = nameOfEvent(event);
    const cause = causeOf(leaf, name, this.#wasOpen);
    const { value, report, port } = this.#life.tap.session.machine;
    const snapshot = connectionMachine.resolveState({ value, context: { port, report } });
    const triple = tripleTaken(connectionMachine, snapshot, event);
    this.executed.push({ triple, why: isImpossible(cause) ? cause.why : undefined });
    this.#oracle.take(event);
    if (isImpossible(cause)) {
      agree('what nothing can cause is refused', this.#oracle.leaf, leaf);
      this.#life.tap.session.machine.send(event);
      await this.#expect(name, {}, []);
      return;
    }
    const changes = this.#changesSince(leaf, event);
    for (const next of cause.brings ?? []) {
      const from = this.#oracle.leaf;
      if (this.#oracle.take(next).length === 0)
        this.executed.push({ triple: `${from} | ${next.type} | refused`, why: undefined });
      changes.push(...this.#changesSince(from, next));
    }
    await cause.act(this.#life);
    await this.#expect(name, cause, changes);
    // Where the socket's end follows at once, the state between the two was noted at the peer's FIN.
    const isEnd = cause.brings?.some(({ type }) => type === 'socket.closed');
    this.#stateOfStep = isEnd ? this.#life.tap.stateAtEnd : undefined;
    if (this.#oracle.leaf === 'open' && leaf.startsWith('handshaking')) await this.#opened();
    await this.#expectEnd(leaf);
  }

  async #opened(): Promise<void> {
    this.#wasOpen = true;
    if (!this.#holds) return;
    await holdHandler(this.#life);
    await this.#life.takeSeen();
  }

  async #expect(name: string, cause: Partial<Cause>, changes: readonly string[]): Promise<void> {
    const { before = [], after = [], answer, wire = [] } = cause;
    agree(`seen at ${name}`, await this.#life.takeSeen(), [...before, ...changes, ...after]);
    if (answer !== undefined) await this.#life.expectAnswer(answer);
    if (wire !== 'flood') agree(`frames at ${name}`, await this.#life.takeFrames(wire.length), wire);
  }

  /** What users see of a change of state, whatever made it. */
  #changesSince(from: Leaf, { type }: ConnectionEvent): string[] {
    const { leaf, finalReport } = this.#oracle;
    const [was, is] = [topOf(from), topOf(leaf)];
    if (was === is) return [];
    const change = `lifecycle$ ${was} to ${is} by ${type}`;
    // Nobody has it in hand before it is open.
    if (was === 'handshaking') return [change];
    if (is !== 'closed') return [`state$ ${is}`, change];
    const ended = ['messages$', 'fragments$', 'pings$', 'pongs$', 'state$'].map((name) => `${name} done`);
    return [
      'state$ closed',
      change,
      `onClose ${finalReport}`,
      ...ended,
      `closed$ ${finalReport}`,
      'closed$ done',
    ];
  }

  /** Where the specification ends our side, TCP is ended: by a FIN, unless the connection was dropped (7.1.1). */
  async #expectEnd(from: Leaf): Promise<void> {
    const { leaf } = this.#oracle;
    if (leaf === from) return;
    if (leaf === 'closed') this.#life.client.resume();
    const isOurs = ['handshaking.rejecting', 'closing.remote', 'closing.failing'].includes(leaf);
    if (!isOurs && leaf !== 'closed') return;
    const end = await this.#life.client.ended();
    if (isOurs) agree('end of TCP', end, 'fin');
  }
}

function topOf(leaf: string): string {
  return leaf.split('.')[0] as string;
}
