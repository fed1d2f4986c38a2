/**
 * The mode pages (SPC-4 §7.5, SBC-3 §6.5): one row per page, which says how it looks, what may be changed, and what a
 * change does. Nothing is saved (PS is zero everywhere).
 */

import type { MaybeAsync, Result } from '../base/result.ts';
import type { DeviceFault } from '../ports/block-device.ts';
import { type LogicalUnit, MODE_DEFAULTS, type ModeState } from './logical-unit.ts';

export interface ModePage {
  readonly code: number;
  /** 0 for a page without subpages (page_0 format). */
  readonly subpage: number;
  /** The whole page, with its header. */
  current(unit: LogicalUnit): Uint8Array;
  /** As after a reset. */
  defaults(unit: LogicalUnit): Uint8Array;
  /** Bits that MODE SELECT may change, whole page, header zero; absent: none. */
  changeable?(unit: LogicalUnit): Uint8Array;
  /** Puts a page into force that differs from the current one in changeable bits only. */
  apply?(unit: LogicalUnit, page: Uint8Array): MaybeAsync<Result<void, DeviceFault>>;
}

/** A page_0 page of `length` bytes in all. */
function page0(code: number, length: number): Uint8Array {
  const page = new Uint8Array(length);
  page[0] = code;
  page[1] = length - 2;
  return page;
}

function masked(length: number, bits: Readonly<Record<number, number>>): Uint8Array {
  const mask = new Uint8Array(length);
  for (const [byte, value] of Object.entries(bits)) mask[Number(byte)] = value;
  return mask;
}

/** Nothing is retried or reallocated here, and the medium beneath looks after itself. */
const ERROR_RECOVERY: ModePage = {
  code: 0x01,
  subpage: 0,
  current: () => page0(0x01, 12),
  defaults: () => page0(0x01, 12),
};

const WCE = 0x04;
const CACHING_LENGTH = 20;
const WCE_CHANGEABLE = masked(CACHING_LENGTH, { 2: WCE });
const WCE_FIXED = masked(CACHING_LENGTH, {});

function cachingPage(writeCache: 'back' | 'through'): Uint8Array {
  const page = page0(0x08, CACHING_LENGTH);
  if (writeCache === 'back') page[2] = WCE;
  return page;
}

const CACHING: ModePage = {
  code: 0x08,
  subpage: 0,
  changeable: (unit) => (unit.isWriteCacheFixed?.() === true ? WCE_FIXED : WCE_CHANGEABLE),
  current: (unit) => cachingPage(unit.device.writeCache),
  defaults: (unit) => cachingPage(unit.writeCacheDefault),
  apply: (unit, page) => unit.device.setWriteCache((page[2]! & WCE) === 0 ? 'through' : 'back'),
};

const D_SENSE = 0x04;
const GLTSD = 0x02;
const QUEUE_ALGORITHM_UNRESTRICTED = 0x10;
const SWP = 0x08;
const TAS = 0x40;
const CONTROL_LENGTH = 12;
const CONTROL_CHANGEABLE = masked(CONTROL_LENGTH, { 2: D_SENSE, 4: SWP, 5: TAS });
const CONTROL_BUT_SWP = masked(CONTROL_LENGTH, { 2: D_SENSE, 5: TAS });

/** TST 000b: one task set for all nexuses. QERR 00b: a CHECK CONDITION aborts nothing else. */
function controlPage(mode: Readonly<ModeState>): Uint8Array {
  const page = page0(0x0a, CONTROL_LENGTH);
  page[2] = GLTSD | (mode.descriptorSense ? D_SENSE : 0);
  page[3] = QUEUE_ALGORITHM_UNRESTRICTED;
  page[4] = mode.softwareWriteProtect ? SWP : 0;
  page[5] = mode.taskAbortedStatus ? TAS : 0;
  page[8] = 0xff; // BUSY TIMEOUT PERIOD: not limited
  page[9] = 0xff;
  return page;
}

const CONTROL: ModePage = {
  code: 0x0a,
  subpage: 0,
  changeable: ({ isWriteProtectFixed }) => (isWriteProtectFixed ? CONTROL_BUT_SWP : CONTROL_CHANGEABLE),
  current: ({ mode }) => controlPage(mode),
  defaults: () => controlPage(MODE_DEFAULTS),
  apply({ mode }, page) {
    mode.descriptorSense = (page[2]! & D_SENSE) !== 0;
    mode.softwareWriteProtect = (page[4]! & SWP) !== 0;
    mode.taskAbortedStatus = (page[5]! & TAS) !== 0;
    return { ok: true, value: undefined };
  },
};

/** SPC-4 §7.5.9: a sub_page format page. */
function controlExtensionPage(): Uint8Array {
  const page = new Uint8Array(32);
  page[0] = 0x40 | 0x0a; // SPF
  page[1] = 0x01;
  page[3] = page.length - 4;
  page[4] = 0x01; // IALUAE: implicit asymmetric access is enabled
  return page;
}

const CONTROL_EXTENSION: ModePage = {
  code: 0x0a,
  subpage: 0x01,
  current: controlExtensionPage,
  defaults: controlExtensionPage,
};

function informationalExceptionsPage(): Uint8Array {
  const page = page0(0x1c, 12);
  page[2] = 0x08; // DEXCPT: none are reported
  return page;
}

const INFORMATIONAL_EXCEPTIONS: ModePage = {
  code: 0x1c,
  subpage: 0,
  current: informationalExceptionsPage,
  defaults: informationalExceptionsPage,
};

/** In ascending order. */
export const MODE_PAGES: readonly ModePage[] = [
  ERROR_RECOVERY,
  CACHING,
  CONTROL,
  CONTROL_EXTENSION,
  INFORMATIONAL_EXCEPTIONS,
];

const ALL_PAGES = 0x3f;
const ALL_SUBPAGES = 0xff;

/** Those that MODE SENSE means by a page code and a subpage code; none: there is no such page. */
export function modePagesFor(code: number, subpage: number): readonly ModePage[] {
  return MODE_PAGES.filter(
    (page) =>
      (code === ALL_PAGES || page.code === code) && (subpage === ALL_SUBPAGES || page.subpage === subpage),
  );
}
