// A machine's definition as what a drawing shows: states inside states, and arrows that carry events.

/** @param {object} config A machine's `config`. */
export function readChart(config) {
  const chart = {
    id: config.id,
    description: config.description,
    root: undefined,
    states: new Map(),
    arrows: new Map(),
  };
  chart.root = readState(chart, undefined, '', config);
  for (const state of chart.states.values()) readTransitions(chart, state);
  return {
    ...chart,
    arrows: [...chart.arrows.values()],
    resolve: (state, target) => resolve(chart, state, target),
  };
}

function readState(chart, parent, name, config) {
  const path = parent === undefined ? '' : [parent.path, name].filter(Boolean).join('.');
  const state = {
    path,
    name,
    parent,
    config,
    description: config.description,
    final: config.type === 'final',
    initial: config.initial,
    children: [],
    /** Events answered in place: `{ event, guard, actions }`. */
    inside: [],
    /** Events that are expected and mean nothing. */
    ignored: [],
  };
  chart.states.set(path, state);
  for (const [childName, child] of Object.entries(config.states ?? {})) {
    state.children.push(readState(chart, state, childName, child));
  }
  return state;
}

function readTransitions(chart, state) {
  for (const [event, on] of Object.entries(state.config.on ?? {})) {
    for (const transition of [on].flat()) {
      const { target, guard } = transition;
      const actions = [transition.actions ?? []].flat().map((action) => action.type ?? action);
      if (target !== undefined)
        addArrow(chart, state, resolve(chart, state, target), { event, guard, actions });
      else if (actions.length > 0) state.inside.push({ event, guard, actions });
      else state.ignored.push(guard === undefined ? event : `${event} [${guard}]`);
    }
  }
}

function addArrow(chart, from, to, carried) {
  const key = `${from.path}>${to.path}`;
  const arrow = chart.arrows.get(key) ?? { key, from, to, events: [] };
  arrow.events.push(carried);
  chart.arrows.set(key, arrow);
}

/** `#connection.open` is a state by its path, anything else one beside the source. */
function resolve(chart, state, target) {
  const beside = state.parent?.path ?? '';
  const path = target.startsWith('#')
    ? target.slice(1).split('.').slice(1).join('.')
    : [beside, target].filter(Boolean).join('.');
  const found = chart.states.get(path);
  if (found === undefined) throw new Error(`${state.path} leads to ${target}, which is no state`);
  return found;
}
