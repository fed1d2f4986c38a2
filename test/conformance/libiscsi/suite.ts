/**
 * Runs libiscsi's `iscsi-test-cu`, each test in a process of its own with logins of its own, and reads what it says.
 * CUnit counts a test that gave up as passed; here it is skipped when its transcript has a `[SKIPPED]` line. A test
 * that did not run (a name that the tool does not know) has failed.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export type Outcome = 'passed' | 'failed' | 'skipped';

export interface TestResult {
  readonly outcome: Outcome;
  /** First lines that say why it failed or skipped. */
  readonly why: string;
  readonly transcript: string;
}

/** What `execFile` rejects with. */
interface ExecFailure {
  readonly stdout: string;
  readonly stderr: string;
  readonly killed: boolean;
  readonly code: number | string;
  readonly signal: string | null;
}

export interface SuiteTest {
  /** As the tool wants it: 'ALL.Read10.Simple'. */
  readonly path: string;
  readonly suite: string;
  /** 'Read10.Simple'. */
  readonly name: string;
}

/** Another build of the suite can be named. */
const TOOL = process.env['CONFORMANCE_TOOL'] ?? 'iscsi-test-cu';
const TEST_LIMIT_MS = 45_000;
/** Sanitize.Reset sleeps a minute after it has seen that the operation goes on. */
const SLOW_TEST_LIMIT_MS = 100_000;
const SLOW_TESTS: readonly string[] = ['Sanitize.Reset'];
const TRANSCRIPT_BYTES_MAX = 64 * 2 ** 20;
const REASONS_MAX = 3;
const run = promisify(execFile);

/** Every test once: family ALL, and from the other families what ALL leaves out. */
export async function listTests(): Promise<SuiteTest[]> {
  const { stdout } = await run(TOOL, ['-l']);
  const tests = new Map<string, SuiteTest>();
  for (const path of stdout.split('\n').map((line) => line.trim())) {
    const [, suite, test, ...rest] = path.split('.');
    if (suite === undefined || test === undefined || rest.length > 0) continue;
    const name = `${suite}.${test}`;
    if (!tests.has(name)) tests.set(name, { path, suite, name });
  }
  return [...tests.values()];
}

/** `urls`: the LUN over one path, and over a second one. */
export async function runTest(test: SuiteTest, urls: readonly string[]): Promise<TestResult> {
  const words = ['-d', '-v', '-V', '-S', '-t', test.path, ...urls];
  const timeout = SLOW_TESTS.includes(test.name) ? SLOW_TEST_LIMIT_MS : TEST_LIMIT_MS;
  const options = { timeout, killSignal: 'SIGKILL', maxBuffer: TRANSCRIPT_BYTES_MAX } as const;
  try {
    const { stdout, stderr } = await run(TOOL, words, options);
    return judge(stdout + stderr, undefined);
  } catch (error) {
    const { stdout = '', stderr = '', killed, code, signal } = error as Partial<ExecFailure>;
    const ended = killed === true ? `no end within ${timeout / 1000} s` : `ended with ${signal ?? code}`;
    return judge(`${stdout}${stderr}`, ended);
  }
}

/** `ended`: how the tool ended, if not with exit status 0. */
export function judge(transcript: string, ended: string | undefined): TestResult {
  const counts = /^\s+tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(transcript);
  const ran = counts?.[2] === '1';
  const passed = ran && counts[3] === '1' && ended === undefined;
  const skipped = reasons(transcript, /\[SKIPPED\]/);
  if (passed && skipped === '') return { outcome: 'passed', why: '', transcript };
  if (passed) return { outcome: 'skipped', why: skipped, transcript };
  const complaints = reasons(transcript, /\[FAILED\]|CU_ASSERT|CU_FAIL|rror:|Failed/);
  const why = complaints || (ran ? '' : 'did not run');
  return { outcome: 'failed', why: [why, ended].filter(Boolean).join('; '), transcript };
}

function reasons(transcript: string, pattern: RegExp): string {
  const lines = transcript.split('\n').filter((line) => pattern.test(line));
  const texts = lines.map((line) => line.replace(/.*\[(?:SKIPPED|FAILED)\]/, '').trim());
  return [...new Set(texts)].slice(0, REASONS_MAX).join(' | ');
}
