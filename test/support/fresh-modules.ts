/**
 * A setup file of vitest: every test file gets modules of its own, though one process runs many test files.
 *
 * A process for each test file costs more than most files take. What a process must not hand on from one file to the
 * next is the state of the modules of `src` and `test`: their counts, shared blocks and hooks. So these are forgotten
 * before each file. Packages of `node_modules` stay loaded. Sockets, timers and child processes are the leak gate's affair.
 */
import { vi } from 'vitest';
import { connectionChannels, serverChannels } from '../../src/api/inspection/channels.ts';

/**
 * Node keeps a channel of `node:diagnostics_channel` only as long as somebody has it, and when a forgotten one is collected,
 * it may delete the next one of that name. So the first ones of the process are kept, and every file gets them again.
 */
const kept = globalThis as { [name: symbol]: unknown };
kept[Symbol.for('portal-ws channels')] ??= [connectionChannels, serverChannels];

vi.resetModules();
