/**
 * Goal: docs/COMPLIANCE.md does not promise what is not there. Method: every test it names is looked for, and its list
 * of commands is written from the command table (CONFORMANCE_WRITE=1 writes it).
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../../src/scsi/command-table.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const COMPLIANCE = join(ROOT, 'docs/COMPLIANCE.md');
const BEGIN = '<!-- commands: written by test/conformance -->';
const END = '<!-- commands: end -->';

/** A row names files, and behind each the beginnings or parts of titles: `a.test.ts` "title", "title". */
const REFERENCE = /`(?<file>[\w./-]+\.test\.ts)`|"(?<title>[^"]+)"/g;

test('every test that the document names is there', () => {
  const paths = globSync('{src,test}/**/*.test.ts', { cwd: ROOT });
  const missing: string[] = [];
  let titles = 0;
  for (const row of readFileSync(COMPLIANCE, 'utf8').split('\n').filter(isRow)) {
    let sources: readonly string[] | undefined;
    for (const { groups } of row.matchAll(REFERENCE)) {
      const { file, title } = groups ?? {};
      if (file !== undefined) {
        const named = paths.filter((path) => path === file || path.endsWith(`/${file}`));
        if (named.length === 0) missing.push(file);
        sources = named.map((path) => readFileSync(join(ROOT, path), 'utf8'));
      } else if (title !== undefined && sources !== undefined) {
        titles += 1;
        const words = title.replace(/…$/, '').trim();
        if (!sources.some((source) => source.includes(words))) missing.push(`"${title}" of: ${row}`);
      }
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(titles > 100, `${titles} titles were looked for`);
});

test('the list of commands is that of the command table', () => {
  const document = readFileSync(COMPLIANCE, 'utf8');
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  assert.ok(begin > 0 && end > begin, 'the section is there');
  const wanted = document.slice(0, begin) + commandSection() + document.slice(end);
  if (process.env['CONFORMANCE_WRITE'] === '1') writeFileSync(COMPLIANCE, wanted);
  else assert.equal(document, wanted, 'run with CONFORMANCE_WRITE=1');
});

function isRow(line: string): boolean {
  return line.startsWith('|');
}

function commandSection(): string {
  const byCode = COMMANDS.toSorted(
    (a, b) => a.opcode - b.opcode || (a.serviceAction ?? 0) - (b.serviceAction ?? 0),
  );
  const rows = byCode.map(({ opcode, serviceAction, name }) => {
    const action = serviceAction === undefined ? '' : `/${hex(serviceAction)}`;
    return `| ${hex(opcode)}${action} | ${name} |`;
  });
  return `${[BEGIN, '| Code | Command |', '|---|---|', ...rows].join('\n')}\n`;
}

function hex(code: number): string {
  return `${code.toString(16).toUpperCase().padStart(2, '0')}h`;
}
