// The statechart in the page: highlights the state a session is in, and the arrow by which it came there.

const DWELL = 240; // ms a state stays lit before the next one, so that an eye can follow a handshake of 1 ms

const calm = matchMedia('(prefers-reduced-motion: reduce)');

export class Chart {
  #svg;
  #queue = [];
  #timer;

  constructor(svg) {
    this.#svg = svg;
  }

  /** Shows a state at once, as when another session comes into view. */
  show(state) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue = [];
    this.#light(state);
  }

  /** Shows a transition, after those that are still being shown. */
  move(from, to) {
    this.#queue.push([from, to]);
    if (this.#queue.length > 6) this.#queue.splice(0, this.#queue.length - 6);
    this.#timer ??= setTimeout(() => this.#next());
  }

  #next() {
    const step = this.#queue.shift();
    this.#timer = step && setTimeout(() => this.#next(), DWELL);
    if (!step) return;
    const [from, to] = step;
    this.#light(to, this.#svg.querySelector(`[data-edge="${from === 'closed' ? 'new' : from}>${to}"]`));
  }

  #light(state, edge) {
    for (const lit of this.#svg.querySelectorAll('.lit')) lit.classList.remove('lit');
    this.#svg.querySelector(`[data-state="${state}"]`).classList.add('lit');
    if (!edge) return;
    edge.classList.add('lit');
    if (calm.matches) return;
    const spark = edge.querySelector('path').cloneNode();
    spark.setAttribute('class', 'spark');
    spark.removeAttribute('marker-end');
    spark.setAttribute('pathLength', '1');
    edge.append(spark);
    spark.animate({ strokeDashoffset: [0.3, -1] }, { duration: 420, easing: 'ease-out' }).onfinish = () =>
      spark.remove();
  }
}
