/**
 * The LUNs that libiscsi's suite is run on. No single LUN can run all of it: a test for removable media skips on a
 * fixed disk. A test's result is the worst of all failures and the best of all skips: it must fail nowhere and should
 * pass somewhere. Lines of the tool's source are those of version 1.19.0.
 */

export type Medium = 'ram' | 'file';
export const MEDIA: readonly Medium[] = ['ram', 'file'];

export interface MatrixLun {
  readonly id: string;
  readonly why: string;
  /** On which it is there. */
  readonly media: readonly Medium[];
  /** Bytes. */
  readonly size: number;
  readonly sector: 512 | 4096;
  readonly physicalSector: 512 | 4096;
  /** Lines of a [[device]] and a [[target]] table beyond the usual ones. */
  readonly deviceLines: readonly string[];
  readonly targetLines: readonly string[];
  /** The n-th path logs in as the n-th user. */
  readonly users: readonly { readonly user: string; readonly secret: string }[];
  /** Suites that are run here; undefined: all. */
  readonly suites: readonly string[] | undefined;
  /** Tests that cannot pass here by their own logic, with the reason, and pass on another LUN. */
  readonly without: Readonly<Record<string, string>>;
  /** Identical targets, so that tests need not wait for each other: tests of one LUN never run at once. */
  readonly lanes: number;
}

const MIB = 2 ** 20;
/** Sanitize.Reset sleeps a minute and answers no ping meanwhile; a session given up would never see the end. */
const ASLEEP_SECONDS = 90;

/** What no target passes: tgt 1.0.85 ends the same test the same way. */
const TOOL_DEFECTS: Readonly<Record<string, string>> = {
  'iSCSITMF.LUNResetSimpleAsync':
    'looks at the result of the reset before it has let any answer arrive (test_async_lu_reset_simple.c:157); tgt fails in the same line',
};

/** What cannot pass on a mirrored device by its own logic, with its paths through two nodes. */
export const NOT_ON_A_MIRROR: Readonly<Record<string, string>> = {
  ...TOOL_DEFECTS,
  'GetLBAStatus.UnmapSingle':
    'unmaps one block and wants the next to start a descriptor, which 8 blocks per physical block rule out',
  'Sanitize.Readonly': 'sets SWP, which initiators may not: it would hold on the paths through one node only',
  'Sanitize.Reset':
    'sleeps a minute and answers no ping: a mirrored target ends sessions that are silent, so that their paths fail in time',
};

const plain = {
  media: MEDIA,
  size: 64 * MIB,
  sector: 512,
  physicalSector: 512,
  deviceLines: [],
  targetLines: [],
  users: [],
  suites: undefined,
  without: {},
  lanes: 1,
} as const satisfies Partial<MatrixLun>;

export const MATRIX: readonly MatrixLun[] = [
  {
    ...plain,
    id: 'M1',
    why: 'everything; 8 logical blocks per physical one, below 1 GiB, where Read6.BeyondEol is a real test',
    size: 512 * MIB,
    physicalSector: 4096,
    without: {
      ...TOOL_DEFECTS,
      'GetLBAStatus.UnmapSingle':
        'unmaps one block and wants the next to start a descriptor, which 8 blocks per physical block rule out',
    },
    lanes: 2,
  },
  { ...plain, id: 'M2', why: 'one logical block per physical one', suites: ['GetLBAStatus', 'Unmap'] },
  {
    ...plain,
    id: 'M3',
    why: '4096-byte logical blocks',
    sector: 4096,
    physicalSector: 4096,
    without: {
      ...TOOL_DEFECTS,
      ...Object.fromEntries(
        ['EA', 'WE', 'EARO', 'WERO', 'EAAR', 'WEAR'].map((type) => [
          `ProutReserve.Access${type}`,
          'sends 512 bytes for a block of 4096 (iscsi-support.c:1366)',
        ]),
      ),
      'Sanitize.Reset': 'wants an operation that lasts longer than 3 s, and 64 MiB do not',
    },
  },
  {
    ...plain,
    id: 'M4',
    why: 'CRC32C over headers, on which it insists; the tool knows no digest over data',
    targetLines: ['digests = "header"'],
    without: TOOL_DEFECTS,
    suites: [
      'Mandatory',
      'Inquiry',
      'Read10',
      'Write10',
      'WriteSame16',
      'CompareAndWrite',
      'ExtendedCopy',
      'iSCSITMF',
      'iSCSIResiduals',
      'iSCSIcmdsn',
      'iSCSIdatasn',
      'MultipathIO',
    ],
  },
  {
    ...plain,
    id: 'M5',
    why: 'CHAP, with user names that look like numbers',
    users: [
      { user: '0xdeadbeef', secret: '0x0123456789ab' },
      { user: '0bdeadbeef', secret: '0b0123456789ab' },
    ],
    suites: ['Mandatory', 'Inquiry', 'Reserve6', 'MultipathIO', 'iSCSICHAP'],
  },
  {
    ...plain,
    id: 'M6',
    why: 'a medium that can be ejected',
    deviceLines: ['removable = true'],
    suites: ['PreventAllow', 'StartStopUnit', 'NoMedia', 'Inquiry', 'TestUnitReady'],
  },
  {
    ...plain,
    id: 'M7',
    why: 'read-only',
    deviceLines: ['read_only = true'],
    suites: ['ReadOnly'],
  },
  {
    ...plain,
    id: 'M8',
    why: 'a write-back cache of our own, so small that most of the device has no place in it; a flat file only',
    media: ['file'],
    deviceLines: ['cache = "1M"', 'write_cache = "back"', 'power_protected = true'],
    suites: [
      'Mandatory',
      'Inquiry',
      'ModeSense6',
      'Read10',
      'Write10',
      'Write16',
      'WriteSame10',
      'WriteSame16',
      'WriteVerify10',
      'Verify10',
      'OrWrite',
      'CompareAndWrite',
      'Unmap',
      'GetLBAStatus',
      'ExtendedCopy',
      'MultipathIO',
    ],
  },
];

export interface Lane {
  readonly lun: MatrixLun;
  readonly medium: Medium;
  /** Device and target are named after it. */
  readonly name: string;
  readonly target: string;
}

export function lanesOf(media: readonly Medium[]): Lane[] {
  return media.flatMap((medium) =>
    MATRIX.filter((lun) => lun.media.includes(medium)).flatMap((lun) =>
      Array.from({ length: lun.lanes }, (_, index) => {
        const name = `${lun.id.toLowerCase()}-${medium}-${index}`;
        return { lun, medium, name, target: `iqn.2026-01.example.conformance:${name}` };
      }),
    ),
  );
}

/** The configuration that serves these lanes; image files are made in `directory`. */
export function configOf(lanes: readonly Lane[], directory: string): string {
  const lines = [
    '[node]',
    `state_directory = "${directory}/state"`,
    `dead_after_seconds = ${ASLEEP_SECONDS}`,
  ];
  for (const address of ['127.0.0.1:0', '127.0.0.2:0']) lines.push('[[portal]]', `address = "${address}"`);
  for (const { lun, medium, name, target } of lanes) {
    lines.push(
      '[[device]]',
      `name = "${name}"`,
      `kind = "${medium}"`,
      `size = ${lun.size}`,
      `sector = ${lun.sector}`,
      `physical_sector = ${lun.physicalSector}`,
      ...(medium === 'file' ? [`path = "${directory}/${name}.img"`] : []),
      ...lun.deviceLines,
      '[[target]]',
      `name = "${target}"`,
      `luns = [{ device = "${name}", lun = 0 }]`,
      'allow = ["*"]',
      'send_targets_in_normal_session = true',
      ...lun.targetLines,
    );
    if (lun.users.length > 0) {
      const users = lun.users.map(({ user, secret }) => `{ user = "${user}", secret = "${secret}" }`);
      lines.push(`chap = { users = [${users.join(', ')}] }`);
    }
  }
  return `${lines.join('\n')}\n`;
}
