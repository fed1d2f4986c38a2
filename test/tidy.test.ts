/**
 * A test of the source itself. Goal: what the project has agreed on cannot erode unseen. Method: each check runs over
 * the whole project, and over a small bad example that it must complain about (a check that sees nothing passes).
 */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import test from 'node:test';
import { decisions, folderReadmes, links, oneTitle, requirements } from './tidy/documents.ts';
import { importTable, seesTheProject } from './tidy/imports.ts';
import {
  deadFiles,
  fileLength,
  machinePaths,
  testsRun,
  unfinishedWords,
  unusedExports,
} from './tidy/sources.ts';
import { readTree, treeOf } from './tidy/tree.ts';
import type { Check } from './tidy/tree.ts';

interface Example {
  readonly promise: string;
  readonly check: Check;
  readonly bad: Readonly<Record<string, string>>;
  readonly complaints: readonly RegExp[];
}

const project = readTree(resolve(import.meta.dirname, '..'));
const longText = (lines: number): string => 'x\n'.repeat(lines);
const TEST_CALL = 'test(() => {});\n';

const examples: readonly Example[] = [
  {
    promise: 'folders import only what the table allows',
    check: importTable,
    bad: {
      'src/scsi/a.ts': "import { b } from '../iscsi/b.ts';\nimport { z } from 'zod';\n",
      'src/iscsi/b.ts': "import {\n  long,\n  names,\n} from '../engine/c.ts';\nexport * from './gone.ts';\n",
      'src/engine/c.ts': "import fs from 'node:fs';\nexport type { T } from '../runtime/t.ts';\n",
      'src/management/m.ts':
        "import { c } from '../engine/c.ts';\nimport type { C } from '../engine/c.ts';\n",
      'src/base/u.ts': `import { help } from '../../test/help.ts';\nconst x = await im${''}port('../ports/p.ts');\n`,
      'src/ports/p.ts': '',
      'src/runtime/t.ts': '',
      'src/novel/n.ts': "import '../base/u.ts';\n",
      'test/help.ts': '',
    },
    complaints: [
      /scsi\/a\.ts: .*'scsi' may not import 'iscsi'/,
      /scsi\/a\.ts: 'zod': 'scsi' uses no packages/,
      /iscsi\/b\.ts: .*'iscsi' may not import 'engine'/,
      /iscsi\/b\.ts: .*no such file/,
      /engine\/c\.ts: 'node:fs'/,
      /engine\/c\.ts: .*'engine' may not import 'runtime'/,
      /management\/m\.ts: .*only types of 'engine'/,
      /base\/u\.ts: .*outside/,
      /base\/u\.ts: .*'base' may not import 'ports'/,
      /'novel' has no row/,
    ],
  },
  {
    promise: 'the checks see the project',
    check: seesTheProject,
    bad: { 'src/base/a.ts': '' },
    complaints: [/saw only 1 files/],
  },
  {
    promise: 'no source file is longer than 500 lines',
    check: fileLength,
    bad: { 'src/base/a.ts': longText(501), 'src/base/b.ts': longText(500) },
    complaints: [/a\.ts: 501 lines/],
  },
  {
    promise: 'nothing is left unfinished',
    check: unfinishedWords,
    bad: { 'src/base/a.ts': `// ${'TO' + 'DO'}: later`, 'src/base/b.ts': `const ${'stu' + 'b'} = 1;` },
    complaints: [/a\.ts: says/, /b\.ts: says/],
  },
  {
    promise: 'no file names a path of one machine',
    check: machinePaths,
    bad: {
      'docs/A.md': `see /${'home'}/somebody/notes`,
      'docs/B.md': `GET /v1/${'home'}/x, sim/${'work'}/y`,
    },
    complaints: [/A\.md: .*\/home\/somebody/],
  },
  {
    promise: 'every test file tests, and leaves no test out',
    check: testsRun,
    bad: {
      'src/base/a.test.ts': 'const a = 1;\n',
      'src/base/b.test.ts': `${TEST_CALL}test.${'only'}(() => {});\n`,
      'src/base/c.test.ts': `test('x', { ${'skip'}: true }, () => {});\n`,
    },
    complaints: [/a\.test\.ts: contains no test/, /b\.test\.ts: leaves tests out/, /c\.test\.ts: leaves/],
  },
  {
    promise: 'every source file is used by the product',
    check: deadFiles,
    bad: {
      'src/main.ts': `spawn(new ${'URL'}('./worker.ts', import.meta.url));\n`,
      'src/worker.ts': "import { a } from './base/a.ts';\n",
      'src/base/a.ts': '',
      'src/base/b.ts': '',
      'src/base/b.test.ts': `import { b } from './b.ts';\n${TEST_CALL}`,
      'test/help.ts': '',
    },
    complaints: [/src\/base\/b\.ts: nothing of the product/, /test\/help\.ts: nothing/],
  },
  {
    promise: 'every export is imported',
    check: unusedExports,
    bad: {
      'src/base/a.ts':
        'export const lonely = 1;\nexport function tested() {}\n\n/** Exported for tests. */\nexport const fine = 1;\n' +
        'export interface Option {}\nexport interface Options {\n  option: Option;\n}\nexport const used = 2;\n',
      'src/base/a.test.ts': `import { fine, tested } from './a.ts';\n${TEST_CALL}`,
      'src/base/b.ts': "import { used } from './a.ts';\n",
    },
    complaints: [/'lonely': nobody/, /'tested': only tests/, /'Options': nobody/],
  },
  {
    promise: 'every folder has a README of at most 30 lines',
    check: folderReadmes,
    bad: {
      'src/scsi/a.ts': '',
      'sim/a.ts': '',
      'sim/README.md': longText(31),
      'test/e2e/a.ts': '',
      'test/README.md': '',
    },
    complaints: [/^src\/scsi: has no/, /^sim\/README\.md: more than/, /^test\/e2e: has no/],
  },
  {
    promise: 'every document has one title',
    check: oneTitle,
    bad: {
      'docs/A.md': '# One\n# Two\n',
      'docs/B.md': 'none\n```\n# a comment\n```\n',
      'docs/C.md': '# C\n',
    },
    complaints: [/A\.md: 2 titles/, /B\.md: 0 titles/],
  },
  {
    promise: 'links between documents lead somewhere',
    check: links,
    bad: { 'docs/A.md': '[a](B.md) [b](../src/scsi/) [c](https://example.org)', 'src/scsi/x.ts': '' },
    complaints: [/A\.md: no B\.md/],
  },
  {
    promise: 'every requirement stands once, and what is done names its code and its test',
    check: requirements,
    bad: {
      'docs/REQUIREMENTS.md':
        '| A1 | x | done | `src/a.ts` | `src/a.test.ts` "it works" |\n| A1 | x | planned | | |\n| A2 | x | done | | |\n' +
        '| A3 | x | soon | | |\n| A35 | x | planned | | |\n| A4 | x | done | `src/b.ts` | `src/a.test.ts` "it flies" |\n',
      'src/a.ts': '',
      'src/a.test.ts': "test('it works', () => {});",
    },
    complaints: [
      /A1: 2 rows/,
      /A2: done, but names no code/,
      /A2: done, but names no test/,
      /A3: state 'soon'/,
      /A4: no src\/b\.ts/,
      /A4: no test "it flies"/,
      /A35: there is no such/,
      /L32: 0 rows/,
    ].concat(Array.from({ length: 194 }, () => /0 rows/)),
  },
  {
    promise: 'every package has a decision page, and those are short',
    check: decisions,
    bad: {
      'package.json': '{"dependencies":{"left":"1"},"devDependencies":{"right":"1"}}',
      'docs/decisions/001-left.md': `\`left\`\n${longText(26)}`,
    },
    complaints: [/001-left\.md: more than 25/, /`right`/],
  },
];

for (const { promise, check, bad, complaints } of examples) {
  test(promise, () => {
    assert.deepEqual(check(project), []);
  });

  test(`the check complains: ${promise}`, () => {
    const found = check(treeOf(bad));
    for (const expected of complaints)
      assert.ok(
        found.some((complaint) => expected.test(complaint)),
        `${expected}\n${found.join('\n')}`,
      );
    assert.equal(found.length, complaints.length, found.join('\n'));
  });
}
