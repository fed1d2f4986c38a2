/** What long steps tell on standard error: a bar on the terminal for long steps; sentences when a node stops. */

import { Presets, SingleBar } from 'cli-progress';
import { formatSize } from '../../base/units.ts';

export interface Progress {
  readonly show: (device: string, done: number, total: number) => void;
  readonly stop: () => void;
}

export function createProgress(): Progress {
  let bar: SingleBar | undefined;
  const begin = (total: number): SingleBar => {
    const made = new SingleBar(
      {
        format: 'Allocating {device} [{bar}] {percentage} % of {size}, {eta_formatted} left',
        clearOnComplete: true,
        hideCursor: true,
        stream: process.stderr,
      },
      Presets.shades_grey,
    );
    made.start(total, 0, { device: '', size: formatSize(total) });
    return made;
  };
  return {
    show: (device, done, total) => {
      if (!process.stderr.isTTY) return;
      bar ??= begin(total);
      bar.setTotal(total);
      bar.update(done, { device, size: formatSize(total) });
    },
    stop: () => bar?.stop(),
  };
}

/** `forecastMs`: as far as it is known. */
export function tellWritingOut(bytes: number, forecastMs: number | undefined): void {
  const left = forecastMs === undefined ? '' : `, about ${Math.ceil(forecastMs / 1000)} s`;
  process.stderr.write(`lockstep: writing out caches: ${formatSize(bytes)} left${left}\n`);
}
