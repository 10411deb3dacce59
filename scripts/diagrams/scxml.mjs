// A machine as SCXML (W3C, 2015): the same states and transitions, actions as `log`, guards as conditions on the event.

const xml = (text) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** What each guard asks of the event. */
const CONDITIONS = {
  decidedContinue: "_event.data.decision === 'continue'",
  decidedRetry: "_event.data.decision === 'retry'",
  nothingToWaitFor: '_event.data.leaving === 0 && _event.data.handlers === 0',
  nobodyIsLeft: '_event.data.connections === 0',
};

/** @param {object} config The machine's. @param {object} chart The same, read. */
export function writeScxml(config, chart) {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- ${xml(config.description)} -->`,
    `<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript" name="${config.id}" initial="${config.initial}">`,
  ];
  writeInside(lines, chart, chart.root, '  ');
  lines.push('</scxml>', '');
  return lines.join('\n');
}

function writeInside(lines, chart, state, indent) {
  const { config } = state;
  const entry = actionsOf(config.entry);
  if (entry.length > 0) {
    lines.push(
      `${indent}<onentry>`,
      ...entry.map((action) => `${indent}  ${log(action)}`),
      `${indent}</onentry>`,
    );
  }
  for (const [event, on] of Object.entries(config.on ?? {})) {
    for (const transition of [on].flat()) writeTransition(lines, chart, state, event, transition, indent);
  }
  for (const child of state.children) writeState(lines, chart, child, indent);
}

function writeState(lines, chart, state, indent) {
  if (state.description !== undefined)
    lines.push(`${indent}<!-- ${xml(state.description).replaceAll('--', '- -')} -->`);
  const name = state.final ? 'final' : 'state';
  const initial = state.initial === undefined ? '' : ` initial="${state.path}.${state.initial}"`;
  lines.push(`${indent}<${name} id="${state.path}"${initial}>`);
  writeInside(lines, chart, state, `${indent}  `);
  lines.push(`${indent}</${name}>`);
}

function writeTransition(lines, chart, state, event, transition, indent) {
  const { target, guard } = transition;
  const attributes = [`event="${event}"`];
  if (guard !== undefined) {
    if (CONDITIONS[guard] === undefined) throw new Error(`say in scxml.mjs what the guard ${guard} asks`);
    attributes.push(`cond="${xml(CONDITIONS[guard])}"`);
  }
  if (target !== undefined) attributes.push(`target="${chart.resolve(state, target).path}"`);
  const actions = actionsOf(transition.actions);
  const open = `${indent}<transition ${attributes.join(' ')}`;
  if (actions.length === 0) lines.push(`${open}/>`);
  else
    lines.push(`${open}>`, ...actions.map((action) => `${indent}  ${log(action)}`), `${indent}</transition>`);
}

const actionsOf = (actions) => [actions ?? []].flat().map((action) => action.type ?? action);
const log = (action) => `<log label="action" expr="'${action}'"/>`;
