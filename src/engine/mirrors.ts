/** Opens this node's part in mirrored devices: a copy with its records, or, as a witness, records alone. */

import { fail, ok, type Result } from '../base/result.ts';
import { encodeUtf8 } from '../base/text.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Configuration, Site } from '../cluster/configuration.ts';
import { CLAIM, encodeRegister, VOTE } from '../cluster/registers.ts';
import { SUPERBLOCK_FILE_LENGTH } from '../cluster/superblock.ts';
import { SLOTS_DEFAULT } from '../journal/activity-log.ts';
import { journalLength } from '../journal/journal.ts';
import { PARTNERS_MAX } from '../journal/map-places.ts';
import type { JournalStrategy } from '../journal/recovery.ts';
import type { GrowableDevice } from '../ports/block-device.ts';
import type { Clock } from '../ports/clock.ts';
import type { Crc32c, Crypto } from '../ports/crypto.ts';
import type { Disk, ReopenableDisk } from '../ports/disk.ts';
import type { PartnerNetwork } from '../ports/partner-network.ts';
import type { Trace } from '../ports/trace.ts';
import type { VoteStore } from '../ports/vote-store.ts';
import type { WritePolicy } from '../replication/ports.ts';
import { createRamStore } from '../store/ram-store.ts';
import type { Cache } from '../cache/cache.ts';
import { openCachedStore } from './cached-store.ts';
import { hexText } from './hex.ts';
import type { StartFault } from './messages.ts';
import { CopyRecords } from './mirror/copy-records.ts';
import { MirrorDevice } from './mirror/mirror-device.ts';
import { type MirrorEvents, MirrorHost } from './mirror/mirror-host.ts';
import type { ClusterSpec, MediumSpec, MirrorDeviceSpec, WitnessSpec } from './spec.ts';

export interface OpenedDisk {
  readonly disk: ReopenableDisk;
  /** The file was made just now; nothing that was kept for one of its name is about it. */
  readonly fresh: boolean;
}

/** The doors of mirrors to the world. */
export interface MirrorsPorts {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly crc32c: Crc32c;
  readonly trace: Trace;
  /** Opens, and where the specification says so creates, the file. */
  openDisk(
    spec: MediumSpec,
    onProgress: (done: number, total: number) => void,
  ): Promise<Result<OpenedDisk, StartFault>>;
  /** The file with superblock and journal. */
  openRecords(path: string, length: RecordsLength): Promise<Result<OpenedDisk, StartFault>>;
  /** Links of this device to all partners; for one user at a time, who gets another when he is done. */
  openNetwork(device: Uuid): PartnerNetwork;
  /** The register of this device in the cluster's vote store. */
  openVotes(device: Uuid): VoteStore;
  nextIncarnation(): Result<number, string>;
}

export interface OpenMirror {
  readonly host: MirrorHost;
  /** Of this node's copy; undefined: it has none. */
  readonly cache: Cache | undefined;
  /** Lets go of the disks; the host was stopped before. */
  close(): Promise<void>;
}

export async function openMirror(
  spec: MirrorDeviceSpec,
  cluster: ClusterSpec,
  ports: MirrorsPorts,
  /** Called before the device is opened. */
  createEvents: (device: MirrorDevice) => MirrorEvents,
  onProgress: (done: number, total: number) => void,
): Promise<Result<OpenMirror, StartFault>> {
  const records = await ports.openRecords(spec.recordsPath, recordsLength(spec, cluster));
  if (!records.ok) return records;
  // A new file in place of the one that the records are about would be taken for the copy.
  const length = records.value.fresh ? spec.length : undefined;
  const data = await ports.openDisk({ ...spec, kind: 'file', length }, onProgress);
  if (!data.ok) {
    await records.value.disk.close();
    return records.value.fresh ? data : fail(withAdvice(data.fault, spec));
  }
  const store = openCachedStore({
    disk: data.value.disk,
    blockLength: spec.blockLength,
    // What has to be durable the mirror asks for as such.
    writeCache: 'back',
    cacheMemory: spec.cacheMemory,
    clock: ports.clock,
    ...(spec.provisioning === 'thick' ? { thin: false } : {}),
  });
  const cache = store.ok ? store.value.cache : undefined;
  const close = async (): Promise<void> => {
    await cache?.abandon();
    await Promise.all([data.value.disk.close(), records.value.disk.close()]);
  };
  const wrong = store.ok
    ? await faultOfLength(spec, cluster.node, records.value, data.value.disk.length, ports)
    : store.fault.message;
  if (wrong !== undefined || !store.ok) {
    await close();
    return fail({ reason: 'configuration', message: `Device ${spec.name} cannot be served: ${wrong}.` });
  }
  const part = { ...spec, policy: spec.writeCache };
  const { device, letGo } = store.value;
  const served = new MirrorDevice(device, ports.clock);
  const blockCount = spec.length / spec.blockLength;
  const disks = [data.value.disk, records.value.disk];
  const medium = {
    store: device,
    blockCount,
    records: records.value.disk,
    served,
    letGo,
    reopen: () => reopenAll(disks),
  };
  const host = hostOf(part, cluster, medium, ports, createEvents(served));
  return started(spec.name, host, cache, close);
}

export async function openWitness(
  spec: WitnessSpec,
  cluster: ClusterSpec,
  ports: MirrorsPorts,
): Promise<Result<OpenMirror, StartFault>> {
  const records = await ports.openRecords(spec.recordsPath, recordsLength(spec, cluster));
  if (!records.ok) return records;
  const { blockLength, length } = spec;
  const nothing = createRamStore({ blockLength, blockCount: length / blockLength });
  const served = new MirrorDevice(nothing, ports.clock);
  const part = { ...spec, policy: 'through', journal: 'ram', asksStore: false } as const;
  const host = hostOf(
    part,
    cluster,
    {
      store: nothing,
      blockCount: length / blockLength,
      records: records.value.disk,
      served,
      letGo: () => Promise.resolve(),
      reopen: () => reopenAll([records.value.disk]),
    },
    ports,
    NO_EVENTS,
  );
  return started(spec.name, host, undefined, () => records.value.disk.close());
}

/** Bytes of the file with superblock and journal. */
export interface RecordsLength {
  /** Of a new one: there is room for every partner that may get a copy. */
  readonly made: number;
  /** Of one that is there; it grows when more nodes have copies. */
  readonly least: number;
}

export function recordsLength(
  { length, blockLength }: Pick<MirrorDeviceSpec, 'length' | 'blockLength'>,
  { partners }: ClusterSpec,
): RecordsLength {
  const withRoomFor = (places: number): number =>
    SUPERBLOCK_FILE_LENGTH + journalLength(length / blockLength, blockLength, places);
  return { made: withRoomFor(Math.max(1, Math.min(partners.length, PARTNERS_MAX))), least: withRoomFor(1) };
}

/** Two copies of one device never have the same. */
function copyIdOf(device: Uuid, node: number, crypto: Crypto): Uuid {
  const bytes = encodeUtf8(`copy of ${device} on ${node}`);
  return hexText(crypto.digest('sha256', [bytes]).subarray(0, 16));
}

interface Part {
  readonly name: string;
  readonly id: Uuid;
  readonly site: Site;
  readonly policy: WritePolicy;
  readonly journal: JournalStrategy;
  readonly asksStore: boolean;
}

interface Medium {
  readonly store: GrowableDevice;
  readonly blockCount: number;
  readonly records: Disk;
  readonly served: MirrorDevice;
  readonly letGo: () => Promise<void>;
  readonly reopen: () => Promise<Result<void, string>>;
}

async function reopenAll(disks: readonly ReopenableDisk[]): Promise<Result<void, string>> {
  for (const disk of disks) {
    // oxlint-disable-next-line no-await-in-loop -- two of them
    const opened = await disk.reopen();
    if (!opened.ok) return opened;
  }
  return ok(undefined);
}

/** Nobody uses what a witness has. */
const NO_EVENTS: MirrorEvents = {
  attached: () => undefined,
  detached: () => undefined,
  dropSessions: () => undefined,
  onChanged: () => undefined,
  onDocument: () => undefined,
};

function hostOf(
  { name, id, site, policy, journal, asksStore }: Part,
  cluster: ClusterSpec,
  medium: Medium,
  ports: MirrorsPorts,
  events: MirrorEvents,
): MirrorHost {
  const { crypto, clock, crc32c } = ports;
  return new MirrorHost({
    self: cluster.node,
    device: id,
    copyId: copyIdOf(id, cluster.node, crypto),
    site,
    neighbours: cluster.partners.map(({ node }) => node),
    policy,
    journal,
    slotCount: SLOTS_DEFAULT,
    confirmsReads: cluster.confirmsReads,
    ...medium,
    votes: asksStore ? ports.openVotes(id) : undefined,
    ports: {
      clock,
      crypto,
      crc32c,
      trace: (level, event, fields) => ports.trace(level, event, { device: name, ...fields }),
      openNetwork: () => ports.openNetwork(id),
      nextIncarnation: () => ports.nextIncarnation(),
      events,
    },
  });
}

async function started(
  name: string,
  host: MirrorHost,
  cache: Cache | undefined,
  close: () => Promise<void>,
): Promise<Result<OpenMirror, StartFault>> {
  const start = await host.start();
  if (start.ok) return ok({ host, cache, close });
  await close();
  return fail({ reason: 'system', message: `Device ${name} cannot be served: ${start.fault}.` });
}

function withAdvice(fault: StartFault, { recordsPath }: MirrorDeviceSpec): StartFault {
  const advice = `Its records ${recordsPath} are there: bring the file back (is its file system mounted?), or remove the records as well; then the copy is made anew from its partners.`;
  return { ...fault, message: `${fault.message} ${advice}` };
}

/**
 * The size in the specification is that of a new device; how large it is since, the records say. The file may be longer: it
 * is made so before the device is, and what lies behind the device's end counts for nothing.
 */
async function faultOfLength(
  spec: MirrorDeviceSpec,
  node: number,
  records: OpenedDisk,
  found: number,
  ports: MirrorsPorts,
): Promise<string | undefined> {
  const { path, length } = spec;
  if (records.fresh && found !== length)
    return `${path} has ${found} bytes, and all copies have ${length}; correct the size, or name another file`;
  const recorded = copyRecords(spec, node, records.disk, ports);
  if (!(await recorded.load())) return undefined;
  const bytes = recorded.blockCount * spec.blockLength;
  if (found >= bytes) return undefined;
  return `${path} has ${found} bytes, and the copy in it has ${bytes}: part of it is missing; bring the whole file back, or remove its records ${spec.recordsPath} as well, then the copy is made anew from its partners`;
}

function copyRecords(
  spec: MirrorDeviceSpec | WitnessSpec,
  node: number,
  disk: Disk,
  { crypto, clock }: Pick<MirrorsPorts, 'crypto' | 'clock'>,
): CopyRecords {
  const { id, blockLength, length } = spec;
  const identity = {
    device: id,
    node,
    copy: copyIdOf(id, node, crypto),
    blockLength,
    blockCount: length / blockLength,
    writePolicy: 'kind' in spec ? spec.writeCache : 'through',
    journal: 'kind' in spec ? spec.journal : 'ram',
  } as const;
  return new CopyRecords(disk, 0, identity, clock);
}

/**
 * Makes the records of a copy (or a vote) of a new device. `members`: whose copies are equal from the start; all who have
 * such records say the same. False: there are records already, and they are left as they are.
 */
export async function createRecords(
  spec: MirrorDeviceSpec | WitnessSpec,
  node: number,
  members: readonly number[],
  disk: Disk,
  ports: Pick<MirrorsPorts, 'crypto' | 'clock'>,
): Promise<Result<boolean, string>> {
  const records = copyRecords(spec, node, disk, ports);
  if (!(await records.load())) return fail('they cannot be read, or a later version has written them');
  if (!records.isBlank || records.standing.promised > 0) return ok(false);
  const created = await records.create(firstEpoch(spec.id, members, ports.crypto));
  return created.ok ? ok(true) : fail('cause' in created.fault ? created.fault.cause : 'there is no room');
}

/** What lies in the vote store of a new device: the witness's vote, or what the arbiter knows. */
export function firstRegister(
  { id, site }: MirrorDeviceSpec,
  members: readonly number[],
  crypto: Crypto,
): Uint8Array {
  const first = firstEpoch(id, members, crypto);
  return site.strategy.kind === 'majority'
    ? encodeRegister(VOTE, id, { promised: first.term, accepted: first })
    : encodeRegister(CLAIM, id, { term: first.term, members: first.members });
}

/** All who make a part of one device say the same. */
function firstEpoch(device: Uuid, members: readonly number[], crypto: Crypto): Configuration {
  const ascending = members.toSorted((a, b) => a - b);
  const seed = encodeUtf8(`first epoch of ${device}: ${ascending.join()}`);
  const id = hexText(crypto.digest('sha256', [seed]).subarray(0, 16));
  return { term: 1, id, members: ascending, learners: [] };
}
