/** What happens in a test file, a line of JSON per event, for the runner that started it (`test-file.ts`). */
import type { TestEvent } from 'node:test/reporters';

/** `id` is the same in all events of a test. */
export type Line =
  | { readonly kind: 'begun' | 'ended'; readonly id: number; readonly name: string }
  | { readonly kind: 'passed'; readonly name: string; readonly suite: boolean; readonly skipped?: string }
  | {
      readonly kind: 'failed';
      readonly name: string;
      readonly suite: boolean;
      readonly line: number | undefined;
      /** Undefined when its subtests tell. */
      readonly cause: string | undefined;
    }
  /** All tests have ended; nothing follows. */
  | { readonly kind: 'over' };

export default async function* reporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    const line = lineOf(event);
    if (line !== undefined) yield `${JSON.stringify(line)}\n`;
  }
}

function lineOf(event: TestEvent): Line | undefined {
  switch (event.type) {
    case 'test:dequeue':
    case 'test:complete': {
      const { name, testId: id } = event.data;
      return { kind: event.type === 'test:dequeue' ? 'begun' : 'ended', id, name };
    }
    case 'test:pass': {
      const { name, details, skip } = event.data;
      const passed = { kind: 'passed', name, suite: details.type === 'suite' } as const;
      return skip === undefined || skip === false ? passed : { ...passed, skipped: String(skip) };
    }
    case 'test:fail': {
      const { name, details, line } = event.data;
      return { kind: 'failed', name, suite: details.type === 'suite', line, cause: causeOf(details.error) };
    }
    case 'test:summary':
      return { kind: 'over' };
    default:
      return undefined;
  }
}

function causeOf(error: Error & { readonly failureType?: string }): string | undefined {
  if (error.failureType === 'subtestsFailed') return undefined;
  const text = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message;
  const lines = text.split('\n').filter((line) => !/^ +at .*(node:internal|\(native\))/.test(line));
  return lines.join('\n');
}
