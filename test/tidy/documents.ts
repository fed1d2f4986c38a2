/** What holds for documents: a README per folder, one title each, requirements with evidence, decisions for packages. */
import type { Check, Tree } from './tree.ts';

const README_LINES_MAX = 30;
const DECISION_LINES_MAX = 25;
/** Last id of each letter; 199 in all. */
const IDS = { A: 34, B: 36, C: 23, D: 16, E: 12, F: 8, G: 12, H: 6, I: 4, J: 6, K: 10, L: 32 };
const STATES = ['done', 'core', 'planned', 'by advice'];
/** Folders that explain themselves elsewhere. */
const NO_README = new Set(['bin', 'docs', '.ci']);

export const folderReadmes: Check = (tree) => {
  const complaints: string[] = [];
  for (const folder of foldersOf(tree)) {
    const text = tree.get(`${folder}/README.md`);
    if (text === undefined) complaints.push(`${folder}: has no README.md`);
    else if (lineCount(text) > README_LINES_MAX)
      complaints.push(`${folder}/README.md: more than ${README_LINES_MAX} lines`);
  }
  return complaints;
};

export const oneTitle: Check = (tree) =>
  documents(tree).flatMap(([path, text]) => {
    const titles = withoutFences(text).match(/^# /gm)?.length ?? 0;
    return titles === 1 ? [] : [`${path}: ${titles} titles, one is right`];
  });

/** Relative links of documents lead to something. */
export const links: Check = (tree) =>
  documents(tree).flatMap(([path, text]) => {
    const targets = [...withoutFences(text).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map(
      ([, target = '']) => target,
    );
    const relative = targets.filter((target) => !/^[a-z]+:/.test(target));
    const folder = path.split('/').slice(0, -1).join('/');
    return relative
      .filter((target) => !exists(tree, join(folder, target)))
      .map((target) => `${path}: no ${target}`);
  });

export const requirements: Check = (tree) => {
  const path = 'docs/REQUIREMENTS.md';
  const rows = (tree.get(path) ?? '').split('\n').filter((line) => /^\| *[A-L]\d+ *\|/.test(line));
  const complaints: string[] = [];
  const seen = new Map<string, number>();
  for (const row of rows) {
    const [, id = '', wanted = '', state = '', code = '', tests = ''] = row
      .split('|')
      .map((cell) => cell.trim());
    seen.set(id, (seen.get(id) ?? 0) + 1);
    if (wanted === '') complaints.push(`${id}: says nothing`);
    if (!STATES.includes(state)) complaints.push(`${id}: state '${state}' is none of ${STATES.join(', ')}`);
    if (state === 'done' || state === 'core')
      complaints.push(...evidence(tree, code, tests).map((lack) => `${id}: ${lack}`));
  }
  for (const id of allIds())
    if (seen.get(id) !== 1) complaints.push(`${id}: ${seen.get(id) ?? 0} rows, one is right`);
  const known = new Set(allIds());
  for (const id of seen.keys()) if (!known.has(id)) complaints.push(`${id}: there is no such requirement`);
  return complaints.map((complaint) => `${path}: ${complaint}`);
};

export const decisions: Check = (tree) => {
  const pages = documents(tree).filter(([path]) => /^docs\/decisions\/\d{3}-/.test(path));
  const complaints = pages
    .filter(([, text]) => lineCount(text) > DECISION_LINES_MAX)
    .map(([path]) => `${path}: more than ${DECISION_LINES_MAX} lines`);
  const manifest: unknown = JSON.parse(tree.get('package.json') ?? '{}');
  const named = pages.map(([, text]) => text).join('\n');
  for (const name of dependenciesOf(manifest)) {
    if (!named.includes(`\`${name}\``))
      complaints.push(`package.json: no page in docs/decisions names \`${name}\``);
  }
  return complaints;
};

/** Files in backquotes are code or tests; what stands in double quotes is the title of a test in one of those files. */
function evidence(tree: Tree, code: string, tests: string): string[] {
  const files = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file);
  const lacks = [...files(code), ...files(tests)]
    .filter((file) => !exists(tree, file))
    .map((file) => `no ${file}`);
  if (files(code).length === 0) lacks.push('done, but names no code');
  if (!files(tests).some((file) => file.endsWith('.test.ts'))) lacks.push('done, but names no test');
  for (const [, title = ''] of tests.matchAll(/"([^"]+)"/g)) {
    if (!files(tests).some((file) => tree.get(file)?.includes(title))) lacks.push(`no test "${title}"`);
  }
  return lacks;
}

function allIds(): string[] {
  return Object.entries(IDS).flatMap(([letter, last]) =>
    Array.from({ length: last }, (_, i) => `${letter}${i + 1}`),
  );
}

function dependenciesOf(manifest: unknown): string[] {
  const sections = ['dependencies', 'optionalDependencies', 'devDependencies'];
  if (typeof manifest !== 'object' || manifest === null) return [];
  return Object.entries(manifest).flatMap(([section, names]: [string, unknown]) =>
    sections.includes(section) && typeof names === 'object' && names !== null ? Object.keys(names) : [],
  );
}

/** Top-level folders, and those directly in src/ and test/, that hold files. */
function foldersOf(tree: Tree): Set<string> {
  const folders = new Set<string>();
  for (const path of tree.keys()) {
    const [top = '', second = '', ...rest] = path.split('/');
    if (second === '' || NO_README.has(top)) continue;
    if (top !== 'src') folders.add(top);
    if ((top === 'src' || top === 'test') && rest.length > 0) folders.add(`${top}/${second}`);
  }
  return folders;
}

function documents(tree: Tree): [string, string][] {
  return [...tree].filter(([path]) => path.endsWith('.md'));
}

function withoutFences(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '');
}

function lineCount(text: string): number {
  return text.trimEnd().split('\n').length;
}

function exists(tree: Tree, path: string): boolean {
  const folder = path.endsWith('/') ? path : `${path}/`;
  return tree.has(path) || [...tree.keys()].some((file) => file.startsWith(folder));
}

function join(folder: string, target: string): string {
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}
