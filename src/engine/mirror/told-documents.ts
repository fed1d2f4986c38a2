/**
 * Tells the owner of a node what documents of the device say: each change once it is everywhere, and what a configuration
 * brings when it is installed.
 *
 * Invariant: of one document nothing older follows something newer, but for the side of a split brain that was not chosen.
 */

import type { DocumentName, Stamp } from '../../replication/operation.ts';
import type { KeptDocument } from './handover.ts';

/** Undefined: there is none any more (the chosen side of a split brain never had one). */
export type OnDocument = (name: DocumentName, bytes: Uint8Array | undefined) => void;

export class ToldDocuments {
  readonly #tell: OnDocument;
  readonly #revisions = new Map<DocumentName, Stamp>();

  constructor(tell: OnDocument) {
    this.#tell = tell;
  }

  /** Every member and learner holds this change. */
  readable(name: DocumentName, bytes: Uint8Array, revision: Stamp): void {
    if (revision <= (this.#revisions.get(name) ?? -1)) return;
    this.#revisions.set(name, revision);
    this.#tell(name, bytes);
  }

  /** A configuration is installed in which everybody has these documents and no others. */
  installed(documents: readonly KeptDocument[]): void {
    for (const name of this.#revisions.keys())
      if (!documents.some((document) => document.name === name)) {
        this.#revisions.delete(name);
        this.#tell(name, undefined);
      }
    for (const { name, bytes, revision } of documents.toSorted((a, b) => a.revision - b.revision)) {
      if (this.#revisions.get(name) === revision) continue;
      this.#revisions.set(name, revision);
      this.#tell(name, bytes);
    }
  }
}
