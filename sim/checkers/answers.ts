/**
 * No initiator is left without an answer: once faults have stopped, whatever was asked is answered within the bound.
 */

export interface CommandRecord {
  readonly initiator: number;
  readonly what: string;
  readonly issuedAt: number;
  /** Infinity: never. */
  readonly returnedAt: number;
}

export interface AnswerViolation {
  readonly rule: 'unanswered';
  readonly explanation: string;
}

export interface AnswerBound {
  /** When the last fault ended. */
  readonly calmSince: number;
  readonly endedAt: number;
  readonly boundMs: number;
}

export function checkAnswers(
  commands: readonly CommandRecord[],
  { calmSince, endedAt, boundMs }: AnswerBound,
): AnswerViolation | undefined {
  for (const { initiator, what, issuedAt, returnedAt } of commands) {
    const deadline = Math.max(issuedAt, calmSince) + boundMs;
    if (returnedAt <= deadline || endedAt <= deadline) continue;
    const until = returnedAt === Infinity ? 'never' : `at ${returnedAt}`;
    return {
      rule: 'unanswered',
      explanation: `${what} of initiator ${initiator}, sent at ${issuedAt}, was answered ${until}; bound ${deadline}`,
    };
  }
  return undefined;
}
