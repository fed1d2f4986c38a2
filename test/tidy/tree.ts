/** The project's files as data, so that every check can also be tried on a small bad example. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { posix } from 'node:path';

/** Path from the repository's root to text. */
export type Tree = ReadonlyMap<string, string>;

/** What a check finds: 'path: what is wrong', nothing when all is well. */
export type Check = (tree: Tree) => string[];

const IGNORED = new Set(['node_modules', '.git', '.lockstep', '.cache', 'package-lock.json']);
const TEXT = /\.(ts|tsx|mjs|md|json|toml|sh|c|h|service|conf)$|^bin\/|^\.ci\//;

export function readTree(root: string): Tree {
  const tree = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (IGNORED.has(entry.name)) continue;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && TEXT.test(path)) tree.set(path, readFileSync(join(root, path), 'utf8'));
    }
  };
  visit('');
  return tree;
}

export function treeOf(files: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(files));
}

export function isCode(path: string): boolean {
  return /\.(ts|mjs)$/.test(path);
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

/** Code that is there only for tests, `testing/` folders included; the simulator is a test of the product, too. */
export function isTestCode(path: string): boolean {
  return isTest(path) || /^(test|sim)\/|\/testing\//.test(path);
}

export interface Import {
  readonly specifier: string;
  /** Path of the imported file, or undefined for packages and Node.js modules. */
  readonly target: string | undefined;
  /** Names asked for; '*' stands for all of them. */
  readonly names: readonly string[];
  readonly typeOnly: boolean;
}

const STATEMENT =
  /^[ \t]*(?:import|export)\s+(type\s+)?(?:([\w$]+)\s*,?\s*)?(?:\{([^}]*)\}|(\*)(?:\s+as\s+\w+)?)?\s*(?:from\s+)?'([^'\n]+)';/gm;
const DYNAMIC =
  /\bimport\(\s*'([^']+)'\s*\)|\bnew URL\(\s*'(\.[^']+\.(?:ts|mjs))'|\bimport\.meta\.resolve\('([^']+)'\)/g;

/** Imports, re-exports, dynamic imports and files named by URL (processes are started that way). */
export function importsOf(path: string, text: string): Import[] {
  const resolve = (specifier: string): string | undefined =>
    specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
  const found: Import[] = [];
  for (const [, type, standard, braces, star, specifier = ''] of text.matchAll(STATEMENT)) {
    const listed = (braces ?? '').split(',').map(
      (name) =>
        name
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s/)[0] ?? '',
    );
    const names = listed.filter((name) => name !== '');
    if (standard !== undefined) names.push('default');
    if (star !== undefined) names.push('*');
    found.push({ specifier, target: resolve(specifier), names, typeOnly: type !== undefined });
  }
  for (const [, module, url, resolved] of text.matchAll(DYNAMIC)) {
    const specifier = module ?? url ?? resolved ?? '';
    found.push({ specifier, target: resolve(specifier), names: ['*'], typeOnly: false });
  }
  return found;
}
