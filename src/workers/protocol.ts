/**
 * What the primary and its workers say to each other over IPC. A program may use the same channel for messages of its own:
 * these are objects with the property `portal`.
 */

/** The variable of the environment that makes a process a worker; its value is `WorkerTerms` as JSON. */
export const WORKER_VARIABLE = 'PORTAL_WORKER';

export interface WorkerTerms {
  /** The kernel shares ports. */
  readonly reusePort: boolean;
  /** No worker was there before. */
  readonly isFirst: boolean;
}

/** What an engine asks of the primary, in order: `+` subscribes to a subject, `-` ends that, and a block is published to it. */
export type Operation = readonly ['+' | '-', subject: string] | readonly [subject: string, block: Uint8Array];

export type FromWorker =
  /** It listens to the primary; what came before was lost. */
  | { readonly portal: 'loaded' }
  /** A server of this worker has started. */
  | { readonly portal: 'listening' }
  /** An engine begins, and has no subscription yet. */
  | { readonly portal: 'begin'; readonly engine: number }
  | { readonly portal: 'end'; readonly engine: number }
  | { readonly portal: 'operations'; readonly engine: number; readonly list: readonly Operation[] };

/** Subjects and blocks, in turns. */
export type Delivered = readonly (string | Uint8Array)[];

export type ToWorker =
  | {
      readonly portal: 'stop';
      /** Another worker takes its place: all servers are closed with 1012, their ports first. */
      readonly restarts: boolean;
      readonly deadline: number;
    }
  /** The primary knows the engine. */
  | { readonly portal: 'begun'; readonly engine: number }
  /** The primary has forgotten the engine, which took its messages too slowly. */
  | { readonly portal: 'lost'; readonly engine: number }
  | { readonly portal: 'deliver'; readonly engine: number; readonly list: Delivered };

/** Whether a message on the channel is one of these. */
export function isOurs(message: unknown): message is { readonly portal: string } {
  return typeof message === 'object' && message !== null && 'portal' in message;
}
