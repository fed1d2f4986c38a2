/** Compiles the two C programs of the bench into the cache folder, if their sources are newer. */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
export const CACHE = join(ROOT, '.cache/bench');

/** Answers with the path of the program. */
export function build(name: 'floor' | 'load', libraries: readonly string[]): string {
  const program = join(CACHE, name);
  const sources = globSync(join(import.meta.dirname, name, '*.[ch]'));
  const built = statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (sources.every((source) => statSync(source).mtimeMs < built)) return program;
  mkdirSync(CACHE, { recursive: true });
  const files = sources.filter((source) => source.endsWith('.c'));
  execFileSync('gcc', ['-O2', '-Wall', '-std=gnu11', '-o', program, ...files, ...libraries], {
    stdio: 'inherit',
  });
  return program;
}
