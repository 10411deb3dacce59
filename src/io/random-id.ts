/**
 * Names that nobody else has: not another process, and not this program when it ran before.
 */
import { randomBytes } from 'node:crypto';

/** Twelve characters of `A-Z a-z 0-9 - _`: 72 random bits. */
export const randomId = (): string => randomBytes(9).toString('base64url');
