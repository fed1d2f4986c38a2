/**
 * Tells the owner of a node what documents of the device say: each change once it is everywhere, and what a configuration
 * brings when it is installed.
 *
 * Invariants
 *  1. Of one document nothing older follows something newer, but for the side of a split brain that was not chosen.
 *  2. Nothing is told twice in a row. The next configuration gives a new stamp to what was not known to be everywhere when
 *     one ended, and some nodes may have been told of it before.
 */

import { isSame } from '../../base/segments.ts';
import type { DocumentName, Stamp } from '../../replication/operation.ts';
import type { KeptDocument } from './handover.ts';

/** Undefined: there is none any more (the chosen side of a split brain never had one). */
export type OnDocument = (name: DocumentName, bytes: Uint8Array | undefined) => void;

export class ToldDocuments {
  readonly #tell: OnDocument;
  readonly #last = new Map<DocumentName, KeptDocument>();

  constructor(tell: OnDocument) {
    this.#tell = tell;
  }

  /** Every member and learner holds this change. */
  readable(name: DocumentName, bytes: Uint8Array, revision: Stamp): void {
    if (revision > (this.#last.get(name)?.revision ?? -1)) this.#changed({ name, bytes, revision });
  }

  /** A configuration is installed in which everybody has these documents and no others. */
  installed(documents: readonly KeptDocument[]): void {
    for (const name of this.#last.keys())
      if (!documents.some((document) => document.name === name)) {
        this.#last.delete(name);
        this.#tell(name, undefined);
      }
    for (const document of documents.toSorted((a, b) => a.revision - b.revision)) this.#changed(document);
  }

  #changed(document: KeptDocument): void {
    const { name, bytes } = document;
    const last = this.#last.get(name);
    this.#last.set(name, document);
    if (last === undefined || !isSame(last.bytes, bytes)) this.#tell(name, bytes);
  }
}
