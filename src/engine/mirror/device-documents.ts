/** Documents of a device on one node: how they change, who hears of it, and what the settings among them mean here. */

import { fail, type MaybeAsync, ok, type Result, then } from '../../base/result.ts';
import type { DeviceFault } from '../../ports/block-device.ts';
import type { Ticket } from '../../ports/block-device.ts';
import {
  documentLba,
  type DocumentName,
  documentOperation,
  type Operation,
} from '../../replication/operation.ts';
import type { Replica } from '../../replication/replica.ts';
import type { CopyRecords } from './copy-records.ts';
import { fitSettings, SettingsInForce } from './settings-in-force.ts';
import { changeSettings, encodeSettings, type Settings, type SettingsFault } from './settings.ts';
import { type OnDocument, ToldDocuments } from './told-documents.ts';

export interface DeviceDocumentsOptions {
  /** Nodes that have a copy of the device or are to get one. */
  readonly replicas: () => readonly number[];
  readonly blockCount: () => number;
  /** Without a document of settings. */
  readonly usual: Settings;
  readonly records: CopyRecords;
  readonly replica: () => Replica;
  readonly onDocument: OnDocument;
}

type Changed = (result: Result<void, DeviceFault>) => void;
type Decide = (before: Uint8Array | undefined) => MaybeAsync<Result<Uint8Array | undefined, DeviceFault>>;

export class DeviceDocuments {
  readonly settings: SettingsInForce;
  readonly told: ToldDocuments;
  readonly #options: DeviceDocumentsOptions;

  constructor(options: DeviceDocumentsOptions) {
    this.#options = options;
    this.settings = new SettingsInForce(options.usual, () => this.find('settings'), options.replicas);
    this.told = new ToldDocuments((name, bytes) => {
      if (name === 'settings') this.settings.told(bytes);
      options.onDocument(name, bytes);
    });
  }

  /** As the last change that is held here left it. */
  find(name: DocumentName): Uint8Array | undefined {
    return this.#options.records.documents.find((document) => document.name === name)?.bytes;
  }

  /** Decides and changes while nothing else of the device changes on any member. */
  change(ticket: Ticket, name: DocumentName, decide: Decide, done: Changed): void {
    const everything = [
      { lba: 0, blocks: this.#options.blockCount() },
      { lba: documentLba(name), blocks: 1 },
    ];
    const change = (): MaybeAsync<Result<Operation | undefined, DeviceFault>> =>
      then(decide(this.find(name)), (after) => {
        if (!after.ok) return after;
        return ok(after.value === undefined ? undefined : documentOperation(name, after.value));
      });
    this.#options.replica().modify(ticket, everything, change, done);
  }

  changeSettings(
    ticket: Ticket,
    change: Partial<Settings>,
    done: (result: Result<void, DeviceFault | SettingsFault>) => void,
  ): void {
    const { replica } = this.#options;
    let refused: SettingsFault | undefined;
    const decide = async (
      bytes: Uint8Array | undefined,
    ): Promise<Result<Uint8Array | undefined, DeviceFault>> => {
      const replicas = this.#options.replicas();
      const before = fitSettings(this.settings.read(bytes), replicas);
      const after = changeSettings(before, change, replicas);
      if (!after.ok) {
        refused = after.fault;
        return ok(undefined);
      }
      const isFlushed =
        before.policy === 'through' || after.value.policy === 'back' || (await replica().flushEverywhere());
      if (!isFlushed) return fail({ kind: 'unavailable', reason: 'caches could not be flushed' });
      return ok(encodeSettings(after.value));
    };
    this.change(ticket, 'settings', decide, (result) => done(refused === undefined ? result : fail(refused)));
  }
}
