/** Everything a peer can make us hold or wait for has its limit here. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** From the connection to the end of login. */
export const LOGIN_PHASE_MS = 15_000;
/** RFC 7143 §13.12: before and during login both sides take at most this much in one data segment. */
export const LOGIN_DATA_SEGMENT_LENGTH_MAX = 8 * KIB;
/** All text of one negotiation or text exchange, over its PDUs. */
export const TEXT_LENGTH_MAX = 64 * KIB;

export const CONNECTIONS_MAX = 1024;
/** Connections that have not finished login and discovery sessions, in all and from one source address. */
export const EXPENDABLE_MAX = 512;
export const EXPENDABLE_PER_SOURCE_MAX = 128;

/** Outstanding non-immediate commands of a session: the command window. */
export const COMMANDS_MAX = 256;
/** The window while memory is short. */
export const COMMANDS_UNDER_PRESSURE_MAX = 8;
/** Immediate commands are outside the window; more of them at once are rejected. */
export const IMMEDIATE_COMMANDS_MAX = 64;

/** Task management functions of a session that wait for the device server; more are answered 'function rejected'. */
export const TASK_FUNCTIONS_MAX = 32;

/**
 * Data of the commands of one session: of those that run, of those that wait as it arrives, and of what its initiator
 * has not taken yet. Further commands wait; one may always run.
 */
export const SESSION_BYTES_MAX = 64 * MIB;
/**
 * … and of all sessions of the node. A command that waits with data of its own that does not fit is answered BUSY or
 * TASK SET FULL. Data that is sent in small pieces exists twice until it has left. Exported for tests: it is kept by
 * what follows.
 */
export const NODE_BYTES_MAX = 1024 * MIB;
/**
 * Up to here sessions hold what they come for, and one command may begin that goes beyond. The rest is for those that
 * stay within their share (`budget.ts`), of which all sessions together take 481 MiB at most.
 */
export const NODE_BYTES_COMMON_MAX = 480 * MIB;
/** From here on windows shrink. */
export const NODE_BYTES_PRESSURE = 384 * MIB;
/** One command counts at most this much: lengths beyond are not held at once. */
export const COMMAND_BYTES_MAX = 32 * MIB;

/** A silent initiator is asked whether it lives after the first, and given up after the second. */
export const PING_AFTER_SILENT_MS = 10_000;
export const DEAD_AFTER_PING_MS = 15_000;
/** An initiator that takes nothing of what is queued for it is given up after this. */
export const STALLED_SEND_MS = 60_000;

/** A task that has waited so long for data that the initiator does not send is ended. Looked at this often. */
export const DATA_OUT_WITHHELD_MS = 30_000;
export const DATA_OUT_CHECK_MS = 5000;
/** While data of other tasks comes its turn may be yet to come: time then counts by this share only. */
export const DATA_OUT_OTHERS_SHARE = 1 / 4;

/** On a graceful stop initiators are asked to log out; then the session ends anyway. */
export const LOGOUT_REQUEST_SECONDS = 3;
/** What is queued when a connection ends has this long to leave. */
export const LINGER_MS = 1000;
/** Seconds an initiator waits before it comes back, and that we keep a session without connection (never). */
export const TIME2WAIT_SECONDS = 2;
export const TIME2RETAIN_SECONDS = 0;
