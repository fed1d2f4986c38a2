/**
 * How long things may take, in milliseconds. An initiator gives a session up after 5 s of silence at the earliest; a
 * failure is found, agreed on and over before that.
 */

export const BEAT_MS = 200;
/** Silence after which a node is suspected. */
export const SUSPECT_MS = 800;
/** How long an answered heartbeat lets a member serve. */
export const LEASE_MS = 1600;
/** Clocks of two nodes may run apart by this factor. */
export const DRIFT = 1.02;
/** A member that keeps a change from being committed for so long is left behind, and one whose own disk does leaves. */
export const SLOW_MS = 3000;
/** Voters have this long to promise before the proposer decides with those that have. */
export const PROMISE_MS = 120;
/** … and those that are there, and wanted, so long. */
export const PATIENCE_MS = 800;
/** The smaller side asks the arbiter so much later than the larger one. */
export const CLAIM_DEFERENCE_MS = 500;
/** A proposal that has come to nothing is given up. */
export const PROPOSAL_MS_MAX = 4000;
/** … and with it every promise that it was given, whoever has forgotten that. */
export const FORGOTTEN_MS = PROPOSAL_MS_MAX * 1.25;
/** A heartbeat that comes so long after the last one is late. */
export const LATE_MS = 500;
/**
 * Initiators' sessions are dropped when the process stood still for so long: as long as what was left of its lease, nobody
 * has gone on without it. Read then, what came before is at most so much older than it looks.
 */
export const STALL_MS = LEASE_MS - 2 * BEAT_MS;
/** An operation of a VoteStore that takes longer has failed, as far as anyone who asked is concerned. */
export const STORE_MS = 1000;
