/** Reads a configuration file: TOML, then the schema. All faults at once, each with the place it is about. */

import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import type { z } from 'zod';
import { fail, ok, type Result } from '../../base/result.ts';
import { type ConfigFile, fileSchema } from './schema.ts';

/** One thing that is wrong, for an administrator. */
export interface ConfigFault {
  /** '[[device]] 2 "disk2": size'; empty when it is about the whole file. */
  readonly place: string;
  readonly message: string;
}

export function readConfig(file: string): Result<ConfigFile, readonly ConfigFault[]> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return fail([{ place: '', message: `cannot be read: ${reasonOf(error)}` }]);
  }
  return parseConfig(text);
}

export function parseConfig(text: string): Result<ConfigFile, readonly ConfigFault[]> {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    return fail([{ place: `line ${error.line}, column ${error.column}`, message: `not TOML: ${what}` }]);
  }
  const checked = fileSchema.safeParse(raw);
  if (checked.success) return ok(checked.data);
  return fail(checked.error.issues.flatMap((issue) => faultsOf(issue, raw)));
}

export function formatFaults(file: string, faults: readonly ConfigFault[]): string {
  return faults
    .map(({ place, message }) => `${file}: ${place === '' ? '' : `${place}: `}${message}\n`)
    .join('');
}

function faultsOf(issue: z.core.$ZodIssue, raw: unknown): ConfigFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      place: placeOf([...issue.path, key], raw),
      message: 'there is no such key; look for a misspelling, or see docs/CONFIGURATION.md',
    }));
  }
  const place = placeOf(issue.path, raw);
  if (issue.path.length === 0) return [{ place, message: issue.message }];
  const found = valueAt(issue.path, raw);
  if (found === undefined) return [{ place, message: `is missing; ${issue.message}` }];
  return [{ place: place + shown(issue.path.at(-1), found), message: issue.message }];
}

function valueAt(path: readonly PropertyKey[], raw: unknown): unknown {
  let at = raw;
  for (const step of path) {
    at = at !== null && typeof at === 'object' ? (at as Record<PropertyKey, unknown>)[step] : undefined;
  }
  return at;
}

/** ' = "1Q"', where the value is short and no secret. */
function shown(key: PropertyKey | undefined, value: unknown): string {
  if (key === 'secret' || (value !== null && typeof value === 'object')) return '';
  const text = JSON.stringify(value);
  return text.length <= 80 ? ` = ${text}` : '';
}

/** ['device', 1, 'size'] → '[[device]] 2 "disk2": size'. */
function placeOf(path: readonly PropertyKey[], raw: unknown): string {
  const [table, index, ...rest] = path;
  const steps = (keys: readonly PropertyKey[]): string =>
    keys
      .map((key) => (typeof key === 'number' ? `[${key + 1}]` : `.${String(key)}`))
      .join('')
      .replace(/^\./, '');
  if (typeof index !== 'number') {
    return index === undefined ? steps(path) : `[${String(table)}] ${steps([index, ...rest])}`;
  }
  const rows = (raw as Record<PropertyKey, unknown>)[table!] as readonly Record<string, unknown>[];
  const name = rows[index]?.['name'] ?? rows[index]?.['alias'] ?? rows[index]?.['address'];
  const row = `[[${String(table)}]] ${index + 1}${typeof name === 'string' ? ` "${name}"` : ''}`;
  return rest.length === 0 ? row : `${row}: ${steps(rest)}`;
}

export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'no permission; run as a user who may, or change its mode';
    case 'EISDIR':
      return 'this is a directory';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
