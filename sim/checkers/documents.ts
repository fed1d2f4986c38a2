/**
 * What administrators have changed, and resets: at the end all nodes hold the same, nothing acknowledged has been lost,
 * and each acknowledged reset was one of its own.
 */

export interface SettingsAttempt {
  /** The settings as text: equal texts are equal settings. */
  readonly settings: string;
  readonly invokedAt: number;
  /** Infinity: not answered. */
  readonly returnedAt: number;
  readonly acknowledged: boolean;
}

export interface HeldDocuments {
  readonly node: number;
  /** '': as the device was made, or as if it had been changed to that. */
  readonly settings: string;
  readonly resets: number;
}

export interface DocumentsAtEnd {
  readonly attempts: readonly SettingsAttempt[];
  /** The numbers of acknowledged resets. */
  readonly resets: readonly number[];
  readonly held: readonly HeldDocuments[];
}

export interface DocumentViolation {
  readonly rule: 'documentsDiffer' | 'settingsLost' | 'resetLost' | 'resetNotAtomic';
  readonly explanation: string;
}

export function checkDocuments({ attempts, resets, held }: DocumentsAtEnd): DocumentViolation | undefined {
  const [first, ...others] = held;
  if (first === undefined) return undefined;
  const other = others.find(
    ({ settings, resets: its }) => settings !== first.settings || its !== first.resets,
  );
  if (other !== undefined)
    return { rule: 'documentsDiffer', explanation: `${JSON.stringify(first)}, ${JSON.stringify(other)}` };
  const last = Math.max(0, ...resets);
  if (last > first.resets)
    return {
      rule: 'resetLost',
      explanation: `reset ${last} was acknowledged, and ${first.resets} is the last`,
    };
  if (new Set(resets).size < resets.length)
    return { rule: 'resetNotAtomic', explanation: `two resets of one number: ${resets.join()}` };
  const since = Math.max(-Infinity, ...attempts.flatMap((a) => (a.acknowledged ? [a.invokedAt] : [])));
  const isAsMade = first.settings === '' && since === -Infinity;
  const isPossible =
    isAsMade ||
    attempts.some(({ settings, returnedAt }) => settings === first.settings && returnedAt >= since);
  if (isPossible) return undefined;
  const explanation = `all hold ${first.settings}, after one that began at ${since} was acknowledged`;
  return { rule: 'settingsLost', explanation };
}
