/**
 * Goal: whoever is a partner and absent, the journal knows all that it lacks, or that it does not know; whoever was added and
 * never told of is not known. Method: random lives of one disk, each with writes, partners that leave, return, are added and
 * removed, a power cut at some call or a stop in order, and a next life that opens it with the partners of before or after.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createPrng, type Prng } from '../base/prng.ts';
import { DirtyMap } from './dirty-map.ts';
import { type AbsentPartner, Journal, journalLength, recoveredMap, SELF } from './journal.ts';
import type { Ending, JournalStrategy } from './recovery.ts';
import { CutDisk } from './testing/cut-disk.ts';

const BLOCK = 4096;
const PER_CHUNK = 16;
const BLOCKS = 40 * 1024;
const NODES = [2, 3, 4, 5, 6];
const base = (term: number) => ({ term, id: term.toString(16).padStart(32, '0') });

interface Partner {
  state: 'inSync' | 'absent' | 'added';
  readonly differs: Set<number>;
  base: ReturnType<typeof base>;
}

class Cut extends Error {}

class History {
  readonly #random: Prng;
  readonly #strategy: JournalStrategy;
  #partners = new Map<number, Partner>();
  #disk: CutDisk;
  #journal!: Journal;
  #term = 1;
  #isTrusted = true;
  #isStopped = false;
  #open: { readonly lba: number; readonly blocks: number }[] = [];
  readonly seen = { fast: 0, full: 0, added: 0 };

  constructor(strategy: JournalStrategy, seed: number) {
    this.#strategy = strategy;
    this.#random = createPrng(seed);
    this.#disk = new CutDisk(4096 + journalLength(BLOCKS, BLOCK, 1));
    this.#partners.set(2, { state: 'inSync', differs: new Set(), base: base(1) });
  }

  async live(): Promise<void> {
    const random = this.#random;
    this.#disk.cutAt = random.integer(1, 120);
    this.#open = [];
    try {
      await this.#begin();
      for (let step = random.integer(5, 100); step > 0; step--) {
        // oxlint-disable-next-line no-await-in-loop -- one event after the other
        await this.#event(random.next());
      }
      this.#settle();
      await this.#alive(this.#journal.stop());
      this.#isStopped = true;
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
    }
    this.#disk = this.#disk.afterCut(() => random.chance(0.5));
  }

  async #begin(): Promise<void> {
    const shape = {
      strategy: this.#strategy,
      device: 'd'.repeat(32),
      blockCount: BLOCKS,
      blockLength: BLOCK,
    };
    const partners = [...this.#partners.keys()];
    const options = { ...shape, slotCount: 16, partners, disk: this.#disk, offset: 4096 };
    this.#journal = new Journal(options);
    const found = await this.#journal.load(this.#isTrusted);
    const absent = new Map<number, AbsentPartner>();
    for (const [node, partner] of this.#partners) {
      const map = new DirtyMap(BLOCKS, BLOCK);
      if (partner.state === 'added') {
        // Also when it was begun, and the power went before that was answered: it lacks everything.
        map.union(found.maps.get(node)!.map);
        this.seen.added += 1;
      } else {
        const ending = this.#endingOf(partner);
        const recovered = recoveredMap(options, found, { partner: node, ending, base: partner.base });
        map.union(recovered.map);
        this.seen[recovered.proof.kind] += partner.state === 'absent' ? 1 : 0;
      }
      lacksNothing(map, partner);
      if (partner.state === 'inSync') partner.differs.clear();
      else absent.set(node, { base: partner.base, map });
    }
    if (this.#random.chance(0.3)) {
      await this.#change();
      for (const node of absent.keys()) if (!this.#partners.has(node)) absent.delete(node);
      for (const [node, partner] of this.#partners)
        if (partner.state === 'added') absent.set(node, this.#blank());
    }
    if (this.#journal.replacesRecords) this.#isTrusted = false;
    this.#isStopped = false;
    await this.#alive(this.#journal.start(absent));
    for (const node of absent.keys()) this.#partners.get(node)!.state = 'absent';
    for (const [node, { base: since }] of absent) this.#partners.get(node)!.base = since;
    this.#isTrusted = true;
  }

  #endingOf({ state }: Partner): Ending {
    if (this.#isStopped) return state === 'inSync' ? 'stopInSync' : 'stopDegraded';
    return state === 'inSync' ? 'outageInSync' : 'outageDegraded';
  }

  #blank(): AbsentPartner {
    const map = new DirtyMap(BLOCKS, BLOCK);
    map.markAll();
    this.#term += 1;
    return { base: base(this.#term), map };
  }

  async #event(dice: number): Promise<void> {
    if (dice < 0.7) return this.#write();
    if (dice < 0.8) return this.#flush();
    if (dice < 0.85) return this.#change();
    const [node, partner] = this.#random.pick([...this.#partners, undefined]) ?? [];
    if (node === undefined || partner === undefined) return undefined;
    return partner.state === 'absent' ? this.#resync(node, partner) : this.#leave(node, partner);
  }

  async #write(): Promise<void> {
    if (this.#open.length > 5) this.#settle();
    const lba = this.#random.integer(0, BLOCKS - 41);
    const blocks = this.#random.integer(1, 40);
    await this.#alive(Promise.resolve(this.#journal.beforeWrite(lba, blocks)));
    this.#open.push({ lba, blocks });
    for (let chunk = Math.floor(lba / PER_CHUNK); chunk * PER_CHUNK < lba + blocks; chunk++)
      for (const { differs } of this.#partners.values()) differs.add(chunk);
  }

  #settle(): void {
    for (const { lba, blocks } of this.#open.splice(0)) this.#journal.written(lba, blocks, 'durable');
    for (const { state, differs } of this.#partners.values()) if (state === 'inSync') differs.clear();
  }

  #flush(): void {
    this.#settle();
    this.#journal.sealUnflushed();
    const absent = this.#journal.absentPartners();
    for (const node of [SELF, ...this.#partners.keys()])
      if (!absent.has(node)) this.#journal.confirmUnflushed(node);
  }

  async #leave(node: number, partner: Partner): Promise<void> {
    const pending = [...this.#open];
    const known = partner.state === 'added' ? this.#blank().map : undefined;
    const left = [...partner.differs];
    this.#settle();
    this.#term += 1;
    await this.#alive(this.#journal.partnerLeft(node, base(this.#term), pending, known));
    partner.state = 'absent';
    partner.base = base(this.#term);
    for (const chunk of left) partner.differs.add(chunk);
  }

  async #resync(node: number, partner: Partner): Promise<void> {
    this.#settle();
    const map = this.#journal.mapOf(node)!;
    lacksNothing(map, partner);
    const isWhole = this.#random.chance(0.5);
    for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) {
      if (!isWhole && this.#random.chance(0.2)) continue;
      map.clear(chunk);
      partner.differs.delete(chunk);
    }
    await this.#alive(this.#journal.saveProgress(node));
    if (map.count > 0) return;
    this.#journal.partnerLearns(node);
    this.#journal.partnerReturned(node);
    partner.state = 'inSync';
    await this.#alive(this.#journal.endLogIfIdle());
  }

  /** Some go and some come; when the power goes meanwhile it is open whether the configuration was accepted. */
  async #change(): Promise<void> {
    this.#settle();
    const stay = [...this.#partners].filter(() => this.#random.chance(0.7));
    const next = new Map(stay);
    for (const node of NODES)
      if (next.size < 3 && !this.#partners.has(node) && this.#random.chance(0.3))
        next.set(node, { state: 'added', differs: new Set(allChunks()), base: base(0) });
    try {
      await this.#alive(this.#journal.setPartners([...next.keys()]));
    } catch (error) {
      if (this.#random.chance(0.5)) this.#partners = next;
      throw error;
    }
    this.#partners = next;
  }

  async #alive(action: Promise<{ readonly ok: boolean }>): Promise<void> {
    const answer = await Promise.race([action, this.#disk.cut]);
    if (answer === 'cut') throw new Cut();
    assert.ok(answer.ok);
  }
}

function* allChunks(): Iterable<number> {
  for (let chunk = 0; chunk < BLOCKS / PER_CHUNK; chunk++) yield chunk;
}

function lacksNothing(map: DirtyMap, { differs }: Partner): void {
  for (const chunk of differs) assert.ok(map.has(chunk), `chunk ${chunk} is missing`);
}

for (const strategy of ['ram', 'failure', 'continuous'] as const)
  test(`journal '${strategy}': partners come and go through lives of power cuts, and no mark is lost`, async () => {
    const seen = { fast: 0, full: 0, added: 0 };
    for (let seed = 1; seed <= 16; seed++) {
      const history = new History(strategy, seed);
      try {
        // oxlint-disable-next-line no-await-in-loop
        for (let life = 0; life < 8; life++) await history.live();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      for (const key of ['fast', 'full', 'added'] as const) seen[key] += history.seen[key];
    }
    for (const count of Object.values(seen)) assert.ok(count > 4, JSON.stringify(seen));
  });
