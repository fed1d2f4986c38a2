/** What holds for every source file: length, words, dead files, unused exports, paths of one machine, tests that test. */
import { importsOf, isCode, isTest, isTestCode } from './tree.ts';
import type { Check, Tree } from './tree.ts';

const LINES_MAX = 500;
/** Where execution begins. What is not reachable from here is dead; tests alone keep nothing alive in src/. */
const ROOTS =
  /^(src\/main\.ts|(bench|sim|test)\/(.+\/)?main\.ts|tools\/[^/]+|test\/.+\.(test|script)\.ts|.+\.test\.ts|[^/]+\.mjs)$/;
/** In the comment above an export that only tests import, or in a file that only tests use. */
const TEST_MARK = 'Exported for tests';

export const fileLength: Check = (tree) =>
  complain(tree, isCode, (text) => {
    const lines = text.split('\n').length - 1;
    return lines > LINES_MAX ? [`${lines} lines, at most ${LINES_MAX}`] : [];
  });

export const unfinishedWords: Check = (tree) => {
  const words = new RegExp(
    `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK', 'stu' + 'b(s|bed)?'].join('|')})\\b`,
  );
  return complain(tree, isCode, (text) => {
    const found = words.exec(text);
    return found === null ? [] : [`says '${found[0]}'`];
  });
};

export const machinePaths: Check = (tree) => {
  const path = new RegExp(`(?<![\\w.])/(${['home', 'work', 'Users', 'root'].join('|')})/[\\w.-]+`);
  return complain(
    tree,
    () => true,
    (text) => {
      const found = path.exec(text);
      return found === null ? [] : [`names a path of one machine: ${found[0]}`];
    },
  );
};

export const testsRun: Check = (tree) =>
  complain(tree, isTest, (text) => {
    const found: string[] = [];
    if (!/^\s*(await )?(test|it|\w+Contract|\w+Tests)\(/m.test(text)) found.push('contains no test');
    const left = /\b(test|it|describe|suite)\.(only|skip|todo)\b|\b(only|skip|todo): true\b/.exec(text);
    if (left !== null) found.push(`leaves tests out: ${left[0]}`);
    return found;
  });

export const deadFiles: Check = (tree) => {
  const live = new Set<string>();
  const reach = (path: string): void => {
    const text = tree.get(path);
    if (text === undefined || live.has(path)) return;
    live.add(path);
    for (const { target } of importsOf(path, text)) if (target !== undefined) reach(target);
  };
  const code = [...tree.keys()].filter(isCode);
  const roots = code.filter((path) => ROOTS.test(path));
  for (const path of roots.filter((root) => !isTestCode(root))) reach(path);
  const product = new Set(live);
  for (const path of roots) reach(path);
  const forTests = (path: string): boolean =>
    isTestCode(path) || tree.get(path)?.includes(TEST_MARK) === true;
  const needed = (path: string): boolean =>
    (path.startsWith('src/') && !forTests(path) ? product : live).has(path);
  return code
    .filter((path) => !needed(path))
    .map((path) => `${path}: nothing ${path.startsWith('src/') ? 'of the product ' : ''}uses it`);
};

export const unusedExports: Check = (tree) => {
  const used = namesUsed(tree);
  const declaration =
    /^export (?:declare )?(async function\*?|function\*?|const|let|class|interface|type) ([\w$]+)/gm;
  return complain(
    tree,
    (path) => isCode(path) && !isTest(path),
    (text, path) => {
      const complaints: string[] = [];
      for (const match of text.matchAll(declaration)) {
        const [, kind = '', name = ''] = match;
        const importers = used.get(path) ?? new Map<string, boolean>();
        const byProduct = importers.get('*') === true || (importers.get(name) ?? importers.get('*'));
        if (byProduct === true || (byProduct === false && isTestCode(path))) continue;
        if (byProduct === false && commentAbove(text, match.index).includes(TEST_MARK)) continue;
        // What its own file uses is not dead: a test may look at it. A type belongs to the signatures of its file.
        const mentions = text.match(new RegExp(`\\b${name.replaceAll('$', '\\$')}\\b`, 'g'))?.length ?? 0;
        const isType = kind === 'interface' || kind === 'type';
        if (mentions > 1 && (byProduct === false || isType)) continue;
        const who =
          byProduct === false
            ? `only tests import it (mark it '${TEST_MARK}' if that is meant)`
            : 'nobody imports it';
        complaints.push(`export '${name}': ${who}`);
      }
      return complaints;
    },
  );
};

/** File → name → whether the product (not only a test) imports it. */
function namesUsed(tree: Tree): Map<string, Map<string, boolean>> {
  const used = new Map<string, Map<string, boolean>>();
  for (const [path, text] of tree) {
    if (!isCode(path)) continue;
    for (const { target, names } of importsOf(path, text)) {
      if (target === undefined) continue;
      const importers = used.get(target) ?? new Map<string, boolean>();
      used.set(target, importers);
      for (const name of names) importers.set(name, importers.get(name) === true || !isTestCode(path));
    }
  }
  return used;
}

function commentAbove(text: string, index: number): string {
  const before = text.slice(0, index);
  return before.slice(Math.max(before.lastIndexOf('\n\n'), 0));
}

function complain(
  tree: Tree,
  applies: (path: string) => boolean,
  judge: (text: string, path: string) => string[],
): string[] {
  return [...tree].flatMap(([path, text]) =>
    applies(path) ? judge(text, path).map((complaint) => `${path}: ${complaint}`) : [],
  );
}
