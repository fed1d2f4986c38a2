/**
 * The configuration file as it is written (TOML). Every field says in its own words what is wrong with a value; what
 * needs several fields at once is checked in `resolve.ts`. Unknown keys are errors: a misspelt key must not be ignored.
 */

import { z } from 'zod';
import { parseSize } from '../../base/units.ts';
import { DEFAULT_KEEP_ALIVE } from '../plan.ts';
import { faultOfName, normalizeName } from './names.ts';

export const ENGINES_MAX = 64;
/** Beyond, a dead initiator would hold what it holds for good. */
const KEEP_ALIVE_SECONDS_MAX = 3600;
/** RFC 7143 §9.2.1: shorter secrets are only for IPsec. */
export const SECRET_BYTES_MIN = 12;
export const SECRET_BYTES_MAX = 255;
export const LUN_NUMBER_MAX = 16383;
/** Stamps of changes have four bits for the node. */
export const NODE_NUMBER_MAX = 15;
const PARTNERS_MAX = 14;
const COPIES_MAX = 4;
/** Read-only media and rescue systems use small ones; a disk below this is a mistake. */
const SIZE_BYTES_MIN = 4096;
/** Smaller ones only cost. */
export const CACHE_BYTES_MIN = 2 ** 20;

const text = (what: string) => z.string({ error: `write ${what} in quotes` }).min(1, `${what} is empty`);

const flag = z.boolean({ error: 'write true or false' });

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `write one of ${values.map((value) => `"${value}"`).join(', ')}` });

/** `smallest`: as people write it. `words`: what may stand in place of a size. */
const sizeFrom = (bytesMin: number, smallest: string, words: Readonly<Record<string, number>> = {}) =>
  z
    .union([z.string(), z.number()], { error: 'write a size such as "512M" or "10G"' })
    .transform((value, context) => {
      if (Object.hasOwn(words, value)) return words[value]!;
      const bytes = parseSize(String(value));
      if (!bytes.ok) context.issues.push({ code: 'custom', message: bytes.fault.why, input: value });
      else if (bytes.value < bytesMin) {
        context.issues.push({ code: 'custom', message: `the smallest size is ${smallest}`, input: value });
      }
      return bytes.ok ? bytes.value : 0;
    });

const size = sizeFrom(SIZE_BYTES_MIN, String(SIZE_BYTES_MIN));

/** A witness that is no node has the last number. */
const NODES_MAX = NODE_NUMBER_MAX - 1;

const number = z
  .int({ error: 'write a whole number' })
  .min(1, 'the smallest number of a node is 1')
  .max(NODES_MAX, `the largest number of a node is ${NODES_MAX}`);

const sector = z.union([z.literal(512), z.literal(4096)], { error: 'write 512 or 4096' });

const iscsiName = text('an iSCSI name')
  .transform(normalizeName)
  .superRefine((name, context) => {
    const fault = faultOfName(name);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });

const initiator = z.union([z.literal('*'), iscsiName], {
  error: 'write an iSCSI name, or "*" for every initiator',
});

const seconds = (usual: number) =>
  z
    .int({ error: 'write a whole number of seconds' })
    .min(1, 'at least 1 second')
    .max(KEEP_ALIVE_SECONDS_MAX, `at most ${KEEP_ALIVE_SECONDS_MAX} seconds`)
    .default(usual);

const node = z.strictObject({
  name: text('a name').optional(),
  state_directory: text('a path').optional(),
  engines: z
    .int({ error: 'write a whole number' })
    .min(1, 'at least 1 engine')
    .max(ENGINES_MAX, `at most ${ENGINES_MAX} engines`)
    .default(1),
  ping_after_seconds: seconds(DEFAULT_KEEP_ALIVE.pingAfterSeconds),
  dead_after_seconds: seconds(DEFAULT_KEEP_ALIVE.deadAfterSeconds),
});

const serial = text('a serial number')
  .max(36, 'a serial number has at most 36 characters')
  .regex(/^[\x21-\x7e]+$/, 'a serial number has printable ASCII characters without blanks');

const common = {
  name: text('a name').regex(/^[\w.-]{1,64}$/, 'a device name has up to 64 letters, digits, ".", "_", "-"'),
  sector: sector.default(512),
  physical_sector: sector.optional(),
  provisioning: oneOf(['thin', 'thick']).default('thin'),
  read_only: flag.default(false),
  write_cache: oneOf(['through', 'back']).default('through'),
  removable: flag.default(false),
  serial: serial.optional(),
};

/** Of a cache: as much as there is. */
export const CACHE_AS_LARGE_AS_POSSIBLE = Infinity;

/** Of what lies on a medium. */
const cached = {
  cache: sizeFrom(CACHE_BYTES_MIN, '1M', { max: CACHE_AS_LARGE_AS_POSSIBLE }).default(0),
  power_protected: flag.default(false),
};

const mirror = {
  id: text('an identifier').regex(/^[0-9a-f]{32}$/, 'write 32 hexadecimal digits, the same on all nodes'),
  path: text('a path').optional(),
  records: text('a path').optional(),
  size,
  nodes: z
    .array(text('the name of a node'), { error: 'write a list of names of nodes, the preferred one first' })
    .min(1, 'name at least one node')
    .max(COPIES_MAX, `at most ${COPIES_MAX} nodes have a copy`),
  strategy: oneOf(['heartbeat', 'majority']).default('heartbeat'),
  isolation: oneOf(['arbitrate', 'suspend-low', 'continue']).optional(),
  witness: text('the name of a node, "share" or "etcd"').optional(),
  journal: oneOf(['continuous', 'failure', 'ram']).default('continuous'),
};

const device = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      ...common,
      ...cached,
      kind: z.literal('file'),
      path: text('a path'),
      size: size.optional(),
    }),
    z.strictObject({ ...common, kind: z.literal('ram'), size }),
    z.strictObject({ ...common, ...cached, kind: z.literal('mirror'), ...mirror }),
  ],
  { error: 'write kind = "mirror", kind = "file" or kind = "ram"' },
);

const address = text('an address such as "192.0.2.1:3260"').regex(
  /^(?:\[[0-9a-fA-F:.%\w]+\]|[0-9.]+):\d{1,5}$/,
  'write an address and a port, such as "192.0.2.1:3260" or "[2001:db8::1]:3260"',
);

const portal = z
  .strictObject({ address, announce: z.array(address).min(1, 'name at least one address').optional() })
  .transform((table) => ({ address: table.address, announce: table.announce }));

const etcd = z.strictObject({
  endpoints: z
    .array(text('an address').regex(/^https?:\/\/\S+$/, 'write an address such as "https://192.0.2.7:2379"'))
    .min(1, 'name at least one endpoint'),
  ca: text('a path').optional(),
  certificate: text('a path').optional(),
  key: text('a path').optional(),
});

const cluster = z.strictObject({
  name: text('the name of the cluster'),
  node: number,
  certificates: text('a path'),
  listen: z.array(address, { error: 'write a list of addresses' }).min(1, 'name at least one address'),
  confirm_reads: flag.optional(),
  share: text('a path').optional(),
  etcd: etcd.optional(),
});

const link = z.strictObject({
  kind: oneOf(['sync', 'heartbeat']),
  local: text('an address without a port').optional(),
  remote: address,
});

const partner = z.strictObject({
  name: text('the name of a node'),
  node: number,
  links: z
    .array(link, { error: 'write a list such as [{ kind = "sync", remote = "192.0.2.2:3262" }]' })
    .min(1, 'name at least one link'),
});

const lun = z.strictObject({
  device: text('the name of a device'),
  lun: z
    .int({ error: 'write a whole number' })
    .min(0, 'the smallest LUN is 0')
    .max(LUN_NUMBER_MAX, `the largest LUN is ${LUN_NUMBER_MAX}`)
    .optional(),
});

const credentials = z.strictObject({
  user: text('a user name').max(255, 'a user name has at most 255 characters'),
  secret: text('a secret').optional(),
  secret_file: text('a path').optional(),
});

const chap = z.strictObject({
  users: z.array(credentials, { error: 'write a list of { user, secret }' }).min(1, 'name at least one user'),
  mutual: credentials.optional(),
  algorithms: z
    .array(oneOf(['md5', 'sha1', 'sha256', 'sha3-256']))
    .min(1, 'name at least one algorithm')
    .default(['sha3-256', 'sha256', 'sha1', 'md5']),
});

const target = z.strictObject({
  name: iscsiName.optional(),
  alias: text('an alias').max(255, 'an alias has at most 255 characters').optional(),
  portals: z.array(text('an address')).min(1, 'name at least one portal').optional(),
  luns: z.array(lun, { error: 'write a list such as [{ device = "disk1" }]' }).default([]),
  allow: z.array(initiator, { error: 'write a list of initiator names, or ["*"]' }).optional(),
  chap: chap.optional(),
  digests: oneOf(['optional', 'header', 'required']).default('optional'),
  send_targets_in_normal_session: flag.default(false),
});

export const fileSchema = z.strictObject({
  node: node.prefault({}),
  cluster: cluster.optional(),
  partner: z
    .array(partner, { error: 'write each partner as a [[partner]] table' })
    .max(PARTNERS_MAX, `at most ${PARTNERS_MAX} partners`)
    .default([]),
  device: z.array(device, { error: 'write each device as a [[device]] table' }).default([]),
  portal: z.array(portal, { error: 'write each portal as a [[portal]] table' }).default([]),
  target: z.array(target, { error: 'write each target as a [[target]] table' }).default([]),
});

export type ConfigFile = z.output<typeof fileSchema>;
export type DeviceTable = ConfigFile['device'][number];
export type MirrorTable = Extract<DeviceTable, { readonly kind: 'mirror' }>;
export type TargetTable = ConfigFile['target'][number];
export type CredentialsTable = z.output<typeof credentials>;
