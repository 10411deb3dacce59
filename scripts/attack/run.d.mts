/** What came of an attack. */
export interface AttackReport {
  readonly name: string;
  /** What had to hold, in words, and whether it did. */
  readonly checks: readonly (readonly [what: string, holds: boolean])[];
}

export const names: readonly string[];

/** Runs the attack of that name; `size` 1 is the full form. */
export function runAttack(name: string, size?: number): Promise<AttackReport>;
