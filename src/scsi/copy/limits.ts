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
