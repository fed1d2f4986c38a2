/**
 * Plants that a test beside the code finds: the test passes as the source is, and fails with the plant in it. Each is run
 * in a process of its own, twice.
 */

import { execFile } from 'node:child_process';
import { HOOK, NEVER_LOADED, PLANT_VARIABLE } from './hook.ts';
import type { DirectTest } from './plant.ts';

export interface DirectResult {
  readonly passesWithout: boolean;
  readonly failsWith: boolean;
  /** What the process with the plant has printed. */
  readonly output: string;
}

const ROOT = `${import.meta.dirname}/../..`;
const TEST_MS_MAX = 120_000;
/** The plant is no program any more: that every test fails says nothing. */
const BROKEN = /SyntaxError|ReferenceError|is not a function|is not defined/;

export async function tryDirectTest(name: string, direct: DirectTest): Promise<DirectResult> {
  const [without, planted] = [await run(direct, undefined), await run(direct, name)];
  if (planted.includes(NEVER_LOADED) || BROKEN.test(planted))
    throw new Error(`${direct.file} does not try ${name}:\n${planted}`);
  return {
    passesWithout: hasLine(without, `ok 1 - ${direct.test}`),
    failsWith: hasLine(planted, `not ok 1 - ${direct.test}`),
    output: planted,
  };
}

/** Answers with what it has printed, as TAP. */
function run({ file, test }: DirectTest, plant: string | undefined): Promise<string> {
  const pattern = `^${test.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)}$`;
  const options = ['--import', HOOK, '--test-reporter=tap', `--test-name-pattern=${pattern}`];
  // Within a test its runner would tell the child to report in its way.
  const env = { ...process.env, [PLANT_VARIABLE]: plant, NODE_TEST_CONTEXT: undefined };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...options, file],
      { cwd: ROOT, env, timeout: TEST_MS_MAX, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    );
  });
}

function hasLine(output: string, line: string): boolean {
  return output.split('\n').includes(line);
}
