/** Layout of what a voter reports with its promise (docs/FORMATS.md, "Messages between nodes"). */

import type { MessageCodec, WireReader, WireWriter } from '../base/wire.ts';
import { getConfigurationFrom, namesReplicas, putConfigurationTo } from './configuration-wire.ts';
import { getVoters, NODES_LENGTH, putVoters, VOTERS_MAX } from './fields.ts';
import { getHistory, putHistory } from './history-wire.ts';
import type { Report } from './messages.ts';

const HAS_HANDOVER = 1;
const IS_FRESH = 2;
const WAS_STOPPED = 4;
const IS_BLANK = 8;
const IS_OUT = 16;
const IS_DIVERGED = 32;
const HAS_KEPT = 64;
const HAS_FAILED = 128;
/** Of the second byte of flags. */
const WAS_WRITTEN_OUT = 1;
const HAS_REPLICAS = 2;

const LEASE = { length: 10, max: VOTERS_MAX };

export function createReportCodec<H>(handovers: MessageCodec<H>): MessageCodec<Report<H>> {
  return {
    put: (to, report) => putReport(to, report, handovers),
    get: (from) => getReport(from, handovers),
  };
}

function putReport<H>(to: WireWriter, report: Report<H>, handovers: MessageCodec<H>): void {
  const { history, leases, handover } = report;
  to.byte(flagsOf(report));
  to.byte(history.length);
  to.byte(leases.length);
  to.byte((report.wasWrittenOut ? WAS_WRITTEN_OUT : 0) | (namesReplicas(report.accepted) ? HAS_REPLICAS : 0));
  to.count(report.promised);
  putConfigurationTo(to, report.accepted);
  to.fixed(NODES_LENGTH, putVoters, report.bound);
  to.fixed(NODES_LENGTH, putVoters, report.hearsSync);
  putHistory(to, history);
  for (const [node, ms] of leases) {
    to.uint16(node);
    to.number(ms);
  }
  if (handover !== undefined) handovers.put(to, handover);
}

function getReport<H>(from: WireReader, handovers: MessageCodec<H>): Report<H> | undefined {
  const flags = from.byte();
  const epochs = from.byte();
  const leases = from.byte();
  const moreFlags = from.byte();
  const promised = from.count();
  const accepted = getConfigurationFrom(from, (moreFlags & HAS_REPLICAS) !== 0);
  const bound = from.fixed(NODES_LENGTH, getVoters) ?? [];
  const hearsSync = from.fixed(NODES_LENGTH, getVoters) ?? [];
  return (
    accepted && {
      promised,
      accepted,
      bound,
      isFresh: (flags & IS_FRESH) !== 0,
      wasStopped: (flags & WAS_STOPPED) !== 0,
      wasWrittenOut: (moreFlags & WAS_WRITTEN_OUT) !== 0,
      isBlank: (flags & IS_BLANK) !== 0,
      isOut: (flags & IS_OUT) !== 0,
      isDiverged: (flags & IS_DIVERGED) !== 0,
      hasKept: (flags & HAS_KEPT) !== 0,
      hasFailed: (flags & HAS_FAILED) !== 0,
      history: getHistory(from, epochs),
      leases: getLeases(from, leases),
      hearsSync,
      handover: (flags & HAS_HANDOVER) === 0 ? undefined : handovers.get(from),
    }
  );
}

function flagsOf<H>(report: Report<H>): number {
  const { handover, isFresh, wasStopped, isBlank, isOut, isDiverged, hasKept, hasFailed } = report;
  return (
    (handover === undefined ? 0 : HAS_HANDOVER) |
    (isFresh ? IS_FRESH : 0) |
    (wasStopped ? WAS_STOPPED : 0) |
    (isBlank ? IS_BLANK : 0) |
    (isOut ? IS_OUT : 0) |
    (isDiverged ? IS_DIVERGED : 0) |
    (hasKept ? HAS_KEPT : 0) |
    (hasFailed ? HAS_FAILED : 0)
  );
}

function getLeases(from: WireReader, count: number): (readonly [number, number])[] {
  const leases: (readonly [number, number])[] = [];
  for (let left = from.rows(count, LEASE); left > 0; left--) {
    const node = from.uint16();
    const ms = from.number();
    if (ms < 0) from.refuse('outOfRange');
    leases.push([node, ms]);
  }
  return leases;
}
