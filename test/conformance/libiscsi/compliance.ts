/** The section of docs/COMPLIANCE.md that says how the suite ends; generated, so that it cannot differ from the test. */
import { EXPECTED_SKIPS, MIRROR_SKIPS } from './expected-skips.ts';
import { MATRIX, NOT_ON_A_MIRROR } from './matrix.ts';

const BEGIN = '<!-- libiscsi suite: written by test/conformance -->';
const END = '<!-- libiscsi suite: end -->';

function suiteSection(): string {
  const skips = Object.entries(EXPECTED_SKIPS);
  return [
    BEGIN,
    '| LUN | What it is for | Suites |',
    '|---|---|---|',
    ...MATRIX.map(({ id, why, suites }) => `| ${id} | ${why} | ${suites?.join(', ') ?? 'all'} |`),
    '',
    'Left out, because the test cannot pass on that LUN by its own logic:',
    '',
    ...MATRIX.flatMap(({ id, without }) =>
      Object.entries(without).map(([test, reason]) => `- \`${test}\` on ${id}: ${reason}.`),
    ),
    '',
    skips.length === 0 ? 'No test skips everywhere.' : 'Skipped on every LUN:',
    '',
    ...(skips.length === 0 ? [] : tableOf(skips)),
    '',
    'On a mirrored device, with the paths of each test through two nodes (`test/conformance/libiscsi-mirror.test.ts`), all of them are',
    'run but:',
    '',
    ...Object.entries(NOT_ON_A_MIRROR).map(([test, reason]) => `- \`${test}\`: ${reason}.`),
    '',
    'Skipped there, besides:',
    '',
    ...tableOf(Object.entries(MIRROR_SKIPS)),
    END,
  ].join('\n');
}

function tableOf(skips: readonly (readonly [test: string, reason: string])[]): string[] {
  return ['| Test | Why |', '|---|---|', ...skips.map(([test, reason]) => `| \`${test}\` | ${reason} |`)];
}

/** The document with the section as it should be; undefined where the document has no such section. */
export function withSuiteSection(document: string): string | undefined {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) return undefined;
  return document.slice(0, begin) + suiteSection() + document.slice(end + END.length);
}
