/** Asks whoever sits at the terminal to type the name of what is going to be changed. */

import { createInterface } from 'node:readline/promises';

/** Undefined: there is no terminal to ask at. */
export async function confirmByName(name: string): Promise<boolean | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const typed = await terminal.question(`Type ${name} to go on: `);
  terminal.close();
  return typed.trim() === name;
}
