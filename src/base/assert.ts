/**
 * Bugs stop the process: a stopped replica is safer than a wrong one. Never catch an AssertionFailure to go on.
 */

class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** The end of every exhaustive switch: deleting a case no longer compiles. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`);
}
