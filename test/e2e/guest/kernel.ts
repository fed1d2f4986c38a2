/** A kernel that guests run, and how it is started. */
import type { Port } from './network.ts';

export interface Kernel {
  /** What this machine lacks to run it; undefined when it has everything. */
  lacks(): string | undefined;
  commandLine(guest: GuestParts): Promise<CommandLine>;
}

export interface GuestParts {
  /** Is /host in the guest. The kernel's console goes to `console` in it. */
  readonly folder: string;
  /** The root file system; what is written to it is lost with the guest. */
  readonly image: string;
  readonly ports: readonly Port[];
}

export interface CommandLine {
  /** Standard input and output are the terminal that `init.sh` talks to; file descriptor 3 is the console. */
  readonly words: readonly string[];
  /** What `init.sh` has to know of this kernel, as assignments of the shell. */
  readonly settings: string;
}
