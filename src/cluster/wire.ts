/**
 * Layout of the messages about a device's configuration (docs/FORMATS.md, "Messages between nodes"). What copies have to
 * tell is a codec of its own, which `engine` has.
 *
 * Without a handover each fits into one datagram that no network has to cut: at most 1258 bytes (a promise with five
 * leases and 32 epochs of four members).
 */

import type { MessageCodec, WireReader, WireWriter } from '../base/wire.ts';
import { getConfigurationFrom, namesReplicas, putConfigurationTo } from './configuration-wire.ts';
import { getVoters, NODES_LENGTH, putVoters } from './fields.ts';
import type { Beat, BeatAnswer, Control, Report, Role } from './messages.ts';
import { createReportCodec } from './report-wire.ts';

const BEATS = ['beat', 'beatAnswer'] as const;
const CONTROLS = ['prepare', 'promise', 'refuse', 'accept', 'accepted', 'install'] as const;
const ROLES: readonly [Role, ...Role[]] = [
  'serving',
  'learning',
  'sealed',
  'waiting',
  'blocked',
  'diverged',
  'failed',
  'witness',
  'stopping',
  'removed',
];

/** Flags of a beat. */
const HAS_RETIRED = 1;
/** Of `prepare`. */
const WITH_HANDOVER = 1;
/** Of `accept`, and of `install`. */
const HAS_HANDOVER = 1;
const HAS_REPLICAS = 2;

export const beatCodec: MessageCodec<Beat | BeatAnswer> = {
  put(to, message) {
    to.oneOf(BEATS, message.kind);
    if (message.kind === 'beat') {
      to.oneOf(ROLES, message.role);
      to.byte(message.hasRetired ? HAS_RETIRED : 0);
    } else {
      to.reserved(2);
    }
    to.reserved(1);
    to.count(message.incarnation);
    to.number(message.sentAt);
    to.count(message.term);
    if (message.kind === 'beatAnswer') return;
    to.count(message.promised);
    to.count(message.accepted.term);
    to.fixed(NODES_LENGTH, putVoters, message.accepted.members);
    to.fixed(NODES_LENGTH, putVoters, message.hears);
    to.fixed(NODES_LENGTH, putVoters, message.hearsSync);
    to.fixed(NODES_LENGTH, putVoters, message.members);
  },
  get(from) {
    const kind = from.oneOf(BEATS);
    const role = from.oneOf(ROLES);
    const hasRetired = (from.byte() & HAS_RETIRED) !== 0;
    from.reserved(1);
    const both = { incarnation: from.count(), sentAt: from.number(), term: from.count() };
    if (kind === 'beatAnswer') return { kind, ...both };
    return {
      kind,
      role,
      hasRetired,
      ...both,
      promised: from.count(),
      accepted: { term: from.count(), members: getList(from) },
      hears: getList(from),
      hearsSync: getList(from),
      members: getList(from),
    };
  },
};

interface Parts<H> {
  readonly reports: MessageCodec<Report<H>>;
  readonly handovers: MessageCodec<H>;
}

export function createControlCodec<H>(handovers: MessageCodec<H>): MessageCodec<Control<H>> {
  const parts = { reports: createReportCodec(handovers), handovers };
  return {
    put: (to, message) => putControl(to, message, parts),
    get: (from) => getControl(from, parts),
  };
}

function putControl<H>(to: WireWriter, message: Control<H>, { reports, handovers }: Parts<H>): void {
  to.oneOf(CONTROLS, message.kind);
  to.byte(flagsOf(message));
  to.reserved(2);
  switch (message.kind) {
    case 'prepare':
      to.count(message.term);
      return to.fixed(NODES_LENGTH, putVoters, message.excluded);
    case 'promise':
      to.count(message.term);
      return reports.put(to, message.report);
    case 'refuse':
      to.count(message.term);
      return to.count(message.promised);
    case 'accept': {
      const { configuration, diverged, handover } = message.proposal;
      putConfigurationTo(to, configuration);
      to.fixed(NODES_LENGTH, putVoters, diverged);
      if (handover !== undefined) handovers.put(to, handover);
      return;
    }
    case 'accepted':
      return to.count(message.term);
    case 'install':
      return putConfigurationTo(to, message.configuration);
  }
}

function getControl<H>(from: WireReader, { reports, handovers }: Parts<H>): Control<H> | undefined {
  const kind = from.oneOf(CONTROLS);
  const flags = from.byte();
  from.reserved(2);
  switch (kind) {
    case 'prepare':
      return {
        kind,
        term: from.count(),
        excluded: getList(from),
        withHandover: (flags & WITH_HANDOVER) !== 0,
      };
    case 'promise': {
      const term = from.count();
      const report = reports.get(from);
      return report && { kind, term, report };
    }
    case 'refuse':
      return { kind, term: from.count(), promised: from.count() };
    case 'accept': {
      const configuration = getConfigurationFrom(from, (flags & HAS_REPLICAS) !== 0);
      const diverged = getList(from);
      const handover = (flags & HAS_HANDOVER) === 0 ? undefined : handovers.get(from);
      return configuration && { kind, proposal: { configuration, diverged, handover } };
    }
    case 'accepted':
      return { kind, term: from.count() };
    case 'install': {
      const configuration = getConfigurationFrom(from, (flags & HAS_REPLICAS) !== 0);
      return configuration && { kind, configuration };
    }
  }
}

function flagsOf<H>(message: Control<H>): number {
  switch (message.kind) {
    case 'prepare':
      return message.withHandover ? WITH_HANDOVER : 0;
    case 'accept': {
      const { handover, configuration } = message.proposal;
      return (handover === undefined ? 0 : HAS_HANDOVER) | (namesReplicas(configuration) ? HAS_REPLICAS : 0);
    }
    case 'install':
      return namesReplicas(message.configuration) ? HAS_REPLICAS : 0;
    default:
      return 0;
  }
}

function getList(from: WireReader): readonly number[] {
  return from.fixed(NODES_LENGTH, getVoters) ?? [];
}
