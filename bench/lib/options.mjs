// What the command lines of the benchmark's programs have in common.
import { absence, servers } from './processes.mjs';

/** Splits a list such as "ws,bun" and refuses names that are not known. */
export function chosen(list, known, fallback) {
  if (list === undefined) return fallback;
  const names = list.split(',');
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(`no such name: ${stranger} (known: ${known.join(', ')})`);
  return names;
}

/** The chosen servers that can run here; says of the others why not. */
export function presentServers(list, fallback) {
  return chosen(list, Object.keys(servers), fallback).filter((name) => {
    const reason = absence(name);
    if (reason) console.log(`${name}: ${reason}`);
    return !reason;
  });
}
