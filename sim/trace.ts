/**
 * What happened, folded into one hash: two runs of a seed are the same run exactly if their hashes are. The last lines
 * are kept as text when asked for.
 */

export interface Trace {
  /** `event` is a stable dotted name; the numbers say who, what and when. */
  note(event: string, a?: number, b?: number, c?: number): void;
  /** What a node explains about itself. */
  explain(event: string, node: number, fields: Readonly<Record<string, unknown>>): void;
  /** 16 hex digits over everything noted. */
  readonly hash: string;
  /** The last lines, oldest first; empty unless `linesMax` was given. */
  readonly lines: readonly string[];
}

export function createTrace(now: () => number, linesMax = 0): Trace {
  let [low, high] = [0x811c9dc5, 0x01000193];
  const labels = new Map<string, number>();
  const lines: string[] = [];

  const folded = new Float64Array(1);
  const halves = new Int32Array(folded.buffer);

  function fold(value: number): void {
    folded[0] = value;
    low = Math.imul(low ^ halves[0]!, 0x01000193);
    low ^= low >>> 15;
    high = Math.imul(high ^ halves[1]! ^ low, 0x85ebca6b);
    high ^= high >>> 13;
  }

  function keep(line: string): void {
    if (lines.length >= 2 * linesMax) lines.splice(0, linesMax);
    lines.push(`${now().toFixed(3)} ${line}`);
  }

  function note(event: string, a = 0, b = 0, c = 0): void {
    let label = labels.get(event);
    if (label === undefined) labels.set(event, (label = hashOf(event)));
    fold(now());
    fold(label);
    fold(a);
    fold(b);
    fold(c);
    if (linesMax > 0) keep(`${event} ${a} ${b} ${c}`);
  }

  return {
    note,
    explain(event, node, fields) {
      note(event, node);
      if (linesMax > 0) keep(`  ${JSON.stringify(fields)}`);
    },
    get hash() {
      return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
    },
    get lines() {
      return lines.slice(-linesMax);
    },
  };
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
