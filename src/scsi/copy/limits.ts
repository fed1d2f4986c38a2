/** What the copy manager accepts; RECEIVE COPY OPERATING PARAMETERS and VPD page 8Fh promise it. */

/** MAXIMUM CSCD DESCRIPTOR COUNT. */
export const CSCD_DESCRIPTORS_MAX = 16;
/** MAXIMUM SEGMENT DESCRIPTOR COUNT. */
export const SEGMENT_DESCRIPTORS_MAX = 64;
/** MAXIMUM DESCRIPTOR LIST LENGTH: both lists at their longest. */
export const DESCRIPTOR_LIST_LENGTH_MAX = CSCD_DESCRIPTORS_MAX * 32 + SEGMENT_DESCRIPTORS_MAX * 32;
/** MAXIMUM SEGMENT LENGTH: 65 535 blocks of 4096 bytes, the most that descriptor 02h can ask for, fit. */
export const SEGMENT_LENGTH_MAX = 256 << 20;
/** Copies at the same time, and results kept, for one I_T_L nexus. */
export const CONCURRENT_COPIES_MAX = 16;
/** log2 of DATA SEGMENT GRANULARITY: 512 bytes. */
export const SEGMENT_GRANULARITY_EXPONENT = 9;
/** Read and written at a time. */
export const CHUNK_BYTES = 1 << 20;

/** IMPLEMENTED DESCRIPTOR LIST, ascending: block to block, block to block with offset, identification descriptor. */
export const DESCRIPTOR_TYPES = [0x02, 0x0a, 0xe4] as const;

/** MAXIMUM RANGE DESCRIPTORS of POPULATE TOKEN and WRITE USING TOKEN. */
export const RANGE_DESCRIPTORS_MAX = 64;
/** MAXIMUM TOKEN TRANSFER SIZE: initiators give up on commands that take long, so none may. */
export const TOKEN_BYTES_MAX = 256 << 20;
/** OPTIMAL TRANSFER COUNT. */
export const TOKEN_BYTES_OPTIMAL = 64 << 20;
/** INACTIVITY TIMEOUT when none is asked for, in seconds. */
export const INACTIVITY_SECONDS_DEFAULT = 60;
/** MAXIMUM INACTIVITY TIMEOUT, in seconds. */
export const INACTIVITY_SECONDS_MAX = 600;
/** Tokens of one logical unit; a new one beyond that cancels the one unused for longest. */
export const TOKENS_MAX = 256;
/** Tokens of one logical unit that are no more, but of which it is still known why. */
export const ENDED_TOKENS_MAX = 1024;
/** Token operations of one I_T_L nexus at the same time. */
export const TOKEN_OPERATIONS_MAX = 16;
/** Results of token operations held for one I_T_L nexus. */
export const TOKEN_RESULTS_MAX = 64;
/** Blocks unmapped at a time where zeros are meant and the unit is thin, in bytes. */
export const UNMAP_CHUNK_BYTES = 64 << 20;
