/**
 * The walls between folders, over resolved paths. A new folder under src/ gets a row here first; files directly in
 * src/ wire processes together and may import anything.
 */
import { importsOf, isCode, isTestCode } from './tree.ts';
import type { Check, Import } from './tree.ts';

interface Row {
  readonly folders: readonly string[];
  /** Of these only types. */
  readonly types?: readonly string[];
  /** Whether npm packages and Node.js's own modules may be used. */
  readonly world: boolean;
}

const JOURNALED = { folders: ['base', 'ports', 'journal'], world: false };

const TABLE: Readonly<Record<string, Row>> = {
  base: { folders: [], world: false },
  ports: { folders: ['base'], world: false },
  scsi: { folders: ['base', 'ports'], world: false },
  iscsi: { folders: ['base', 'ports'], world: false },
  journal: { folders: ['base', 'ports'], world: false },
  store: JOURNALED,
  cache: JOURNALED,
  replication: JOURNALED,
  cluster: JOURNALED,
  engine: {
    folders: ['base', 'ports', 'scsi', 'iscsi', 'journal', 'store', 'cache', 'replication', 'cluster'],
    world: false,
  },
  initiator: { folders: ['base', 'ports', 'iscsi'], world: false },
  judge: { folders: ['base'], world: false },
  drill: { folders: ['base', 'ports', 'initiator', 'judge'], world: false },
  runtime: { folders: ['base', 'ports'], world: true },
  management: { folders: ['base', 'ports'], types: ['engine', 'drill'], world: true },
};

/** Fewer files or imports than this and the check does not see the project. */
const FILES_MIN = 30;
const IMPORTS_MIN = 60;

export const importTable: Check = (tree) => {
  const complaints: string[] = [];
  for (const [path, text] of tree) {
    if (!isCode(path)) continue;
    for (const found of importsOf(path, text)) {
      const complaint = judge(path, found, (target) => tree.has(target));
      if (complaint !== undefined) complaints.push(`${path}: '${found.specifier}': ${complaint}`);
    }
  }
  return complaints;
};

export const seesTheProject: Check = (tree) => {
  const sources = [...tree].filter(([path]) => path.startsWith('src/') && isCode(path));
  const imports = sources.flatMap(([path, text]) => importsOf(path, text));
  const enough = sources.length >= FILES_MIN && imports.length >= IMPORTS_MIN;
  return enough ? [] : [`src: saw only ${sources.length} files with ${imports.length} imports`];
};

function judge(path: string, found: Import, exists: (path: string) => boolean): string | undefined {
  if (found.target !== undefined && !exists(found.target)) return 'there is no such file';
  const folder = folderOf(path);
  if (folder === undefined || isTestCode(path)) return undefined;
  const row = TABLE[folder];
  if (row === undefined) return `folder '${folder}' has no row in the import table`;
  if (found.target === undefined)
    return row.world ? undefined : `'${folder}' uses no packages and no Node.js modules`;
  const target = folderOf(found.target);
  if (target === undefined) return `'${folder}' may not import what is outside of src's folders`;
  if (target === folder || row.folders.includes(target)) return undefined;
  if (row.types?.includes(target))
    return found.typeOnly ? undefined : `'${folder}' may import only types of '${target}'`;
  return `'${folder}' may not import '${target}'`;
}

/** 'scsi' for src/scsi/…; undefined for files directly in src/ and everything outside. */
function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}
