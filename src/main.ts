/**
 * Where every process of the program begins: the command line, or, forked by a supervisor, one of its children.
 * Files beside this one wire folders together; all else lives in the folders.
 */

import { enableCompileCache } from 'node:module';
import path from 'node:path';

// Children find the same directory in their environment.
enableCompileCache(path.resolve(import.meta.dirname, '../.cache/compile'));

const [role, index] = process.argv.slice(2);
const forked = process.send !== undefined;

if (forked && role === 'engine') (await import('./main-engine.ts')).runEngine(Number(index));
else if (forked && role === 'control') (await import('./main-control.ts')).runControl();
else await (await import('./main-cli.ts')).runCommand(process.argv);
