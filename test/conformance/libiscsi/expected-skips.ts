/**
 * Tests of libiscsi's suite that skip on every LUN of the matrix, with the reason. The list is checked both ways: a
 * skip that is not here fails, and so does an entry whose test has begun to pass.
 */
const ATOMIC = 'WRITE ATOMIC (16) is not supported: no atomic write unit is promised';
const CRYPTO =
  'runs, except for CRYPTOGRAPHIC ERASE: the media are not encrypted, so there is no key to forget';
const NO_BLOCKS =
  'WSNZ is set: a NUMBER OF LOGICAL BLOCKS of zero is refused instead of meaning the whole medium';

export const EXPECTED_SKIPS: Readonly<Record<string, string>> = {
  'Sanitize.CryptoErase': 'CRYPTOGRAPHIC ERASE is not supported: the media are not encrypted',
  'Sanitize.Readonly': CRYPTO,
  'Sanitize.Reservations': CRYPTO,
  'WriteAtomic16.BeyondEol': ATOMIC,
  'WriteAtomic16.DpoFua': ATOMIC,
  'WriteAtomic16.Simple': ATOMIC,
  'WriteAtomic16.VPD': ATOMIC,
  'WriteAtomic16.WriteProtect': ATOMIC,
  'WriteAtomic16.ZeroBlocks': ATOMIC,
  'WriteSame10.ZeroBlocks': NO_BLOCKS,
  'WriteSame16.ZeroBlocks': NO_BLOCKS,
};

const NOT_REMOVABLE = 'a mirrored device has no medium that can be ejected';

/** … and those that skip on a mirrored device only. */
export const MIRROR_SKIPS: Readonly<Record<string, string>> = {
  'NoMedia.NoMediaSBC': NOT_REMOVABLE,
  'PreventAllow.2ITNexuses': NOT_REMOVABLE,
  'PreventAllow.ColdReset': NOT_REMOVABLE,
  'PreventAllow.Eject': NOT_REMOVABLE,
  'PreventAllow.ITNexusLoss': NOT_REMOVABLE,
  'PreventAllow.LUNReset': NOT_REMOVABLE,
  'PreventAllow.Logout': NOT_REMOVABLE,
  'PreventAllow.Simple': NOT_REMOVABLE,
  'PreventAllow.WarmReset': NOT_REMOVABLE,
  'ReadOnly.ReadOnlySBC': 'a mirrored device is not read-only',
  'StartStopUnit.NoLoej': NOT_REMOVABLE,
  'StartStopUnit.PwrCnd': NOT_REMOVABLE,
  'StartStopUnit.Simple': NOT_REMOVABLE,
};
