/** A share or another third party that all nodes reach now and then: keeps who may go on without the others. */

export interface Arbiter {
  /** Whether `by` may go on with these members. */
  claim(by: number, members: readonly number[], term: number): boolean;
}

/** A file on a share: only who was in the last claim can make the next one. */
export function createArbiter(nodes: readonly number[]): Arbiter {
  let last = { term: 0, members: nodes };
  return {
    claim(by, members, term) {
      if (term === last.term) return members.join() === last.members.join();
      if (term < last.term || !last.members.includes(by)) return false;
      last = { term, members };
      return true;
    },
  };
}
