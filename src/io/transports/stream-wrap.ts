/**
 * What Node's own `net` module writes with: two classes of request objects, and an array in which the last call on a
 * handle leaves its results.
 *
 * Nothing of this is documented. It comes from `process.binding('stream_wrap')`, which is deprecated (DEP0111), so it is
 * asked for only where Node answers silently, and each part is checked before it is used.
 */
import { types } from 'node:util';

export interface StreamWrap {
  /** The request of one write. Its `oncomplete` is called if the write had to wait. */
  readonly WriteWrap: new () => object;
  /** The request of ending our side. Its `oncomplete` is called when that is done. */
  readonly ShutdownWrap: new () => object;
  /** Results of the last call on any handle, at the two indices below. */
  readonly streamBaseState: Int32Array;
  /** Where a read leaves its number of bytes, or an error below zero. */
  readonly kReadBytesOrError: number;
  /** Where a write leaves 1 if it has to wait, otherwise 0. */
  readonly kLastWriteWasAsync: number;
}

/** The parts of `process` that are looked at. */
export interface Runtime {
  readonly versions: { readonly deno?: string; readonly bun?: string };
  readonly binding?: (name: string) => Partial<StreamWrap>;
  noDeprecation?: boolean;
}

/** Returns undefined where Node does not offer all of it, or would warn. */
export function findStreamWrap(runtime: Runtime = process as unknown as Runtime): StreamWrap | undefined {
  // Deno and Bun have handles of the same names that work in another way.
  if (runtime.versions.deno !== undefined || runtime.versions.bun !== undefined) return undefined;
  const wrap = askSilently(runtime);
  if (wrap === undefined) return undefined;
  const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError = -1, kLastWriteWasAsync = -1 } = wrap;
  const isAsExpected =
    typeof WriteWrap === 'function' &&
    typeof ShutdownWrap === 'function' &&
    // Not `instanceof`: in a `vm` context, such as Jest's, Int32Array is another class.
    types.isInt32Array(streamBaseState) &&
    Number.isInteger(streamBaseState[kReadBytesOrError]) &&
    Number.isInteger(streamBaseState[kLastWriteWasAsync]);
  return isAsExpected ? (wrap as StreamWrap) : undefined;
}

/** Calls `process.binding` unless that would warn, throw or end the process. */
function askSilently(runtime: Runtime): Partial<StreamWrap> | undefined {
  const { binding, noDeprecation } = runtime;
  if (typeof binding !== 'function' || isDeprecated(binding)) return undefined;
  // A future Node may warn without being asked to. This switch of Node's own turns that off for one call; with
  // --no-deprecation it is on and read-only.
  const mute = noDeprecation !== true;
  try {
    if (mute) runtime.noDeprecation = true;
    return binding.call(runtime, 'stream_wrap');
  } catch {
    // Under --permission.
    return undefined;
  } finally {
    if (mute) restore(runtime, noDeprecation);
  }
}

function restore(runtime: Runtime, noDeprecation: boolean | undefined): void {
  if (noDeprecation === undefined) delete runtime.noDeprecation;
  else runtime.noDeprecation = noDeprecation;
}

/**
 * Whether Node was asked to report the call, with --pending-deprecation on the command line, in NODE_OPTIONS, in the
 * environment or for a worker. The function is then wrapped by `util.deprecate`, which makes the original function the
 * prototype of the wrapper.
 */
function isDeprecated(binding: object): boolean {
  return typeof Object.getPrototypeOf(binding) === 'function' && Object.getPrototypeOf(binding).name !== '';
}
